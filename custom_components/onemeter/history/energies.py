"""Channels of a load profile that hold the energy or the mean power of each period.

They become a register by the live values: each of them limits from one side what the register was
at the boundaries next to it.
"""

from bisect import bisect_left
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import NamedTuple

from .intervals import Channel, Period
from .samples import Gap, Sample
from .series import (
    DIGIT,
    ZERO,
    Anchor,
    Boundary,
    Disagreement,
    Kind,
    Series,
    rise,
    share,
    split,
    step,
)


class _Run(NamedTuple):
    """Periods without hole: boundaries, and the energy up to each of them."""

    times: tuple[datetime, ...]
    sums: tuple[Decimal, ...]

    def next_from(self, time: datetime) -> int | None:
        """Return the place of the first boundary at or after a time."""
        place = bisect_left(self.times, time)
        return place if place < len(self.times) else None


class _Range(NamedTuple):
    """What must be added to the sums of a run to make them the register."""

    least: Decimal | None
    most: Decimal | None
    #: What the live value closest to a boundary makes likely; None where none is within the run.
    likely: Decimal | None


def as_energy(
    channel: Channel, gap: Gap, kind: Kind, factor: Decimal, resolution: Decimal
) -> Series | Disagreement | None:
    """Add up the energies of a channel, from the live values on one side or on both."""
    digit = step(channel) * factor * _hours_ofstep(channel, kind)
    runs: list[tuple[Boundary, ...]] = []
    for periods in split(channel, falls=False):
        energies = [_energy(period, kind) * factor for period in periods]
        times = [periods[0].start]
        sums = [ZERO]
        before = periods[0]
        for period, energy in zip(periods, energies, strict=True):
            if period is not periods[0] and period.start != before.end:
                # Without power in between.
                times.append(period.start)
                sums.append(sums[-1])
            times.append(period.end)
            sums.append(sums[-1] + energy)
            before = period
        run = _Run(tuple(times), tuple(sums))
        if any(energy < 0 for energy in energies):
            return None
        anchored = _anchored(run, gap, digit, resolution)
        if isinstance(anchored, Disagreement):
            return anchored
        if anchored:
            runs.append(anchored)
    return Series(kind, tuple(runs), channel.is_fine) if runs else None


def _anchored(
    run: _Run, gap: Gap, digit: Decimal, resolution: Decimal
) -> tuple[Boundary, ...] | Disagreement:
    """Return the register at the boundaries of a run; empty where no live value is in it."""
    energies = [later - earlier for earlier, later in pairwise(run.sums)]
    length = min(later - earlier for earlier, later in pairwise(run.times))
    edge = max(energies) * share(gap.interval, length)
    slack = resolution + digit / 2 * len(run.times) + edge
    samples = () if gap.has_fallen else gap.before
    sides = [_range(run, some, resolution) for some in (samples, gap.after)]
    if any(_is_contradictory(side, slack) for side in sides):
        return _disagreement(run, gap)
    before, after = sides
    start, end = before.likely, after.likely
    if not _may_be_one(before, after, slack):
        return _disagreement(run, gap)
    if start is None and end is None:
        return ()
    anchor = Anchor(0)
    if start is None or end is None:
        begin = finish = end if start is None else start
        anchor = Anchor.AFTER if start is None else Anchor.BEFORE
    else:
        begin, finish = start, end
    if not gap.has_fallen and gap.last is not None:
        # It has agreed with both sides, wherever it was anchored.
        anchor = Anchor.BOTH
    assert begin is not None and finish is not None  # noqa: S101, PT018
    # Both sides differ by what was rounded in the gap, however much of the profile was read.
    first = bisect_left(run.times, gap.last.time) if gap.last else 0
    count = max(bisect_left(run.times, gap.first.time) - first, 1)
    boundaries = (
        Boundary(
            time,
            (begin + total + (finish - begin) * min(max(place - first, 0), count) / count).quantize(
                DIGIT
            ),
            anchor,
        )
        for place, (time, total) in enumerate(zip(run.times, run.sums, strict=True))
    )
    # Before it was reset, nothing is known of a register.
    return tuple(item for item in boundaries if item.amount >= -slack)


def _range(run: _Run, samples: Sequence[Sample], resolution: Decimal) -> _Range:
    """Return what live values leave open of a run."""
    least = most = None
    likely: tuple[Decimal, Decimal] | None = None
    for sample in samples:
        place = run.next_from(sample.time)
        if place is not None:
            low = sample.amount - run.sums[place]
            least = low if least is None else max(least, low)
        if place is None:
            earlier = len(run.times) - 1
        elif run.times[place] == sample.time:
            earlier = place
        elif place > 0:
            earlier = place - 1
        else:
            continue
        high = sample.amount + resolution - run.sums[earlier]
        most = high if most is None else min(most, high)
        if place is None:
            continue
        width = run.times[place] - run.times[earlier]
        part = Decimal((sample.time - run.times[earlier]) / width) if width else ZERO
        energy = run.sums[place] - run.sums[earlier]
        # Close to a boundary little can be wrong, whenever the energy was used.
        doubt = energy * min(part, 1 - part)
        estimate = sample.amount - run.sums[earlier] - energy * part
        if likely is None or doubt < likely[1]:
            likely = estimate, doubt
    return _Range(least, most, likely and _within(likely[0], least, most))


def _within(amount: Decimal, least: Decimal | None, most: Decimal | None) -> Decimal:
    """Return an amount, or the limit that it exceeds: registers show whole steps only."""
    if least is not None:
        amount = max(amount, least)
    return amount if most is None else min(amount, most)


def _is_contradictory(side: _Range, slack: Decimal) -> bool:
    return side.least is not None and side.most is not None and side.least > side.most + slack


def _may_be_one(before: _Range, after: _Range, slack: Decimal) -> bool:
    """Return whether both sides can be right: the channel rises as the register does."""
    return not any(
        low is not None and high is not None and low > high + slack
        for low, high in ((before.least, after.most), (after.least, before.most))
    )


def _disagreement(run: _Run, gap: Gap) -> Disagreement:
    start = gap.last.time if gap.last else run.times[0]
    inside = [
        total
        for time, total in zip(run.times, run.sums, strict=True)
        if start <= time <= gap.first.time
    ]
    risen = inside[-1] - inside[0] if inside else ZERO
    return Disagreement(rise(gap), risen)


def _energy(period: Period, kind: Kind) -> Decimal:
    match kind:
        case Kind.ENERGY:
            return sum(period.values, ZERO)
        case Kind.MEAN_POWER_OF_PARTS:
            parts = zip(period.values, period.lengths, strict=True)
            return sum((value * _in_hours(length) for value, length in parts), ZERO)
        case _:
            return sum(period.values, ZERO) * _in_hours(period.end - period.start)


def _hours_ofstep(channel: Channel, kind: Kind) -> Decimal:
    return Decimal(1) if kind is Kind.ENERGY else _in_hours(channel.length)


def _in_hours(length: timedelta) -> Decimal:
    return Decimal(round(length.total_seconds())) / 3600
