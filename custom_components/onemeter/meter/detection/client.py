"""Finding out which meter is at a port, and how it is read."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from ..errors import MeterConnectionError, PortBusyError
from ..line import LineSettings
from ..looks import looks_like
from ..port import Port
from ..port_lock import port_lock
from .bursts import NOISE_MAX, Burst, Flashes, flash_candidate
from .countries import Habits, habits_of
from .lines import REFERENCE
from .questions import Question, Questions
from .result import Candidate, Detection, Refusal, Situation, Step, situation_of
from .session import Session, Traffic, opened
from .sweep import Sweep

#: Seconds after the last byte, or after the begin, after which there is nothing.
_SILENCE: Final = 30.0
#: The same after no more than a disturbance: meters that push do it more often.
_SILENCE_AFTER_NOISE: Final = 12.0
#: Bytes kept to find out what they look like.
_SAMPLE: Final = 1024
#: Seconds for which a line is listened to while others are to be tried.
_PATIENCE: Final = 12.0
#: Seconds after the first byte after which what is not understood will not be.
_LONGEST: Final = 180.0
#: Seconds until the other side of a network takes the next connection, and how often that is tried.
_RECONNECT_SECONDS: Final = 1.0
_RECONNECT_TRIES: Final = 5

#: Seconds after which a connection that ends was not refused.
_HASTY_SECONDS: Final = 0.3

type Progress = Callable[[Step, float], None]


def _now() -> datetime:
    return datetime.now(UTC)


async def detect(
    url: str,
    *,
    country: str | None = None,
    progress: Progress | None = None,
    last_wake_up: datetime | None = None,
    known: LineSettings | None = None,
    asked: LineSettings | None = None,
    usb_id: str | None = None,
    now: Callable[[], datetime] = _now,
) -> Detection:
    """Find out which meter is at a port, and how it is read.

    The port is opened, received from, and only then sent to; it is closed again in any case, also
    if the call is cancelled, which is possible at any moment. Takes half a minute where there is
    nothing, and up to three where what comes is not understood.

    ``country`` (ISO 3166-1, as ``hass.config.country``) says where to begin and for how long
    nothing is sent. ``progress`` is called with what is done and which share of the time has passed
    at most, from 0 to 1, about twice a second. ``last_wake_up`` is that of the last detection at
    this port: a battery meter is woken once in 15 minutes. ``known`` are line settings that have
    been right at this port before, ``asked`` those of the question that was answered there last:
    both are tried first. ``usb_id`` is ``VID:PID`` of the adapter.

    Never raises MeterError: what is wrong with the port is in the result.
    """
    habits = habits_of(country, usb_id)
    if known is not None:
        habits = replace(habits, line=known)
    search = _Search(url, habits, progress, last_wake_up, now)
    try:
        async with port_lock(url):
            await search.run(asked)
    except MeterConnectionError as err:
        return search.failed(err)
    return search.result()


class _Search:
    """One detection."""

    def __init__(
        self,
        url: str,
        habits: Habits,
        progress: Progress | None,
        last_wake_up: datetime | None,
        now: Callable[[], datetime],
    ) -> None:
        self._url = url
        self._first = habits.line
        self._dark = habits.dark_seconds
        self._progress = progress
        self._questions = Questions(last_wake_up, now)
        self._loop = asyncio.get_running_loop()
        self._step = Step.OPEN
        self._share = 0.0
        self._traffic = Traffic(self._loop.time())
        self._has_speed = True
        self._was_open = False
        self._candidates: list[Candidate] = []
        #: What has answered a question, if it does not push.
        self._doubted: Sequence[Candidate] = ()
        self._flashes = Flashes()
        #: When more than a disturbance came first; and whether it came no more.
        self._speaks_since: float | None = None
        self._has_given_up = False
        self._sweep = Sweep()
        #: What came at the speed at which it says most.
        self._sample = b""

    # --- the whole

    async def run(self, asked: LineSettings | None) -> None:
        """Look for a meter; begin with the question of these line settings.

        Raises MeterConnectionError.
        """
        self._report()
        self._has_speed = Port(self._url, self._first).has_speed
        if self._has_speed:
            await self._run_at_serial_port(asked)
        else:
            await self._run_at_bridge()

    async def _run_at_serial_port(self, asked: LineSettings | None) -> None:
        async with self._open(self._first) as session:
            self._begin()
            await self._listen(session, self._dark)
            for question in self._questions.at_serial_port(asked):
                if self._is_done:
                    return
                await self._ask(session, question)
            await self._wait(session)

    async def _run_at_bridge(self) -> None:
        """Ask at a port of fixed speed: each question by a connection of its own.

        Meters in the network take one for the beginning of another, and answer no more.
        """
        async with self._open(self._first) as session:
            self._begin()
            await self._listen(session, self._dark)
        for question in self._questions.at_bridge():
            if not self._is_done:
                await self._ask_anew(question)
        if not self._is_done:
            async with self._open(self._first) as session:
                await self._wait(session)

    def _begin(self) -> None:
        self._was_open = True
        self._traffic.opened = self._loop.time()

    def _open(self, line: LineSettings) -> AbstractAsyncContextManager[Session]:
        return opened(self._url, line, self._traffic, self._report)

    @property
    def _is_done(self) -> bool:
        return self._has_given_up or self._sweep.has_ended or bool(self._candidates)

    def _report(self, step: Step | None = None) -> None:
        self._step = step or self._step
        elapsed = (self._loop.time() - self._traffic.opened) / _SILENCE
        if self._speaks_since is not None:
            elapsed = self._sweep.share
        self._share = max(self._share, min(elapsed, 0.99))
        if self._progress is not None:
            self._progress(self._step, self._share)

    # --- listening

    async def _listen(self, session: Session, seconds: float) -> None:
        """Listen until something is proved or all was tried, or for so long if nothing comes."""
        self._report(Step.LISTEN)
        begun = line_since = self._loop.time()
        while not self._is_done:
            now = self._loop.time()
            until = self._listen_until(begun, seconds)
            if now >= until:
                self._has_given_up = self._speaks_since is not None
                return
            if self._speaks_since is not None and self._has_speed:
                since = max(line_since, self._traffic.heard_at or begun)
                until = min(until, since + _PATIENCE)
                if now >= until:
                    await self._change(session, self._sweep.after_silence(session.line))
                    line_since = self._loop.time()
                    continue
            burst = await session.listen(until)
            if found := await session.proved():
                self._candidates = found
                return
            line = self._line_after(session, burst)
            if line != session.line:
                await self._change(session, line)
                line_since = self._loop.time()

    def _listen_until(self, begun: float, seconds: float) -> float:
        heard_at = self._traffic.heard_at
        if heard_at is None:
            return begun + seconds
        if self._speaks_since is not None and not self._doubted:
            return min(heard_at + _SILENCE, self._speaks_since + _LONGEST)
        more = _SILENCE if self._flashes.count > 1 else _SILENCE_AFTER_NOISE
        return min(max(begun + seconds, heard_at + more), self._traffic.opened + _LONGEST)

    async def _wait(self, session: Session) -> None:
        """Listen on: there are meters that push rarely, and slow flashes."""
        if self._is_done:
            return
        if self._has_speed:
            await session.set_line(REFERENCE)
        heard_at = self._traffic.heard_at or self._traffic.opened
        await self._listen(session, max(0.0, heard_at + _SILENCE - self._loop.time()))

    def _line_after(self, session: Session, burst: Burst | None) -> LineSettings:
        """Return the line settings to go on with, by what came and was not understood."""
        line = session.line
        if burst is None:
            return self._line_within_burst(session)
        self._flashes.take(burst, line)
        if burst.is_noise or burst.is_flash(line):
            if self._flashes.are_enough:
                self._candidates = [flash_candidate(self._flashes)]
            return line
        self._speak()
        if line == REFERENCE or not self._sample:
            self._sample = bytes(burst.data[:_SAMPLE])
        if not self._has_speed:
            return line
        return self._sweep.after_burst(
            line,
            burst,
            is_promising=session.is_promising,
            has_right_line=session.has_right_line,
        )

    def _line_within_burst(self, session: Session) -> LineSettings:
        data = session.unfinished
        if not self._has_speed or not data:
            return session.line
        line = self._sweep.within_burst(session.line, data, has_begin=session.follows_silence)
        if line is None:
            return session.line
        self._speak()
        self._sample = data
        return line

    def _speak(self) -> None:
        if self._speaks_since is None:
            self._speaks_since = self._loop.time()

    async def _change(self, session: Session, line: LineSettings) -> None:
        if not self._is_done:
            self._report(Step.LINE)
            await session.set_line(line)

    # --- asking

    async def _ask(self, session: Session, question: Question) -> None:
        self._report(question.step)
        before = self._traffic.received
        answer = await question.ask(session)
        has_heard = self._traffic.received > before
        if answer.candidates and not answer.is_doubtful:
            self._candidates = list(answer.candidates)
        elif answer.heard and has_heard:
            self._doubted = answer.candidates
            # A sender is active: nothing is sent while that may be a meter.
            line = self._line_of(answer.heard, session.port.baudrate)
            if self._has_speed:
                await session.set_line(line)
            await self._listen(session, 0.0)
            if not self._candidates:
                # It has not sent that by itself.
                self._candidates = list(self._doubted)

    def _line_of(self, data: bytes, baudrate: int) -> LineSettings:
        """Return where to listen to what came in place of an answer."""
        now = self._loop.time()
        burst = Burst(now, follows_silence=True, data=bytearray(data), ended=now)
        if burst.is_noise:
            self._flashes.take(burst, REFERENCE)
            return REFERENCE
        self._speak()
        return self._sweep.after_question(data, baudrate)

    async def _ask_anew(self, question: Question) -> None:
        """Ask by a new connection, for which a bridge may not be ready yet."""
        for number in range(_RECONNECT_TRIES):
            asked_at: float | None = None
            try:
                async with self._open(self._first) as session:
                    asked_at = self._loop.time()
                    await self._ask(session, question)
                    return
            except PortBusyError:
                raise
            except MeterConnectionError:
                if asked_at is not None and self._loop.time() - asked_at >= _HASTY_SECONDS:
                    # It hangs up on what it does not understand.
                    return
                if number == _RECONNECT_TRIES - 1 and asked_at is None:
                    raise
            await asyncio.sleep(_RECONNECT_SECONDS)

    # --- the result

    def failed(self, error: MeterConnectionError) -> Detection:
        """Return the result for a port that cannot be used."""
        return self._result(situation_of(error), error)

    def result(self) -> Detection:
        """Return what was found, or why nothing was."""
        if self._candidates:
            refusal = self._candidates[0].refusal
            is_found = refusal in {None, Refusal.NEEDS_KEYS}
            return self._result(Situation.FOUND if is_found else Situation.REFUSES)
        is_silent = self._traffic.received <= NOISE_MAX
        return self._result(Situation.SILENT if is_silent else Situation.NOT_UNDERSTOOD)

    def _result(self, situation: Situation, error: MeterConnectionError | None = None) -> Detection:
        traffic = self._traffic
        seconds = self._loop.time() - traffic.opened if self._was_open else 0.0
        dark = seconds if traffic.light_at is None else traffic.light_at - traffic.opened
        guess = None
        if situation is Situation.NOT_UNDERSTOOD:
            guess = looks_like(self._sample or traffic.heard)
        return Detection(
            situation=situation,
            candidates=tuple(self._candidates),
            error=error,
            looks_like=guess,
            received=traffic.received,
            tried=tuple(traffic.tried) if self._has_speed else (),
            has_fixed_speed=not self._has_speed,
            seconds=round(seconds, 3),
            light_seconds=round(traffic.light_seconds, 4),
            dark_seconds=round(dark, 3),
            last_wake_up=self._questions.last_wake_up,
        )
