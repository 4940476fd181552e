"""The state of one total, remembered over restarts."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Self

from .moment import Moment
from .suspect import Observation, Suspect
from .total import Total, resolution


@dataclass(slots=True)
class TotalState:
    """The last accepted value of a total, and what was not accepted since."""

    total: Total
    #: When the accepted value was first seen.
    since: Moment
    #: When a telegram was last accepted.
    seen: Moment
    #: Energy in the grid per unit at the meter when the total was last published.
    multiplier: Decimal
    #: When the value was measured, if it has a time stamp of its own.
    measured: Moment | None = None
    #: The value comes from the statistics, which store floats; it cannot be published.
    is_approximate: bool = False
    #: The user has confirmed a replaced meter: its next total is accepted, whatever it is.
    start_over: bool = False
    #: The rise per hour that the user has accepted, if it is more than the rule allows.
    most_per_hour: Decimal | None = None
    suspect: Suspect | None = None

    @classmethod
    def begin(cls, seen: Observation, multiplier: Decimal) -> Self:
        """Accept a first total."""
        return cls(seen.total, seen.at, seen.at, multiplier, seen.measured)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Restore what as_dict has returned."""
        since, seen, measured = (
            time and Moment(datetime.fromisoformat(time))
            for time in (data["time"], data["seen"], data["measured"])
        )
        total = Total.from_list(data["total"])
        state = cls(total, since, seen, Decimal(data["multiplier"]), measured)
        state.is_approximate, state.start_over = data["is_approximate"], data["start_over"]
        state.most_per_hour = data["most_per_hour"] and Decimal(data["most_per_hour"])
        if (step := data["step"]) is not None:
            *totals, last = step
            at = Moment(datetime.fromisoformat(last))
            first, newest = (Observation(Total.from_list(total), at) for total in totals)
            suspect = Suspect.begin(first, None, state.total, is_step=True)
            suspect = suspect.followed_by(newest, is_proven=True)
            state.suspect = replace(suspect, confirmed=True, restored=True)
        return state

    def as_dict(self) -> dict[str, Any]:
        """Return the state for the JSON storage; a suspect only if it is confirmed."""
        suspect = self.suspect
        return {
            "total": self.total.as_list(),
            # Calculated by the steady clock, which is not stored; the other one may have been set.
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

    def unchanged_for(self, longest: timedelta) -> timedelta:
        """Return for how long the value had not changed when it was last seen.

        At most the longest time, unless the value has a time stamp of its own.
        """
        if self.measured is not None:
            return self.measured.until(self.seen)
        return min(self.since.until(self.seen), longest)

    def accept(self, seen: Observation) -> None:
        """Continue from a total."""
        if self.is_approximate or seen.total.minus(self.total) != 0:
            self.total, self.since = seen.total, seen.at
        self.is_approximate = self.start_over = False
        self.confirm(seen)

    def confirm(self, seen: Observation) -> None:
        """Note that a telegram contained the accepted total again."""
        self.seen, self.measured = seen.at, seen.measured
        self.suspect = None

    def tolerance(self, total: Total) -> Decimal:
        """Return the uncertainty of the value when it is compared with a total."""
        if not self.is_approximate:
            return Decimal(0)
        return 2 * resolution(self.total, total) + abs(self.total.amount).scaleb(-9)
