"""The values of one pushed telegram: as a meter sends them, and as a decoder must read them."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from . import axdr, times
from .cosem import number, scaler_unit
from .obis import logical_name
from .registers import UNITS, Registers
from .times import ClockStyle


@dataclass(frozen=True, slots=True)
class Source:
    """A meter at a time in seconds since 1970."""

    registers: Registers
    serial: str
    time: int
    clock_style: ClockStyle

    @property
    def clock(self) -> bytes:
        """The clock as an encoded octet-string."""
        return axdr.octets(times.encode(self.time, self.clock_style))

    def item(self, code: str, unit: int, scaler: int, size: int) -> Item:
        """Return a register with the code and the scaler with which it is sent."""
        # Some layouts have codes of another medium or channel than the registers.
        own = f"1-0:{code.partition(':')[2]}"
        sent = self.registers.numbers(self.time).get(own, 0)
        known = self.registers.quantities.get(own)
        if known is not None and known.scaler > scaler:
            sent *= 10 ** (known.scaler - scaler)
        elif known is not None:
            sent //= 10 ** (scaler - known.scaler)
        return Item(code, sent, unit, scaler, size)


@dataclass(frozen=True, slots=True)
class Item:
    """A register in a telegram."""

    code: str
    number: int
    unit: int
    scaler: int
    size: int

    @property
    def name(self) -> bytes:
        """The code as an encoded octet-string."""
        return axdr.octets(logical_name(self.code))

    @property
    def value(self) -> bytes:
        """The number, encoded."""
        return number(self.number, self.size, signed=False)

    @property
    def scaler_unit(self) -> bytes:
        """Scaler and unit, encoded."""
        return scaler_unit(self.scaler, self.unit)


@dataclass(frozen=True, slots=True)
class Expected:
    """A register that a decoder must read."""

    code: str
    value: Decimal | str
    unit: str | None


@dataclass(frozen=True, slots=True)
class Body:
    """The encoded body of a notification, and the registers and meter id that are in it."""

    data: bytes
    expected: tuple[Expected, ...]
    meter: str | None


def items_of(source: Source, table: Iterable[tuple[str, int, int, int]]) -> list[Item]:
    """Return registers; the table has their codes, units, scalers and sizes in bytes."""
    return [source.item(code, unit, scaler, size) for code, unit, scaler, size in table]


def expected_of(items: Iterable[Item]) -> tuple[Expected, ...]:
    """Return the exact values that a decoder must read."""
    return tuple(
        Expected(item.code, Decimal(item.number).scaleb(item.scaler), UNITS.get(item.unit))
        for item in items
    )
