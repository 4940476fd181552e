"""Which totals may be published: they never fall, and never rise faster than the connection allows.

A total that breaks the rules is held at its last accepted value. Where it keeps breaking them it
is no disturbance but a replaced or reset meter, and then only the user's consent lets the total go
on from its new value.
"""

from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import ROUND_CEILING, Decimal
from enum import Enum, auto
from typing import Any, Final, NamedTuple

from homeassistant.util import dt as dt_util

from ..meter import Key, Register
from ..registers.lookup import is_number
from .last_rows import LastRow, reconciled
from .limits import Rule, fits, needed_per_hour, rule_of
from .mark import OVERLOAD, STEP_DURATION, Mark, Seen, Suspect, leads
from .moment import LONGEST, Moment
from .total import EXACT, Step, Total, is_transformed, parse_key, resolution

#: In these steps (W) the least maximum power is told that would not hold a total back.
_POWER_STEP: Final = 100


class Proof(Enum):
    """What tells that a telegram came undamaged."""

    CHECKSUM = auto()
    #: The next one, within seconds.
    REPETITION = auto()
    NOTHING = auto()


class Review(NamedTuple):
    """What has become of the totals of a telegram."""

    #: Those that are held at an earlier value.
    withheld: frozenset[Key]
    #: There is something new to be remembered.
    has_news: bool


@dataclass
class TotalsGuard:
    """Judges each telegram's totals by what came before, over restarts too."""

    #: What can pass the meter, in W that it measures itself: before the multiplier.
    max_power: int
    #: Energy of the grid per unit at the meter.
    multiplier: Decimal = Decimal(1)
    rule_of: Callable[[Key, Mapping[Key, Register], int], Rule | None] = rule_of
    #: What the statistics hold of totals that have not come yet in this run.
    rows: dict[Key, LastRow] = field(default_factory=dict)
    #: Jumps that were accepted and that no one has collected yet.
    steps: list[Step] = field(default_factory=list)
    _marks: dict[Key, Mark] = field(default_factory=dict)
    _rules: dict[Key, Rule] = field(default_factory=dict)
    #: First totals, of which nothing but the next telegram proves that they came undamaged.
    _unproven: dict[Key, Seen] = field(default_factory=dict)

    def review(
        self, registers: MutableMapping[Key, Register], now: Moment, proof: Proof = Proof.CHECKSUM
    ) -> Review:
        """Hold back the totals of a telegram that are not to be trusted.

        Each is replaced by its last accepted value, or by none where there is no such value.
        """
        withheld: set[Key] = set()
        has_news = False
        for key, register in registers.items():
            rule = self._rule(key, registers)
            if rule is None or not is_number(register.value):
                continue
            if (total := Total.counted(register)) is not None:
                seen = Seen(total, now, _measured(register, rule, now))
                has_news |= self._take(key, seen, rule, proof)
            mark = self._marks.get(key)
            if mark is None or mark.is_approximate:
                registers[key] = replace(register, value=None)
                withheld.add(key)
            elif total is None or total.minus(mark.total) != 0:
                registers[key] = replace(register, value=mark.total.value, unit=mark.total.unit)
                if mark.suspect is None or not mark.suspect.is_pending:
                    withheld.add(key)
        return Review(frozenset(withheld), has_news)

    def _rule(self, key: Key, registers: Mapping[Key, Register]) -> Rule | None:
        """Return the rule for a register, also where what it depends on is in other telegrams."""
        if (rule := self.rule_of(key, registers, self.max_power)) is not None:
            return rule
        mark = self._marks.get(key)
        same = mark is not None and mark.total.unit == registers[key].unit
        return self._rules.get(key) if same else None

    def _take(self, key: Key, seen: Seen, rule: Rule, proof: Proof) -> bool:
        """Judge the total of a register; return whether there is something new to be remembered."""
        is_first = key not in self._rules
        self._rules[key] = rule
        has_news = is_first and self._meet(key, seen, rule)
        mark = self._marks.get(key)
        if mark is not None and not mark.start_over:
            return self._judge(key, mark, seen, proof) or has_news
        first = seen
        if proof is Proof.REPETITION:
            before = self._unproven.pop(key, None)
            if before is None or not leads(before, seen, rule):
                self._unproven[key] = seen
                return has_news
            first = before
        if mark is None:
            self._marks[key] = mark = Mark.begin(first, self.multiplier)
        else:
            self._start_from(key, mark, first, seen.at)
        if first is not seen:
            self._judge(key, mark, seen, proof)
        return True

    def _meet(self, key: Key, seen: Seen, rule: Rule) -> bool:
        """Compare what is remembered of an earlier run with what has happened since then."""
        mark = self._marks.get(key)
        row = self.rows.pop(key, None)
        if row is not None:
            multiplier = self.multiplier if mark is None else mark.multiplier
            factor = multiplier if is_transformed(key, seen.total) else Decimal(1)
            mark = reconciled(mark, row, seen.total, rule, multiplier=multiplier, factor=factor)
        if mark is None:
            return False
        self._marks[key] = mark
        if mark.multiplier == self.multiplier:
            return row is not None
        if is_transformed(key, mark.total):
            factor = self.multiplier - mark.multiplier
            self._add_step(key, seen.at, mark.total, EXACT.multiply(mark.total.amount, factor))
        mark.multiplier = self.multiplier
        return True

    def _judge(self, key: Key, mark: Mark, seen: Seen, proof: Proof) -> bool:
        """Accept a total, or suspect it; return whether there is something new to be remembered."""
        rule = self._rules[key]
        if mark.most_per_hour is not None:
            rule = rule._replace(most_per_hour=mark.most_per_hour)
        change, tolerance = seen.total.minus(mark.total), mark.tolerance(seen.total)
        had_suspect = mark.suspect is not None
        if not rule.may_fall and seen.total.is_rounded(mark.total):
            if proof is Proof.CHECKSUM:
                mark.repeat(seen)
            # Otherwise it may be a damaged digit, which says nothing of the time since then.
            mark.suspect = None
            return had_suspect
        if not change and not mark.is_approximate:
            mark.accept(seen)
            return had_suspect
        elapsed = mark.seen.until(seen.at)
        allowed = elapsed + mark.stood(rule.stands)
        slack = resolution(mark.total, seen.total) + tolerance
        falls = change < -tolerance and not rule.may_fall
        possible = not falls and fits(change, rule.most_per_hour, allowed, slack)
        if not possible or _waits_for_consent(mark, seen, rule):
            longer = OVERLOAD * allowed + STEP_DURATION
            is_step = falls or not fits(change, rule.most_per_hour, longer, slack)
            mark.suspect = _suspect(mark, seen, rule, proof, is_step=is_step)
            return mark.suspect.confirmed
        at_once = fits(change, rule.most_per_hour, elapsed, slack)
        if proof is Proof.CHECKSUM or (proof is Proof.NOTHING and at_once):
            mark.accept(seen)
            return True
        before, suspect = mark.suspect, _suspect(mark, seen, rule, proof, is_step=False)
        mark.suspect = replace(suspect, is_pending=at_once)
        if (
            before is not None
            and suspect.telegrams > before.telegrams
            and (at_once or suspect.has_stayed)
            and before.is_between(mark.total, seen.total)
        ):
            # What came before is confirmed by this one, which waits for the next in turn.
            mark.accept(before.last)
            self._judge(key, mark, seen, proof)
            return True
        return suspect.confirmed

    def _start_from(self, key: Key, mark: Mark, seen: Seen, now: Moment) -> None:
        """Take a total as the new base, and note its step."""
        change = seen.total.minus(mark.total)
        if change and change.is_finite():
            factor = self.multiplier if is_transformed(key, seen.total) else Decimal(1)
            self._add_step(key, now, seen.total, EXACT.multiply(change, factor))
        mark.accept(seen)

    def _add_step(self, key: Key, now: Moment, total: Total, offset: Decimal) -> None:
        """Note that a total has jumped by an amount in the grid."""
        if offset:
            unit = rule.unit if (rule := self._rules.get(key)) else total.amount_unit
            self.steps.append(Step(key, now.time, offset, unit))

    @property
    def known(self) -> int:
        """How many totals there are."""
        return len(self._marks)

    @property
    def jumped(self) -> dict[Key, tuple[Total, Total]]:
        """The totals that wait for the user's consent: last accepted and newest value."""
        return {
            key: (mark.total, suspect.newest)
            for key, mark in self._marks.items()
            if (suspect := mark.suspect) is not None and suspect.confirmed
        }

    @property
    def overload(self) -> int | None:
        """The least maximum power (W) with which no total would be held back for long.

        None while there is no such total.
        """
        needed = [
            self._needed(key, mark, suspect)
            for key, mark in self._marks.items()
            if (suspect := mark.suspect) is not None
            and suspect.keeps_rising
            and not suspect.confirmed
            and self._rules[key].by_max_power
        ]
        steps = max(needed, default=Decimal(0)).scaleb(3) / _POWER_STEP
        power = int(steps.to_integral_value(ROUND_CEILING)) * _POWER_STEP
        return power if power > self.max_power else None

    def _needed(self, key: Key, mark: Mark, suspect: Suspect) -> Decimal:
        """Return the least that must be possible in an hour for what is suspected."""
        time = mark.seen.until(suspect.last.at) + mark.stood(self._rules[key].stands)
        return needed_per_hour(suspect.last.total.minus(mark.total), time)

    def accept(self, now: Moment) -> dict[Key, Total]:
        """Let the totals that wait for consent go on from their newest values; return these."""
        accepted: dict[Key, Total] = {}
        for key, mark in self._marks.items():
            if (suspect := mark.suspect) is None or not suspect.confirmed:
                continue
            accepted[key] = suspect.newest
            if not suspect.is_step:
                # So much is usual here.
                mark.most_per_hour = OVERLOAD * self._needed(key, mark, suspect)
            self._start_from(key, mark, Seen(suspect.newest, suspect.last.at), now)
        return accepted

    def as_dict(self) -> dict[str, Any]:
        """Return what is to be remembered over restarts, ready for JSON."""
        return {"marks": {str(key): mark.as_dict() for key, mark in self._marks.items()}}

    def restore(self, memory: Mapping[str, Any]) -> None:
        """Go on from what was remembered."""
        self._marks = {
            parse_key(text): Mark.from_dict(data) for text, data in memory["marks"].items()
        }


def _suspect(mark: Mark, seen: Seen, rule: Rule, proof: Proof, *, is_step: bool) -> Suspect:
    """Return what is suspected once a total has come that is not accepted.

    Takes whether no overload can explain it.
    """
    suspect, is_proven = mark.suspect, proof is Proof.CHECKSUM
    if suspect is not None and leads(suspect.last, seen, rule):
        suspect = suspect.followed_by(seen, is_proven=is_proven)
    elif suspect is not None and suspect.confirmed:
        suspect = suspect.interrupted_by(seen, is_proven=is_proven)
    else:
        suspect = Suspect.begin(seen, suspect, mark.total, is_step=is_step)
    stays = suspect.is_step and suspect.has_stayed
    # Where no option allows more, only consent does.
    stays |= suspect.keeps_rising and not rule.by_max_power
    return replace(suspect, confirmed=suspect.confirmed or stays, is_pending=False)


def _waits_for_consent(mark: Mark, seen: Seen, rule: Rule) -> bool:
    """Tell whether a total is what the user was asked about.

    What is possible grows with time, and a step must not slip in by waiting for that. But it was
    none if the clock has been set since then, and shows that there was enough time.
    """
    suspect = mark.suspect
    if suspect is None or not suspect.confirmed:
        return False
    first, change = (total.minus(mark.total) for total in (suspect.first.total, seen.total))
    if not (change >= first if first > 0 else change <= first):
        return False
    late = suspect.first.at.ahead_until(seen.at)
    return suspect.restored or not fits(first, rule.most_per_hour, late, Decimal(0))


def _measured(register: Register, rule: Rule, now: Moment) -> Moment | None:
    """Return when the value of another meter was measured, if its time stamp can be right."""
    if not rule.is_passed_on or (time := register.time) is None:
        return None
    if time.tzinfo is None:
        time = time.replace(tzinfo=dt_util.get_default_time_zone())
    return Moment(time) if timedelta() <= now.time - time <= LONGEST else None
