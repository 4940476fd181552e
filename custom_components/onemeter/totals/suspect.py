"""Totals that were not accepted: a disturbance, an overload, or a replaced or reset meter."""

from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from typing import Final, NamedTuple, Self

from .limits import Rule, fits
from .moment import Moment
from .total import Total, resolution

#: An implausible total counts as a step and not as a disturbance once this many consecutive
#: telegrams, over at least this time, have shown it.
STEP_TELEGRAMS: Final = 3
STEP_DURATION: Final = timedelta(seconds=60)
#: A rise within this many times the maximum power is an overload; a faster one is a step.
OVERLOAD: Final = 2
#: An overload is reported after this time, and as many telegrams as make a step.
_REPORTED_AFTER: Final = timedelta(minutes=5)


class Observation(NamedTuple):
    """A total in a telegram."""

    total: Total
    #: When the telegram was received.
    at: Moment
    #: When the value was measured, if it has a time stamp of its own.
    measured: Moment | None = None


def can_follow(before: Observation, after: Observation, rule: Rule) -> bool:
    """Return whether a total can follow another one, at most by an overload."""
    change = after.total.minus(before.total)
    if change < 0 and not rule.may_fall:
        return False
    time = OVERLOAD * before.at.until(after.at) + STEP_DURATION
    return fits(change, rule.most_per_hour, time, resolution(before.total, after.total))


@dataclass(frozen=True, slots=True)
class Suspect:
    """Consecutive totals that were not accepted, each of which can follow the one before."""

    first: Observation
    last: Observation
    #: The value from which the total continues if the user consents.
    newest: Total
    #: No overload can explain it.
    is_step: bool
    #: Since when totals have been rising without being accepted, and in how many telegrams. Unlike
    #: the fields above, this includes totals that cannot follow the one before.
    rising_since: Moment
    rising_telegrams: int = 1
    telegrams: int = 1
    #: It is a persistent step that only the user can accept.
    confirmed: bool = False
    #: It is plausible, and only waits for the next telegram to confirm it.
    is_pending: bool = False
    #: It was confirmed before the restart.
    restored: bool = False

    @classmethod
    def begin(
        cls, seen: Observation, before: Self | None, accepted: Total, *, is_step: bool
    ) -> Self:
        """Suspect a total, after an earlier suspect if there was one.

        accepted is the total that was accepted last.
        """
        suspect = cls(seen, seen, seen.total, is_step, seen.at)
        if before is None:
            return suspect
        if before.last.total.minus(accepted) <= 0 or seen.total.minus(before.last.total) < 0:
            return suspect
        return replace(
            suspect,
            rising_since=before.rising_since,
            rising_telegrams=before.rising_telegrams + 1,
        )

    def is_between(self, before: Total, after: Total) -> bool:
        """Return whether the last total lies between two others."""
        changes = self.last.total.minus(before), after.minus(self.last.total)
        return all(change >= 0 for change in changes) or all(change <= 0 for change in changes)

    def followed_by(self, seen: Observation, *, is_proven: bool) -> Self:
        """Return the suspect with another total that can follow its last one."""
        return replace(
            self,
            last=seen,
            newest=seen.total if is_proven else self.last.total,
            telegrams=self.telegrams + 1,
            rising_telegrams=self.rising_telegrams + 1,
        )

    def interrupted_by(self, seen: Observation, *, is_proven: bool) -> Self:
        """Return the suspect with another total that cannot follow its last one."""
        return replace(self, last=seen, newest=seen.total if is_proven else self.newest)

    def awaits_consent(self, accepted: Total, seen: Observation, rule: Rule) -> bool:
        """Return whether a total belongs to a step that the user was asked about.

        The longer the time, the more is possible; a step must not be accepted just by waiting. But
        it was no step if the clock was set in the meantime and shows that there was enough time.
        """
        if not self.confirmed:
            return False
        first, change = (total.minus(accepted) for total in (self.first.total, seen.total))
        if not (change >= first if first > 0 else change <= first):
            return False
        late = self.first.at.clock_ahead_until(seen.at)
        return self.restored or not fits(first, rule.most_per_hour, late, Decimal(0))

    @property
    def has_persisted(self) -> bool:
        """Whether it was shown by enough telegrams for long enough to be no disturbance."""
        time = self.first.at.at_least_until(self.last.at)
        return self.telegrams >= STEP_TELEGRAMS and time >= STEP_DURATION

    @property
    def keeps_rising(self) -> bool:
        """Whether it is an overload that must be reported to the user."""
        time = self.rising_since.at_least_until(self.last.at)
        return self.rising_telegrams >= STEP_TELEGRAMS and time >= _REPORTED_AFTER


def suspected(
    suspect: Suspect | None,
    seen: Observation,
    rule: Rule,
    accepted: Total,
    *,
    is_proven: bool,
    is_step: bool,
) -> Suspect:
    """Return the suspect after another total that was not accepted.

    accepted is the total that was accepted last; is_proven says that a checksum was right; is_step
    that no overload can explain the total.
    """
    if suspect is not None and can_follow(suspect.last, seen, rule):
        suspect = suspect.followed_by(seen, is_proven=is_proven)
    elif suspect is not None and suspect.confirmed:
        suspect = suspect.interrupted_by(seen, is_proven=is_proven)
    else:
        suspect = Suspect.begin(seen, suspect, accepted, is_step=is_step)
    persists = suspect.is_step and suspect.has_persisted
    # Without an option that allows more, only the user's consent does.
    persists |= suspect.keeps_rising and not rule.by_max_power
    return replace(suspect, confirmed=suspect.confirmed or persists, is_pending=False)
