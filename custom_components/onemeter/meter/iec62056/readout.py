"""The data sets of a readout, and the reading that they make (IEC 62056-21:2002, 6.3.2 and 6.5)."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
import re
from typing import Final

from ..errors import TelegramError
from ..obis import Obis
from ..reading import Identity, Reading, Register
from .codes import DESCRIPTIVE, parse_address
from .identification import Identification
from .identity import identity_from_text
from .times import combine, parse_time
from .values import is_garbled, split_value, unit_of

#: An address, if this is the first value of its data set, and a value.
_GROUP: Final = re.compile(r"(?<![^()\r\n])([^()\r\n]*+)\(([^()\r\n]*+)\)")
#: The same, with the value taken apart where it is a number as most meters write it.
_QUICK_GROUP: Final = re.compile(
    r"(?<![^()\r\n])([^()\r\n]*+)\("
    r"(?:(\d++(?:\.\d++)?+)(?:\*([A-Za-z]++))?+\)|([^()\r\n]*+)\))",
    re.ASCII,
)
#: What data sets consist of and nothing else, in any order.
_WELL_FORMED: Final = re.compile(r"(?:[ -'*-~]*+\([ -'*-~]*+\)| *+[\r\n])*+ *+")
#: What may come between identification and data: noise, and what heads send back of the
#: acknowledgement.
_PRELUDE: Final = re.compile(r"[\x00\x7f\r\n ]*+(?:\x06?\d{3}[\r\n]++)?+", re.ASCII)
#: The end of the data, which may also stand inside a value.
_END: Final = re.compile(r"[^(!]*+(?:\([^()\r\n]*+\)?[^(!]*+)*+!")

#: Digits of the shortest point in time: YYMMDDhhmm.
_SHORTEST_TIME: Final = 10

_ELECTRICITY: Final = 1
_CURRENT: Final = 255
#: A readout that has one of these is that of a heat meter, whose short codes mean heat (EN 1434-3).
_HEAT: Final = ("6.8", "6.26")
#: Where the meter's id stands, the best place first: groups C, D and E; electricity or abstract.
_ID_CODES: Final = ((96, 1, 0), (0, 0, 0), (96, 1, 1), (96, 1, 255), (0, 0, 1))
_HEAT_ID: Final = "0.0"
#: Groups C and D of ids, whose digits are no time.
_IDS: Final = ((96, 1), (0, 0))
#: The meter's clock: date and time apart, or in one.
_TIME_OF_DAY: Final = (0, 9, 1)
_DATE: Final = (0, 9, 2)
_CLOCK: Final = ((0, 1, 0, 0), (1, 0, 9, 4))
_CLOCK_MAX: Final = 1

#: A register whose value is text, and this.
type _Text = tuple[Register, str]


def data_end(text: str) -> int | None:
    """Return where the first ``!`` outside of values stands, the end of the data; None without."""
    end = text.find("!")
    opened = text.rfind("(", 0, end)
    if end >= 0 and ")" in text[opened:end]:
        return end
    match = _END.match(text)
    return None if match is None else match.end() - 1


def is_well_formed(text: str) -> bool:
    """Tell whether a text consists of data sets and line ends to its last character."""
    return _WELL_FORMED.fullmatch(text) is not None


def parse_data_sets(text: str) -> Iterator[tuple[str, int, str]]:
    """Yield address, index in the data set, and text of each value, as sent.

    A value without address belongs to the data set before it, also on a line of its own.
    """
    address, group = "", -1
    for name, value in _GROUP.findall(text):
        if name := name.strip():
            address, group = name, 0
        else:
            group += 1
        yield address, group, value


def parse_registers(text: str) -> list[Register]:
    """Return a register for each value of a readout, in its order, duplicates kept.

    A value is a number where it is written as one and has a unit, or measures electricity, or has
    decimals and follows another value; anything else is text. Values of past billing periods
    without a unit have that of the current one.
    """
    registers, _ = _parse(text)
    return registers


def _parse(text: str) -> tuple[list[Register], list[_Text]]:
    """Return all registers, and those whose only or first value is text."""
    registers: list[Register] = []
    texts: list[_Text] = []
    without_unit: list[int] = []
    address, group, obis, is_quantity = "", -1, None, False
    for name, digits, unit_text, other in _QUICK_GROUP.findall(text):
        if name and not name.isspace():
            group = 0
            address, obis, is_quantity = _name(name)
        else:
            group += 1
        number, unit = split_value(other) if other else (digits, unit_of(unit_text))
        if number and (unit is not None or (is_quantity if group == 0 else "." in number)):
            if unit is None and group == 0:
                without_unit.append(len(registers))
            registers.append(Register(obis, Decimal(number), unit, None, address, group))
            continue
        value = other.strip() or digits
        may_be_time = len(value) >= _SHORTEST_TIME and (obis is None or obis[2:4] not in _IDS)
        time = parse_time(value) if may_be_time else None
        register = Register(obis, value, None, None, address, group, time)
        registers.append(register)
        if group == 0:
            texts.append((register, value))
    if without_unit:
        _inherit_units(registers, without_unit)
    if any(code in text for code in _HEAT) and any(r.address in _HEAT for r in registers):
        registers = [_without_code(register) for register in registers]
        texts = [(_without_code(register), value) for register, value in texts]
    return registers, texts


def _inherit_units(registers: list[Register], places: Iterable[int]) -> None:
    """Give values of past billing periods at some places the unit of the current one."""
    units = {r.obis: r.unit for r in reversed(registers) if r.group == 0 and r.unit is not None}
    for place in places:
        obis = registers[place].obis
        if obis is not None and obis.f != _CURRENT:
            unit = units.get(obis._replace(f=_CURRENT))
            registers[place] = replace(registers[place], unit=unit)


@lru_cache(maxsize=4096)
def _name(text: str) -> tuple[str, Obis | None, bool]:
    """Return an address, its code, and whether this is that of something measured.

    Then digits are a number.
    """
    address = text.strip()
    obis = parse_address(address)
    is_quantity = obis is not None and obis.a == _ELECTRICITY and obis.c not in DESCRIPTIVE
    return address, obis, is_quantity


def _without_code(register: Register) -> Register:
    """Take back the code that an address without medium would have as one of electricity."""
    has_medium = "-" in (register.address or "")
    return register if has_medium else replace(register, obis=None)


def decode_readout(
    data: str, identification: Identification | None, raw: bytes, *, checked: bool
) -> Reading:
    """Make the reading of a block of data sets.

    One that no checksum protects must be well-formed to its last character; otherwise what is no
    data set is passed over, since the meter did send it. Raises TelegramError.
    """
    end = data_end(data)
    start = match.end() if (match := _PRELUDE.match(data)) else 0
    rest = "" if end is None else data[end + 1 :]
    if not checked and (rest.strip() or not is_well_formed(data[start:end])):
        raise TelegramError("the readout is not well-formed")
    registers, texts = _parse(data[start:end])
    if not registers:
        raise TelegramError("the readout holds no data")
    if not checked and any(isinstance(r.value, str) and is_garbled(r.value) for r in registers):
        raise TelegramError("the readout holds a garbled number")
    return Reading(_identity(texts, identification), _clock(texts), tuple(registers), raw)


def _identity(texts: Sequence[_Text], identification: Identification | None) -> Identity:
    meter_id = _meter_id(texts)
    if identification is None:
        return identity_from_text(meter_id, None, None)
    return identity_from_text(meter_id, identification.manufacturer, identification.ident)


def _meter_id(texts: Sequence[_Text]) -> str | None:
    found: dict[tuple[int, ...], str] = {}
    for register, text in texts:
        obis = register.obis
        if not text:
            continue
        if obis is None:
            if register.address == _HEAT_ID:
                return text
        elif obis.f == _CURRENT and (obis.a == _ELECTRICITY or obis[:2] == (0, 0)):
            found.setdefault(obis[2:5], text)
    return next((found[code] for code in _ID_CODES if code in found), None)


def _clock(texts: Sequence[_Text]) -> datetime | None:
    """Return what the meter's clock shows, where the readout tells it."""
    parts: dict[tuple[int, ...], str] = {}
    for register, text in texts:
        obis = register.obis
        if obis is None or obis.c > _CLOCK_MAX:
            continue
        if register.time is not None and (obis.a, *obis[2:5]) in _CLOCK:
            return register.time
        parts.setdefault(obis[2:5], text)
    if _DATE not in parts or _TIME_OF_DAY not in parts:
        return None
    return combine(parts[_DATE], parts[_TIME_OF_DAY])
