"""What the register of a total was at the boundaries of capture periods."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import Enum, Flag, auto
from typing import Final, NamedTuple

from .intervals import Channel, Period
from .samples import Gap

_MINUTE: Final = timedelta(minutes=1)
#: The least digit of what is computed.
DIGIT: Final = Decimal("1e-6")
ZERO: Final = Decimal(0)


class Anchor(Flag):
    """The side of the gap whose live values a boundary's amount follows from."""

    BEFORE = auto()
    AFTER = auto()
    BOTH = BEFORE | AFTER


class Kind(Enum):
    """What the values of a channel are."""

    REGISTER = auto()
    ENERGY = auto()
    MEAN_POWER = auto()
    #: Mean power of which a part of a period has the mean of that part.
    MEAN_POWER_OF_PARTS = auto()


class Boundary(NamedTuple):
    """The register at the end of a capture period."""

    time: datetime
    amount: Decimal
    anchor: Anchor


@dataclass(frozen=True, slots=True)
class Series:
    """What the register of a total was in a gap."""

    kind: Kind
    #: Runs without hole, each in the order of time.
    runs: tuple[tuple[Boundary, ...], ...]
    is_fine: bool

    def at(self, time: datetime) -> Boundary | None:
        """Return the register at a point in time; None where that is not known.

        Between two boundaries it is interpolated, unless they are more than an hour apart.
        """
        for run in self.runs:
            if not run[0].time <= time <= run[-1].time:
                continue
            place = bisect_left(run, time, key=_time_of)
            later = run[place]
            if later.time == time:
                return later
            if not self.is_fine:
                return None
            earlier = run[place - 1]
            share = Decimal((time - earlier.time) / (later.time - earlier.time))
            amount = earlier.amount + (later.amount - earlier.amount) * share
            return Boundary(time, amount.quantize(DIGIT), earlier.anchor & later.anchor)
        return None

    def joins(self, start: datetime, end: datetime) -> bool:
        """Return whether both are ends of capture periods, without a hole between them."""
        return any(_has(run, start) and _has(run, end) for run in self.runs)


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A channel whose rise is not the register's."""

    register_rise: Decimal
    channel_rise: Decimal


def _time_of(boundary: Boundary) -> datetime:
    return boundary.time


def _has(run: Sequence[Boundary], time: datetime) -> bool:
    place = bisect_left(run, time, key=_time_of)
    return place < len(run) and run[place].time == time


def share(interval: timedelta, length: timedelta) -> Decimal:
    """Return which part of a period may pass between a boundary and the live value nearest to it.

    Clocks that agree may still differ by a minute.
    """
    return Decimal(min(1.0, max(interval, _MINUTE) / length))


def split(channel: Channel, *, falls: bool) -> Iterator[Sequence[Period]]:
    """Yield the periods without a hole between them, also split where a register falls.

    Where there was no power, energies go on, but a register's values do not lie next to each other.
    """
    run: list[Period] = []
    for period in channel.periods:
        if run:
            before = run[-1]
            joins = before.end == period.start
            if not falls:
                joins = joins or (before.end < period.start and period.bridges_from(before))
            elif period.values[-1] < before.values[-1]:
                joins = False
            if not joins:
                yield run
                run = []
        run.append(period)
    if run:
        yield run


def rise(gap: Gap) -> Decimal:
    """Return by how much the register has risen in a gap."""
    return gap.first.amount - (gap.last.amount if gap.last else ZERO)


def step(channel: Channel) -> Decimal:
    """Return the least digit of a channel's values, in their unit."""
    exponents = (int(period.values[-1].as_tuple().exponent) for period in channel.periods)
    return Decimal((0, (1,), max(exponents, default=0)))
