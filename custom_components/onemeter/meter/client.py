"""The interfaces of clients, the same for every protocol."""

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any

from .errors import MeterError
from .line import LineSettings
from .reading import Interval, LoadProfiles, Reading


@dataclass(slots=True)
class Counters:
    """What a client has received since it was created."""

    #: Telegrams that became a reading.
    good: int = 0
    #: Telegrams that were rejected: wrong checksum, cut off, or against the protocol.
    damaged: int = 0
    #: Valid telegrams that contain no reading.
    other: int = 0
    #: All bytes received.
    received: int = 0
    #: Bytes that belong to no good telegram.
    skipped: int = 0
    #: Encrypted telegrams, with no key to decrypt them.
    needs_key: int = 0
    #: Telegrams that did not decrypt, and whose authentication tag was wrong; of a polled meter,
    #: sessions that ended for that. One that does not name the wrong key counts as the first.
    wrong_encryption_key: int = 0
    wrong_authentication_key: int = 0
    #: Telegrams without a right tag and a rising counter, of a meter that has sent both before.
    not_authenticated: int = 0


class PushedClient(ABC):
    """Receives from a meter that pushes telegrams.

    listen() may be called again after the port was lost; the counters go on.
    """

    def __init__(self, url: str, line: LineSettings) -> None:
        """Take the port's URL or path, and how to open it. Nothing is opened yet."""
        self.url = url
        self.line = line
        self.counters = Counters()

    @abstractmethod
    def listen(self) -> AsyncGenerator[Reading]:
        """Open the port and yield each reading as soon as its telegram ends.

        Ends only by an error: MeterConnectionError when the port cannot be opened or is lost.
        Damaged telegrams are counted and skipped. Closing the generator closes the port: use
        contextlib.aclosing, since the port of a dropped generator is closed late.
        """

    @abstractmethod
    def diagnose(self) -> MeterError:
        """Return why there is no reading since the port was opened, or since the last one.

        MeterSilentError without any byte, ChecksumError if all telegrams were damaged, otherwise
        UnknownDataError, whose detail ``looks_like`` names what the bytes look like.
        """


class PolledClient(ABC):
    """Polls a meter.

    What is found out about the meter, such as its speed and checksum, is remembered from one
    reading to the next. Each method ends with a result or an error within a deadline, which
    depends on the speed of the line.
    """

    def __init__(self, url: str, line: LineSettings) -> None:
        """Take the port's URL or path, and how to open it. Nothing is opened yet."""
        self.url = url
        self.line = line
        self.counters = Counters()
        #: Seconds from the first byte sent to the last one received, in the newest readout; or
        #: before the first readout, in the registers read.
        self.duration: float | None = None

    @property
    def speed(self) -> int:
        """The baud rate at which the meter sends its data, as far as it is known."""
        return self.line.baudrate

    @abstractmethod
    async def read(self) -> Reading:
        """Open the port, read all current values of the meter, and close the port.

        Raises MeterConnectionError, MeterSilentError, UnknownDataError, ChecksumError,
        NoReadoutError.
        """

    def findings(self) -> Mapping[str, Any]:
        """Return what was found out about the meter, for restore() of a later client.

        The values can be stored as JSON and contain no secrets. Empty if there is nothing to keep.
        """
        return {}

    def restore(self, findings: Mapping[str, Any]) -> None:  # noqa: B027 - optional
        """Use the findings of an earlier client; invalid ones are ignored."""

    @abstractmethod
    def watch(self, addresses: Sequence[str], interval: float) -> AsyncGenerator[Reading]:
        """Poll some registers every ``interval`` seconds, in one session.

        The addresses are those of Register.address. Each reading contains these registers only;
        unknown ones are left out. read() is to be called before, and not while this is iterated.
        Closing the generator ends the session and closes the port: use contextlib.aclosing.

        Raises MeterSilentError when the session breaks off: read() then shows whether it is still
        the same meter. Raises MeterAuthenticationError after a single attempt, NoRegisterError
        where the meter has none of them, RefusedError where it does not support this, and what
        read() raises.
        """

    async def read_registers(self, addresses: Sequence[str]) -> Reading:
        """Read some registers once, in a session of their own; unknown ones are left out.

        Raises what watch() raises.
        """
        async with aclosing(self.watch(addresses, 0)) as readings:
            return await anext(readings)

    @abstractmethod
    async def read_profile(
        self,
        start: datetime,
        end: datetime,
        zone: tzinfo | None = None,
    ) -> Sequence[Interval]:
        """Return the intervals of the load profile that end after ``start``, up to ``end``.

        Both are naive times of the meter's clock, whose time zone is ``zone`` if that is known.

        Raises RefusedError where the meter has no load profile, MeterAuthenticationError, and what
        read() raises.
        """

    async def read_energy_profiles(
        self, start: datetime, end: datetime, zone: tzinfo | None = None
    ) -> LoadProfiles:
        """Read what read_profile() returns, and then the profiles of meters on the M-Bus.

        Channels without energy or mean power may be left out. Raises what read_profile() raises.
        """
        return LoadProfiles(await self.read_profile(start, end, zone))
