"""Hour rows of a total, and what is planned for them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Final

#: Rows are floats; what is smaller than this part of them is rounding.
_ROUNDING: Final = Decimal("1e-9")


class Reason(StrEnum):
    """Why an hour is left as it is."""

    #: The recorder has not compiled it yet.
    NOT_COMPILED = "not_compiled"
    #: The profile does not have its end.
    NOT_IN_PROFILE = "not_in_profile"
    #: There is no row from which a sum could follow.
    NO_ANCHOR = "no_anchor"
    #: A sum would fall.
    SUM_FALLS = "sum_falls"
    #: More energy than can pass the meter.
    TOO_MUCH = "too_much"
    #: The sums around the gap do not follow from the register: they were corrected from outside.
    CORRECTED = "corrected"
    #: The multiplier was changed in the gap.
    MULTIPLIER_CHANGED = "multiplier_changed"
    #: The profile rises by another amount than the register.
    DISAGREES = "disagrees"


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the statistics of a total."""

    start: datetime
    state: Decimal
    sum: Decimal


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of a total around a gap; those without state or sum are left out."""

    #: The newest hour row that has ended before the gap.
    before: Row | None
    #: The hour rows of hours whose end is in the gap.
    within: Mapping[datetime, Row]
    #: The first row after the gap, of five minutes where there still is one.
    after: Row | None
    #: The hour row of the hour in which the gap ends, or the first one behind it.
    next_hour: Row | None


@dataclass(frozen=True, slots=True)
class Change:
    """An hour row that is written."""

    start: datetime
    #: None where there is no row yet.
    old: Row | None
    new: Row


@dataclass(frozen=True, slots=True)
class Lift:
    """What is added to all sums from a row on: they began anew after the gap."""

    amount: Decimal
    #: From this 5-minute row and this hour row on.
    five_minutes: datetime
    hour: datetime


@dataclass(frozen=True, slots=True)
class Plan:
    """What is done about a gap of one total."""

    changes: tuple[Change, ...] = ()
    lift: Lift | None = None
    #: Hours, by their start, that are left as they are.
    left: tuple[tuple[datetime, Reason], ...] = ()
    #: A row of five minutes, from which the recorder goes on: it has none of this total yet.
    anchor: Row | None = None

    @property
    def is_empty(self) -> bool:
        """Whether nothing is written."""
        return not self.changes and self.lift is None

    def leave(self, reason: Reason) -> Plan:
        """Return a plan that leaves all hours as they are."""
        starts = {change.start for change in self.changes}
        return Plan(left=(*self.left, *((start, reason) for start in sorted(starts))))


def is_same(first: Row, second: Row) -> bool:
    """Return whether two rows hold the same but for the rounding of floats."""
    return is_rounding(first.state - second.state, first, second) and is_rounding(
        first.sum - second.sum, first, second
    )


def is_rounding(amount: Decimal, *rows: Row) -> bool:
    """Return whether an amount is no more than the rounding of rows."""
    size = max(max(abs(row.state), abs(row.sum)) for row in rows)
    return abs(amount) <= max(size, Decimal(1)) * _ROUNDING
