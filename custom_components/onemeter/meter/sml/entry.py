"""An entry of an SML register list, and the register in it (SML 1.04, 5.1.3)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from ..errors import TelegramError
from ..obis import Obis
from ..reading import Register, Value
from ..units import UNITS, scaling
from .direction import POWER_CODES, STATUS_CODES, rule_of
from .elements import (
    LIST,
    SIGNED,
    UNSIGNED,
    Element,
    enter_list,
    field_at,
    read,
    read_nested,
    skip,
)

_OBIS_LENGTH: Final = 6
_SCALERS: Final = range(-128, 128)
_INTEGERS: Final = frozenset({SIGNED, UNSIGNED})
#: By type and length, the integers that the struct module can read.
_NUMBERS: Final[Mapping[tuple[int, int], str]] = {
    **{(UNSIGNED, size): form for size, form in ((1, "B"), (2, "H"), (4, "I"), (8, "Q"))},
    **{(SIGNED, size): form for size, form in ((1, "b"), (2, "h"), (4, "i"), (8, "q"))},
}

#: Octet strings that are text: manufacturer, firmware, ownership numbers.
_TEXT_CODES: Final = frozenset(
    map(
        Obis.parse,
        (
            "1-0:96.50.1*1",
            "1-0:96.50.1*4",
            "129-129:199.130.3*255",
            "1-0:0.2.0*0",
            "1-0:0.0.0*255",
            "0-0:96.1.255*255",
        ),
    )
)
_STATUS_RANKS: Final[Mapping[Obis | None, int]] = {
    code: rank for rank, code in enumerate(STATUS_CODES)
}

#: Cached, since a meter always sends the same codes.
_obis = lru_cache(maxsize=1024)(Obis.from_bytes)


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of a register list, except for the contents of status word and value."""

    code: Obis | None
    unit: str | None
    scaler: int
    #: The type of the value; None where it is left out.
    kind: int | None
    #: Where the content of the value is, or all of the value if that is a list.
    content_at: slice
    #: How the struct module reads it: as a number where it can, otherwise as bytes.
    form: str
    #: Where the content of the status word is, if the entry has one.
    status_at: slice | None
    #: Index in STATUS_CODES, if the status word is the meter's: the lowest one counts.
    rank: int | None

    @property
    def has_direction(self) -> bool:
        """Whether the sign of the value may depend on the status word of the meter."""
        return self.code in POWER_CODES and self.kind in _INTEGERS

    def maker(self, status: int | None) -> Callable[[Any], Register]:
        """Return what makes the register from its content, for power with a status word's sign.

        The content is what the struct module reads.
        """
        code, unit = self.code, self.unit
        if self.kind not in _INTEGERS:
            return lambda content: Register(code, self._value(content), unit)
        (multiply, factor), rule = scaling(self.scaler), None
        if status is not None and code in POWER_CODES:
            bits = 8 * (self.content_at.stop - self.content_at.start)
            rule = rule_of(code, bits, self.scaler, status)

        def make(number: int) -> Register:
            value = multiply(factor, number)
            if rule is None or (true := rule(number)) is None:
                return Register(code, value, unit)
            signed = value if true == number else multiply(factor, true)
            return Register(code, value, unit, signed)

        if self.form.endswith("s"):
            is_signed = self.kind == SIGNED
            return lambda content: make(int.from_bytes(content, signed=is_signed))
        return make

    def _value(self, content: bytes) -> Value:
        """Return the value of a content that is no number."""
        match self.kind:
            case None:
                return None
            case 0:  # OCTETS
                return _text(content) if self.code in _TEXT_CODES else content
            case 4:  # BOOLEAN
                return any(content)
            case _:  # LIST
                return _seconds(read_nested(content, 0)[0])


def read_entry(data: bytes, start: int, release: Callable[[int, int], None]) -> tuple[Entry, int]:
    """Return the entry at a position, and the position after it.

    Calls ``release`` with begin and end of elements whose contents are no part of the entry. Raises
    TelegramError.
    """
    name, status_start = read(data, enter_list(data, start, 7))
    status, status_end = read(data, status_start)
    unit_start = skip(data, status_end)  # time of the value
    unit, position = read(data, unit_start)
    scaler, value_start = read(data, position)
    scaler = scaler or 0
    if not isinstance(name, bytes) or isinstance(unit, bytes) or isinstance(scaler, bytes):
        raise TelegramError(f"Invalid register at byte {start}")
    if scaler not in _SCALERS:
        raise TelegramError(f"Scaler out of range at byte {start}")
    kind, size, content_start = field_at(data, value_start)
    value, value_end = read_nested(data, value_start)
    end = skip(data, value_end)  # signature
    if kind == LIST:
        size, content_start = value_end - value_start, value_start
    code = _obis(name) if len(name) == _OBIS_LENGTH else None
    status_at = rank = None
    if isinstance(status, int):
        _, _, status_content = field_at(data, status_start)
        status_at, rank = slice(status_content, status_end), _STATUS_RANKS.get(code)
    entry = Entry(
        code,
        None if unit is None else UNITS.get(unit),
        scaler,
        None if value is None else kind,
        slice(content_start, value_end),
        _NUMBERS.get((kind, size), f"{size}s"),
        status_at,
        rank,
    )
    release(status_start, unit_start)
    release(value_start, end)
    return entry, end


def _text(octets: bytes) -> str | bytes:
    """Return printable ASCII octets as text, others unchanged."""
    if octets.isascii() and (text := octets.decode("ascii")).isprintable() and text:
        return text
    return octets


def _seconds(value: Element) -> int | None:
    """Return the number in a value that is a time; None for a list of another kind."""
    match value:
        case (1, (_, _) as time):
            return _seconds(time)
        case (1 | 2, int(seconds)) | (3, (int(seconds), int(), int())):
            return seconds
        case _:
            return None
