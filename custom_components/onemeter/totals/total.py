"""Totals as meters send them, and the jumps between them that are no consumption."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Context, Decimal
from typing import Any, Final, Self

from ..meter import Key, Obis, Register
from ..meter.obis import ELECTRICITY
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

#: No meter counts further or finer than this, in the units of Home Assistant's sensors; what has
#: fewer digits than decimals' default precision is reckoned with exactly.
_DIGITS: Final = 12
_MOST: Final = Decimal(10) ** _DIGITS
#: Exact for any total times any multiplier.
EXACT: Final = Context(prec=60)


def _units(quantities: Iterable[Quantity]) -> dict[str | None, tuple[str | None, int]]:
    return {
        unit: (quantity.unit, exponent)
        for quantity in quantities
        for unit, exponent in quantity.exponents.items()
    }


_ENERGIES: Final = _units((ENERGY, REACTIVE_ENERGY, APPARENT_ENERGY))
#: Units of totals: the unit in which they are compared, and the power of ten that leads there.
_UNITS: Final = _ENERGIES | _units((ENERGY_IN_JOULES, VOLUME, HOURS, MINUTES, SECONDS, COUNT))


@dataclass(frozen=True, slots=True)
class Total:
    """A total as the meter sent it."""

    value: Decimal
    unit: str | None

    @classmethod
    def of(cls, register: Register | None) -> Self | None:
        """Return what a register has counted; None where it holds no energy."""
        if register is None or register.unit not in _ENERGIES:
            return None
        return cls.counted(register)

    @classmethod
    def counted(cls, register: Register) -> Self | None:
        """Return what a register has counted of any medium; None where no meter can have."""
        if not is_number(register.value) or register.unit not in _UNITS:
            return None
        value = Decimal(register.value)
        if not value.is_finite() or _exponent(value) + _UNITS[register.unit][1] < -_DIGITS:
            return None
        total = cls(value, register.unit)
        return total if abs(total.amount) < _MOST else None

    @classmethod
    def from_list(cls, data: Sequence[Any]) -> Self:
        """Undo as_list."""
        value, unit = data
        return cls(Decimal(value), unit)

    def as_list(self) -> list[str | None]:
        """Return the value and the unit, ready for JSON."""
        return [str(self.value), self.unit]

    @property
    def amount(self) -> Decimal:
        """The value in the unit of Home Assistant's sensor, such as kWh, with all its digits."""
        return EXACT.scaleb(self.value, _UNITS[self.unit][1])

    @property
    def amount_unit(self) -> str | None:
        """The unit of amount."""
        return _UNITS[self.unit][0]

    def minus(self, other: Self) -> Decimal:
        """Return the difference of two amounts; none is finite between different units."""
        if self.amount_unit != other.amount_unit:
            return Decimal("-Infinity")
        return self.amount - other.amount

    def is_rounded(self, of: Self) -> bool:
        """Tell whether this is another total in whole units, as meters show it without a PIN."""
        return 0 < of.minus(self) < 1 and self.amount == self.amount.to_integral_value()


def resolution(before: Total, now: Total) -> Decimal:
    """Return the step between two values that the meter can send, in the unit of their amounts.

    That is one of the last digit. Zeros that end both values are no digits, up to whole units: so
    meters show their totals while they wait for their PIN, and go on from there with all digits.
    """
    first = before.amount
    zeros = min((_exponent(value.normalize()) for value in (first, now.amount) if value), default=0)
    if first and first == first.to_integral_value():
        zeros = 0
    return Decimal((0, (1,), max(_exponent(now.amount), min(zeros, 0))))


def _exponent(value: Decimal) -> int:
    """Return the power of ten of the last digit."""
    return int(value.as_tuple().exponent)


def is_transformed(key: Key, total: Total) -> bool:
    """Tell whether the grid has a multiple of what a register has counted."""
    return isinstance(key, Obis) and key.a == ELECTRICITY and total.unit in _ENERGIES


def parse_key(text: str) -> Key:
    """Return what a register is known by from its text."""
    try:
        return Obis.parse(text)
    except ValueError:
        return text


@dataclass(frozen=True, slots=True)
class Step:
    """A jump of a published total that is no consumption."""

    key: Key
    #: When the total jumped (UTC).
    time: datetime
    #: By how much, after the multiplier, in the sensor's unit.
    offset: Decimal
    unit: str | None

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Undo as_dict."""
        return cls(
            parse_key(data["obis"]),
            datetime.fromisoformat(data["time"]),
            Decimal(data["offset"]),
            data["unit"],
        )

    def as_dict(self) -> dict[str, str | None]:
        """Return the step ready for JSON."""
        return {
            "obis": str(self.key),
            "time": self.time.isoformat(),
            "offset": str(self.offset),
            "unit": self.unit,
        }
