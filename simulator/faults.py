"""Faults of a meter and its line that happen a number of times, for tests."""

from dataclasses import dataclass
from typing import Final

#: More often than any test runs.
ALWAYS: Final = 10**9


@dataclass(kw_only=True)
class CountedFaults:
    """Base of the faults of a meter; each field is how often the fault still happens."""

    def happens(self, name: str) -> bool:
        """Whether a fault is due; if it is, count it down."""
        left: int = getattr(self, name)
        if left <= 0:
            return False
        setattr(self, name, left - 1)
        return True
