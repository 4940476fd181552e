"""Which totals may be published: they never fall, and never rise faster than the connection allows.

A total that breaks the rules is held at its last accepted value. Where it keeps breaking them it
is no disturbance but a replaced or reset meter, and then only the user's consent lets the total go
on from its new value.
"""

from collections.abc import Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
import re
from typing import Any, Self

from ..meter import Obis, Register

#: An implausible total is a step, and no disturbance, once this many telegrams in a row, over at
#: least this time, have shown it.
STEP_TELEGRAMS = 3
STEP_DURATION = timedelta(seconds=60)
#: A rise that so many times the maximum power can bring is no step but an overload. It is held back
#: until the average since the last accepted value is possible again.
OVERLOAD = 2

_UNIT = re.compile(r"([kMG]?)(?:Wh|varh|VAh)")
_EXPONENTS = {"": -3, "k": 0, "M": 3, "G": 6}
_MICROSECOND = timedelta(microseconds=1)
_WATT_MICROSECONDS_PER_KWH = 3_600_000_000_000


@dataclass(frozen=True, slots=True)
class Total:
    """A total as the meter sent it."""

    value: Decimal
    #: Wh, varh or VAh, also with k, M or G before it.
    unit: str

    @classmethod
    def of(cls, register: Register | None) -> Self | None:
        """Return what a register has counted; None where it holds no energy."""
        if (
            register is None
            or not isinstance(register.value, Decimal | int)
            or register.unit is None
            or _UNIT.fullmatch(register.unit) is None
        ):
            return None
        return cls(Decimal(register.value), register.unit)

    @classmethod
    def from_list(cls, data: Sequence[str]) -> Self:
        """Undo as_list."""
        value, unit = data
        return cls(Decimal(value), unit)

    def as_list(self) -> list[str]:
        """Return the value and the unit, ready for JSON."""
        return [str(self.value), self.unit]

    @property
    def kilo(self) -> Decimal:
        """The value in kWh, kvarh or kVAh, with all its digits."""
        return self.value.scaleb(_EXPONENTS[self.unit.removesuffix(self._base_unit)])

    @property
    def kilo_unit(self) -> str:
        """The unit of kilo."""
        return f"k{self._base_unit}"

    @property
    def _base_unit(self) -> str:
        return self.unit.lstrip("kMG")


def resolution(before: Total, now: Total) -> Decimal:
    """Return the step between two values that the meter can send, in kWh, kvarh or kVAh.

    That is one of the last digit. Zeros that end both values are no digits, up to the whole kilo
    units in which meters tell their totals while they wait for their PIN.
    """
    values = [value for value in (before.kilo, now.kilo) if value]
    zeros = min((_exponent(value.normalize()) for value in values), default=0)
    return Decimal((0, (1,), max(_exponent(now.kilo), min(zeros, 0))))


def _exponent(value: Decimal) -> int:
    """Return the power of ten of the last digit."""
    return int(value.as_tuple().exponent)


@dataclass(frozen=True, slots=True)
class Step:
    """A jump of a published total that is no consumption."""

    obis: Obis
    #: When the total jumped (UTC).
    time: datetime
    #: The new value, after the multiplier.
    value: Decimal
    #: New minus old value.
    offset: Decimal
    #: Of both: kWh, kvarh or kVAh.
    unit: str

    @classmethod
    def from_dict(cls, data: Mapping[str, str]) -> Self:
        """Undo as_dict."""
        return cls(
            Obis.parse(data["obis"]),
            datetime.fromisoformat(data["time"]),
            Decimal(data["value"]),
            Decimal(data["offset"]),
            data["unit"],
        )

    def as_dict(self) -> dict[str, str]:
        """Return the step ready for JSON."""
        return {
            "obis": str(self.obis),
            "time": self.time.isoformat(),
            "value": str(self.value),
            "offset": str(self.offset),
            "unit": self.unit,
        }


@dataclass(frozen=True, slots=True)
class _Suspect:
    """An implausible value that has come and may be there to stay."""

    first: Total
    newest: Total
    since: datetime
    telegrams: int = 1
    #: No overload can explain it.
    is_step: bool = True
    #: It is a step and has stayed, so only the user can accept it.
    confirmed: bool = False
    #: It was confirmed before the restart.
    restored: bool = False


@dataclass(slots=True)
class _Mark:
    """What is remembered of one total."""

    #: The last accepted value, and when it was first seen (UTC).
    total: Total
    time: datetime
    suspect: _Suspect | None = None
    #: The user has said that another meter goes on from here, with whatever value it has.
    start_over: bool = False
    #: The value was accepted before the restart, so that only the clock tells how long ago.
    restored: bool = False

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Undo as_dict."""
        mark = cls(Total.from_list(data["total"]), datetime.fromisoformat(data["time"]))
        mark.start_over = data["start_over"]
        mark.restored = True
        if (step := data["step"]) is not None:
            first, newest = map(Total.from_list, step)
            mark.suspect = _Suspect(
                first, newest, mark.time, STEP_TELEGRAMS, confirmed=True, restored=True
            )
        return mark

    def as_dict(self) -> dict[str, Any]:
        """Return what is to be remembered over restarts; a mere suspicion is not."""
        suspect = self.suspect
        return {
            "total": self.total.as_list(),
            "time": self.time.isoformat(),
            "start_over": self.start_over,
            "step": None
            if suspect is None or not suspect.confirmed
            else [suspect.first.as_list(), suspect.newest.as_list()],
        }


def _reaches(mark: _Mark, suspect: _Suspect, total: Total) -> bool:
    """Say whether a total is as far from the last accepted value as what was suspected first."""
    first = suspect.first.kilo - mark.total.kilo
    change = total.kilo - mark.total.kilo
    return change >= first if first > 0 else change <= first


@dataclass
class TotalsGuard:
    """Judges each telegram's totals by what came before, over restarts too."""

    #: Says whether a total may also fall, as import minus export does; None for other registers.
    may_fall: Callable[[Obis], bool | None]
    #: What can pass the meter, in W that it measures itself: before the multiplier.
    max_power: int
    #: Energy of the grid per unit at the meter.
    multiplier: Decimal = Decimal(1)
    #: Jumps that were accepted and that no one has collected yet.
    steps: list[Step] = field(default_factory=list)
    _marks: dict[Obis, _Mark] = field(default_factory=dict)

    def review(self, registers: MutableMapping[Obis, Register], now: datetime) -> bool:
        """Hold back the totals of a telegram that are not to be trusted.

        Each is replaced by its last accepted value. Returns whether there is something new to be
        remembered.
        """
        news = False
        for obis, register in registers.items():
            may_fall = self.may_fall(obis)
            if may_fall is None or (total := Total.of(register)) is None:
                continue
            mark = self._marks.get(obis)
            if mark is None:
                self._marks[obis] = _Mark(total, now)
                news = True
                continue
            news |= self._judge(obis, mark, total, now, may_fall=may_fall)
            if mark.total != total:
                registers[obis] = replace(register, value=mark.total.value, unit=mark.total.unit)
        return news

    def _judge(
        self, obis: Obis, mark: _Mark, total: Total, now: datetime, *, may_fall: bool
    ) -> bool:
        """Accept a total, or suspect it; return whether there is something new to be remembered."""
        if mark.start_over:
            self._start_from(obis, mark, total, now)
            return True
        change = total.kilo - mark.total.kilo
        falls = change < 0 and not may_fall
        suspect = mark.suspect
        if (
            not falls
            and self._can_carry(mark, total, now)
            # What is possible grows with time; a step must not slip in by waiting for that.
            and not (suspect is not None and suspect.confirmed and _reaches(mark, suspect, total))
        ):
            mark.suspect = None
            if change:
                mark.total, mark.time, mark.restored = total, now, False
            return bool(change) or suspect is not None
        # What is possible by the time at which a step is confirmed needs no consent.
        is_step = falls or not self._can_carry(
            mark, total, now, times=OVERLOAD, longer=STEP_DURATION
        )
        if suspect is None or (
            not suspect.confirmed
            and (
                (change > 0) is not (suspect.first.kilo > mark.total.kilo)
                or (is_step and not suspect.is_step)
                # Nor was it there to stay if it has come down since.
                or (change > 0 and not may_fall and not _reaches(mark, suspect, total))
            )
        ):
            mark.suspect = _Suspect(total, total, now, is_step=is_step)
            return False
        telegrams = suspect.telegrams + 1
        stays = telegrams >= STEP_TELEGRAMS and now - suspect.since >= STEP_DURATION
        mark.suspect = replace(
            suspect,
            newest=total,
            telegrams=telegrams,
            confirmed=suspect.confirmed or (suspect.is_step and stays),
        )
        return mark.suspect.confirmed

    def _can_carry(
        self,
        mark: _Mark,
        total: Total,
        now: datetime,
        *,
        times: int = 1,
        longer: timedelta = timedelta(),
    ) -> bool:
        """Say whether the connection can carry the change since the last accepted value was seen.

        Also with its maximum power so many times over that time, and longer. One step of the
        resolution is always possible, since the energy in it may be older.
        """
        if mark.restored and now < mark.time:
            # The clock is or was wrong: nobody knows how long ago that is.
            return True
        elapsed = times * max(now - mark.time, timedelta()) + longer
        most = self.max_power * (elapsed // _MICROSECOND)
        needed = abs(total.kilo - mark.total.kilo) * _WATT_MICROSECONDS_PER_KWH
        if needed <= most:
            return True
        return needed <= most + resolution(mark.total, total) * _WATT_MICROSECONDS_PER_KWH

    def _start_from(self, obis: Obis, mark: _Mark, total: Total, now: datetime) -> None:
        """Take a total as the new base, and note its step."""
        if offset := (total.kilo - mark.total.kilo) * self.multiplier:
            value = total.kilo * self.multiplier
            self.steps.append(Step(obis, now, value, offset, total.kilo_unit))
        mark.total, mark.time, mark.suspect = total, now, None
        mark.start_over = mark.restored = False

    def clock_set(self, by: timedelta) -> None:
        """Follow the clock that tells now, which was set forward, or back by a negative time.

        What was seen in this run moves along, so that the time since then stays what it is. What
        was accepted before is judged by what the clock tells now.
        """
        for mark in self._marks.values():
            if not mark.restored:
                mark.time += by
            if (suspect := mark.suspect) is not None:
                forget = mark.restored and not suspect.restored
                mark.suspect = None if forget else replace(suspect, since=suspect.since + by)

    @property
    def jumped(self) -> dict[Obis, tuple[Total, Total]]:
        """The totals that wait for the user's consent: last accepted and newest value."""
        return {
            obis: (mark.total, suspect.newest)
            for obis, mark in self._marks.items()
            if (suspect := mark.suspect) is not None and suspect.confirmed
        }

    def accept(self, now: datetime) -> dict[Obis, Total]:
        """Let the totals that wait for consent go on from their newest values; return these."""
        accepted = {obis: newest for obis, (_, newest) in self.jumped.items()}
        for obis, newest in accepted.items():
            self._start_from(obis, self._marks[obis], newest, now)
        return accepted

    def as_dict(self) -> dict[str, Any]:
        """Return what is to be remembered over restarts, ready for JSON."""
        return {
            "multiplier": str(self.multiplier),
            "marks": {str(obis): mark.as_dict() for obis, mark in self._marks.items()},
        }

    def restore(self, memory: Mapping[str, Any], now: datetime) -> None:
        """Go on from what was remembered; a multiplier changed since then is a step."""
        self._marks = {
            Obis.parse(code): _Mark.from_dict(mark) for code, mark in memory["marks"].items()
        }
        change = self.multiplier - Decimal(memory["multiplier"])
        for obis, mark in self._marks.items():
            if offset := mark.total.kilo * change:
                value = mark.total.kilo * self.multiplier
                self.steps.append(Step(obis, now, value, offset, mark.total.kilo_unit))
