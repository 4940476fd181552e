"""The requests for meters that do not push, and their order."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from ..iec62056.settings import SignOn
from ..line import Framing, LineSettings
from ..protocols import POLLED_LINE, Protocol
from .answer import Answer
from .connections import ask_hdlc, ask_wrapper
from .lines import REFERENCE
from .result import Step
from .session import Session
from .sign_ons import SignOns

#: From one wake-up to the next at the same port, for the sake of the battery.
_WAKE_UP_PAUSE: Final = timedelta(minutes=15)

_SLOW: Final = POLLED_LINE[Protocol.IEC62056]
_FAST: Final = replace(_SLOW, baudrate=REFERENCE.baudrate)
_HDLC: Final = POLLED_LINE[Protocol.DLMS]


class Question(NamedTuple):
    """A request, and the line settings for it where the port has a speed."""

    line: LineSettings
    step: Step
    ask: Callable[[Session], Awaitable[Answer]]


class Questions:
    """The questions of one detection, which sets the line settings of its port for them."""

    def __init__(self, last_wake_up: datetime | None, now: Callable[[], datetime]) -> None:
        """Take when a battery meter was last woken up at this port, and the clock."""
        self.last_wake_up = last_wake_up
        self._now = now
        self._sign_ons = SignOns()

    def at_serial_port(self, asked: LineSettings | None) -> Sequence[Question]:
        """Return the questions at a port that has a speed; that of ``asked`` is the first."""
        questions = [
            self._sign_on(_SLOW, SignOn()),
            Question(_HDLC, Step.HDLC, _ask_hdlc),
            self._sign_on(_FAST, SignOn()),
            Question(_SLOW, Step.WAKE_UP, self._wake_up),
            self._sign_on(_SLOW, SignOn(table="#")),
        ]
        first = next((n for n, question in enumerate(questions) if question.line == asked), 0)
        return [questions.pop(first), *questions]

    def at_bridge(self) -> Sequence[Question]:
        """Return the questions at a port of fixed speed."""
        return [
            Question(_HDLC, Step.WRAPPER, lambda session: ask_wrapper(session.port)),
            Question(_HDLC, Step.HDLC, _ask_hdlc),
            self._sign_on(_SLOW, SignOn()),
        ]

    def _sign_on(self, line: LineSettings, settings: SignOn) -> Question:
        async def ask(session: Session) -> Answer:
            if session.port.has_speed:
                await session.port.set_line(line.baudrate, Framing.SEVEN_EVEN)
            return await self._sign_ons.ask(session.port, settings, line.baudrate)

        return Question(line, Step.SIGN_ON, ask)

    async def _wake_up(self, session: Session) -> Answer:
        """Wake a battery meter, unless that was done a short time ago."""
        now = self._now()
        if self.last_wake_up is not None and now - self.last_wake_up < _WAKE_UP_PAUSE:
            return Answer()
        self.last_wake_up = now
        return await self._sign_on(_SLOW, SignOn(wake_up=True)).ask(session)


async def _ask_hdlc(session: Session) -> Answer:
    if session.port.has_speed:
        await session.port.set_line(_HDLC.baudrate, _HDLC.framing)
    return await ask_hdlc(session.port, _HDLC)
