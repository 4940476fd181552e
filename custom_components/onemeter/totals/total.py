"""Totals as meters send them, and their steps that are no consumption."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Context, Decimal
from typing import Any, Final, Self

from ..meter import Key, Obis, Register
from ..meter.obis import ELECTRICITY
from ..registers.known_codes import parse_key
from ..registers.lookup import is_number
from ..registers.quantities import (
    APPARENT_ENERGY,
    COUNT,
    ENERGY,
    ENERGY_IN_JOULES,
    HOURS,
    MINUTES,
    REACTIVE_ENERGY,
    SECONDS,
    VOLUME,
    Quantity,
)

#: The digits of the largest total and of the finest decimal of any meter, in the units of Home
#: Assistant's sensors. Fewer than the default precision of decimals, so calculations are exact.
_DIGITS: Final = 12
_MOST: Final = Decimal(10) ** _DIGITS
#: Enough digits for any total times any multiplier.
EXACT: Final = Context(prec=60)


def _units(quantities: Iterable[Quantity]) -> dict[str | None, tuple[str | None, int]]:
    return {
        unit: (quantity.unit, exponent)
        for quantity in quantities
        for unit, exponent in quantity.exponents.items()
    }


_ENERGIES: Final = _units((ENERGY, REACTIVE_ENERGY, APPARENT_ENERGY))
#: Units of totals, with the unit in which totals are compared and the exponent of the conversion.
_UNITS: Final = _ENERGIES | _units((ENERGY_IN_JOULES, VOLUME, HOURS, MINUTES, SECONDS, COUNT))


@dataclass(frozen=True, slots=True)
class Total:
    """A total as the meter sent it."""

    value: Decimal
    unit: str | None

    @classmethod
    def of(cls, register: Register | None) -> Self | None:
        """Return the total of an energy register; None for any other register."""
        if register is None or register.unit not in _ENERGIES:
            return None
        return cls.counted(register)

    @classmethod
    def counted(cls, register: Register) -> Self | None:
        """Return the total of a register of any medium; None if it is no possible total."""
        if not is_number(register.value) or register.unit not in _UNITS:
            return None
        value = Decimal(register.value)
        if not value.is_finite() or _exponent(value) + _UNITS[register.unit][1] < -_DIGITS:
            return None
        total = cls(value, register.unit)
        return total if abs(total.amount) < _MOST else None

    @classmethod
    def from_list(cls, data: Sequence[Any]) -> Self:
        """Restore what as_list has returned."""
        value, unit = data
        return cls(Decimal(value), unit)

    def as_list(self) -> list[str | None]:
        """Return the value and the unit for the JSON storage."""
        return [str(self.value), self.unit]

    @property
    def amount(self) -> Decimal:
        """The value in the sensor's unit, such as kWh, with all digits."""
        return EXACT.scaleb(self.value, _UNITS[self.unit][1])

    @property
    def amount_unit(self) -> str | None:
        """The unit of amount."""
        return _UNITS[self.unit][0]

    def minus(self, other: Self) -> Decimal:
        """Return the difference of two amounts; minus infinity if their units differ."""
        if self.unit == other.unit:
            return EXACT.scaleb(self.value - other.value, _UNITS[self.unit][1])
        if self.amount_unit != other.amount_unit:
            return Decimal("-Infinity")
        return self.amount - other.amount

    def is_rounded(self, of: Self) -> bool:
        """Return whether this is another total in whole units, as meters send it without a PIN."""
        return 0 < of.minus(self) < 1 and self.amount == self.amount.to_integral_value()


def resolution(before: Total, now: Total) -> Decimal:
    """Return the resolution of two values of a register, in the unit of their amounts.

    That is one unit of the last decimal. Trailing zeros of both values do not count as decimals:
    meters send them in place of decimals until their PIN is entered.
    """
    first = before.amount
    zeros = min((_exponent(value.normalize()) for value in (first, now.amount) if value), default=0)
    if first and first == first.to_integral_value():
        zeros = 0
    return Decimal((0, (1,), max(_exponent(now.amount), min(zeros, 0))))


def _exponent(value: Decimal) -> int:
    """Return the exponent of the last digit."""
    return int(value.as_tuple().exponent)


def is_transformed(key: Key, total: Total) -> bool:
    """Return whether the multiplier for transformers applies to a register."""
    return isinstance(key, Obis) and key.a == ELECTRICITY and total.unit in _ENERGIES


@dataclass(frozen=True, slots=True)
class Step:
    """A change of a published total that is no consumption."""

    key: Key
    #: When the total changed (UTC).
    time: datetime
    #: The amount after the multiplier, in the sensor's unit.
    offset: Decimal
    unit: str | None

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Restore what as_dict has returned."""
        return cls(
            parse_key(data["obis"]),
            datetime.fromisoformat(data["time"]),
            Decimal(data["offset"]),
            data["unit"],
        )

    def as_dict(self) -> dict[str, str | None]:
        """Return the step for the JSON storage."""
        return {
            "obis": str(self.key),
            "time": self.time.isoformat(),
            "offset": str(self.offset),
            "unit": self.unit,
        }
