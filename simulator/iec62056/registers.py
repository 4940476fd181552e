"""The registers of a meter at any time, by the household that it measures."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import Final
from zoneinfo import ZoneInfo

from simulator.household import INSTALLED_DAY, SECONDS_PER_DAY, Household

from .encoder import data_set

#: Time zone of the meters.
ZONE: Final = ZoneInfo("Europe/Berlin")
#: Tariffs and billing periods are in standard time, also in summer.
_STANDARD_TIME: Final = 3600
_QUARTER: Final = 900
_INSTALLED: Final = INSTALLED_DAY * SECONDS_PER_DAY - _STANDARD_TIME

#: Tenths of a watt times seconds in a kilowatt hour.
KILOWATT_HOUR: Final = 36_000_000
KILOWATT: Final = 10_000
#: Hours of the day between which tariff 1 applies; tariff 2 is the night.
_DAY: Final = (6, 22)

type DataSet = tuple[str, tuple[str, ...]]


def _house() -> Household:
    return Household(utc_offset=_STANDARD_TIME)


@dataclass(kw_only=True)
class Registers:
    """The registers of a meter as data sets, in the order of a readout.

    Times are in seconds since 1970.
    """

    household: Household = field(default_factory=_house)
    #: Decimal places of kilowatt hours, from 0 to 4.
    decimals: int = 3
    #: Whether there are registers of power; many meters have totals only.
    with_power: bool = True
    #: Whether there are voltages, currents and the frequency.
    with_grid: bool = True
    #: Number of past months with their final totals.
    history: int = 3
    #: The code of the serial number: C.1.0 or 0.0.0.
    serial_code: str = "C.1.0"
    #: Impulse constant in imp/kWh.
    impulses: int = 5000
    #: Ratios of current and voltage transformers, if there are any.
    ratios: tuple[int, int] | None = None
    #: The error register F.F: bits in hexadecimal digits.
    error: str = "00000000"
    battery: str = "00"
    power_failures: int = 2

    def data_sets(self, time: int, serial: str) -> list[DataSet]:
        """Return the complete readout of a time."""
        return [
            ("F.F", (self.error,)),
            (self.serial_code, (serial,)),
            *self._clock(time),
            *self._totals(time),
            *self._maxima(time),
            *self._momentary(time),
            *self._plate(),
        ]

    def short_list(self, time: int, serial: str) -> list[DataSet]:
        """Return the few registers of the short readout."""
        wanted = ("F.F", self.serial_code, "1.8.0", "2.8.0", "16.7.0")
        return [entry for entry in self.data_sets(time, serial) if entry[0] in wanted]

    def pushed(self, time: int, serial: str) -> list[DataSet]:
        """Return what a meter pushes, with full codes."""
        wanted = {"1.8.0", "1.8.1", "1.8.2", "2.8.0", "16.7.0", "32.7.0", "52.7.0", "72.7.0"}
        return [
            ("1-0:0.0.0*255", (serial,)),
            ("1-0:96.1.0*255", (serial,)),
            *(
                (f"1-0:{code}*255", values)
                for code, values in self.data_sets(time, serial)
                if code in wanted
            ),
            ("1-0:97.97.0*255", (self.error,)),
        ]

    def _clock(self, time: int) -> Iterator[DataSet]:
        local = datetime.fromtimestamp(time, ZONE)
        yield "0.9.1", (f"{local:%H%M%S}",)
        yield "0.9.2", (f"{local:%y%m%d}",)

    def _totals(self, time: int) -> Iterator[DataSet]:
        imported, exported = self.household.energy(time)
        day = day_tariff(self.household, time)
        yield "1.8.0", (self._energy(imported),)
        yield "1.8.1", (self._energy(day),)
        yield "1.8.2", (self._energy(imported - day),)
        yield "2.8.0", (self._energy(exported),)
        for number, start in enumerate(self._month_starts(time)[: self.history], 1):
            if start == _INSTALLED:
                return
            before = self.household.energy(start)
            yield f"1.8.0*{number:02}", (self._energy(before.imported),)
            yield f"2.8.0*{number:02}", (self._energy(before.exported),)

    def _maxima(self, time: int) -> Iterator[DataSet]:
        end = time
        for number, start in enumerate(self._month_starts(time)):
            maximum = maximum_demand(self.household, start, end)
            end = start
            if maximum is None:
                continue
            energy, at = maximum
            code = "1.6.1" + (f"*{number:02}" if number else "")
            stamp = f"{datetime.fromtimestamp(at, ZONE):%y%m%d%H%M}"
            yield code, (f"{energy / _QUARTER / KILOWATT:06.3f}*kW", stamp)

    def _momentary(self, time: int) -> Iterator[DataSet]:
        measured = self.household.measure(time)
        if self.with_power:
            power = sum(measured.power)
            sign = "-" if power < 0 else ""
            yield "16.7.0", (f"{sign}{abs(power) / KILOWATT:06.3f}*kW",)
        if not self.with_grid:
            return
        for code, tenths in zip((32, 52, 72), measured.voltage, strict=True):
            yield f"{code}.7.0", (f"{tenths / 10:05.1f}*V",)
        for code, hundredths in zip((31, 51, 71), measured.current, strict=True):
            yield f"{code}.7.0", (f"{hundredths / 100:06.2f}*A",)
        yield "14.7.0", (f"{measured.frequency / 100:.2f}*Hz",)

    def _plate(self) -> Iterator[DataSet]:
        yield "0.2.0", ("1.00-DEMO",)
        yield "0.3.0", (f"{self.impulses}*imp/kWh",)
        if self.ratios is not None:
            yield "0.4.2", (str(self.ratios[0]),)
            yield "0.4.3", (str(self.ratios[1]),)
        yield "C.6.0", (self.battery,)
        yield "C.7.0", (f"{self.power_failures:04}",)

    def _energy(self, energy: int) -> str:
        """Format energy as in a register: rounded down to its last decimal place."""
        digits = f"{energy * 10**self.decimals // KILOWATT_HOUR:0{6 + self.decimals}}"
        if self.decimals:
            digits = f"{digits[: -self.decimals]}.{digits[-self.decimals :]}"
        return f"{digits}*kWh"

    def _month_starts(self, time: int) -> list[int]:
        """Return the beginnings of the current month and of the past ones with totals."""
        start = datetime.fromtimestamp(time, ZONE).replace(
            day=1, hour=0, minute=0, second=0, microsecond=0
        )
        starts = []
        for _ in range(self.history + 1):
            starts.append(int(start.timestamp()))
            start = (start - timedelta(days=1)).replace(day=1)
        return [start for start in starts if start >= _INSTALLED]


def lines(data_sets: list[DataSet]) -> str:
    """Encode data sets as the lines of a readout."""
    return "".join(f"{data_set(address, values)}\r\n" for address, values in data_sets)


def day_tariff(household: Household, time: int) -> int:
    """Return the energy imported in tariff 1, in tenths of a watt times seconds."""
    days, second = divmod(time - _INSTALLED, SECONDS_PER_DAY)
    return _day_tariffs(household, days) + _in_day_tariff(household, days, second)


@lru_cache(maxsize=64)
def _day_tariffs(household: Household, days: int) -> int:
    """Return the energy imported in tariff 1 in the first days since the installation."""
    return sum(_in_day_tariff(household, day, SECONDS_PER_DAY) for day in range(days))


def _in_day_tariff(household: Household, day: int, second: int) -> int:
    """Return the energy imported in tariff 1 on a day up to a second of it."""
    midnight = _INSTALLED + day * SECONDS_PER_DAY
    start, end = (midnight + min(hour * 3600, second) for hour in _DAY)
    return household.energy(end).imported - household.energy(start).imported


def maximum_demand(household: Household, start: int, end: int) -> tuple[int, int] | None:
    """Return the largest energy imported in a quarter of an hour, and the end of that.

    None if there was no whole quarter of an hour.
    """
    # Day by day: past days are cached.
    days = range(start, end, SECONDS_PER_DAY)
    found = [
        _maximum_of_day(household, day, min(day + SECONDS_PER_DAY, end) // _QUARTER) for day in days
    ]
    return max(filter(None, found), key=lambda maximum: maximum[0], default=None)


@lru_cache(maxsize=1024)
def _maximum_of_day(household: Household, start: int, last: int) -> tuple[int, int] | None:
    energies = [
        household.energy(quarter * _QUARTER).imported
        for quarter in range(start // _QUARTER, last + 1)
    ]
    return max(
        (
            (after - before, start + place * _QUARTER)
            for place, (before, after) in enumerate(pairwise(energies), 1)
        ),
        key=lambda maximum: maximum[0],
        default=None,
    )
