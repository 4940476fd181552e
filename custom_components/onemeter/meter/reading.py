"""Readings and their registers, the same for every protocol."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from itertools import batched
from operator import itemgetter
import re
from typing import Final

from .obis import CURRENT_VALUE, PAST_PERIODS, C, Obis
from .record import record

#: Manufacturers whose *00 is the current value; elsewhere it is an unused billing period.
_ZERO_IS_CURRENT: Final = frozenset({"PAF"})
#: Suffix of the addresses in which meters of ZPA send the time of a maximum.
_TIME_OF_MAXIMUM: Final = ",5"
#: What meters send instead of an unknown value, also followed by a unit.
_PLACEHOLDER: Final = re.compile(r"[-_. :]*(?:\*.*)?")
#: An id as hexadecimal octets, each of them a digit, a capital letter or a blank. At least eight:
#: decimal ids have fewer than sixteen digits.
_OCTETS_OF_TEXT: Final = re.compile(r"(?:20|3[0-9]|4[1-9A-F]|5[0-9A]){8,}", re.IGNORECASE)
#: Escapes at the begin of an identification line's text (IEC 62056-21:2002, 6.3.2, item 23).
_ESCAPES: Final = re.compile(r"^(?:\\.)+")
#: The parts of each entry of a list of maxima: the end of its billing period, time, maximum.
_ENTRY: Final = 3
_DECIMALS: Final = re.compile(r"[+-]?\d+[.,]\d+", re.ASCII)


#: A register's value, exact: numbers with the digits the meter sent, never a float. bytes are octet
#: strings that are no text; None is a value that the meter left out.
type Value = Decimal | int | str | bytes | datetime | bool | None
#: The key of a register: its code, or its address as sent where that is no OBIS code.
type Key = Obis | str


@dataclass(frozen=True, slots=True)
class Identity:
    """The identity of a meter."""

    #: The id as sent: an SML server id as lower-case hexadecimal digits, otherwise text.
    meter_id: str | None = None
    #: The manufacturer's FLAG code, three letters.
    manufacturer: str | None = None
    #: The text of an IEC 62056-21 identification line.
    ident: str | None = None
    #: The identification of DIN 43863-5 without blanks ("1EMH0012784289"), if the id contains one.
    device_id: str | None = None
    #: Other ids of the same meter, with and without its manufacturer, in the form of ``unique_id``.
    aliases: tuple[str, ...] = field(default=(), compare=False)

    @property
    def unique_id(self) -> str | None:
        """The id in a normal form, the same for every protocol of this meter.

        None without an id, which some meters send as zeros.
        """
        normal = self.number
        if normal is None or self.device_id is not None:
            return normal
        if self.manufacturer is None or self._names_manufacturer(normal):
            return normal
        # Two manufacturers may use the same serial number.
        return f"{self.manufacturer}{normal}"

    @property
    def number(self) -> str | None:
        """The id in its normal form without the manufacturer."""
        if self.device_id is not None:
            return self.device_id
        normal = "".join((self.meter_id or "").split()).upper()
        return normal if normal.strip("0") else None

    def is_known_as(self, unique_id: str | None) -> bool:
        """Return whether ``unique_id`` is an id of this meter, also one of its aliases.

        If its manufacturer is not known now, the id may still begin with one.
        """
        if unique_id == self.unique_id:
            return True
        if unique_id is None or self.unique_id is None:
            return False
        numbers = {self.number, *self.aliases}
        return unique_id in numbers or (self.manufacturer is None and unique_id[3:] in numbers)

    def _names_manufacturer(self, meter_id: str) -> bool:
        """Return whether an id contains the manufacturer's letters, as text or as octets."""
        letters = str(self.manufacturer)
        return meter_id.startswith(letters) or letters.encode().hex().upper() in meter_id

    @property
    def name(self) -> str | None:
        """The id as printed on the meter, such as "1 EMH00 1278 4289"."""
        if (text := self.device_id) is None:
            return self.meter_id and _decoded(self.meter_id)
        return f"{text[0]} {text[1:6]} {text[6:10]} {text[10:]}"

    @property
    def model(self) -> str | None:
        """The text of the identification line without escapes."""
        return self.ident and _ESCAPES.sub("", self.ident).strip()


def _decoded(meter_id: str) -> str:
    """Return the text of an id that is sent as hexadecimal octets, as at P1 ports."""
    if len(meter_id) % 2 or _OCTETS_OF_TEXT.fullmatch(meter_id) is None:
        return meter_id
    return bytes.fromhex(meter_id).decode("ascii").strip()


@record
class Register:
    """One value of a telegram."""

    #: None where the telegram's address of the register is no OBIS code.
    obis: Obis | None
    value: Value
    #: One spelling per unit in all protocols: Wh kWh varh W V A Hz °C m³ …; None without one.
    unit: str | None = None
    #: The value with its true sign, where the meter's status word contains the direction of power.
    signed_value: Decimal | int | None = None
    #: The address exactly as sent, in protocols that send it as text.
    address: str | None = None
    #: Index of the value among those of the same data set.
    group: int = 0
    #: The time of the value, or the time that a text contains: with a time zone if the meter sends
    #: one, otherwise the naive time of its clock, with fold=1 if it is known to be standard time.
    time: datetime | None = None


@record
class Reading:
    """All registers of one telegram, in their order, with duplicates."""

    meter: Identity
    #: The time of the meter's clock, if the telegram contains one and the clock was set.
    time: datetime | None
    registers: tuple[Register, ...]
    #: The telegram as received, for diagnostics; of DLMS what is pushed, deciphered.
    raw: bytes
    #: The meter's status word, if the telegram contains it apart from the registers.
    status_word: int | None = None
    #: Whether a checksum protects the telegram.
    checked: bool = True

    def get(self, obis: Obis) -> Register | None:
        """Return the first register with this code, or None."""
        for register in self.registers:
            if register.obis == obis and register.group == 0:
                return register
        return None

    def current(self) -> dict[Key, Register]:
        """Return the current value of each code, or of each address that is no code.

        Of several registers with one key it is the first with a unit, otherwise the first. Of
        several values in one data set it is the first number, with the time stamp from the others.
        The value is None where the meter sends a placeholder. A list of the maxima of past billing
        periods is one register for each of them, with its time: 1.6.0*101 is the last one's.
        """
        return CurrentRegisters().of(self)


class CurrentRegisters:
    """The current values of the readings of a meter, anew only where registers have changed.

    A decoder gives the same object for a register that a telegram repeats.
    """

    def __init__(self) -> None:
        """Begin without any reading."""
        self._reading: Reading | None = None
        self._found: dict[Key, Register] = {}
        #: The keys of values that depend on one register only, by its index.
        self._alone: dict[int, Key] = {}

    def of(self, reading: Reading) -> dict[Key, Register]:
        """Return the same as reading.current()."""
        if reading is not self._reading:
            if not self._update(reading):
                self._take(reading)
            self._reading = reading
        return dict(self._found)

    def _update(self, reading: Reading) -> bool:
        """Update the values; return whether that is possible."""
        before, registers = self._reading, reading.registers
        if (
            before is None
            or len(registers) != len(before.registers)
            or reading.meter.manufacturer != before.meter.manufacturer
        ):
            return False
        changed: dict[Key, Register] = {}
        for index, (old, new) in enumerate(zip(before.registers, registers, strict=True)):
            if new is old:
                continue
            key = self._alone.get(index)
            if key is None or _place(new) != _place(old):
                return False
            changed[key] = _single(new)
        self._found |= changed
        return True

    def _take(self, reading: Reading) -> None:
        manufacturer = reading.meter.manufacturer
        found: dict[Key, Register] = {}
        #: Where the value of a key is; None for one that depends on several registers.
        indexes: dict[Key, int | None] = {}
        index = 0
        for data_set in _data_sets(reading.registers):
            if len(data_set) == 1:
                registers = [_single(data_set[0])]
            else:
                registers = _past_maxima(data_set) or [_principal(data_set)]
            for register in registers:
                if (key := _key(register, manufacturer)) is None:
                    continue
                before = found.get(key)
                if before is None or (before.unit is None and register.unit is not None):
                    found[key] = register
                    indexes[key] = index if len(data_set) == 1 else None
            index += len(data_set)
        times = [key for key in found if isinstance(key, str) and key.endswith(_TIME_OF_MAXIMUM)]
        for key in times:
            base, time = key.removesuffix(_TIME_OF_MAXIMUM), found[key].time
            for code, owner in found.items():
                if time is not None and owner.address == base:
                    found[code] = replace(owner, time=time)
        self._found = found
        self._alone = {
            index: key for key, index in indexes.items() if index is not None and not times
        }


def _data_sets(registers: Iterable[Register]) -> Iterator[list[Register]]:
    data_set: list[Register] = []
    for register in registers:
        if register.group == 0 and data_set:
            yield data_set
            data_set = []
        data_set.append(register)
    if data_set:
        yield data_set


def _key(register: Register, manufacturer: str | None) -> Key | None:
    obis = register.obis
    if obis is None:
        return register.address or None
    if obis.f == 0 and manufacturer in _ZERO_IS_CURRENT:
        return obis._replace(f=CURRENT_VALUE)
    return obis


def _place(register: Register) -> tuple[object, ...]:
    """Return what decides which of several registers is the current value."""
    return register.obis, register.address, register.group, register.unit is None


def is_placeholder(text: str) -> bool:
    """Return whether a text is what meters send instead of an unknown value."""
    return _PLACEHOLDER.fullmatch(text) is not None


def as_text(value: Value) -> str | None:
    """Return a value as text: decimals without exponent, bytes as hexadecimal digits after 0x."""
    match value:
        case bool():
            return str(value).lower()
        case Decimal():
            return f"{value:f}"
        case bytes():
            return f"0x{value.hex()}"
        case datetime():
            return value.isoformat()
        case int():
            return str(value)
        case _:
            return value


def _single(register: Register) -> Register:
    """Return the value of a data set that has only one, as most have."""
    value = register.value
    if isinstance(value, str) and register.address is not None and is_placeholder(value):
        return replace(register, value=None)
    return register


def _past_maxima(data_set: Sequence[Register]) -> list[Register]:
    """Return the maxima in a list of those of past billing periods, the newest first.

    In P1 telegrams of Belgium (e-MUCS), 0-0:98.1.0 has their number, the code of the maximum twice,
    and the entries. An entry of a new meter has no times.
    """
    if len(data_set) <= _ENTRY or (name := data_set[0].obis) is None or name.c != C.LIST:
        return []
    _, code, same, *entries = data_set
    if code.value != same.value:
        return []
    try:
        obis = Obis.parse(str(code.value))
    except ValueError:
        return []
    found = [
        (end.time.replace(tzinfo=None), replace(maximum, time=time.time, address=str(code.value)))
        for end, time, maximum in batched(entries, _ENTRY, strict=False)
        if end.time is not None and time.time is not None and isinstance(maximum.value, Decimal)
    ]
    found.sort(key=itemgetter(0), reverse=True)
    return [
        replace(maximum, obis=obis._replace(f=period), group=0)
        for period, (_, maximum) in zip(PAST_PERIODS, found, strict=False)
    ]


def _principal(data_set: Sequence[Register]) -> Register:
    """Return the main value of a data set that has several."""
    first = data_set[0]
    register = next((r for r in data_set if isinstance(r.value, Decimal)), first)
    if isinstance(first.value, str) and _DECIMALS.fullmatch(first.value):
        # A number without a unit is the main value, too.
        register = first
    if register.address is None:
        return register
    if isinstance(register.value, str) and is_placeholder(register.value):
        register = replace(register, value=None)
    time = next((r.time for r in data_set if r.time is not None), None)
    return register if time is None else replace(register, time=time)


@dataclass(frozen=True, slots=True)
class Interval:
    """One row of a load profile: the values of one capture period."""

    #: Naive times of the meter's clock; the end is the meter's time stamp.
    start: datetime
    end: datetime
    #: "winter", "summer" or "utc", if the meter sends which time its clock counts.
    season: str | None
    #: The end in UTC, if the time zone of the meter's clock is known.
    end_utc: datetime | None
    #: The status word as sent, in hexadecimal digits.
    status: str
    #: One value per channel, with its code and unit.
    values: tuple[Register, ...]


@dataclass(frozen=True, slots=True)
class LoadProfiles:
    """Rows of the load profile of a meter, and of those of the meters on its M-Bus."""

    intervals: Sequence[Interval]
    #: Those of the meters on the M-Bus.
    mbus: Sequence[Interval] = ()
    #: Channels of the M-Bus whose profiles the meter has not returned, but may return later.
    missing: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Event:
    """One entry of an event log."""

    #: Naive time of the meter's clock.
    time: datetime
    season: str | None
    #: The status word as sent, in hexadecimal digits.
    status: str
    entries: tuple[Register, ...]
