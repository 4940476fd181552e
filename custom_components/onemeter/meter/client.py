"""What a client is: the one way in which a meter is read, whatever it speaks."""

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator
from dataclasses import dataclass

from .errors import MeterError
from .line import LineSettings
from .reading import Reading


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
