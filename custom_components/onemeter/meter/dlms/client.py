"""Client for polled DLMS meters: registers, load profile, and all objects."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, tzinfo
from math import inf
from typing import Any, Final, override

from ..client import PolledClient
from ..errors import MeterError, MeterSilentError
from ..line import LineSettings
from ..port_lock import PortLock, port_lock
from ..reading import Interval, LoadProfiles, Reading
from ..redaction import redact
from .association_manager import AssociationManager
from .connection import Connector
from .memory import Memory
from .objects import ObjectValue, read_objects
from .profile import ProfileReader
from .registers import Reader
from .security.authenticity import Authenticity
from .security.counters import InvocationCounter
from .session import Session, SessionEndedError
from .settings import DlmsSettings

#: Seconds between keep-alive requests: meters end sessions that are inactive for longer.
_KEEP_ALIVE_SECONDS: Final = 8.0
#: Sessions in a row that the meter may end without a reading, and seconds for new attempts.
_SESSIONS_MAX: Final = 5
_RETRY_SECONDS: Final = 45.0
#: Seconds until the profile of a meter on the M-Bus is read again that has ended sessions.
_AVOIDED_SECONDS: Final = 240.0
#: Seconds for a load profile: one of several years, at 9600 baud.
_PROFILE_SECONDS: Final = 4 * 3600.0


class _RetryLimit:
    """Limits new sessions with a meter that ends them without a reading."""

    def __init__(self) -> None:
        self._sessions = 0
        self._loop = asyncio.get_running_loop()
        self._end = self._loop.time() + _RETRY_SECONDS

    def is_reached(self) -> bool:
        """Count a session that the meter has ended; return whether it was the last one allowed."""
        self._sessions += 1
        return self._sessions >= _SESSIONS_MAX or self._loop.time() > self._end


class DlmsClient(PolledClient):
    """Polls a meter over HDLC or the wrapper."""

    def __init__(
        self,
        url: str,
        line: LineSettings,
        settings: DlmsSettings,
        counter: InvocationCounter | None,
        authenticity: Authenticity | None = None,
    ) -> None:
        """Take the port, its line settings, and the settings of the meter; open nothing.

        ``counter`` is the source of invocation counters, required if anything is ciphered.
        ``authenticity`` is what earlier sessions have learned about the meter's tags.

        Raises ValueError if the counter, a key, the password or the system title is missing.
        """
        super().__init__(url, line)
        self.settings = settings
        self._memory = Memory()
        #: When the profiles that have ended sessions are read again, by the clock of the loop.
        self._avoided_until = inf
        connector = Connector(url, line, settings, self._memory, self.counters)
        self._manager = AssociationManager(
            connector,
            settings,
            self._memory,
            counter,
            authenticity=authenticity or Authenticity(),
            url=url,
        )

    @property
    def memory(self) -> Memory:
        """What the client has discovered about the meter."""
        return self._memory

    @override
    def findings(self) -> Mapping[str, Any]:
        return self._memory.as_json()

    @override
    def restore(self, findings: Mapping[str, Any]) -> None:
        with suppress(ValueError, KeyError, TypeError):
            self._memory.restore(findings)

    @override
    async def read(self) -> Reading:
        async def read(session: Session) -> Reading:
            reading = await self._reader(session).read()
            self.duration = session.link.channel.duration
            return reading

        async with port_lock(self.url):
            reading = await self._in_sessions(read)
        self.counters.good += 1
        return reading

    async def _in_sessions[T](self, run: Callable[[Session], Awaitable[T]]) -> T:
        """Run something in a session; in another one if the meter ends the session."""
        limit = _RetryLimit()
        while True:
            try:
                async with self._manager.session() as session:
                    return await run(session)
            except SessionEndedError as err:
                if limit.is_reached():
                    raise self._error_of(err) from err

    @override
    async def watch(self, addresses: Sequence[str], interval: float) -> AsyncGenerator[Reading]:
        loop = asyncio.get_running_loop()
        lock = port_lock(self.url)
        has_reading = False
        limit = _RetryLimit()
        while True:
            try:
                async with lock, self._manager.session() as session:
                    reader = self._reader(session)
                    while True:
                        due = loop.time() + interval
                        session.link.channel.renew()
                        meter = self._memory.meter
                        reading = await reader.read(addresses)
                        if has_reading and reading.meter != meter:
                            raise self._session_ended()
                        has_reading = True
                        limit = _RetryLimit()
                        if self.duration is None:
                            self.duration = session.link.channel.duration
                        self.counters.good += 1
                        yield reading
                        await self._wait(session, lock, due)
                        if lock.has_waiters:
                            break
            except SessionEndedError as err:
                if limit.is_reached():
                    raise self._error_of(err) from err
            except MeterSilentError as err:
                if not has_reading:
                    raise
                # Another meter may be connected by now, which only a complete reading detects.
                raise self._session_ended() from err

    async def _wait(self, session: Session, lock: PortLock, due: float) -> None:
        """Keep the session open until it is time, or until another client waits for the port."""
        loop = asyncio.get_running_loop()
        while not lock.has_waiters and (rest := due - loop.time()) > 0:
            await lock.hold(min(rest, _KEEP_ALIVE_SECONDS))
            if rest > _KEEP_ALIVE_SECONDS and not lock.has_waiters:
                session.link.channel.renew()
                await session.keep_alive()

    @override
    async def read_profile(
        self,
        start: datetime,
        end: datetime,
        zone: tzinfo | None = None,
    ) -> Sequence[Interval]:
        return (await self._read_profiles(start, end, zone, energy_only=False)).intervals

    @override
    async def read_energy_profiles(
        self, start: datetime, end: datetime, zone: tzinfo | None = None
    ) -> LoadProfiles:
        loop = asyncio.get_running_loop()
        if loop.time() >= self._avoided_until:
            self._memory.retry_profiles()
        # Where that takes too many sessions, the next ones are without it.
        self._avoided_until = inf
        found = await self._read_profiles(start, end, zone, energy_only=True)
        self._avoided_until = loop.time() + _AVOIDED_SECONDS
        return found

    async def _read_profiles(
        self, start: datetime, end: datetime, zone: tzinfo | None, *, energy_only: bool
    ) -> LoadProfiles:
        async def read(session: Session) -> LoadProfiles:
            session.link.channel.renew(_PROFILE_SECONDS)
            reader = ProfileReader(
                session,
                self._reader(session),
                self._memory,
                zone,
                invert_deviation=self.settings.invert_deviation,
                energy_only=energy_only,
            )
            return await reader.read(start, end)

        async with port_lock(self.url):
            return await self._in_sessions(read)

    async def objects(self) -> Sequence[ObjectValue]:
        """Read all objects of the meter, with the values that this client may read.

        Raises what read() raises.
        """

        async def read(session: Session) -> Sequence[ObjectValue]:
            # The memory holds only the objects of a reading.
            self._memory.objects = None
            inverted = self.settings.invert_deviation
            return await read_objects(
                session, self._reader(session), self._memory, invert_deviation=inverted
            )

        self._memory.forget_objects()
        async with port_lock(self.url):
            found = await self._in_sessions(read)
        self.counters.good += 1
        return found

    def _reader(self, session: Session) -> Reader:
        inverted = self.settings.invert_deviation
        return Reader(session, self._memory, invert_deviation=inverted)

    def _error_of(self, ended: SessionEndedError) -> MeterError:
        ended.error.details.setdefault("port", redact(self.url))
        return ended.error

    def _session_ended(self) -> MeterSilentError:
        port = redact(self.url)
        return MeterSilentError(f"a session ended at {port}", port=port)
