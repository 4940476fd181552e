"""What every protocol delivers: a reading, made of registers."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
import re
from typing import Final

from .obis import CURRENT_VALUE, Obis

#: Manufacturers whose *00 is the current value; elsewhere it is an empty place for a past one.
_ZERO_IS_CURRENT: Final = frozenset({"PAF"})
#: How meters of ZPA end the address that has the time of another one's maximum.
_TIME_OF_MAXIMUM: Final = ",5"
#: What stands in place of a value that a meter does not know, also with a unit behind it.
_PLACEHOLDER: Final = re.compile(r"[-_. :]*(?:\*.*)?")
#: An id as hexadecimal octets, each a digit, a capital letter or a blank. No number of so many
#: digits looks like that.
_OCTETS_OF_TEXT: Final = re.compile(r"(?:20|3[0-9]|4[1-9A-F]|5[0-9A]){8,}", re.IGNORECASE)
#: What stands before the text of an identification line (IEC 62056-21:2002, 6.3.2, item 23).
_ESCAPES: Final = re.compile(r"^(?:\\.)+")
_DECIMALS: Final = re.compile(r"[+-]?\d+[.,]\d+", re.ASCII)


#: A register's value, exact: numbers with the digits the meter sent, never a float. bytes are octet
#: strings that are no text; None is a value that the meter left out.
type Value = Decimal | int | str | bytes | datetime | bool | None
#: What a register is known by: its code, or its address as sent where that is no OBIS code.
type Key = Obis | str


@dataclass(frozen=True, slots=True)
class Identity:
    """Which meter is speaking."""

    #: The id as the protocol gives it: an SML server id as lower-case hex, otherwise text.
    meter_id: str | None = None
    #: The manufacturer's three letters (FLAG code).
    manufacturer: str | None = None
    #: The text of an IEC 62056-21 identification line.
    ident: str | None = None
    #: The identification of DIN 43863-5 without blanks ("1EMH0012784289"), where the id holds one.
    device_id: str | None = None
    #: Other ids of the same meter, with and without its manufacturer, in the form of ``unique_id``.
    aliases: tuple[str, ...] = field(default=(), compare=False)

    @property
    def unique_id(self) -> str | None:
        """The id in one normal form, the same for every protocol that reads this meter.

        None without an id; nothing but zeros is what meters send that were never given one.
        """
        normal = self.number
        if normal is None or self.device_id is not None:
            return normal
        if self.manufacturer is None or self._names_manufacturer(normal):
            return normal
        # Two manufacturers may give the same serial number.
        return f"{self.manufacturer}{normal}"

    @property
    def number(self) -> str | None:
        """The id in its normal form without the manufacturer."""
        if self.device_id is not None:
            return self.device_id
        normal = "".join((self.meter_id or "").split()).upper()
        return normal if normal.strip("0") else None

    def is_known_as(self, unique_id: str | None) -> bool:
        """Tell whether this is the meter of an id in the form of ``unique_id``, also of an alias.

        Where its manufacturer is not known now, it may have been when the id was made.
        """
        if unique_id == self.unique_id:
            return True
        if unique_id is None or self.unique_id is None:
            return False
        numbers = {self.number, *self.aliases}
        return unique_id in numbers or (self.manufacturer is None and unique_id[3:] in numbers)

    def _names_manufacturer(self, meter_id: str) -> bool:
        """Tell whether an id holds the manufacturer's letters, as text or as octets."""
        letters = str(self.manufacturer)
        return meter_id.startswith(letters) or letters.encode().hex().upper() in meter_id

    @property
    def name(self) -> str | None:
        """The id as it is printed on the meter: "1 EMH00 1278 4289"."""
        if (text := self.device_id) is None:
            return self.meter_id and _decoded(self.meter_id)
        return f"{text[0]} {text[1:6]} {text[6:10]} {text[10:]}"

    @property
    def model(self) -> str | None:
        """The text of the identification line without what it announces of the protocol."""
        return self.ident and _ESCAPES.sub("", self.ident).strip()


def _decoded(meter_id: str) -> str:
    """Return the text of an id that is written as hexadecimal octets, as at P1 ports."""
    if len(meter_id) % 2 or _OCTETS_OF_TEXT.fullmatch(meter_id) is None:
        return meter_id
    return bytes.fromhex(meter_id).decode("ascii").strip()


@dataclass(frozen=True, slots=True)
class Register:
    """One value of a telegram."""

    #: None where the telegram's name for the register is no OBIS code.
    obis: Obis | None
    value: Value
    #: One spelling per unit, for all protocols: Wh kWh varh W V A Hz °C m³ …; None without one.
    unit: str | None = None
    #: The value with its true sign, where the meter's status word tells the direction of power.
    signed_value: Decimal | int | None = None
    #: The name exactly as sent, in protocols that write it as text.
    address: str | None = None
    #: Index of the value among those of the same data set.
    group: int = 0
    #: The point in time that belongs to the value, or that a text names: with a time zone where the
    #: meter tells it, otherwise as the meter's clock counts, with fold=1 for known standard time.
    time: datetime | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """All registers of one telegram, in its order, duplicates kept."""

    meter: Identity
    #: The meter's own time, where the telegram has one that can be trusted to be a time of day.
    time: datetime | None
    registers: tuple[Register, ...]
    #: The telegram as received, for diagnostics.
    raw: bytes
    #: Whether a checksum proves that it came undamaged.
    checked: bool = True

    def get(self, obis: Obis) -> Register | None:
        """Return the first register of this code, or None."""
        for register in self.registers:
            if register.obis == obis and register.group == 0:
                return register
        return None

    def current(self) -> dict[Key, Register]:
        """Return the current value of each code, or of each address that is no code.

        Of several with one name it is the first that has a unit, otherwise the first. Of several
        values in one data set it is the first number; it bears the time stamp that one of the
        others holds. What a meter writes in place of a value is None.
        """
        found: dict[Key, Register] = {}
        for data_set in self._data_sets():
            register = _principal(data_set) if len(data_set) > 1 else _single(data_set[0])
            key = self._key(register)
            if key is None:
                continue
            before = found.get(key)
            if before is None or (before.unit is None and register.unit is not None):
                found[key] = register
        for key, register in found.items():
            base = key.removesuffix(_TIME_OF_MAXIMUM) if isinstance(key, str) else key
            if base != key and register.time is not None:
                for code, owner in found.items():
                    if owner.address == base:
                        found[code] = replace(owner, time=register.time)
        return found

    def _data_sets(self) -> Iterator[list[Register]]:
        """Yield the registers of each data set."""
        data_set: list[Register] = []
        for register in self.registers:
            if register.group == 0 and data_set:
                yield data_set
                data_set = []
            data_set.append(register)
        if data_set:
            yield data_set

    def _key(self, register: Register) -> Key | None:
        """Return the name of a register, that of the current value where the meter says so."""
        obis = register.obis
        if obis is None:
            return register.address or None
        if obis.f == 0 and self.meter.manufacturer in _ZERO_IS_CURRENT:
            return obis._replace(f=CURRENT_VALUE)
        return obis


def is_placeholder(text: str) -> bool:
    """Tell whether a text is what meters send in place of a value that they do not know."""
    return _PLACEHOLDER.fullmatch(text) is not None


def _single(register: Register) -> Register:
    """Return the value of a data set that has no other one: of most data sets."""
    value = register.value
    if isinstance(value, str) and register.address is not None and is_placeholder(value):
        return replace(register, value=None)
    return register


def _principal(data_set: Sequence[Register]) -> Register:
    """Return the value of a data set that has several."""
    first = data_set[0]
    register = next((r for r in data_set if isinstance(r.value, Decimal)), first)
    if isinstance(first.value, str) and _DECIMALS.fullmatch(first.value):
        # A number all the same, of which nobody knows what it counts.
        register = first
    if register.address is None:
        return register
    if isinstance(register.value, str) and is_placeholder(register.value):
        register = replace(register, value=None)
    time = next((r.time for r in data_set if r.time is not None), None)
    return register if time is None else replace(register, time=time)


@dataclass(frozen=True, slots=True)
class Interval:
    """One row of a load profile: what was captured in one capture period."""

    #: Wall-clock time as the meter counts, without time zone; the end is the meter's time stamp.
    start: datetime
    end: datetime
    #: "winter", "summer" or "utc", where the meter tells which of its times it counts in.
    season: str | None
    #: The end in UTC, where the time zone of the meter is known.
    end_utc: datetime | None
    #: The status word as sent, hexadecimal digits.
    status: str
    #: One value per channel, with its code and unit.
    values: tuple[Register, ...]


@dataclass(frozen=True, slots=True)
class Event:
    """One entry of an event log."""

    #: Wall-clock time as the meter counts, without time zone.
    time: datetime
    season: str | None
    #: The status word as sent, hexadecimal digits.
    status: str
    entries: tuple[Register, ...]
