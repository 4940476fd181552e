"""Channels of a load profile that hold the register of a total itself."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise

from .intervals import Channel, Period
from .samples import Gap, Sample
from .series import ZERO, Anchor, Boundary, Kind, Series, share, split, step


def as_register(channel: Channel, gap: Gap, factor: Decimal, resolution: Decimal) -> Series | None:
    """Take a channel for the register itself; None where it is not near the live values."""
    digit = resolution + step(channel) * factor
    if gap.has_fallen and channel.periods[-1].end < gap.first.time:
        # A channel of energies may look alike until then.
        return None
    runs: list[tuple[Boundary, ...]] = []
    for run in split(channel, falls=True):
        slack = digit + _edge(run, gap.interval) * factor
        boundaries = []
        for period in run:
            amount = period.values[-1] * factor
            anchor = _side(gap, period.end, amount, slack)
            if anchor is None:
                return None
            boundaries.append(Boundary(period.end, amount, anchor))
        if runs and boundaries[0].amount < runs[-1][-1].amount:
            if gap.last is None:
                # Before it was reset, or another one.
                runs.clear()
            elif not gap.has_fallen:
                return None
        runs.append(tuple(boundaries))
    return Series(Kind.REGISTER, tuple(_joined(runs, channel)), channel.is_fine)


def _side(gap: Gap, time: datetime, amount: Decimal, slack: Decimal) -> Anchor | None:
    """Return the side that an amount in a register follows from; None where it cannot be one."""
    is_in_gap = time < gap.first.time and (gap.last is None or time > gap.last.time)
    if gap.has_fallen and is_in_gap and gap.last is not None:
        is_old = amount >= gap.last.amount - slack
        if is_old == (amount <= gap.first.amount + slack):
            return None
        return Anchor.BEFORE if is_old else Anchor.AFTER
    if gap.has_fallen:
        is_new = time >= gap.first.time
        samples = gap.after if is_new else gap.before
        return (
            (Anchor.AFTER if is_new else Anchor.BEFORE)
            if _fits(samples, time, amount, slack)
            else None
        )
    if not _fits((*gap.before, *gap.after), time, amount, slack):
        return None
    return Anchor.AFTER if gap.last is None else Anchor.BOTH


def _fits(samples: Sequence[Sample], time: datetime, amount: Decimal, slack: Decimal) -> bool:
    """Return whether an amount lies between the live values around it."""
    place = bisect_left(samples, time, key=_time)
    earlier, later = samples[max(place - 1, 0) : place], samples[place : place + 1]
    return all(amount >= sample.amount - slack for sample in earlier) and all(
        amount <= sample.amount + slack for sample in later
    )


def _time(sample: Sample) -> datetime:
    return sample.time


def _edge(run: Sequence[Period], interval: timedelta) -> Decimal:
    """Return the most that a register rises between two live samples."""
    amounts = [period.values[-1] for period in run]
    most = max((later - earlier for earlier, later in pairwise(amounts)), default=ZERO)
    return most * share(interval, run[0].end - run[0].start)


def _joined(
    runs: Sequence[tuple[Boundary, ...]], channel: Channel
) -> Iterator[tuple[Boundary, ...]]:
    """Yield runs, joined where there was no power between them: nothing was counted then."""
    bridged = {
        later.end: earlier.end
        for earlier, later in pairwise(channel.periods)
        if later.start != earlier.end and later.bridges_from(earlier)
    }
    length = channel.length
    joined: list[Boundary] = []
    for run in runs:
        first = run[0]
        if joined and bridged.get(first.time) == joined[-1].time:
            last = joined[-1]
            time = last.time + length
            while time < first.time:
                joined.append(last._replace(time=time))
                time += length
        elif joined:
            yield tuple(joined)
            joined = []
        joined += run
    if joined:
        yield tuple(joined)
