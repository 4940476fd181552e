"""From the request to the data: modes A, B, C and E (IEC 62056-21:2002, 6.3 and 6.4.1).

The mode is the meter's: it tells it in its identification. In mode A the data follow at the same
speed, in mode B at the speed that the identification tells, and in modes C and E the meter waits
for an acknowledgement that selects the speed and the kind of data.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

from .block import CheckKind
from .identification import IDENTIFICATION_LINE, Identification, baud_character, speed_of
from .link import Link
from .parity import has_parity_errors, without_parity
from .programming import Command, encode_command
from .settings import SignOn

#: Seconds that the line must be silent before a request (VDEW; some meters need it).
_SILENCE_BEFORE: Final = 0.2
#: Seconds after which a meter that has not begun to answer will not (tr, 6.3.14 item 12).
_ANSWER_SECONDS: Final = 1.8
#: Seconds after an identification in which a meter begins its readout if it is told nothing (tt).
_READOUT_WITHIN: Final = 2.4
#: Seconds from one character to the next at most (ta).
_CHARACTER_SECONDS: Final = 1.5
#: Seconds of a readout under way that are passed over before a request.
_DRAIN_SECONDS: Final = 2.2
#: Seconds that an identification may take, with noise before it.
_IDENTIFICATION_SECONDS: Final = 6.0
#: Characters without an identification among them after which there is none.
_NOISE_MAX: Final = 256
_STX: Final = b"\x02"
#: Seconds of zeros that wake a battery meter, and the pause that it needs then (Annex B.1).
_WAKE_UP_SECONDS: Final = 2.2
_WAKE_UP_PAUSE: Final = 1.6
#: Seconds between the end of the acknowledgement and the change of speed. The meter may answer
#: 20 ms after it, or with its usual reaction time 200 ms after it.
_SETTLE_QUICK: Final = 0.004
_SETTLE: Final = 0.04


class Option(Enum):
    """What a meter is to do: first and last character of the acknowledgement (6.3.3)."""

    READOUT = ("0", "0")
    PROGRAMMING = ("0", "1")
    HDLC = ("2", "2")


@dataclass(slots=True)
class SignOnResponse:
    """A meter's identification."""

    identification: Identification
    #: As it came, with what has come behind it already.
    raw: bytes
    #: Whether something has come behind it.
    has_more: bool = False
    #: The identification came damaged and is that of the last time; only the readout was received.
    is_readout: bool = False


@dataclass(slots=True)
class NoGreeting:
    """What came in place of an identification, if anything did."""

    raw: bytes = b""
    #: Whether it is the begin of a readout: the meter was not told anything in time.
    is_readout: bool = False


def request(settings: SignOn) -> bytes:
    """Return the request message (6.3.1)."""
    return f"/{settings.table or '?'}{settings.address}!\r\n".encode("ascii")


async def sign_on(link: Link, settings: SignOn, baudrate: int) -> SignOnResponse | NoGreeting:
    """Ask the meter who it is."""
    await link.set_speed(baudrate)
    await link.drain(_SILENCE_BEFORE, _DRAIN_SECONDS)
    if settings.wake_up:
        await link.send(bytes(round(_WAKE_UP_SECONDS / link.port.wire_time(1))))
        await asyncio.sleep(_WAKE_UP_PAUSE)
    link.start_clock()
    await link.send(request(settings))
    return await _receive_identification(link)


async def _receive_identification(link: Link) -> SignOnResponse | NoGreeting:
    received = bytearray()
    try:
        async with asyncio.timeout(_IDENTIFICATION_SECONDS):
            silence = _ANSWER_SECONDS
            while data := await link.receive(silence):
                # If it is a damaged identification, the readout follows.
                silence = _READOUT_WITHIN
                received += data
                text = without_parity(received)
                if line := IDENTIFICATION_LINE.search(text):
                    break
                if _STX in text:
                    return NoGreeting(bytes(received[text.index(_STX) :]), is_readout=True)
                if len(received) > _NOISE_MAX:
                    return NoGreeting(bytes(received))
            else:
                return NoGreeting(bytes(received))
            if text[line.end() - 1 :] == b"\r":
                # An acknowledgement before the line feed would not be heard.
                received += await link.receive(_CHARACTER_SECONDS)
    except TimeoutError:
        return NoGreeting(bytes(received))
    if has_parity_errors(received[line.start() : line.end()]):
        return NoGreeting(bytes(received))
    has_more = bool(without_parity(received)[line.end() :].strip())
    return SignOnResponse(Identification.parse(line[0]), bytes(received[line.start() :]), has_more)


def agreed_speed(link: Link, found: Identification, settings: SignOn, option: Option) -> int:
    """Return the speed that follows the identification and what is selected then."""
    present = link.port.baudrate
    if not settings.switch_speed or not link.port.has_speed:
        return present
    return speed_of(_characters(settings, option)[1]) or found.baudrate or present


async def send_acknowledgement(
    link: Link, found: Identification, settings: SignOn, option: Option, speed: int
) -> None:
    """Send the option select message for a speed, as the meter or the user wants it."""
    protocol, baud, mode = _characters(settings, option)
    if baud == settings.METERS_OWN_SPEED:
        baud = baud_character(speed) or found.baud
    await link.send(f"\x06{protocol}{baud}{mode}\r\n".encode("ascii"))


async def settle(link: Link, found: Identification, settings: SignOn) -> None:
    """Wait until the acknowledgement has left the head, before the speed is changed."""
    quick = found.reaction_time < _SETTLE
    await asyncio.sleep(settings.switch_delay or (_SETTLE_QUICK if quick else _SETTLE))


def is_acknowledged(found: Identification, settings: SignOn, option: Option) -> bool:
    """Tell whether the meter is told what to send; otherwise it sends its readout without that."""
    if option is Option.READOUT and settings.acknowledgement == settings.NO_ACKNOWLEDGEMENT:
        return False
    return found.is_negotiated


def _characters(settings: SignOn, option: Option) -> Sequence[str]:
    """Return protocol, baud character and mode of the option select message (6.3.3)."""
    if option is Option.READOUT and len(settings.acknowledgement) == len("VZY"):
        return list(settings.acknowledgement)
    protocol, mode = option.value
    return protocol, settings.METERS_OWN_SPEED, mode


async def leave(link: Link, kind: CheckKind, *speeds: int) -> None:
    """End a session in which the meter may be stuck, at each speed at which it may listen."""
    if link.heard:
        # A meter that is speaking does not hear it.
        await link.drain(_SILENCE_BEFORE, _ANSWER_SECONDS)
    for speed in dict.fromkeys(speeds if link.port.has_speed else speeds[:1]):
        await link.set_speed(speed)
        await link.send(encode_command(Command.BREAK, kind=kind))
