"""The data sets of a readout, and the reading that they make (IEC 62056-21:2002, 6.3.2 and 6.5)."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
import re
from typing import Final

from ..errors import EmptyReadoutError, ReadoutRefusedError, TelegramError
from ..identity import identity_from_text
from ..obis import ABSTRACT, CURRENT_VALUE, ELECTRICITY, C, Obis
from ..reading import Identity, Reading, Register
from ..slices import Sliced, do_at_once
from .codes import ADDRESS_MAX, DESCRIPTIVE, parse_address
from .identification import Identification
from .times import combine, parse_time
from .values import VALUE_MAX, is_garbled, split_value, unit_of

#: A value, which may hold brackets in pairs.
_VALUE: Final = r"[^()\r\n]*+(?:\([^()\r\n]*+\)[^()\r\n]*+)*+"
#: An address, if this is the first value of its data set, and a value.
_GROUP: Final = re.compile(rf"(?<![^()\r\n])([^()\r\n]*+)\(({_VALUE})\)")
#: The same, with the value taken apart where it is a number as most meters write it.
_QUICK_GROUP: Final = re.compile(
    r"(?<![^()\r\n])([^()\r\n]*+)\("
    rf"(?:(\d{{1,24}}+(?:\.\d{{1,24}}+)?+)(?:\*([A-Za-z]{{1,16}}+))?+\)|({_VALUE})\))",
    re.ASCII,
)
#: What data sets consist of and nothing else, in any order.
_WELL_FORMED: Final = re.compile(
    r"(?:[ -'*-~]*+\([ -'*-~]*+(?:\([ -'*-~]*+\)[ -'*-~]*+)*+\)| *+[\r\n]++)*+ *+"
)
#: What may come between identification and data: noise, and what heads send back of the
#: acknowledgement.
_PRELUDE: Final = re.compile(r"[\x00\x7f\r\n ]*+(?:\x06?\d{3}[\r\n]++)?+", re.ASCII)
#: What some meters send in place of the data sets (6.4.4).
_ERROR: Final = re.compile(r"\((ER(?:ROR)?[0-9A-Z:;]{0,8})\)")
#: What a value ends with, or a line in the middle of one.
_VALUE_END: Final = re.compile(r"[)\r\n]")

#: The largest readout seen has 616 values.
_VALUES_MAX: Final = 2000
#: Characters that are read in one slice, and how many "!" or registers are looked at in one.
_SLICE: Final = 512
_LOOKS: Final = 256

#: Digits of the shortest point in time: YYMMDDhhmm.
_SHORTEST_TIME: Final = 10

#: A readout that has one of these is that of a heat meter, whose short codes mean heat (EN 1434-3).
_HEAT: Final = ("6.8", "6.26")
#: Groups C and D of ids, whose digits are no time.
_IDS: Final = ((C.SERVICE, 1), (0, 0))

#: What a data set tells of the meter itself, by groups C, D and E of electricity or abstract codes:
#: its id, the best place first, ...
_ROLES: Final[dict[tuple[int, ...], int]] = {
    (C.SERVICE, 1, 0): 0,
    (0, 0, 0): 1,
    (C.SERVICE, 1, 1): 2,
    (C.SERVICE, 1, 255): 3,
    (0, 0, 1): 4,
}
_ID_ROLES: Final = range(5)
#: ... and what its clock shows, as a date and a time or in one.
_DATE: Final = 5
_TIME_OF_DAY: Final = 6
_CLOCK: Final = 7
_CLOCK_ROLES: Final[dict[tuple[int, ...], int]] = {
    (ELECTRICITY, 0, 9, 2): _DATE,
    (ELECTRICITY, 0, 9, 1): _TIME_OF_DAY,
    (ELECTRICITY, 0, 9, 4): _CLOCK,
    (ABSTRACT, 0, 9, 2): _DATE,
    (ABSTRACT, 0, 9, 1): _TIME_OF_DAY,
    (ABSTRACT, 1, 0, 0): _CLOCK,
}
#: The id of a heat meter.
_HEAT_ID: Final = "0.0"

#: The first registers that are text and have a role, by that.
type _Told = dict[int, Register]
#: An address, its code, whether that is something measured, so that digits are a number, and its
#: role.
type _Named = tuple[str | None, Obis | None, bool, int | None]


def _data_end(text: str) -> Sliced[int | None]:
    """Return where the first ``!`` outside of values stands, the end of the data; None without."""
    looks, end = 0, text.find("!")
    while end >= 0:
        opened = text.rfind("(", max(0, end - VALUE_MAX), end)
        if opened < 0 or _VALUE_END.search(text, opened, end):
            return end
        end = text.find("!", end + 1)
        looks += 1
        if looks % _LOOKS == 0:
            yield
    return None


def is_well_formed(text: str) -> bool:
    """Tell whether a text consists of data sets and line ends to its last character."""
    return _WELL_FORMED.fullmatch(text) is not None


def parse_data_sets(text: str) -> Iterator[tuple[str, int, str]]:
    """Yield address, index in the data set, and text of each value, as sent.

    A value without address belongs to the data set before it, also on a line of its own.
    """
    address, group = "", -1
    for start, end in _slices(text):
        for name, value in _GROUP.findall(text, start, end):
            if name := name.strip():
                address, group = name, 0
            else:
                group += 1
            if len(address) <= ADDRESS_MAX:
                yield address, group, value


def parse_registers(text: str) -> list[Register]:
    """Return a register for each value of a readout, in its order, duplicates kept.

    A value is a number where it is written as one and has a unit, or measures electricity, or has
    decimals and follows another value; anything else is text. Values of past billing periods
    without a unit have that of the current one.
    """
    return do_at_once(parse_in_slices(text))


def parse_in_slices(text: str) -> Sliced[list[Register]]:
    """Do what parse_registers() does, in slices."""
    return (yield from _parse(text, checked=True)).registers


def _parse(text: str, *, checked: bool) -> Sliced[_Parsed]:
    """Return what a readout says. Raises TelegramError."""
    parsed = _Parsed()
    for start, end in _slices(text):
        parsed.add(_QUICK_GROUP.findall(text, start, end), checked=checked)
        yield
    yield from parsed.finish(text)
    return parsed


def _slices(text: str) -> Iterator[tuple[int, int]]:
    """Yield begins and ends of parts that together hold all values and their addresses."""
    start = 0
    while (closed := text.find(")", start)) >= 0:
        if closed - start > _SLICE:
            opened = max(start, text.rfind("(", start, closed))
            while opened > start and text[opened - 1] == "(":
                opened -= 1
            begins = (text.rfind(mark, start, opened) + 1 for mark in "()\r\n")
            start = max(start, *begins)
        limit = max(start + _SLICE, closed + 1)
        # A line ends outside of values, as does a bracket that no other one follows at most times.
        end = max(text.rfind(mark, closed, limit) for mark in "\r\n") + 1
        if not end:
            end = text.rfind(")", closed, limit) + 1
            while text.startswith(")", end):
                end += 1
        yield start, end
        start = end


class _Parsed:
    """What the data sets of a readout say."""

    def __init__(self) -> None:
        self.registers: list[Register] = []
        #: Those that tell of the meter itself.
        self.told: _Told = {}
        #: Where in the registers are values without a unit.
        self._without_unit: list[int] = []
        #: The data set to which the next value belongs if it has no address.
        self._named = _named("")
        self._group = -1

    def add(self, groups: Iterable[tuple[str, str, str, str]], *, checked: bool) -> None:
        """Take some more values, with the address before them if there is one."""
        registers, told = self.registers, self.told
        address, obis, is_quantity, role = self._named
        group = self._group
        for name, digits, unit_text, other in groups:
            if name and not name.isspace():
                group = 0
                address, obis, is_quantity, role = _named(name)
            else:
                group += 1
            if address is None:
                continue
            number, unit = split_value(other) if other else (digits, unit_of(unit_text))
            if number and (unit is not None or (is_quantity if group == 0 else "." in number)):
                if unit is None and group == 0:
                    self._without_unit.append(len(registers))
                registers.append(Register(obis, Decimal(number), unit, None, address, group))
                continue
            value = other.strip() or digits
            if len(value) > VALUE_MAX:
                registers.append(Register(obis, None, None, None, address, group))
                continue
            if not checked and is_garbled(value):
                raise TelegramError("the readout holds a garbled number")
            may_be_time = len(value) >= _SHORTEST_TIME and (obis is None or obis[2:4] not in _IDS)
            time = parse_time(value) if may_be_time else None
            register = Register(obis, value, None, None, address, group, time)
            registers.append(register)
            if role is not None and group == 0 and 0 < len(value) <= ADDRESS_MAX:
                told.setdefault(role, register)
        if len(registers) > _VALUES_MAX:
            raise TelegramError(f"the readout holds more than {_VALUES_MAX} values")
        self._named = address, obis, is_quantity, role
        self._group = group

    def finish(self, text: str) -> Sliced[None]:
        """Add what only the whole readout tells."""
        if self._without_unit:
            yield from self._inherit_units()
        if any(code in text for code in _HEAT) and any(r.address in _HEAT for r in self.registers):
            yield from self._drop_codes()

    def _inherit_units(self) -> Sliced[None]:
        """Give values of past billing periods without a unit that of the current one."""
        registers = self.registers
        units = {r.obis: r.unit for r in reversed(registers) if r.group == 0 and r.unit is not None}
        for number, place in enumerate(self._without_unit, 1):
            obis = registers[place].obis
            if obis is not None and obis.f != CURRENT_VALUE:
                unit = units.get(obis._replace(f=CURRENT_VALUE))
                registers[place] = replace(registers[place], unit=unit)
            if number % _LOOKS == 0:
                yield

    def _drop_codes(self) -> Sliced[None]:
        """Take codes away that mean electricity only because a heat meter names no medium."""
        for place, register in enumerate(self.registers):
            if not _has_medium(register):
                self.registers[place] = replace(register, obis=None)
            if place % _LOOKS == 0:
                yield
        self.told = {
            role: r for role, r in self.told.items() if _has_medium(r) or r.address == _HEAT_ID
        }


def _named(text: str) -> _Named:
    """Return what an address says; all None where it is longer than any meter's."""
    address = text.strip()
    return _name(address) if len(address) <= ADDRESS_MAX else (None, None, False, None)


@lru_cache(maxsize=4096)
def _name(address: str) -> _Named:
    obis = parse_address(address)
    if obis is None:
        return address, None, False, None
    role = None
    if obis.f == CURRENT_VALUE:
        role = _CLOCK_ROLES.get((obis.a, *obis[2:5]))
        if obis.a == ELECTRICITY or obis[:2] == (ABSTRACT, 0):
            role = _ROLES.get(obis[2:5], role)
    return address, obis, obis.a == ELECTRICITY and obis.c not in DESCRIPTIVE, role


def _has_medium(register: Register) -> bool:
    """Tell whether the address of a register says itself what it is a code of."""
    return "-" in (register.address or "")


def decode_readout(
    data: str,
    identification: Identification | None,
    raw: bytes,
    *,
    checked: bool,
    now: datetime | None = None,
) -> Sliced[Reading]:
    """Make the reading of a block of data sets.

    One that no checksum protects must be well-formed to its last character; otherwise what is no
    data set is passed over, since the meter did send it. ``now``, without a zone, helps with
    dates. Raises TelegramError.
    """
    yield  # the checksum of a long one has taken its time
    end = yield from _data_end(data)
    start = match.end() if (match := _PRELUDE.match(data)) else 0
    rest = "" if end is None else data[end + 1 :]
    if not checked and (rest.strip() or not is_well_formed(data[start:end])):
        raise TelegramError("the readout is not well-formed")
    parsed = yield from _parse(data[start:end], checked=checked)
    if not parsed.registers:
        raise EmptyReadoutError("the readout holds no data")
    if len(parsed.registers) == 1 and (error := _ERROR.fullmatch(data[start:end].strip())):
        raise ReadoutRefusedError("an error in place of the readout", code=error[1])
    identity, clock = _identity(parsed.told, identification), _clock(parsed.told, now)
    return Reading(identity, clock, tuple(parsed.registers), raw, checked)


def _identity(told: _Told, identification: Identification | None) -> Identity:
    meter_id = next((str(told[role].value) for role in _ID_ROLES if role in told), None)
    if identification is None:
        return identity_from_text(meter_id, None, None)
    return identity_from_text(meter_id, identification.manufacturer, identification.ident)


def _clock(told: _Told, now: datetime | None) -> datetime | None:
    """Return what the meter's clock shows, where the readout tells it."""
    if (clock := told.get(_CLOCK)) is not None and clock.time is not None:
        return clock.time
    if _DATE not in told or _TIME_OF_DAY not in told:
        return None
    return combine(str(told[_DATE].value), str(told[_TIME_OF_DAY].value), now)
