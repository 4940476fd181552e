"""Which totals may be published: they never fall, and never rise faster than the connection allows.

A total that breaks these rules is held at its last accepted value. If it keeps breaking them, the
meter was replaced or reset; then the total continues from its new value only if the user consents.
"""

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import ROUND_CEILING, Decimal
from enum import Enum, auto
from functools import partial
from typing import Any, Final, NamedTuple

from homeassistant.util import dt as dt_util

from ..meter import Key, Register
from ..meter.obis import ABSTRACT
from ..registers.known_codes import parse_key
from ..registers.lookup import is_number
from .last_rows import LastRow, reconciled
from .limits import Rule, fits, limited, needed_per_hour, rule_of
from .moment import LONGEST, Moment
from .suspect import OVERLOAD, STEP_DURATION, Observation, Suspect, can_follow, suspected
from .total import EXACT, Step, Total, is_transformed, resolution
from .total_state import TotalState

#: The suggested maximum power is rounded up to a multiple of this (W).
_POWER_STEP: Final = 100


class Proof(Enum):
    """What proves that a telegram was received undamaged."""

    CHECKSUM = auto()
    #: The next telegram, within seconds.
    REPETITION = auto()
    NOTHING = auto()


class Examined(NamedTuple):
    """What a register contains, apart from earlier ones."""

    register: Register
    #: The register without implausible power.
    limited: Register
    #: None if it is no total.
    rule: Rule | None
    #: None if that is no possible one.
    total: Total | None


class Review(NamedTuple):
    """The result of a review of a telegram."""

    #: The totals that are held at an earlier value.
    withheld: frozenset[Key]
    #: The state of a total has changed and must be stored.
    is_changed: bool


@dataclass
class TotalsGuard:
    """Compares each telegram's totals with earlier ones, over restarts too."""

    #: The maximum power that the meter itself measures (W), before the multiplier.
    max_power: int
    #: Energy in the grid per unit at the meter.
    multiplier: Decimal = Decimal(1)
    #: The last statistics rows of totals that were not received yet in this run.
    rows: dict[Key, LastRow] = field(default_factory=dict)
    #: Accepted jumps; the correction of the statistics clears the list.
    steps: list[Step] = field(default_factory=list)
    _states: dict[Key, TotalState] = field(default_factory=dict)
    _rules: dict[Key, Rule] = field(default_factory=dict)
    #: Most telegrams repeat most registers, as the same objects.
    _examined: dict[Key, Examined] = field(default_factory=dict)
    #: First totals without checksum, which the next telegram must confirm.
    _unproven: dict[Key, Observation] = field(default_factory=dict)

    def review(
        self, registers: MutableMapping[Key, Register], now: Moment, proof: Proof = Proof.CHECKSUM
    ) -> Review:
        """Replace each total of a telegram that is not accepted by its last accepted value.

        If there is no such value, the register's value becomes None, as does implausible power.
        """
        withheld: set[Key] = set()
        is_changed = False
        for key, register in registers.items():
            examined = self._examined.get(key)
            if examined is None or examined.register is not register:
                examined = self.examine(key, registers)
            _, limited_register, rule, total = examined
            if rule is None:
                registers[key] = limited_register
                continue
            if total is not None:
                seen = Observation(total, now, _measured(register, rule, now))
                is_changed |= self._update(key, seen, rule, proof)
            state = self._states.get(key)
            if state is None or state.is_approximate:
                registers[key] = replace(register, value=None)
                withheld.add(key)
            elif total is None or total.minus(state.total) != 0:
                registers[key] = replace(register, value=state.total.value, unit=state.total.unit)
                if state.suspect is None or not state.suspect.is_pending:
                    withheld.add(key)
        return Review(frozenset(withheld), is_changed)

    def examine(self, key: Key, registers: Mapping[Key, Register]) -> Examined:
        """Return what a register contains; a review remembers it."""
        register = registers[key]
        rule = self._rule(key, registers) if is_number(register.value) else None
        total = None if rule is None else Total.counted(register)
        examined = Examined(register, limited(key, register, self.max_power), rule, total)
        # What a register of a meter on the M-Bus counts depends on others, too.
        if key[0] != ABSTRACT:
            self._examined[key] = examined
        return examined

    def _rule(self, key: Key, registers: Mapping[Key, Register]) -> Rule | None:
        """Return the rule for a register, also if what it depends on is in other telegrams."""
        if (rule := rule_of(key, registers, self.max_power)) is not None:
            return rule
        state = self._states.get(key)
        same = state is not None and state.total.unit == registers[key].unit
        return self._rules.get(key) if same else None

    def _update(self, key: Key, seen: Observation, rule: Rule, proof: Proof) -> bool:
        """Update the state of a total; return whether that must be stored."""
        is_first = key not in self._rules
        self._rules[key] = rule
        is_changed = is_first and self._reconcile(key, seen, rule)
        state = self._states.get(key)
        if state is not None and not state.start_over:
            return self._judge(key, state, seen, proof) or is_changed
        first = seen
        if proof is Proof.REPETITION:
            before = self._unproven.pop(key, None)
            if before is None or not can_follow(before, seen, rule):
                self._unproven[key] = seen
                return is_changed
            first = before
        if state is None:
            self._states[key] = state = TotalState.begin(first, self.multiplier)
        else:
            self._rebase(key, state, first, seen.at)
        if first is not seen:
            self._judge(key, state, seen, proof)
        return True

    def _reconcile(self, key: Key, seen: Observation, rule: Rule) -> bool:
        """Reconcile the stored state with the statistics; return whether it has changed."""
        state = self._states.get(key)
        row = self.rows.pop(key, None)
        if row is not None:
            multiplier = self.multiplier if state is None else state.multiplier
            factor = multiplier if is_transformed(key, seen.total) else Decimal(1)
            state = reconciled(state, row, seen.total, rule, multiplier=multiplier, factor=factor)
        if state is None:
            return False
        self._states[key] = state
        if state.multiplier == self.multiplier:
            return row is not None
        if is_transformed(key, state.total):
            factor = self.multiplier - state.multiplier
            self._add_step(key, seen.at, state.total, EXACT.multiply(state.total.amount, factor))
        state.multiplier = self.multiplier
        return True

    def _judge(self, key: Key, state: TotalState, seen: Observation, proof: Proof) -> bool:
        """Accept or suspect a total; return whether the state must be stored."""
        rule = self._rules[key]
        if state.most_per_hour is not None:
            rule = rule._replace(most_per_hour=state.most_per_hour)
        change, tolerance = seen.total.minus(state.total), state.tolerance(seen.total)
        had_suspect = state.suspect is not None
        is_rounded = not rule.may_fall and seen.total.is_rounded(state.total)
        if is_rounded or (not change and not state.is_approximate):
            # Without checksum, digits that differ from the ones before may be damaged. They prove
            # nothing about the time since then.
            if proof is Proof.CHECKSUM or not (is_rounded or had_suspect):
                state.confirm(seen)
            state.suspect = None
            return had_suspect
        elapsed = state.seen.until(seen.at)
        allowed = elapsed + state.unchanged_for(rule.max_unchanged)
        slack = resolution(state.total, seen.total) + tolerance
        falls = change < -tolerance and not rule.may_fall
        possible = not falls and fits(change, rule.most_per_hour, allowed, slack)
        suspect = state.suspect
        add_suspicion = partial(
            suspected, suspect, seen, rule, state.total, is_proven=proof is Proof.CHECKSUM
        )
        awaits_consent = suspect is not None and suspect.awaits_consent(state.total, seen, rule)
        if not possible or awaits_consent:
            longer = OVERLOAD * allowed + STEP_DURATION
            is_step = falls or not fits(change, rule.most_per_hour, longer, slack)
            state.suspect = add_suspicion(is_step=is_step)
            return state.suspect.confirmed
        at_once = fits(change, rule.most_per_hour, elapsed, slack)
        if proof is Proof.CHECKSUM or (proof is Proof.NOTHING and at_once):
            state.accept(seen)
            return True
        before, suspect = suspect, add_suspicion(is_step=False)
        state.suspect = replace(suspect, is_pending=at_once)
        if (
            before is not None
            and suspect.telegrams > before.telegrams
            and (at_once or suspect.has_persisted)
            and before.is_between(state.total, seen.total)
        ):
            # This total confirms the one before, and waits for the next to be confirmed itself.
            state.accept(before.last)
            self._judge(key, state, seen, proof)
            return True
        return suspect.confirmed

    def _rebase(self, key: Key, state: TotalState, seen: Observation, now: Moment) -> None:
        """Continue from another total, and note the difference as a step."""
        change = seen.total.minus(state.total)
        if change and change.is_finite():
            factor = self.multiplier if is_transformed(key, seen.total) else Decimal(1)
            self._add_step(key, now, seen.total, EXACT.multiply(change, factor))
        state.accept(seen)

    def _add_step(self, key: Key, now: Moment, total: Total, offset: Decimal) -> None:
        """Note a step of a total; the offset is after the multiplier."""
        if offset:
            unit = rule.unit if (rule := self._rules.get(key)) else total.amount_unit
            self.steps.append(Step(key, now.time, offset, unit))

    @property
    def count(self) -> int:
        """The number of totals with a state."""
        return len(self._states)

    @property
    def jumped(self) -> dict[Key, tuple[Total, Total]]:
        """The totals that wait for the user's consent: last accepted and newest value."""
        return {
            key: (state.total, suspect.newest)
            for key, state in self._states.items()
            if (suspect := state.suspect) is not None and suspect.confirmed
        }

    @property
    def overload(self) -> int | None:
        """The lowest maximum power (W) that would accept all totals; None without an overload."""
        needed = [
            self._needed(key, state, suspect)
            for key, state in self._states.items()
            if (suspect := state.suspect) is not None
            and suspect.keeps_rising
            and not suspect.confirmed
            and self._rules[key].by_max_power
        ]
        steps = max(needed, default=Decimal(0)).scaleb(3) / _POWER_STEP
        power = int(steps.to_integral_value(ROUND_CEILING)) * _POWER_STEP
        return power if power > self.max_power else None

    def _needed(self, key: Key, state: TotalState, suspect: Suspect) -> Decimal:
        """Return the rise per hour that would have to be allowed for a suspect."""
        unchanged = state.unchanged_for(self._rules[key].max_unchanged)
        time = state.seen.until(suspect.last.at) + unchanged
        return needed_per_hour(suspect.last.total.minus(state.total), time)

    def accept(self, now: Moment) -> dict[Key, Total]:
        """Continue from the newest values of all totals that wait for consent; return these."""
        accepted: dict[Key, Total] = {}
        for key, state in self._states.items():
            if (suspect := state.suspect) is None or not suspect.confirmed:
                continue
            accepted[key] = suspect.newest
            if not suspect.is_step:
                # Such a rise is normal for this meter.
                state.most_per_hour = OVERLOAD * self._needed(key, state, suspect)
            self._rebase(key, state, Observation(suspect.newest, suspect.last.at), now)
        return accepted

    def as_dict(self) -> dict[str, Any]:
        """Return the states for the JSON storage."""
        return {"marks": {str(key): state.as_dict() for key, state in self._states.items()}}

    def restore(self, stored: Mapping[str, Any]) -> None:
        """Restore what as_dict has returned."""
        self._states = {
            parse_key(text): TotalState.from_dict(data) for text, data in stored["marks"].items()
        }


def _measured(register: Register, rule: Rule, now: Moment) -> Moment | None:
    """Return when an M-Bus meter's value was measured, if its time stamp is plausible."""
    if not rule.is_from_mbus or (time := register.time) is None:
        return None
    if time.tzinfo is None:
        time = time.replace(tzinfo=dt_util.get_default_time_zone())
    return Moment(time) if timedelta() <= now.time - time <= LONGEST else None
