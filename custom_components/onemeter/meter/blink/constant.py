"""The impulse constant: the energy of an impulse."""

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Final, Self

#: Impulses per kWh of meters: from one for 100 kWh, at large transformers, to one for a milliwatt
#: hour, in laboratories.
_LEAST: Final = Fraction(1, 100)
_MOST: Final = 1_000_000
_WH_PER_KWH: Final = 1000
_WATT_NANOSECONDS_PER_KWH: Final = 3_600_000 * 10**9


@dataclass(frozen=True, slots=True)
class ImpulseConstant:
    """The energy of an impulse, exact even if it is no decimal number."""

    #: Energy of an impulse (kWh).
    energy: Fraction

    def __post_init__(self) -> None:
        """Raise ValueError unless there are 0.01 to 1 000 000 impulses per kWh."""
        if not self.energy or not _LEAST <= 1 / self.energy <= _MOST:
            raise ValueError("not from 0.01 to 1 000 000 impulses per kWh")

    @classmethod
    def per_kwh(cls, impulses: Decimal | int) -> Self:
        """Return the constant of a meter with impulses per kWh; raises ValueError out of range."""
        return cls(1 / (_positive(impulses)))

    @classmethod
    def watt_hours(cls, energy: Decimal | int) -> Self:
        """Return the constant of a meter with Wh per impulse; raises ValueError out of range."""
        return cls(_positive(energy) / _WH_PER_KWH)

    def nanoseconds_at(self, power: Fraction | int) -> Fraction:
        """Return the time from one impulse to the next (ns) at a power (W)."""
        return self.energy * _WATT_NANOSECONDS_PER_KWH / power

    def power_of(self, impulses: int, nanoseconds: int) -> Decimal:
        """Return the mean power (W) of a number of impulses in a time, to a tenth of a watt."""
        tenths = round(10 * impulses * self.energy * _WATT_NANOSECONDS_PER_KWH / nanoseconds)
        return Decimal(tenths).scaleb(-1)


def _positive(number: Decimal | int) -> Fraction:
    try:
        value = Fraction(number)
    except OverflowError:
        value = Fraction(0)
    if value <= 0:
        raise ValueError("not a number above 0")
    return value
