"""From the data sets of a readout to a reading (IEC 62056-21:2002, 6.3.2 and 6.5)."""

from collections.abc import Iterable
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
from .data_sets import VALUE, is_well_formed, slices
from .identification import Identification
from .times import combine, parse_time
from .values import VALUE_MAX, is_garbled, split_value, unit_of

#: An address, if this is the first value of its data set, and a value: its number and unit in the
#: usual form, or its text.
_QUICK_GROUP: Final = re.compile(
    r"(?<![^()\r\n])([^()\r\n]*+)\("
    rf"(?:(\d{{1,24}}+(?:\.\d{{1,24}}+)?+)(?:\*([A-Za-z]{{1,16}}+))?+\)|({VALUE})\))",
    re.ASCII,
)
#: What may come between identification and data: noise, and the echo of the acknowledgement.
_PRELUDE: Final = re.compile(r"[\x00\x7f\r\n ]*+(?:\x06?\d{3}[\r\n]++)?+", re.ASCII)
#: What some meters send instead of the data sets (6.4.4).
_ERROR: Final = re.compile(r"\((ER(?:ROR)?[0-9A-Z:;]{0,8})\)")
#: The end of a value, or of a line within one.
_VALUE_END: Final = re.compile(r"[)\r\n]")

#: Most values of a readout; the largest readout known has 616.
_VALUES_MAX: Final = 2000
#: Most lines of earlier readouts that are kept, and characters of each.
_LINES_MAX: Final = 2000
_LINE_MAX: Final = 256
#: Number of "!" or registers checked in one slice.
_SLICE_REGISTERS: Final = 256

#: Digits of the shortest point in time: YYMMDDhhmm.
_SHORTEST_TIME: Final = 10

#: Addresses of heat meters, whose short codes are not those of electricity (EN 1434-3).
_HEAT: Final = ("6.8", "6.26")
#: Groups C and D of ids, whose digits are never a time.
_IDS: Final = ((C.SERVICE, 1), (0, 0))

#: Roles of data sets for the identity and time of the meter. Its id is in the first of these that
#: is there, by groups C, D and E of electricity or abstract codes, ...
_ROLES: Final[dict[tuple[int, ...], int]] = {
    (C.SERVICE, 1, 0): 0,
    (0, 0, 0): 1,
    (C.SERVICE, 1, 1): 2,
    (C.SERVICE, 1, 255): 3,
    (0, 0, 1): 4,
}
_ID_ROLES: Final = range(5)
#: ... and its clock in a date and a time of day, or in one value, by groups A, C, D and E.
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

#: The first register with text of each role.
type _ByRole = dict[int, Register]
#: An address, its code, whether that is a quantity, so that digits are a number, and its role.
type _Address = tuple[str | None, Obis | None, bool, int | None]
#: The address of a value or "", number and unit, or other text.
type _Group = tuple[str, str, str, str]
#: What a line holds: its registers; indices of those that may inherit a unit; those with a role;
#: whether it needs a checksum to be believed; and for a value without an address that follows, the
#: present address and index in the data set.
type _Line = tuple[
    tuple[Register, ...],
    tuple[int, ...],
    tuple[tuple[int, Register], ...],
    bool,
    _Address,
    int,
]
#: Lines of earlier readouts of a meter, most of which it sends again without a change. Only those
#: that begin with an address: they do not depend on the lines before.
type Lines = dict[str, _Line]


def _data_end(text: str) -> Sliced[int | None]:
    """Return the place of the first ``!`` outside of values, which ends the data, or None."""
    number, end = 0, text.find("!")
    while end >= 0:
        opened = text.rfind("(", max(0, end - VALUE_MAX), end)
        if opened < 0 or _VALUE_END.search(text, opened, end):
            return end
        end = text.find("!", end + 1)
        number += 1
        if number % _SLICE_REGISTERS == 0:
            yield
    return None


def parse_registers(text: str) -> list[Register]:
    """Return a register for each value of a readout, in their order, with duplicates.

    A value that is written as a number is one if it has a unit, or its code is a quantity of
    electricity, or it has decimals and follows another value. Anything else is text. Values of
    billing periods without a unit have that of the current value.
    """
    return do_at_once(parse_in_slices(text))


def parse_in_slices(text: str) -> Sliced[list[Register]]:
    """Do the same as parse_registers() in slices."""
    return (yield from _parse(text, {}, checked=True)).registers


def _parse(text: str, known: Lines, *, checked: bool) -> Sliced[_Parsed]:
    parsed = _Parsed()
    if len(known) > _LINES_MAX:
        known.clear()
    for start, end in slices(text):
        parsed.add(text[start:end], known, checked=checked)
        yield
    yield from parsed.finish(text)
    return parsed


class _Parsed:
    """The registers of a readout while it is parsed."""

    def __init__(self) -> None:
        self.registers: list[Register] = []
        self.by_role: _ByRole = {}
        #: Indices of registers without a unit.
        self._without_unit: list[int] = []
        #: The address of the next value if it has none, and its index in the data set.
        self._address = _parse_name("")
        self._group = -1

    def add(self, text: str, known: Lines, *, checked: bool) -> None:
        """Add the values of a part that does not divide any of them."""
        registers = self.registers
        for line_text in text.replace("\r", "\n").split("\n"):
            if not line_text:
                continue
            if (line := known.get(line_text)) is None:
                groups = _QUICK_GROUP.findall(line_text)
                line = _parse_line(groups, self._address, self._group)
                if groups and groups[0][0].strip() and len(line_text) <= _LINE_MAX:
                    known[line_text] = line
            added, without_unit, roles, needs_checksum, self._address, self._group = line
            if needs_checksum and not checked:
                raise TelegramError("the readout holds a garbled number")
            if without_unit:
                self._without_unit += (len(registers) + index for index in without_unit)
            for role, register in roles:
                self.by_role.setdefault(role, register)
            registers += added
        if len(registers) > _VALUES_MAX:
            raise TelegramError(f"the readout holds more than {_VALUES_MAX} values")

    def finish(self, text: str) -> Sliced[None]:
        """Complete the registers by what depends on the whole readout."""
        if self._without_unit:
            yield from self._inherit_units()
        if any(code in text for code in _HEAT) and any(r.address in _HEAT for r in self.registers):
            yield from self._drop_codes()

    def _inherit_units(self) -> Sliced[None]:
        """Set the unit of the current value in values of billing periods without one."""
        registers = self.registers
        units = {r.obis: r.unit for r in reversed(registers) if r.group == 0 and r.unit is not None}
        for number, place in enumerate(self._without_unit, 1):
            obis = registers[place].obis
            if obis is not None and obis.f != CURRENT_VALUE:
                unit = units.get(obis._replace(f=CURRENT_VALUE))
                if unit is not None:
                    registers[place] = replace(registers[place], unit=unit)
            if number % _SLICE_REGISTERS == 0:
                yield

    def _drop_codes(self) -> Sliced[None]:
        """Remove the codes of a heat meter's short addresses, which are not electricity."""
        for place, register in enumerate(self.registers):
            if not _has_medium(register):
                self.registers[place] = replace(register, obis=None)
            if place % _SLICE_REGISTERS == 0:
                yield
        self.by_role = {
            role: r for role, r in self.by_role.items() if _has_medium(r) or r.address == _HEAT_ID
        }


def _parse_line(groups: Iterable[_Group], known_address: _Address, group: int) -> _Line:
    """Return what a line holds, after a value of this address and index in the data set."""
    registers: list[Register] = []
    without_unit: list[int] = []
    roles: list[tuple[int, Register]] = []
    has_garbled = False
    address, obis, is_quantity, role = known_address
    for name, digits, unit_text, other in groups:
        if name and not name.isspace():
            group = 0
            known_address = address, obis, is_quantity, role = _parse_name(name)
        else:
            group += 1
        if address is None:
            continue
        number, unit = split_value(other) if other else (digits, unit_of(unit_text))
        # An id may end with letters that are a unit elsewhere.
        is_id = role in _ID_ROLES and group == 0
        is_number = unit is not None or (is_quantity if group == 0 else "." in number)
        if number and is_number and not is_id:
            if unit is None and group == 0:
                without_unit.append(len(registers))
            registers.append(Register(obis, Decimal(number), unit, None, address, group))
            continue
        value = other.strip() or digits
        if len(value) > VALUE_MAX:
            registers.append(Register(obis, None, None, None, address, group))
            continue
        has_garbled = has_garbled or is_garbled(value)
        may_be_time = len(value) >= _SHORTEST_TIME and (obis is None or obis[2:4] not in _IDS)
        time = parse_time(value) if may_be_time else None
        register = Register(obis, value, None, None, address, group, time)
        registers.append(register)
        if role is not None and group == 0 and 0 < len(value) <= ADDRESS_MAX:
            roles.append((role, register))
    return (
        tuple(registers),
        tuple(without_unit),
        tuple(roles),
        has_garbled,
        known_address,
        group,
    )


def _parse_name(text: str) -> _Address:
    """Return the address in a text; all None if it is longer than any meter's."""
    address = text.strip()
    return _parse_address(address) if len(address) <= ADDRESS_MAX else (None, None, False, None)


@lru_cache(maxsize=4096)
def _parse_address(address: str) -> _Address:
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
    """Return whether the address of a register contains value group A."""
    return "-" in (register.address or "")


def decode_readout(
    data: str,
    identification: Identification | None,
    raw: bytes,
    *,
    checked: bool,
    now: datetime | None = None,
    known: Lines | None = None,
) -> Sliced[Reading]:
    """Return the reading in the data of a telegram.

    ``known`` are lines of earlier readouts of the meter, to which those of this one are added.
    Without a checksum, the data must be well-formed to the last character; with one, what is no
    data set is ignored. ``now``, a naive time, helps with ambiguous dates. Raises TelegramError.
    """
    yield  # the checksum of a long readout has taken a slice already
    end = yield from _data_end(data)
    start = match.end() if (match := _PRELUDE.match(data)) else 0
    rest = "" if end is None else data[end + 1 :]
    if not checked and (rest.strip() or not is_well_formed(data[start:end])):
        raise TelegramError("the readout is not well-formed")
    parsed = yield from _parse(data[start:end], {} if known is None else known, checked=checked)
    if not parsed.registers:
        raise EmptyReadoutError("the readout holds no data")
    if len(parsed.registers) == 1 and (error := _ERROR.fullmatch(data[start:end].strip())):
        raise ReadoutRefusedError("an error in place of the readout", code=error[1])
    identity, clock = _identity(parsed.by_role, identification), _clock(parsed.by_role, now)
    return Reading(identity, clock, tuple(parsed.registers), raw, checked=checked)


def _identity(by_role: _ByRole, identification: Identification | None) -> Identity:
    meter_id = next((str(by_role[role].value) for role in _ID_ROLES if role in by_role), None)
    if identification is None:
        return identity_from_text(meter_id, None, None)
    return identity_from_text(meter_id, identification.manufacturer, identification.ident)


def _clock(by_role: _ByRole, now: datetime | None) -> datetime | None:
    """Return the time of the meter's clock, if the readout contains it."""
    if (clock := by_role.get(_CLOCK)) is not None and clock.time is not None:
        return clock.time
    if _DATE not in by_role or _TIME_OF_DAY not in by_role:
        return None
    return combine(str(by_role[_DATE].value), str(by_role[_TIME_OF_DAY].value), now)
