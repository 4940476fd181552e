"""What a client is: the one way in which a meter is read, whatever it speaks."""

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any

from .errors import MeterError
from .line import LineSettings
from .reading import Interval, Reading


@dataclass(slots=True)
class Counters:
    """What has come through a client's port since the client was made."""

    #: Telegrams that became a reading.
    good: int = 0
    #: Telegrams that began and were rejected: wrong checksum, cut off, against the protocol.
    damaged: int = 0
    #: Telegrams in order that hold no reading.
    other: int = 0
    #: All bytes received.
    received: int = 0
    #: Bytes that belong to no good telegram.
    skipped: int = 0
    #: Encrypted telegrams for which there is no key.
    needs_key: int = 0
    #: Telegrams that did not decrypt, or whose tag was wrong.
    wrong_encryption_key: int = 0
    wrong_authentication_key: int = 0
    #: Telegrams of a meter that authenticates its own, without a right tag and a rising counter.
    not_authenticated: int = 0


class PushedClient(ABC):
    """Listens to a meter that speaks without being asked.

    A client may be listened to again after its port was lost; the counters go on.
    """

    def __init__(self, url: str, line: LineSettings) -> None:
        """Take the port's URL or path, and how to open it. Nothing is opened yet."""
        self.url = url
        self.line = line
        self.counters = Counters()

    @abstractmethod
    def listen(self) -> AsyncGenerator[Reading]:
        """Open the port and yield each reading as its telegram ends.

        Never ends by itself: raises MeterConnectionError when the port cannot be opened or is
        lost. Damaged telegrams are counted and skipped. Closing the generator closes the port:
        use contextlib.aclosing, since a generator that is merely dropped closes it late.
        """

    @abstractmethod
    def diagnose(self) -> MeterError:
        """Say why no reading came since the port was opened or since the last reading.

        MeterSilentError without any byte, ChecksumError when telegrams came but all were damaged,
        otherwise UnknownDataError, which says what the bytes look like.
        """


class PolledClient(ABC):
    """Asks a meter that speaks only when it is asked.

    What is found out about the meter (speed, checksum, echo, wire time) is remembered from one
    reading to the next. Nothing is retried for ever: each method ends with a result or an error
    within a deadline that follows from the speed of the line.
    """

    def __init__(self, url: str, line: LineSettings) -> None:
        """Take the port's URL or path, and how to open it. Nothing is opened yet."""
        self.url = url
        self.line = line
        self.counters = Counters()
        #: Seconds from the first byte sent to the last one received, in the newest readout; before
        #: the first one, in what else was read.
        self.duration: float | None = None

    @abstractmethod
    async def read(self) -> Reading:
        """Read all that the meter tells; the port is open only meanwhile, or as long as watched.

        Raises MeterConnectionError, MeterSilentError, UnknownDataError, ChecksumError,
        NoReadoutError.
        """

    def findings(self) -> Mapping[str, Any]:
        """Return what was found out about the meter that spares a later client the search.

        Of JSON's types only, without secrets; empty where there is nothing of the kind.
        """
        return {}

    def restore(self, findings: Mapping[str, Any]) -> None:  # noqa: B027 - few have anything to recall
        """Take the findings of an earlier client; what is no such thing is found out again."""

    @abstractmethod
    def watch(self, addresses: Sequence[str], interval: float) -> AsyncGenerator[Reading]:
        """Read chosen registers again and again, every so many seconds, in one session.

        The addresses are those of Register.address. Each reading holds these registers alone; one
        that the meter does not know is left out. Begins after a read(), not to be called from
        within the loop; closing the generator ends the session and closes the port: use
        contextlib.aclosing. When the session breaks off, only another read() can tell whether it
        is still the same meter.

        Raises MeterSilentError then, MeterAuthenticationError after a single attempt, RefusedError
        where the meter does not let itself be read like this, and what read() raises.
        """

    @abstractmethod
    async def read_profile(
        self, start: datetime, end: datetime, zone: tzinfo | None = None
    ) -> Sequence[Interval]:
        """Read the load profile between two points in time, naive ones as the meter counts.

        The zone is that of the meter's clock, where it is known.

        Raises RefusedError where the meter has none, MeterAuthenticationError, and what read()
        raises.
        """
