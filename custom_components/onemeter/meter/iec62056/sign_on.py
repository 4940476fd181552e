"""From the request to the data: modes A, B, C and E (IEC 62056-21:2002, 6.3 and 6.4.1).

The mode is the meter's: it tells it in its identification. In mode A the data follow at the same
speed, in mode B at the speed that the identification tells, and in modes C and E the meter waits
for an acknowledgement that selects the speed and the kind of data.
"""

import asyncio
from dataclasses import dataclass
from enum import Enum
from typing import Final

from .block import CheckKind
from .identification import IDENTIFICATION_LINE, Identification, baud_character
from .link import Link
from .parity import has_parity_errors, without_parity
from .programming import Command, encode_command
from .settings import SignOn

#: Seconds that the line must be silent before a request (VDEW; some meters need it).
_SILENCE_BEFORE: Final = 0.2
#: Seconds after which a meter that has not begun to answer will not (tr, 6.3.14 item 12).
_ANSWER_SECONDS: Final = 2.2
#: Seconds that an identification may take, with noise before it.
_IDENTIFICATION_SECONDS: Final = 6.0
#: Characters without an identification among them after which there is none.
_NOISE_MAX: Final = 256
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
class Greeting:
    """A meter's identification."""

    identification: Identification
    #: As it came, with what has come behind it already.
    raw: bytes
    #: Whether something has come behind it.
    has_more: bool = False


def request(settings: SignOn) -> bytes:
    """Return the request message (6.3.1)."""
    return f"/{settings.table or '?'}{settings.address}!\r\n".encode("ascii")


async def sign_on(link: Link, settings: SignOn, baudrate: int) -> Greeting | None:
    """Ask the meter who it is; None if it does not answer so that it can be understood."""
    await link.set_speed(baudrate)
    await link.drain(_SILENCE_BEFORE, _ANSWER_SECONDS)
    if settings.wake_up:
        await link.send(bytes(round(_WAKE_UP_SECONDS / link.port.wire_time(1))))
        await asyncio.sleep(_WAKE_UP_PAUSE)
    link.start_clock()
    await link.send(request(settings))
    return await _receive_identification(link)


async def _receive_identification(link: Link) -> Greeting | None:
    received = bytearray()
    try:
        async with asyncio.timeout(_IDENTIFICATION_SECONDS):
            while data := await link.receive(_ANSWER_SECONDS):
                received += data
                text = without_parity(received)
                if line := IDENTIFICATION_LINE.search(text):
                    break
                if len(received) > _NOISE_MAX:
                    return None
            else:
                return None
            if text[line.end() - 1 :] == b"\r":
                # The line feed is still on the wire.
                received += await link.receive(link.port.wire_time(3))
    except TimeoutError:
        return None
    if has_parity_errors(received[line.start() : line.end()]):
        return None
    has_more = bool(without_parity(received)[line.end() :].strip())
    return Greeting(Identification.parse(line[0]), bytes(received[line.start() :]), has_more)


async def acknowledge(
    link: Link, greeting: Greeting, settings: SignOn, option: Option, *, follow: bool
) -> int:
    """Tell the meter what to do and change to the speed that it proposes; return that speed.

    Nothing is told to meters of mode A and B, which do not wait for it. Without ``follow`` the
    speed stays as it is.
    """
    found = greeting.identification
    present = link.port.baudrate
    speed = found.baudrate or present
    may_switch = settings.switch_speed and link.port.has_speed
    if not may_switch:
        speed = present
    if found.is_negotiated:
        await link.wait_since_received(found.reaction_time)
        await send_acknowledgement(link, found, option, speed)
        if speed != present and follow:
            quick = found.reaction_time < _SETTLE
            await asyncio.sleep(settings.switch_delay or (_SETTLE_QUICK if quick else _SETTLE))
    if follow:
        await link.set_speed(speed)
    return speed


async def send_acknowledgement(
    link: Link, identification: Identification, option: Option, speed: int
) -> None:
    """Send the option select message for a speed."""
    protocol, mode = option.value
    baud = baud_character(speed) or identification.baud
    await link.send(f"\x06{protocol}{baud}{mode}\r\n".encode("ascii"))


async def leave(link: Link, kind: CheckKind, *speeds: int) -> None:
    """End a session in which the meter may be stuck, at each speed at which it may listen."""
    # A meter that is speaking does not hear it.
    await link.drain(_SILENCE_BEFORE, _ANSWER_SECONDS)
    for speed in dict.fromkeys(speeds if link.port.has_speed else speeds[:1]):
        await link.set_speed(speed)
        await link.send(encode_command(Command.BREAK, kind=kind))
