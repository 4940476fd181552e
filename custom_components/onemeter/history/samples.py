"""Evidence of gaps: the last live value of each total before, and the first one after."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final, Self

from ..meter import Key

HOUR: Final = timedelta(hours=1)
#: Samples are kept around boundaries of this length, which all capture periods share with the hour.
_QUARTER: Final = timedelta(minutes=15)
#: Samples that are kept: the first and the last of this many quarters of an hour.
_KEPT: Final = 8


@dataclass(frozen=True, slots=True)
class Sample:
    """A live value of a total."""

    #: When it came (UTC).
    time: datetime
    #: In the unit of the sensor, before the multiplier.
    amount: Decimal

    @classmethod
    def from_list(cls, data: Sequence[str]) -> Self:
        """Undo as_list."""
        time, amount = data
        return cls(datetime.fromisoformat(time), Decimal(amount))

    def as_list(self) -> list[str]:
        """Return the sample ready for JSON."""
        return [self.time.isoformat(), str(self.amount)]


@dataclass(frozen=True, slots=True)
class Gap:
    """A time without live values of one total."""

    key: Key
    unit: str | None
    #: Before the gap, in the order of time; empty before the first value of all.
    before: tuple[Sample, ...]
    #: After the gap, in the order of time: at least the first one.
    after: tuple[Sample, ...]
    #: The time between two samples that is usual here.
    interval: timedelta
    #: Energy of the grid per unit at the meter, before and after.
    multipliers: tuple[Decimal, Decimal] = (Decimal(1), Decimal(1))

    @property
    def last(self) -> Sample | None:
        """The last live value before the gap."""
        return self.before[-1] if self.before else None

    @property
    def first(self) -> Sample:
        """The first live value after the gap."""
        return self.after[0]

    @property
    def has_fallen(self) -> bool:
        """Whether another meter, or a reset one, was there after the gap."""
        return self.last is not None and self.first.amount < self.last.amount


@dataclass(slots=True)
class Trail:
    """The newest samples of one total."""

    unit: str | None
    samples: list[Sample] = field(default_factory=list)

    def add(self, sample: Sample) -> None:
        """Add the next sample, and drop those that are not next to a boundary."""
        samples = self.samples
        if len(samples) > 1 and _quarter(samples[-2]) == _quarter(samples[-1]) == _quarter(sample):
            samples[-1] = sample
        else:
            samples.append(sample)
        del samples[:-_KEPT]

    def split_at(self, gap_end: datetime) -> tuple[Sequence[Sample], Sequence[Sample]]:
        """Return the samples before and after a gap that has ended then."""
        before = [sample for sample in self.samples if sample.time < gap_end]
        return before, self.samples[len(before) :]

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Undo as_dict."""
        return cls(data["unit"], [Sample.from_list(item) for item in data["samples"]])

    def as_dict(self) -> dict[str, Any]:
        """Return the trail ready for JSON."""
        return {"unit": self.unit, "samples": [sample.as_list() for sample in self.samples]}


def _quarter(sample: Sample) -> float:
    return sample.time.timestamp() // _QUARTER.total_seconds()
