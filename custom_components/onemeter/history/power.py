"""Power in a gap: the recorder's rows of an outage repeat the last one before it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Final

from ..meter import Key, Obis
from ..registers.powers import NET_POWERS
from .planning import hours_of
from .samples import HOUR, Gap
from .series import Series

IMPORTED: Final = Obis(1, 0, 1, 8, 0)
EXPORTED: Final = Obis(1, 0, 2, 8, 0)
_WATTS: Final = 1000


@dataclass(frozen=True, slots=True)
class MeanPower:
    """The power in an hour, in W: its mean, and the least and the largest mean of a period."""

    start: datetime
    mean: Decimal
    least: Decimal
    largest: Decimal


@dataclass(frozen=True, slots=True)
class _Balance:
    """What has passed the meter: one total, or one minus the other."""

    plus: Series
    minus: Series | None = None

    def at(self, time: datetime) -> Decimal | None:
        plus = self.plus.at(time)
        if self.minus is None:
            return plus and plus.amount
        minus = self.minus.at(time)
        return None if plus is None or minus is None else plus.amount - minus.amount


def power_in(
    gap: Gap, found: Mapping[Key, Series], keys: Sequence[Key], period: timedelta
) -> Mapping[str, list[MeanPower]]:
    """Return the power in the hours of a gap, by what its sensors are known by.

    Takes what is known of the totals in the gap (kWh), all totals that there are, and the capture
    period. Hours without a known start and end are left out.
    """
    imported, exported = found.get(IMPORTED), found.get(EXPORTED)
    balances: dict[str, _Balance] = {}
    if imported is not None:
        balances["1-0:1.7.0*255"] = _Balance(imported)
    if exported is not None:
        balances["1-0:2.7.0*255"] = _Balance(exported)
    if imported is not None and (exported is not None or EXPORTED not in keys):
        net = _Balance(imported, exported)
        names = ("1-0:16.7.0*255", "power", NET_POWERS[0], "derived_power")
        balances |= dict.fromkeys(names, net)
    return {name: list(_hours(gap, balance, period)) for name, balance in balances.items()}


def _hours(gap: Gap, balance: _Balance, period: timedelta) -> Iterator[MeanPower]:
    for start in hours_of(gap):
        times = [start + number * period for number in range(HOUR // period + 1)]
        amounts = [balance.at(time) for time in times]
        known = [amount for amount in amounts if amount is not None]
        if len(known) < len(amounts) or times[-1] != start + HOUR:
            continue
        per_hour = Decimal(HOUR / period) * _WATTS
        powers = [(later - earlier) * per_hour for earlier, later in pairwise(known)]
        yield MeanPower(start, (known[-1] - known[0]) * _WATTS, min(powers), max(powers))
