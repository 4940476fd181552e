"""A polled DLMS meter: its settings, its objects, and a log of what has happened."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Final, NamedTuple

from simulator.iec62056.meter import Entry

from .cosem import CosemObject, base_names
from .objects import objects
from .settings import MeterSettings

_LOG_MAX: Final = 1000


class ReceivedCounter(NamedTuple):
    """An invocation counter that a client has used."""

    title: bytes
    #: "global", "dedicated", or "proof" for the answer to a challenge (with the global key).
    key: str
    counter: int


@dataclass(kw_only=True, eq=False)
class DlmsMeter(MeterSettings):
    """A meter that is polled."""

    #: All received counters in their order, and a file to which they are appended.
    received_counters: list[ReceivedCounter] = field(default_factory=list)
    counter_file: Path | None = None

    #: The last events, and how often each has happened since the start.
    log: list[Entry] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    @cached_property
    def objects(self) -> dict[str, CosemObject]:
        """All objects but the associations, by their codes; a test may change them."""
        return objects(self)

    @cached_property
    def base_names(self) -> dict[str, int]:
        """The short names of all objects, by their codes."""
        return base_names(self.objects.values())

    def next_counter(self) -> int:
        """Return the invocation counter of the meter's next message."""
        self.server_counter += 1
        return self.server_counter - 1

    def receive_counter(self, title: bytes, key: str, counter: int) -> None:
        """Record a counter that a client has used."""
        self.received_counters.append(ReceivedCounter(title, key, counter))
        if self.counter_file is not None:
            with self.counter_file.open("a") as file:
                file.write(f"{title.hex()} {key} {counter}\n")

    def note(self, what: str, detail: str = "") -> None:
        """Add an entry to the log."""
        self.log.append(Entry(asyncio.get_running_loop().time(), what, detail))
        del self.log[:-_LOG_MAX]
        self.counts[what] += 1

    def count(self, what: str) -> int:
        """Return how often an event has happened."""
        return self.counts[what]
