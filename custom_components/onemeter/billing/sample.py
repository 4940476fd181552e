"""What is billed at one point in time: the sum of some totals."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Sample:
    """The sum of some accepted totals, of which some count negatively."""

    #: When they were accepted (UTC).
    time: datetime
    #: kWh, after the multiplier.
    amount: Decimal
    #: The codes of the totals: those that count positively, and those that count negatively.
    added: tuple[str, ...]
    subtracted: tuple[str, ...] = ()

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Restore what as_dict has returned."""
        return cls(
            datetime.fromisoformat(data["time"]),
            Decimal(data["amount"]),
            tuple(data["added"]),
            tuple(data["subtracted"]),
        )

    def as_dict(self) -> dict[str, Any]:
        """Return the sample for the JSON storage."""
        return {
            "time": self.time.isoformat(),
            "amount": str(self.amount),
            "added": list(self.added),
            "subtracted": list(self.subtracted),
        }

    def has_same_totals(self, other: Self) -> bool:
        """Return whether two samples can be compared."""
        return (self.added, self.subtracted) == (other.added, other.subtracted)

    def share_of(self, code: str) -> int:
        """Return how a total counts: 1, -1, or 0 if it does not."""
        return (code in self.added) - (code in self.subtracted)
