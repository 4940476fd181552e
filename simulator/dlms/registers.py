"""The registers of a meter at any time, by the household that it measures."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Final, NamedTuple

from simulator.household import Household
from simulator.iec62056.registers import ZONE, day_tariff, maximum_demand

#: Units by their numbers (Blue Book, clause 4.3.2).
W: Final = 27
VAR: Final = 29
WH: Final = 30
VARH: Final = 32
A: Final = 33
V: Final = 35
HZ: Final = 44
NO_UNIT: Final = 255

UNITS: Final = {W: "W", VAR: "var", WH: "Wh", VARH: "varh", A: "A", V: "V", HZ: "Hz"}

#: Capture period of the load profile in seconds.
PERIOD: Final = 900
#: Meters count in standard time.
_STANDARD_TIME: Final = 3600
#: Tenths of a watt times seconds in a watt hour.
_WATT_HOUR: Final = 36_000
_TENTHS: Final = 10


class Quantity(NamedTuple):
    """Unit, scaler, size in bytes and sign of a register."""

    unit: int
    scaler: int
    size: int
    signed: bool = False


_POWER: Final = Quantity(W, 0, 4)
_SIGNED_POWER: Final = Quantity(W, 0, 4, signed=True)
_VOLTAGE: Final = Quantity(V, -1, 2)
_CURRENT: Final = Quantity(A, -2, 2)

_MOMENTARY: Final = {
    "1-0:1.7.0*255": _POWER,
    "1-0:2.7.0*255": _POWER,
    "1-0:3.7.0*255": Quantity(VAR, 0, 4),
    "1-0:4.7.0*255": Quantity(VAR, 0, 4),
    "1-0:16.7.0*255": _SIGNED_POWER,
    "1-0:21.7.0*255": _POWER,
    "1-0:41.7.0*255": _POWER,
    "1-0:61.7.0*255": _POWER,
    "1-0:22.7.0*255": _POWER,
    "1-0:42.7.0*255": _POWER,
    "1-0:62.7.0*255": _POWER,
    "1-0:32.7.0*255": _VOLTAGE,
    "1-0:52.7.0*255": _VOLTAGE,
    "1-0:72.7.0*255": _VOLTAGE,
    "1-0:31.7.0*255": _CURRENT,
    "1-0:51.7.0*255": _CURRENT,
    "1-0:71.7.0*255": _CURRENT,
    "1-0:13.7.0*255": Quantity(NO_UNIT, -3, 2),
    "1-0:14.7.0*255": Quantity(HZ, -2, 2),
}
_ACTIVE: Final = ("1-0:1.8.0*255", "1-0:1.8.1*255", "1-0:1.8.2*255", "1-0:2.8.0*255")
_TARIFFS: Final = _ACTIVE[1:3]
_REACTIVE: Final = ("1-0:3.8.0*255", "1-0:4.8.0*255")

#: Maximum demand of the current month, and demand of the current quarter of an hour.
MAXIMUM_DEMAND: Final = "1-0:1.6.0*255"
DEMAND: Final = "1-0:1.4.0*255"


class Maximum(NamedTuple):
    """A maximum demand in watts, and the end of its quarter of an hour."""

    power: int
    time: int


class Demand(NamedTuple):
    """Mean powers in watts: of the current quarter of an hour so far, and of the last one."""

    present: int
    last: int
    start: int


def _house() -> Household:
    return Household(utc_offset=_STANDARD_TIME)


@dataclass(frozen=True, kw_only=True)
class Registers:
    """The registers of a meter that measures a household. Times are in seconds since 1970.

    A register's number times ten to the power of its scaler is its value.
    """

    household: Household = field(default_factory=_house)
    #: Scaler of energies in watt hours.
    energy_scaler: int = 0

    @property
    def quantities(self) -> Mapping[str, Quantity]:
        """All registers by their OBIS codes."""
        energies = dict.fromkeys(_ACTIVE, Quantity(WH, self.energy_scaler, 4))
        reactive = dict.fromkeys(_REACTIVE, Quantity(VARH, self.energy_scaler, 4))
        return energies | reactive | _MOMENTARY

    def numbers(self, time: int) -> Mapping[str, int]:
        """Return the numbers of all registers at a time, before scaling."""
        return self.energies(time) | _momentary(self.household, time)

    def energies(self, time: int) -> dict[str, int]:
        """Return the numbers of all totals."""
        return {code: self.energy(code, time) for code in _ACTIVE + _REACTIVE}

    def energy(self, code: str, time: int) -> int:
        """Return the number of one total; KeyError if the code is not one."""
        energy = self.household.energy(time)
        imported = energy.imported
        tariff = day_tariff(self.household, time) if code in _TARIFFS else 0
        # Households have no reactive energy: a third and a twentieth of the active serve for it.
        totals = (
            imported,
            tariff,
            imported - tariff,
            energy.exported,
            imported // 3,
            imported // 20,
        )
        return self.counted(dict(zip(_ACTIVE + _REACTIVE, totals, strict=True))[code])

    def captured(self, code: str, time: int) -> int:
        """Return the number of a total, or of another register; KeyError for an unknown code."""
        try:
            return self.energy(code, time)
        except KeyError:
            return abs(self.numbers(time)[code])

    def counted(self, energy: int) -> int:
        """Return the number of a register for an energy in tenths of a watt times seconds."""
        step = Decimal(_WATT_HOUR).scaleb(self.energy_scaler)
        return int(energy // step)

    def value(self, code: str, time: int) -> Decimal:
        """Return the exact value of a register in its unit."""
        return Decimal(self.numbers(time)[code]).scaleb(self.quantities[code].scaler)

    def maximum(self, time: int) -> Maximum:
        """Return the maximum demand of the month up to the last complete quarter of an hour."""
        start = datetime.fromtimestamp(time, ZONE).replace(
            day=1, hour=0, minute=0, second=0, microsecond=0
        )
        found = maximum_demand(self.household, int(start.timestamp()), time)
        if found is None:
            return Maximum(0, int(start.timestamp()))
        energy, at = found
        return Maximum(energy // PERIOD // _TENTHS, at)

    def demand(self, time: int) -> Demand:
        """Return the demand of the current and the last quarter of an hour."""
        start = time - time % PERIOD
        now, begun, before = (
            self.household.energy(at).imported for at in (time, start, start - PERIOD)
        )
        present = (now - begun) // max(time - start, 1) // _TENTHS
        return Demand(present, (begun - before) // PERIOD // _TENTHS, start)


@lru_cache(maxsize=16)
def _momentary(household: Household, time: int) -> dict[str, int]:
    measured = household.measure(time)
    power = sum(measured.power)
    reactive = sum(abs(watts) for watts in measured.power) // 3
    apparent = sum(
        volts * amperes for volts, amperes in zip(measured.voltage, measured.current, strict=True)
    )
    watts = [
        *(max(power, 0), max(-power, 0), reactive, 0, power),
        *(max(phase, 0) for phase in measured.power),
        *(max(-phase, 0) for phase in measured.power),
    ]
    return dict(
        zip(
            _MOMENTARY,
            [
                # Rounded towards zero.
                *(abs(tenths) // _TENTHS * (1 if tenths >= 0 else -1) for tenths in watts),
                *measured.voltage,
                *measured.current,
                # Volts in tenths and amperes in hundredths: volt-amperes in thousandths.
                min(abs(power) * 100_000 // apparent, 1000) if apparent else 1000,
                measured.frequency,
            ],
            strict=True,
        )
    )
