"""An entry of an SML register list, and the register in it (SML 1.04, 5.1.3)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from operator import attrgetter
from typing import Final

from ..errors import TelegramError
from ..obis import Obis
from ..reading import Register, Value
from ..units import UNITS, scaled
from .direction import POWER_CODES, STATUS_CODES, true_number
from .elements import (
    BOOLEAN,
    LIST,
    OCTETS,
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


@dataclass(slots=True)
class Entry:
    """An entry of a register list: its layout, and its last contents.

    The same bytes at the begin of an element are always the same fields. So if the bytes around
    the contents of status and value are repeated, only these contents have to be decoded again.
    """

    #: The bytes up to the content of the status word, or of the value if there is no status word.
    head: bytes
    status: bytes
    #: The bytes between status word and value.
    middle: bytes
    content: bytes
    #: The bytes after the content of the value.
    tail: bytes
    code: Obis | None
    #: The type of the value.
    kind: int
    unit: str | None
    scaler: int
    #: Index in STATUS_CODES, if the entry has the status word of the meter: the lowest one counts.
    rank: int | None
    #: None for power, whose sign may depend on the status word of the telegram.
    register: Register | None

    def read_again(self, data: bytes, position: int) -> int:
        """Update the contents from an entry; return its end, or 0 if it has another layout."""
        head, tail, content = self.head, self.tail, self.content
        if not data.startswith(head, position):
            return 0
        position += len(head)
        if status := self.status:
            end = position + len(status)
            if not data.startswith(self.middle, end):
                return 0
            status = data[position:end]
            position = end + len(self.middle)
        end = position + len(content)
        if not data.startswith(tail, end):
            return 0
        self.status = status
        if not data.startswith(content, position):
            self.content = data[position:end]
            if self.register is not None:
                self.register = Register(self.code, self.value(), self.unit)
        return end + len(tail)

    def value(self) -> Value:
        """Return the value of the content."""
        kind, content = self.kind, self.content
        if kind == OCTETS:
            return _text(content) if self.code in _TEXT_CODES else content
        if kind == BOOLEAN:
            return any(content)
        return scaled(int.from_bytes(content, signed=kind == SIGNED), self.scaler)

    def power(self, status: int | None) -> Register:
        """Return the register of power, with the sign in the status word if that is known."""
        number = int.from_bytes(self.content, signed=self.kind == SIGNED)
        value = scaled(number, self.scaler)
        true = None
        if status is not None and self.code is not None:
            bits = 8 * len(self.content)
            true = true_number(self.code, number, bits, self.scaler, status)
        if true is None:
            return Register(self.code, value, self.unit)
        signed = value if true == number else scaled(true, self.scaler)
        return Register(self.code, value, self.unit, signed)


def read_entry(data: bytes, start: int) -> tuple[Entry, int]:
    """Return the entry at a position, and the position after it. Raises TelegramError."""
    name, status_start = read(data, enter_list(data, start, 7))
    status, status_end = read(data, status_start)
    position = skip(data, status_end)  # time of the value
    unit, position = read(data, position)
    scaler, value_start = read(data, position)
    scaler = scaler or 0
    if not isinstance(name, bytes) or isinstance(unit, bytes) or isinstance(scaler, bytes):
        raise TelegramError(f"Invalid register at byte {start}")
    if scaler not in _SCALERS:
        raise TelegramError(f"Scaler out of range at byte {start}")
    kind, _, content_start = field_at(data, value_start)
    value, value_end = read_nested(data, value_start)
    if value is None or kind == LIST:
        content_start = value_end  # its content is part of the layout
    end = skip(data, value_end)  # signature
    if isinstance(status, int):
        _, status_length, _ = field_at(data, status_start)
        status_start = status_end - status_length
    else:
        status_start = status_end = content_start
    code = _obis(name) if len(name) == _OBIS_LENGTH else None
    entry = Entry(
        data[start:status_start],
        data[status_start:status_end],
        data[status_end:content_start],
        data[content_start:value_end],
        data[value_end:end],
        code,
        kind,
        None if unit is None else UNITS.get(unit),
        scaler,
        _STATUS_RANKS.get(code) if isinstance(status, int) else None,
        None,
    )
    if value is None:
        entry.register = Register(code, None, entry.unit)
    elif isinstance(value, tuple):
        entry.register = Register(code, _seconds(value), entry.unit)
    elif code not in POWER_CODES or kind not in {SIGNED, UNSIGNED}:
        entry.register = Register(code, entry.value(), entry.unit)
    return entry, end


def status_of(entries: Sequence[Entry]) -> int | None:
    """Return the status word of the meter; None if no entry has it."""
    ranked = [entry for entry in entries if entry.rank is not None]
    return int.from_bytes(min(ranked, key=attrgetter("rank")).status) if ranked else None


def registers_of(entries: Sequence[Entry], status: int | None) -> tuple[Register, ...]:
    """Return the registers of entries, power with the sign in the status word."""
    return tuple([entry.register or entry.power(status) for entry in entries])


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
