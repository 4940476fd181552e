"""The IEC 62056-21 client: polls a meter for its readout, single registers, or load profile."""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import datetime, tzinfo
from typing import Any, Final, override

from ..channel import Channel
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
from ..port import Port
from ..port_lock import port_lock
from ..reading import Identity, Interval, Reading
from ..redaction import redact
from .conversation import Conversation
from .decoder import Iec62056Decoder
from .framing import LIMIT
from .memory import Memory
from .profile import decode_profile
from .programming_session import ProgrammingSession
from .progress import monitor
from .settings import SignOn
from .sign_on import Option
from .speed_detection import WrongSpeedError, is_text

_LOAD_PROFILE: Final = "P.01"
#: Sign-ons before a readout is given up; each wakes a battery meter.
_ATTEMPTS: Final = 3
_ATTEMPTS_ON_BATTERY: Final = 2
#: Seconds without a character after which a readout has ended.
_SILENCE: Final = 5.0
#: The same where only what some meters leave out is missing (ta, 6.3.14 item 12).
_SILENCE_AT_END: Final = 1.5
#: Share of what came that is text at least when it came damaged, but at the right speed.
_TEXT_SHARE: Final = 0.8
#: Characters after which that is judged while the meter still sends: once it is silent, its speed
#: can only be guessed. The first characters up to a limit are enough, at little cost.
_JUDGED: Final = 64
_JUDGED_MAX: Final = 512
#: Seconds within which the end of a session can be sent at 300 baud; longer would delay closing
#: the port.
_BREAK_SECONDS: Final = 0.3
#: Sessions before watching registers is given up.
_SESSIONS: Final = 2


class Iec62056Client(PolledClient):
    """Polls a meter in modes A, B, C and E."""

    def __init__(self, url: str, line: LineSettings, settings: SignOn) -> None:
        """Take the port, how to open it, and the sign-on settings. Nothing is opened yet."""
        super().__init__(url, line)
        self.settings = settings
        self._memory = Memory(line.baudrate)
        self._decoder = Iec62056Decoder(self._memory.check, is_guarded=True, clock=datetime.now)
        self._meter: Identity | None = None

    @override
    async def read(self) -> Reading:
        async with port_lock(self.url), self._open() as conversation:
            return await self._read(conversation)

    @property
    @override
    def speed(self) -> int:
        return self._memory.data_speed or self._memory.speed

    @override
    def findings(self) -> Mapping[str, Any]:
        return self._memory.findings()

    @override
    def restore(self, findings: Mapping[str, Any]) -> None:
        self._memory.restore(findings)

    @override
    async def watch(self, addresses: Sequence[str], interval: float) -> AsyncGenerator[Reading]:
        loop = asyncio.get_running_loop()
        lock = port_lock(self.url)
        failures = 0
        has_answered = False
        while True:
            try:
                async with lock, self._session() as session:
                    while True:
                        due = loop.time() + interval
                        reading = await self._read_registers(session, addresses)
                        has_answered = True
                        if self.duration is None:
                            self.duration = session.duration
                        yield reading
                        if not lock.has_waiters:
                            await lock.hold(due - loop.time())
                        if lock.has_waiters:
                            break
            except (ChecksumError, MeterSilentError, RefusedError) as err:
                if has_answered:
                    # Another meter may be there by now, which only a readout shows.
                    port = redact(self.url)
                    raise MeterSilentError(f"a session ended at {port}", port=port) from err
                # A single damaged bit looks like a refusal.
                failures += 1
                if failures == _SESSIONS:
                    raise

    @override
    async def read_profile(
        self,
        start: datetime,
        end: datetime,
        zone: tzinfo | None = None,
    ) -> Sequence[Interval]:
        async with port_lock(self.url), self._session() as session:
            text = await session.read_profile(_LOAD_PROFILE, start, end, zone)
        if not text:
            return ()
        # Two months of it take longer than the event loop may be blocked.
        profile = await asyncio.to_thread(decode_profile, text, zone)
        return [row for row in profile.intervals if start < row.end <= end]

    @asynccontextmanager
    async def open_mode_e(self) -> AsyncGenerator[Port]:
        """Sign on and select HDLC (mode E, Annex E).

        Yields the port at the speed that was agreed on. The caller holds the port's lock. Raises
        what read() raises.
        """
        async with self._open() as conversation:
            response = await conversation.sign_on()
            await conversation.select(response, Option.HDLC)
            yield conversation.channel.port

    @asynccontextmanager
    async def _open(self) -> AsyncGenerator[Conversation]:
        async with Port(self.url, self.line) as port:
            channel = Channel(port, self.counters, is_text=True)
            yield Conversation(channel, self.settings, self._memory)

    async def _read(self, conversation: Conversation) -> Reading:
        """Read a readout, again where it came damaged.

        Another meter than last time must be read twice, since nothing protects the letters of its
        manufacturer. Likewise a first readout without checksum.
        """
        doubted: Identity | None = None
        for _ in range(_ATTEMPTS_ON_BATTERY if self.settings.wake_up else _ATTEMPTS):
            response = await conversation.sign_on()
            try:
                begin = await conversation.select(response, Option.READOUT)
                reading = await self._receive(conversation.channel, response.raw, begin)
            except (ChecksumError, WrongSpeedError) as err:
                self.counters.damaged += 1
                await conversation.adapt_speed(err)
                continue
            finally:
                if response.has_more:
                    await conversation.check_not_pushed(response)
            if reading is not None and response.is_readout:
                reading = self._with_last_identity(reading)
            if reading is None:
                continue
            if self._meter not in {None, reading.meter} and doubted != reading.meter:
                doubted = reading.meter
                continue
            self._meter = reading.meter
            self.duration = conversation.channel.duration
            self.counters.good += 1
            return reading
        raise self._damage()

    def _with_last_identity(self, reading: Reading) -> Reading | None:
        """Return a reading without identification as the last meter's; None if it is not its."""
        meter = self._meter
        if meter is None or meter.meter_id is None or not reading.checked:
            return None
        return replace(reading, meter=meter) if reading.meter.meter_id == meter.meter_id else None

    async def _receive(
        self, channel: Channel, identification: bytes, data: bytes
    ) -> Reading | None:
        """Return the readout that begins with these characters, as soon as it is complete.

        None for one without checksum that is unlike the ones before.
        Raises ChecksumError, WrongSpeedError where most of it is no text.
        """
        decoder = self._decoder
        damaged, unlike, received = decoder.damaged, decoder.other, bytearray()
        decoder.error = None
        progress = monitor(channel, LIMIT)
        found = await find_in_turns(decoder.feed_in_slices(identification))
        try:
            async with asyncio.timeout(self._memory.longest_readout(channel)):
                if not data and not found:
                    # What has come of it so far is behind the identification.
                    data = await channel.receive(_SILENCE)
                while data:
                    received += data
                    found += await find_in_turns(decoder.feed_in_slices(data))
                    if found or decoder.damaged > damaged or decoder.other > unlike:
                        break
                    is_text_so_far = len(received) < _JUDGED or is_text(
                        received[:_JUDGED_MAX], _TEXT_SHARE
                    )
                    if not (progress.continues(data, channel.last_received) and is_text_so_far):
                        break
                    silence = _SILENCE_AT_END if decoder.is_complete else _SILENCE
                    data = await channel.receive(silence)
            if not found and decoder.damaged == damaged:
                found += await find_in_turns(decoder.finish_in_slices())
        except TimeoutError:
            # It may have grown, and gets more time from now on.
            self._memory.readout_size = max(self._memory.readout_size, len(received))
            raise self._damage() from None
        finally:
            # What comes after this belongs to another readout.
            decoder.finish()
        if not found and decoder.other > unlike:
            return None
        if not found and isinstance(
            error := decoder.error, EmptyReadoutError | ReadoutRefusedError
        ):
            port = redact(self.url)
            raise type(error)(f"{error} from {port}", port=port, **error.details)
        if not found:
            raise self._damage() if is_text(received, _TEXT_SHARE) else WrongSpeedError
        self._memory.readout_size = max(self._memory.readout_size, len(received))
        return found[0]

    def _damage(self) -> ChecksumError:
        port = redact(self.url)
        return ChecksumError(f"readouts come damaged from {port}", port=port)

    @asynccontextmanager
    async def _session(self) -> AsyncGenerator[ProgrammingSession]:
        """Enter programming mode, and end it afterwards."""
        async with self._open() as conversation:
            session = ProgrammingSession(conversation.channel, self._memory)
            try:
                begin = await self._enter(conversation, session)
                await session.begin(begin, self.settings.password)
                yield session
            finally:
                with suppress(MeterError, TimeoutError):
                    async with asyncio.timeout(_BREAK_SECONDS):
                        await session.end()

    async def _enter(self, conversation: Conversation, session: ProgrammingSession) -> bytes:
        """Select programming mode; return the first characters of the meter's answer."""
        for _ in range(_ATTEMPTS):
            response = await conversation.sign_on()
            try:
                return await conversation.select(response, Option.PROGRAMMING)
            except NoReadoutError:
                raise session.refusal() from None
            except WrongSpeedError as err:
                await conversation.adapt_speed(err)
                # A meter in a session does not answer a request before its break, which it
                # receives at the present speed.
                await session.end()
        raise self._damage()

    async def _read_registers(
        self, session: ProgrammingSession, addresses: Sequence[str]
    ) -> Reading:
        registers = [register for address in addresses for register in await session.read(address)]
        if not registers:
            raise session.no_register_error()
        self.counters.good += 1
        return Reading(self._meter or self._memory.identity(), None, tuple(registers), b"")
