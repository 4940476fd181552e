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
    """An invocation counter that a client has used, and what for."""

    title: bytes
    #: "global", "dedicated", or "proof" for the answer to a challenge, made with the global key.
    key: str
    counter: int


@dataclass(kw_only=True, eq=False)
class DlmsMeter(MeterSettings):
    """A meter that is polled."""

    #: All counters that were ever received, in their order, and a file to which they are added.
    received_counters: list[ReceivedCounter] = field(default_factory=list)
    counter_file: Path | None = None

    #: What has happened last, and how often each thing has since the meter was made.
    log: list[Entry] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    @cached_property
    def objects(self) -> dict[str, CosemObject]:
        """All objects but the associations, by their codes; a test may add some."""
        return objects(self)

    @cached_property
    def base_names(self) -> dict[str, int]:
        """The short names of all objects, by their codes."""
        return base_names(self.objects.values())

    def next_counter(self) -> int:
        """Return the counter for one more message of its own."""
        self.server_counter += 1
        return self.server_counter - 1

    def receive_counter(self, title: bytes, key: str, counter: int) -> None:
        """Write down a counter that a client has used."""
        self.received_counters.append(ReceivedCounter(title, key, counter))
        if self.counter_file is not None:
            with self.counter_file.open("a") as file:
                file.write(f"{title.hex()} {key} {counter}\n")

    def note(self, what: str, detail: str = "") -> None:
        """Write a line into the log."""
        self.log.append(Entry(asyncio.get_running_loop().time(), what, detail))
        del self.log[:-_LOG_MAX]
        self.counts[what] += 1

    def count(self, what: str) -> int:
        """Return how often something has happened."""
        return self.counts[what]
