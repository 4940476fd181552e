"""The data sets of a readout, and the reading that they make (IEC 62056-21:2002, 6.3.2 and 6.5)."""

from collections.abc import Iterable, Iterator
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
#: Groups C and D of ids, whose digits are no time.
_IDS: Final = ((96, 1), (0, 0))

#: What a data set tells of the meter itself, by groups C, D and E of electricity or abstract codes:
#: its id, the best place first, ...
_ROLES: Final[dict[tuple[int, ...], int]] = {
    (96, 1, 0): 0,
    (0, 0, 0): 1,
    (96, 1, 1): 2,
    (96, 1, 255): 3,
    (0, 0, 1): 4,
}
_ID_ROLES: Final = range(5)
#: ... and what its clock shows, as a date and a time or in one.
_DATE: Final = 5
_TIME_OF_DAY: Final = 6
_CLOCK: Final = 7
_CLOCK_ROLES: Final[dict[tuple[int, ...], int]] = {
    (1, 0, 9, 2): _DATE,
    (1, 0, 9, 1): _TIME_OF_DAY,
    (1, 0, 9, 4): _CLOCK,
    (0, 0, 9, 2): _DATE,
    (0, 0, 9, 1): _TIME_OF_DAY,
    (0, 1, 0, 0): _CLOCK,
}
#: The id of a heat meter.
_HEAT_ID: Final = "0.0"

#: The first registers that are text and have a role, by that.
type _Told = dict[int, Register]


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


def _parse(text: str) -> tuple[list[Register], _Told]:
    """Return all registers, and those that tell of the meter itself."""
    registers: list[Register] = []
    told: _Told = {}
    without_unit: list[int] = []
    address, group, obis, is_quantity, role = "", -1, None, False, None
    for name, digits, unit_text, other in _QUICK_GROUP.findall(text):
        if name and not name.isspace():
            group = 0
            address, obis, is_quantity, role = _name(name)
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
        if role is not None and group == 0 and value:
            told.setdefault(role, register)
    if without_unit:
        _inherit_units(registers, without_unit)
    if any(code in text for code in _HEAT) and any(r.address in _HEAT for r in registers):
        registers = [r if _has_medium(r) else replace(r, obis=None) for r in registers]
        told = {role: r for role, r in told.items() if _has_medium(r) or r.address == _HEAT_ID}
    return registers, told


def _inherit_units(registers: list[Register], places: Iterable[int]) -> None:
    """Give values of past billing periods at some places the unit of the current one."""
    units = {r.obis: r.unit for r in reversed(registers) if r.group == 0 and r.unit is not None}
    for place in places:
        obis = registers[place].obis
        if obis is not None and obis.f != _CURRENT:
            unit = units.get(obis._replace(f=_CURRENT))
            registers[place] = replace(registers[place], unit=unit)


@lru_cache(maxsize=4096)
def _name(text: str) -> tuple[str, Obis | None, bool, int | None]:
    """Return an address, its code, whether this is that of something measured, and its role.

    Digits of what is measured are a number.
    """
    address = text.strip()
    obis = parse_address(address)
    if obis is None:
        return address, None, False, None
    role = None
    if obis.f == _CURRENT:
        role = _CLOCK_ROLES.get((obis.a, *obis[2:5]))
        if obis.a == _ELECTRICITY or obis[:2] == (0, 0):
            role = _ROLES.get(obis[2:5], role)
    return address, obis, obis.a == _ELECTRICITY and obis.c not in DESCRIPTIVE, role


def _has_medium(register: Register) -> bool:
    """Tell whether the address of a register says itself what it is a code of."""
    return "-" in (register.address or "")


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
    registers, told = _parse(data[start:end])
    if not registers:
        raise TelegramError("the readout holds no data")
    if not checked and any(isinstance(r.value, str) and is_garbled(r.value) for r in registers):
        raise TelegramError("the readout holds a garbled number")
    identity, clock = _identity(told, identification), _clock(told)
    return Reading(identity, clock, tuple(registers), raw, checked)


def _identity(told: _Told, identification: Identification | None) -> Identity:
    meter_id = next((str(told[role].value) for role in _ID_ROLES if role in told), None)
    if identification is None:
        return identity_from_text(meter_id, None, None)
    return identity_from_text(meter_id, identification.manufacturer, identification.ident)


def _clock(told: _Told) -> datetime | None:
    """Return what the meter's clock shows, where the readout tells it."""
    if (clock := told.get(_CLOCK)) is not None and clock.time is not None:
        return clock.time
    if _DATE not in told or _TIME_OF_DAY not in told:
        return None
    return combine(str(told[_DATE].value), str(told[_TIME_OF_DAY].value))
