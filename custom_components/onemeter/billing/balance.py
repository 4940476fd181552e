"""Balanced energy: what is imported and exported within a period, offset against each other.

A period is settled with the last total accepted at most ten seconds before its end, shortly before
the end: Home Assistant counts a state towards the statistics row, and prices it at the price, of
the time at which it is written. Only without such a total, the first one within ten seconds after
the end is taken. A period whose end has neither is settled together with the next one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final, Self

from ..totals.total import EXACT
from .periods import TOLERANCE, Periods, is_at
from .sample import Sample

#: A period is settled this long before its end: long enough to store the result and to write the
#: states before the end.
LEAD: Final = timedelta(seconds=1)
#: Missed ends that are remembered, for load profiles that are imported later.
_MISSED_KEPT: Final = 100


@dataclass(frozen=True, slots=True)
class Settlement:
    """What is known about the newest settlement."""

    #: The end of the period that was settled (UTC).
    end: datetime
    #: kWh, positive if more was imported; of all periods that were settled together.
    net: Decimal
    #: The ends of periods that were missed before, so that they were settled with this one.
    missed: int = 0
    #: The total was accepted after the end of the period.
    is_late: bool = False
    #: The energy is that of a whole number of periods.
    is_whole: bool = True

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Restore what as_dict has returned."""
        values = {
            **data,
            "end": datetime.fromisoformat(data["end"]),
            "net": Decimal(data["net"]),
        }
        return cls(**values)

    def as_dict(self) -> dict[str, Any]:
        """Return the settlement for the JSON storage."""
        return {
            "end": self.end.isoformat(),
            "net": str(self.net),
            "missed": self.missed,
            "is_late": self.is_late,
            "is_whole": self.is_whole,
        }


@dataclass(frozen=True, slots=True)
class Missed:
    """Periods that were settled together, since the ends of all but the last were missed."""

    #: The beginning of the first one and the end of the last one (UTC).
    begin: datetime
    end: datetime
    #: kWh that were settled before.
    imported: Decimal
    exported: Decimal
    #: The amount of the totals at the beginning, and the kWh by which it has risen until the end.
    amount: Decimal
    net: Decimal
    #: The total was accepted after the end.
    is_late: bool

    @property
    def settled(self) -> datetime:
        """The time in whose statistics the settlement is."""
        return self.end if self.is_late else self.end - LEAD

    @classmethod
    def from_list(cls, data: Sequence[Any]) -> Self:
        """Restore what as_list has returned."""
        begin, end = (datetime.fromisoformat(it) for it in data[:2])
        imported, exported, amount, net = (Decimal(it) for it in data[2:6])
        return cls(begin, end, imported, exported, amount, net, data[6])

    def as_list(self) -> list[Any]:
        """Return it for the JSON storage."""
        amounts = (str(it) for it in (self.imported, self.exported, self.amount, self.net))
        return [self.begin.isoformat(), self.end.isoformat(), *amounts, self.is_late]


@dataclass(slots=True)
class Balance:
    """Settles the periods of an import total minus an export total.

    At any time, imported - exported + net is what the totals have changed by since the beginning.
    """

    periods: Periods
    #: kWh that were settled; they never fall.
    imported: Decimal = Decimal(0)
    exported: Decimal = Decimal(0)
    #: kWh since the newest settlement.
    net: Decimal = Decimal(0)
    settlement: Settlement | None = None
    #: The ends of periods that were missed in all.
    missed_in_all: int = 0
    #: The newest periods that were settled together, each with whole periods of the same totals.
    missed: list[Missed] = field(default_factory=list)
    _last: Sample | None = None
    #: The end of the period that is settled next (UTC).
    _due: datetime | None = None
    _missed: int = 0
    #: The amount of the totals at the newest settlement; None if others are counted since.
    _settled_amount: Decimal | None = None
    #: The period was entered in the middle, or the clock was set meanwhile.
    _is_whole: bool = False

    @property
    def due(self) -> datetime | None:
        """When settle is to be called (UTC)."""
        return None if self._due is None else self._due - LEAD

    @property
    def last(self) -> Sample | None:
        """The newest sample."""
        return self._last

    @property
    def has_missed(self) -> bool:
        """Whether ends were missed since the newest settlement."""
        return self._missed > 0

    def accept(self, sample: Sample) -> bool:
        """Take a sample; return whether a period was settled, which must be stored."""
        last, now = self._last, sample.time
        if last is None or self._due is None:
            self._last, self._due = sample, self.periods.end(now)
            return False
        if not last.has_same_totals(sample):
            # The difference is no energy.
            self._is_whole, self._settled_amount = False, None
            last = self._last = replace(sample, time=last.time)
        if now < last.time:
            self._is_whole = False
        if self._due - now > 2 * self.periods.length:
            # The clock was set back.
            self._due = self.periods.end(now)
        is_settled = now >= self._due and self._settle_with(last)
        is_over = now >= self._due
        self._add(last, sample)
        if is_over:
            newest = self.periods.begin(now)
            self._miss((newest - self._due) // self.periods.length)
            self._due = newest
            if is_at(newest, now):
                self._settle(is_late=True)
                return True
            self._miss(1)
            self._due = self.periods.end(now)
        elif self._due - now <= LEAD:
            is_settled |= self._settle_with(sample)
        return is_settled

    def settle(self) -> bool:
        """Settle the present period with the newest sample; return whether that was possible."""
        return self._last is not None and self._settle_with(self._last)

    def add_step(self, code: str, offset: Decimal) -> None:
        """Take a change of a total (kWh) that is no consumption out of what comes next."""
        if self._last is not None and (share := self._last.share_of(code)):
            amount = EXACT.add(self._last.amount, share * offset)
            self._last = replace(self._last, amount=amount)
            self._settled_amount = None

    def as_dict(self) -> dict[str, Any]:
        """Return the state for the JSON storage."""
        return {
            "period": self.periods.length.total_seconds(),
            "imported": str(self.imported),
            "exported": str(self.exported),
            "net": str(self.net),
            "settlement": self.settlement and self.settlement.as_dict(),
            "missed_in_all": self.missed_in_all,
            "missed_periods": [it.as_list() for it in self.missed],
            "settled_amount": None if self._settled_amount is None else str(self._settled_amount),
            "last": self._last and self._last.as_dict(),
            "due": self._due and self._due.isoformat(),
            "missed": self._missed,
            "is_whole": self._is_whole,
        }

    def restore(self, data: Mapping[str, Any]) -> None:
        """Restore what as_dict has returned; after a change of the period only what was settled."""
        self.imported, self.exported = Decimal(data["imported"]), Decimal(data["exported"])
        self.missed_in_all = data["missed_in_all"]
        if data["period"] != self.periods.length.total_seconds() or data["last"] is None:
            return
        self.net = Decimal(data["net"])
        self.settlement = data["settlement"] and Settlement.from_dict(data["settlement"])
        self._last = Sample.from_dict(data["last"])
        self._due = datetime.fromisoformat(data["due"])
        self._missed, self._is_whole = data["missed"], data["is_whole"]
        self.missed = [Missed.from_list(it) for it in data.get("missed_periods", ())]
        if (amount := data.get("settled_amount")) is not None:
            self._settled_amount = Decimal(amount)

    def _add(self, last: Sample, sample: Sample) -> None:
        change = EXACT.subtract(sample.amount, last.amount)
        self.net, self._last = EXACT.add(self.net, change), sample

    def _settle_with(self, last: Sample) -> bool:
        """Settle the present period with a sample before its end, if it is near enough."""
        if self._due is None or not timedelta() <= self._due - last.time <= TOLERANCE:
            return False
        self._settle(is_late=False)
        return True

    def _settle(self, *, is_late: bool) -> None:
        if (end := self._due) is None or self._last is None:
            return
        before, amount = self.settlement, self._settled_amount
        if self._missed and self._is_whole and before is not None and amount is not None:
            totals = self.imported, self.exported
            self.missed.append(Missed(before.end, end, *totals, amount, self.net, is_late))
            del self.missed[:-_MISSED_KEPT]
        self.imported = EXACT.add(self.imported, max(self.net, Decimal(0)))
        self.exported = EXACT.add(self.exported, max(-self.net, Decimal(0)))
        self.settlement = Settlement(end, self.net, self._missed, is_late, self._is_whole)
        self.net, self._missed, self._is_whole = Decimal(0), 0, True
        self._settled_amount = self._last.amount
        self._due = self.periods.end(end)

    def _miss(self, periods: int) -> None:
        self._missed += periods
        self.missed_in_all += periods
