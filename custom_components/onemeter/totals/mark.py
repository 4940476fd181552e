"""What is remembered of one total, and what has come since that was not accepted."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final, NamedTuple, Self

from .limits import Rule, fits
from .moment import Moment
from .total import Total, resolution

#: An implausible total is a step, and no disturbance, once this many telegrams in a row, over at
#: least this time, have shown it.
STEP_TELEGRAMS: Final = 3
STEP_DURATION: Final = timedelta(seconds=60)
#: A rise that so many times the maximum power can bring is no step but an overload.
OVERLOAD: Final = 2
#: An overload is reported after this time, and as many telegrams as make a step.
_REPORTED_AFTER: Final = timedelta(minutes=5)


class Seen(NamedTuple):
    """A total in a telegram."""

    total: Total
    #: When the telegram came.
    at: Moment
    #: When the value was measured, where it bears its own time stamp.
    measured: Moment | None = None


def leads(before: Seen, after: Seen, rule: Rule) -> bool:
    """Tell whether a total can follow from another one, in an overload at the most."""
    change = after.total.minus(before.total)
    if change < 0 and not rule.may_fall:
        return False
    time = OVERLOAD * before.at.until(after.at) + STEP_DURATION
    return fits(change, rule.most_per_hour, time, resolution(before.total, after.total))


@dataclass(frozen=True, slots=True)
class Suspect:
    """Totals that were not accepted, each of which can follow from the one before."""

    first: Seen
    last: Seen
    #: What consent would let the total go on from.
    newest: Total
    #: No overload can explain it.
    is_step: bool
    #: When totals began to rise without being accepted, also where one of them cannot follow from
    #: the one before, and how many telegrams have shown that.
    rising_since: Moment
    rising: int = 1
    telegrams: int = 1
    #: It is a step and has stayed, so only the user can accept it.
    confirmed: bool = False
    #: It is plausible, and waits only for the next telegram to confirm it.
    is_pending: bool = False
    #: It was confirmed before the restart.
    restored: bool = False

    @classmethod
    def begin(cls, seen: Seen, before: Self | None, total: Total, *, is_step: bool) -> Self:
        """Suspect the total of a telegram, after others that may have been suspected before.

        Takes the total that was accepted last, too.
        """
        suspect = cls(seen, seen, seen.total, is_step, seen.at)
        if before is None:
            return suspect
        if before.last.total.minus(total) <= 0 or seen.total.minus(before.last.total) < 0:
            return suspect
        return replace(suspect, rising_since=before.rising_since, rising=before.rising + 1)

    def is_between(self, before: Total, after: Total) -> bool:
        """Tell whether the last total is none that goes back or too far between two others."""
        changes = self.last.total.minus(before), after.minus(self.last.total)
        return all(change >= 0 for change in changes) or all(change <= 0 for change in changes)

    def followed_by(self, seen: Seen, *, is_proven: bool) -> Self:
        """Return the suspect with another total, which has followed."""
        return replace(
            self,
            last=seen,
            newest=seen.total if is_proven else self.last.total,
            telegrams=self.telegrams + 1,
            rising=self.rising + 1,
        )

    def interrupted_by(self, seen: Seen, *, is_proven: bool) -> Self:
        """Return the suspect with another total, which has not followed."""
        return replace(self, last=seen, newest=seen.total if is_proven else self.newest)

    @property
    def has_stayed(self) -> bool:
        """Whether it is there to stay."""
        time = self.first.at.surely_until(self.last.at)
        return self.telegrams >= STEP_TELEGRAMS and time >= STEP_DURATION

    @property
    def keeps_rising(self) -> bool:
        """Whether it is an overload that the user must know of."""
        time = self.rising_since.surely_until(self.last.at)
        return self.rising >= STEP_TELEGRAMS and time >= _REPORTED_AFTER


@dataclass(slots=True)
class Mark:
    """What is remembered of one total."""

    #: The last accepted value, when it was first seen, and when a telegram was last accepted.
    total: Total
    since: Moment
    seen: Moment
    #: Energy of the grid per unit at the meter when it was last published.
    multiplier: Decimal
    #: When the value was measured, where it bears its own time stamp.
    measured: Moment | None = None
    #: It is known from the statistics only, which hold floats, so that it cannot be published.
    is_approximate: bool = False
    #: The user has said that another meter goes on from here, with whatever value it has.
    start_over: bool = False
    #: What the user has agreed to be possible in an hour, where that is more than usual.
    most_per_hour: Decimal | None = None
    suspect: Suspect | None = None

    @classmethod
    def begin(cls, seen: Seen, multiplier: Decimal) -> Self:
        """Remember a first total."""
        return cls(seen.total, seen.at, seen.at, multiplier, seen.measured)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Undo as_dict."""
        since, seen, measured = (
            time and Moment(datetime.fromisoformat(time))
            for time in (data["time"], data["seen"], data["measured"])
        )
        total = Total.from_list(data["total"])
        mark = cls(total, since, seen, Decimal(data["multiplier"]), measured)
        mark.is_approximate, mark.start_over = data["is_approximate"], data["start_over"]
        mark.most_per_hour = data["most_per_hour"] and Decimal(data["most_per_hour"])
        if (step := data["step"]) is not None:
            *totals, last = step
            at = Moment(datetime.fromisoformat(last))
            first, newest = (Seen(Total.from_list(total), at) for total in totals)
            suspect = Suspect.begin(first, None, mark.total, is_step=True)
            suspect = suspect.followed_by(newest, is_proven=True)
            mark.suspect = replace(suspect, confirmed=True, restored=True)
        return mark

    def as_dict(self) -> dict[str, Any]:
        """Return what is to be remembered over restarts; a mere suspicion is not."""
        suspect = self.suspect
        return {
            "total": self.total.as_list(),
            # By the steady clock, which is not remembered: the other one may have been set since.
            "time": (self.seen.time - self.since.until(self.seen)).isoformat(),
            "seen": self.seen.time.isoformat(),
            "measured": self.measured and self.measured.time.isoformat(),
            "multiplier": str(self.multiplier),
            "most_per_hour": self.most_per_hour and str(self.most_per_hour),
            "is_approximate": self.is_approximate,
            "start_over": self.start_over,
            "step": None
            if suspect is None or not suspect.confirmed
            else [
                suspect.first.total.as_list(),
                suspect.newest.as_list(),
                suspect.last.at.time.isoformat(),
            ],
        }

    def stood(self, longest: timedelta) -> timedelta:
        """Return for how long the value had stood when it was last seen.

        That is so long at the most, except where it bears its own time stamp.
        """
        if self.measured is not None:
            return self.measured.until(self.seen)
        return min(self.since.until(self.seen), longest)

    def accept(self, seen: Seen) -> None:
        """Go on from a total."""
        if self.is_approximate or seen.total.minus(self.total) != 0:
            self.total, self.since = seen.total, seen.at
        self.is_approximate = self.start_over = False
        self.repeat(seen)

    def repeat(self, seen: Seen) -> None:
        """Take that the total was there again."""
        self.seen, self.measured = seen.at, seen.measured
        self.suspect = None

    def tolerance(self, total: Total) -> Decimal:
        """Return by how much the value can be off, compared with a total."""
        if not self.is_approximate:
            return Decimal(0)
        return 2 * resolution(self.total, total) + abs(self.total.amount).scaleb(-9)
