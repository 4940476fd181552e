"""The data sets of a readout, and the reading that they make (IEC 62056-21:2002, 6.3.2 and 6.5)."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
import re
from typing import Final

from ..errors import TelegramError
from ..obis import Obis
from ..reading import Identity, Reading, Register
from .codes import parse_address
from .identification import Identification
from .identity import identity_from_text
from .times import combine, parse_time
from .values import NUMBER, number_of, unit_of

#: An address, if this is the first value of its data set, and a value.
_GROUP: Final = re.compile(r"(?<![^()\r\n])([^()\r\n]*+)\(([^()\r\n]*+)\)")
#: What data sets consist of and nothing else, in any order.
_WELL_FORMED: Final = re.compile(r"(?:[ -'*-~]*+\([^()\r\n]*+\)|[\r\n])*+")
#: The end of the data, which may also stand inside a value.
_END: Final = re.compile(r"[^(!]*+(?:\([^()\r\n]*+\)?[^(!]*+)*+!")

#: Digits of the shortest point in time: YYMMDDhhmm.
_SHORTEST_TIME: Final = 10

_ELECTRICITY: Final = 1
_CURRENT: Final = 255
#: Groups C of codes that name no quantity, so that digits in them are no number.
_DESCRIPTIVE: Final = frozenset({0, *range(96, 100)})
#: A readout that has one of these is that of a heat meter, whose short codes mean heat (EN 1434-3).
_HEAT: Final = ("6.8", "6.26")
#: Where the meter's id stands, the best place first: groups C, D and E; electricity or abstract.
_ID_CODES: Final = ((96, 1, 0), (0, 0, 0), (96, 1, 1), (96, 1, 255), (0, 0, 1))
_HEAT_ID: Final = "0.0"
#: The meter's clock: date and time apart, or in one.
_TIME_OF_DAY: Final = (0, 9, 1)
_DATE: Final = (0, 9, 2)
_CLOCK: Final = ((0, 1, 0, 0), (1, 0, 9, 4))


def data_end(text: str) -> int | None:
    """Return where the first ``!`` outside of values stands, the end of the data; None without."""
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
        yield address, max(group, 0), value


def parse_registers(text: str) -> list[Register]:
    """Return a register for each value of a readout, in its order, duplicates kept.

    A value is a number where it is written as one and has a unit, or measures electricity, or has
    decimals and follows another value; anything else is text. Values of past billing periods
    without a unit have that of the current one.
    """
    registers: list[Register] = []
    units: dict[Obis, str] = {}
    without_unit: list[tuple[int, Obis]] = []
    for address, group, value in parse_data_sets(text):
        obis = parse_address(address)
        match = NUMBER.fullmatch(value)
        if match is not None:
            sign, whole, fraction, unit_text, percent, spaced = match.groups()
            unit = unit_of(unit_text or percent or spaced or "")
            if unit is not None or (
                (obis is not None and obis[0] == _ELECTRICITY and obis[2] not in _DESCRIPTIVE)
                if group == 0
                else fraction is not None
            ):
                if group == 0 and obis is not None:
                    if unit is not None:
                        units.setdefault(obis, unit)
                    elif obis[5] != _CURRENT:
                        without_unit.append((len(registers), obis._replace(f=_CURRENT)))
                number = number_of(sign, whole, fraction)
                registers.append(Register(obis, number, unit, None, address, group))
                continue
        text = value.strip()
        time = parse_time(text) if len(text) >= _SHORTEST_TIME else None
        registers.append(Register(obis, text, None, None, address, group, time))
    for index, current in without_unit:
        if current in units:
            registers[index] = replace(registers[index], unit=units[current])
    if any(register.address in _HEAT for register in registers):
        return [_without_code(register) for register in registers]
    return registers


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
    if not checked:
        rest = "" if end is None else data[end + 1 :]
        if rest.strip() or not is_well_formed(data[:end]):
            raise TelegramError("the readout is not well-formed")
    registers = parse_registers(data[:end])
    if not registers:
        raise TelegramError("the readout holds no data")
    return Reading(_identity(registers, identification), _clock(registers), tuple(registers), raw)


def _identity(registers: Sequence[Register], identification: Identification | None) -> Identity:
    meter_id = _meter_id(registers)
    if identification is None:
        return identity_from_text(meter_id, None, None)
    return identity_from_text(meter_id, identification.manufacturer, identification.ident)


def _meter_id(registers: Sequence[Register]) -> str | None:
    found: dict[tuple[int, ...], str] = {}
    for register in registers:
        obis, value = register.obis, register.value
        if register.group or not value or not isinstance(value, str):
            continue
        if obis is None:
            if register.address == _HEAT_ID:
                return value
        elif (obis.a == _ELECTRICITY or obis[:2] == (0, 0)) and obis.f == _CURRENT:
            found.setdefault(obis[2:5], value)
    return next((found[code] for code in _ID_CODES if code in found), None)


def _clock(registers: Sequence[Register]) -> datetime | None:
    """Return what the meter's clock shows, where the readout tells it."""
    parts: dict[tuple[int, ...], str] = {}
    for register in registers:
        obis = register.obis
        if obis is None or register.group or not isinstance(register.value, str):
            continue
        if register.time is not None and (obis.a, *obis[2:5]) in _CLOCK:
            return register.time
        if obis[2:5] in (_TIME_OF_DAY, _DATE):
            parts.setdefault(obis[2:5], register.value)
    if _DATE not in parts or _TIME_OF_DAY not in parts:
        return None
    return combine(parts[_DATE], parts[_TIME_OF_DAY])
