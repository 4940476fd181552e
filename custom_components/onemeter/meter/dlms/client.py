"""The DLMS client: asks a meter for its registers, its load profile, and all of its objects."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, tzinfo
from typing import Any, Final, override

from ..client import PolledClient
from ..errors import MeterError, MeterSilentError
from ..line import LineSettings
from ..port_lock import PortLock, port_lock
from ..reading import Interval, Reading
from ..redaction import redact
from .association_manager import Access
from .connection import Connector
from .memory import Memory
from .objects import ObjectValue, read_objects
from .profile import ProfileReader
from .registers import Reader
from .security.authenticity import Authenticity
from .security.counters import InvocationCounter
from .session import Session, SessionEndedError
from .settings import DlmsSettings

#: Seconds after which a meter hears that we are still there, before it hangs up.
_STAY_SECONDS: Final = 8.0
#: Sessions without a reading after which it has failed, and seconds after which none is begun.
_SESSIONS_MAX: Final = 5
_AGAIN_SECONDS: Final = 45.0
#: Seconds after which a load profile must have been read: of years, at 9600 baud.
_PROFILE_SECONDS: Final = 4 * 3600.0


class _Patience:
    """How long a meter is asked again that ends sessions without a reading."""

    def __init__(self) -> None:
        self._sessions = 0
        self._loop = asyncio.get_running_loop()
        self._end = self._loop.time() + _AGAIN_SECONDS

    def is_over(self) -> bool:
        """Count a session that was ended; return whether it was the last one."""
        self._sessions += 1
        return self._sessions >= _SESSIONS_MAX or self._loop.time() > self._end


class DlmsClient(PolledClient):
    """Reads a meter over HDLC or the wrapper."""

    def __init__(
        self,
        url: str,
        line: LineSettings,
        settings: DlmsSettings,
        counter: InvocationCounter | None,
        authenticity: Authenticity | None = None,
    ) -> None:
        """Take the port, how to open it, and how to speak to the meter. Nothing is opened yet.

        The counter is where invocation counters come from, needed where anything is ciphered. What
        is known of the meter's authenticity goes on from there.
        Raises ValueError where it, a key, a password or a system title is missing.
        """
        super().__init__(url, line)
        self.settings = settings
        self._memory = Memory()
        connector = Connector(url, line, settings, self._memory, self.counters)
        judge = authenticity or Authenticity()
        self._access = Access(
            connector, settings, self._memory, counter, authenticity=judge, url=url
        )

    @property
    def memory(self) -> Memory:
        """What was found out about the meter."""
        return self._memory

    @override
    def findings(self) -> Mapping[str, Any]:
        return self._memory.as_json()

    @override
    def restore(self, findings: Mapping[str, Any]) -> None:
        with suppress(ValueError, KeyError, TypeError):
            self._memory.recall(findings)

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
        """Run something in a session, and in others where the meter ends that one."""
        patience = _Patience()
        while True:
            try:
                async with self._access.session() as session:
                    return await run(session)
            except SessionEndedError as err:
                if patience.is_over():
                    raise self._reason(err) from err

    @override
    async def watch(self, addresses: Sequence[str], interval: float) -> AsyncGenerator[Reading]:
        loop = asyncio.get_running_loop()
        lock = port_lock(self.url)
        was_heard = False
        patience = _Patience()
        while True:
            try:
                async with lock, self._access.session() as session:
                    reader = self._reader(session)
                    while True:
                        due = loop.time() + interval
                        session.link.channel.renew()
                        meter = self._memory.meter
                        reading = await reader.read(addresses)
                        if was_heard and reading.meter != meter:
                            raise self._ended()
                        was_heard = True
                        patience = _Patience()
                        if self.duration is None:
                            self.duration = session.link.channel.duration
                        self.counters.good += 1
                        yield reading
                        await self._rest(session, lock, due)
                        if lock.has_waiters:
                            break
            except SessionEndedError as err:
                if patience.is_over():
                    raise self._reason(err) from err
            except MeterSilentError as err:
                if not was_heard:
                    raise
                # Another meter may be there by now, which only a whole reading tells.
                raise self._ended() from err

    async def _rest(self, session: Session, lock: PortLock, due: float) -> None:
        """Keep the session open until it is time, or until another client waits for the port."""
        loop = asyncio.get_running_loop()
        while not lock.has_waiters and (rest := due - loop.time()) > 0:
            await lock.hold(min(rest, _STAY_SECONDS))
            if rest > _STAY_SECONDS and not lock.has_waiters:
                session.link.channel.renew()
                await session.stay()

    @override
    async def read_profile(
        self, start: datetime, end: datetime, zone: tzinfo | None = None
    ) -> Sequence[Interval]:
        async def read(session: Session) -> Sequence[Interval]:
            session.link.channel.renew(_PROFILE_SECONDS)
            reader = ProfileReader(
                session,
                self._reader(session),
                self._memory,
                zone,
                invert_deviation=self.settings.invert_deviation,
            )
            return await reader.read(start, end)

        async with port_lock(self.url):
            return await self._in_sessions(read)

    async def objects(self) -> Sequence[ObjectValue]:
        """Read all objects that the meter has, with their values where it gives them away.

        Raises what read() raises.
        """

        async def read(session: Session) -> Sequence[ObjectValue]:
            # Only a list that was just read has them all.
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

    def _reason(self, ended: SessionEndedError) -> MeterError:
        ended.error.details.setdefault("port", redact(self.url))
        return ended.error

    def _ended(self) -> MeterSilentError:
        port = redact(self.url)
        return MeterSilentError(f"a session ended at {port}", port=port)
