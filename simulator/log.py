"""The log of a meter: what it has received and done, for tests."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

#: Entries kept in the log: a meter may run for weeks and be polled each second.
_ENTRIES_MAX: Final = 1000


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of a meter's log."""

    #: Event loop time.
    time: float
    what: str
    detail: str


@dataclass(kw_only=True, eq=False)
class Logged:
    """Base of meters with a log."""

    #: The last events, and how often each has happened since the start.
    log: list[Entry] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    def note(self, what: str, detail: str = "") -> None:
        """Add an entry to the log."""
        self.log.append(Entry(asyncio.get_running_loop().time(), what, detail))
        del self.log[:-_ENTRIES_MAX]
        self.counts[what] += 1

    def count(self, what: str) -> int:
        """Return how often an event has happened."""
        return self.counts[what]
