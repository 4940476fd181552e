"""What every protocol delivers: a reading, made of registers."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from .obis import Obis

#: A register's value, exact: numbers with the digits the meter sent, never a float. bytes are octet
#: strings that are no text; None is a value that the meter left out.
type Value = Decimal | int | str | bytes | datetime | bool | None


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

    @property
    def unique_id(self) -> str | None:
        """The id in one normal form, the same for every protocol that reads this meter.

        None without an id; nothing but zeros is what meters send that were never given one.
        """
        if self.device_id is not None:
            return self.device_id
        if self.meter_id is None:
            return None
        normal = "".join(self.meter_id.split()).upper()
        return normal if normal.strip("0") else None

    @property
    def name(self) -> str | None:
        """The id as it is printed on the meter: "1 EMH00 1278 4289"."""
        if (text := self.device_id) is None:
            return self.meter_id
        return f"{text[0]} {text[1:6]} {text[6:10]} {text[10:]}"


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


@dataclass(frozen=True, slots=True)
class Reading:
    """All registers of one telegram, in its order, duplicates kept."""

    meter: Identity
    #: The meter's own time, where the telegram has one that can be trusted to be a time of day.
    time: datetime | None
    registers: tuple[Register, ...]
    #: The telegram as received, for diagnostics.
    raw: bytes

    def get(self, obis: Obis) -> Register | None:
        """Return the first register of this code, or None."""
        for register in self.registers:
            if register.obis == obis and register.group == 0:
                return register
        return None
