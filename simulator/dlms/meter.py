"""A polled DLMS meter: its settings, its objects, and a log of what has happened."""

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from simulator.log import Logged

from .cosem import CosemObject, base_names
from .objects import objects
from .settings import MeterSettings


class ReceivedCounter(NamedTuple):
    """An invocation counter that a client has used."""

    title: bytes
    #: "global", "dedicated", or "proof" for the answer to a challenge (with the global key).
    key: str
    counter: int


@dataclass(kw_only=True, eq=False)
class DlmsMeter(MeterSettings, Logged):
    """A meter that is polled."""

    #: All received counters in their order, and a file to which they are appended.
    received_counters: list[ReceivedCounter] = field(default_factory=list)
    counter_file: Path | None = None

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
