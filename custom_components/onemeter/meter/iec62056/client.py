"""The IEC 62056-21 client: asks a meter for its readout, for single registers, for its profile."""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import datetime, tzinfo
from typing import Any, Final, override

from ..client import PolledClient
from ..errors import (
    ChecksumError,
    EmptyReadoutError,
    MeterError,
    MeterSilentError,
    NoReadoutError,
    ReadoutRefusedError,
    RefusedError,
)
from ..interleaving import find_in_turns
from ..line import LineSettings
from ..port import Port, redact
from ..port_lock import turns_at
from ..reading import Identity, Interval, Reading
from .conversation import Conversation, WrongSpeedError, is_text
from .decoder import Iec62056Decoder
from .framing import LIMIT
from .link import Link
from .memory import Memory
from .profile import decode_profile
from .session import Session
from .settings import SignOn
from .sign_on import Option

#: How often a meter is signed on to before a readout is given up; each wakes a battery meter.
_ATTEMPTS: Final = 3
_ATTEMPTS_ON_BATTERY: Final = 2
#: Seconds without a character after which a readout has ended.
_SILENCE: Final = 5.0
#: The same where only what some meters leave out is missing (ta, 6.3.14 item 12).
_SILENCE_AT_END: Final = 1.5
#: Share of what came that is text at least when it came damaged, but at the right speed.
_TEXT_SHARE: Final = 0.8
#: Seconds after which nobody waits any longer for the end of a session to be said.
_FAREWELL_SECONDS: Final = 0.3
#: How often a session that has broken down is begun anew before it is given up.
_SESSIONS: Final = 2


class Iec62056Client(PolledClient):
    """Reads a meter in modes A, B, C and E."""

    def __init__(self, url: str, line: LineSettings, settings: SignOn) -> None:
        """Take the port, how to open it, and how to speak to the meter. Nothing is opened yet."""
        super().__init__(url, line)
        self.settings = settings
        self._memory = Memory(line.baudrate)
        self._decoder = Iec62056Decoder(self._memory.check, is_guarded=True, clock=datetime.now)
        self._meter: Identity | None = None

    @override
    async def read(self) -> Reading:
        async with turns_at(self.url), self._open() as conversation:
            return await self._read(conversation)

    @override
    def findings(self) -> Mapping[str, Any]:
        return self._memory.findings()

    @override
    def recall(self, findings: Mapping[str, Any]) -> None:
        self._memory.recall(findings)

    @override
    async def watch(self, addresses: Sequence[str], interval: float) -> AsyncGenerator[Reading]:
        loop = asyncio.get_running_loop()
        turns = turns_at(self.url)
        failures = 0
        was_heard = False
        while True:
            try:
                async with turns, self._session() as session:
                    while True:
                        due = loop.time() + interval
                        reading = await self._read_registers(session, addresses)
                        was_heard = True
                        if self.duration is None:
                            self.duration = session.duration
                        yield reading
                        if not turns.are_wanted:
                            await turns.rest(due - loop.time())
                        if turns.are_wanted:
                            break
            except (ChecksumError, MeterSilentError, RefusedError) as err:
                if was_heard:
                    # Another meter may be there by now, which only a readout tells.
                    port = redact(self.url)
                    raise MeterSilentError(f"a session ended at {port}", port=port) from err
                # A single damaged bit looks like a refusal.
                failures += 1
                if failures == _SESSIONS:
                    raise

    @override
    async def read_profile(
        self, start: datetime, end: datetime, zone: tzinfo | None = None
    ) -> Sequence[Interval]:
        async with turns_at(self.url), self._session() as session:
            text = await session.read_profile("P.01", start, end, zone)
        # Two months of it take longer than the event loop may be held up.
        profile = await asyncio.to_thread(decode_profile, text, zone)
        return [row for row in profile.intervals if start < row.end <= end]

    @asynccontextmanager
    async def open_mode_e(self) -> AsyncGenerator[Port]:
        """Sign on and let the meter go on with HDLC (mode E, Annex E).

        Yields the port at the speed that was agreed on. Raises what read() raises. Whoever calls
        this has the turn at the port.
        """
        async with self._open() as conversation:
            greeting = await conversation.greet()
            await conversation.select(greeting, Option.HDLC)
            yield conversation.link.port

    @asynccontextmanager
    async def _open(self) -> AsyncGenerator[Conversation]:
        async with Port(self.url, self.line) as port:
            yield Conversation(Link(port, self.counters), self.settings, self._memory)

    async def _read(self, conversation: Conversation) -> Reading:
        """Read, again where it came damaged.

        Another meter than last time must be there twice, since nothing protects the letters of its
        manufacturer. Likewise a first readout without checksum.
        """
        doubted: Identity | None = None
        for _ in range(_ATTEMPTS_ON_BATTERY if self.settings.wake_up else _ATTEMPTS):
            greeting = await conversation.greet()
            try:
                begin = await conversation.select(greeting, Option.READOUT)
                reading = await self._receive(conversation.link, greeting.raw, begin)
            except (ChecksumError, WrongSpeedError) as err:
                self.counters.damaged += 1
                await conversation.learn_from(err)
                continue
            finally:
                if greeting.has_more:
                    await conversation.check_who_began(greeting)
            if reading is not None and greeting.is_readout:
                reading = self._recognize(reading)
            if reading is None:
                continue
            if self._meter not in {None, reading.meter} and doubted != reading.meter:
                doubted = reading.meter
                continue
            self._meter = reading.meter
            self.duration = conversation.link.duration
            self.counters.good += 1
            return reading
        raise self._damaged()

    def _recognize(self, reading: Reading) -> Reading | None:
        """Return a reading without identification as that of the meter of last time, if it is."""
        meter = self._meter
        if meter is None or meter.meter_id is None or not reading.checked:
            return None
        return replace(reading, meter=meter) if reading.meter.meter_id == meter.meter_id else None

    async def _receive(self, link: Link, identification: bytes, data: bytes) -> Reading | None:
        """Return the readout that begins with these characters, as soon as it is complete.

        None for one without checksum that is unlike the ones before.
        Raises ChecksumError, WrongSpeedError where most of it is no text.
        """
        decoder = self._decoder
        damaged, unlike, received = decoder.damaged, decoder.other, bytearray()
        decoder.error = None
        progress = link.follow(LIMIT)
        found = await find_in_turns(decoder.feed_in_slices(identification))
        try:
            async with asyncio.timeout(self._memory.longest_readout(link)):
                if not data and not found:
                    # What has come of it stands behind the identification.
                    data = await link.receive(_SILENCE)
                while data:
                    received += data
                    found += await find_in_turns(decoder.feed_in_slices(data))
                    if found or decoder.damaged > damaged or decoder.other > unlike:
                        break
                    if not progress.goes_on(data, link.last_received):
                        break
                    silence = _SILENCE_AT_END if decoder.is_complete else _SILENCE
                    data = await link.receive(silence)
            if not found and decoder.damaged == damaged:
                found += await find_in_turns(decoder.finish_in_slices())
        except TimeoutError:
            # It has grown, perhaps, and gets more time from now on.
            self._memory.readout_size = max(self._memory.readout_size, len(received))
            raise self._damaged() from None
        finally:
            # Whatever comes after this belongs to another readout.
            decoder.finish()
        if not found and decoder.other > unlike:
            return None
        if not found and isinstance(
            error := decoder.error, EmptyReadoutError | ReadoutRefusedError
        ):
            port = redact(self.url)
            raise type(error)(f"{error} from {port}", port=port, **error.details)
        if not found:
            raise self._damaged() if is_text(received, _TEXT_SHARE) else WrongSpeedError
        self._memory.readout_size = max(self._memory.readout_size, len(received))
        return found[0]

    def _damaged(self) -> ChecksumError:
        port = redact(self.url)
        return ChecksumError(f"readouts come damaged from {port}", port=port)

    @asynccontextmanager
    async def _session(self) -> AsyncGenerator[Session]:
        """Bring the meter into programming mode, and out of it again."""
        async with self._open() as conversation:
            session = Session(conversation.link, self._memory)
            try:
                begin = await self._enter(conversation, session)
                await session.begin(begin, self.settings.password)
                yield session
            finally:
                with suppress(MeterError, TimeoutError):
                    async with asyncio.timeout(_FAREWELL_SECONDS):
                        await session.end()

    async def _enter(self, conversation: Conversation, session: Session) -> bytes:
        """Ask for programming mode; return how the meter's answer begins."""
        for _ in range(_ATTEMPTS):
            greeting = await conversation.greet()
            try:
                return await conversation.select(greeting, Option.PROGRAMMING)
            except NoReadoutError:
                raise session.refused() from None
            except WrongSpeedError as err:
                await conversation.learn_from(err)
                # At the speed at which it is now, it answers no request before that.
                await session.end()
        raise self._damaged()

    async def _read_registers(self, session: Session, addresses: Sequence[str]) -> Reading:
        registers = [register for address in addresses for register in await session.read(address)]
        if not registers:
            raise session.nothing_read()
        self.counters.good += 1
        return Reading(self._meter or self._memory.identity(), None, tuple(registers), b"")
