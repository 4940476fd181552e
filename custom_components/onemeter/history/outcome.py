"""What has become of a gap, for the log, the repairs and the response of the action."""

from dataclasses import dataclass
from typing import Any

from ..meter import Key
from .rows import Plan, Row
from .series import Disagreement


@dataclass(frozen=True, slots=True)
class Outcome:
    """What has become of a gap of one statistic."""

    statistic_id: str
    key: Key
    plan: Plan
    disagreement: Disagreement | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return every row before and after, for the response of the action."""
        lift, found = self.plan.lift, self.disagreement
        return {
            "statistic_id": self.statistic_id,
            "rows": [
                {
                    "start": change.start.isoformat(),
                    "before": _shown(change.old),
                    "after": _shown(change.new),
                }
                for change in self.plan.changes
            ],
            "lifted": lift and {"from": lift.hour.isoformat(), "amount": float(lift.amount)},
            "left": [
                {"start": start.isoformat(), "reason": reason.value}
                for start, reason in self.plan.left
            ],
            "disagreement": found
            and {
                "register_rise": float(found.register_rise),
                "profile_rise": float(found.channel_rise),
            },
        }


def _shown(row: Row | None) -> dict[str, float] | None:
    return None if row is None else {"state": float(row.state), "sum": float(row.sum)}
