"""From the request to the data: modes A, B, C and E (IEC 62056-21:2002, 6.3 and 6.4.1).

The identification names the meter's mode. In mode A the data follow at the same speed, in mode B
at the speed that the identification names, and in modes C and E the meter waits for an
acknowledgement that selects the speed and the kind of data.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

from ..channel import Channel
from ..parity import has_parity_errors, without_parity
from .block import CheckKind
from .identification import IDENTIFICATION_LINE, Identification, baud_character, speed_of
from .programming import Command, encode_command
from .settings import SignOn

#: Seconds that the line must be silent before a request (VDEW; some meters need it).
_SILENCE_BEFORE: Final = 0.2
#: Seconds after which a meter that has not begun to answer will not (tr, 6.3.14 item 12).
_ANSWER_SECONDS: Final = 1.8
#: Seconds after an identification in which a meter begins its readout without an acknowledgement
#: (tt, likewise).
_READOUT_SECONDS: Final = 2.4
#: Seconds from one character to the next at most (ta, likewise).
_CHARACTER_SECONDS: Final = 1.5
#: Seconds of a readout under way that are discarded before a request.
_DISCARD_SECONDS: Final = 2.2
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
_SWITCH_QUICKLY: Final = 0.004
_SWITCH: Final = 0.04


class Option(Enum):
    """What is selected: first and last character of the acknowledgement (6.3.3)."""

    READOUT = ("0", "0")
    PROGRAMMING = ("0", "1")
    HDLC = ("2", "2")


@dataclass(slots=True)
class SignOnResponse:
    """A meter's answer to the request: its identification."""

    identification: Identification
    #: The identification line as received, with what has come after it so far.
    raw: bytes
    #: Whether something has come after it.
    has_more: bool = False
    #: The identification came damaged and is that of the last time; only the readout was received.
    is_readout: bool = False


@dataclass(slots=True)
class NoIdentification:
    """What came instead of an identification, if anything did."""

    raw: bytes = b""
    #: Whether it is the begin of a readout: the meter got no acknowledgement in time.
    is_readout: bool = False


def request_message(settings: SignOn) -> bytes:
    """Return the request message (6.3.1)."""
    return f"/{settings.table or '?'}{settings.address}!\r\n".encode("ascii")


async def request_identification(
    channel: Channel,
    settings: SignOn,
    baudrate: int,
    *,
    is_silent: bool = False,
    answer_seconds: float = _ANSWER_SECONDS,
) -> SignOnResponse | NoIdentification:
    """Send the request at a speed, waking a battery meter first; return what comes.

    Once the line has been silent for some time, or at once if it is known to be.
    """
    await channel.set_speed(baudrate)
    if not is_silent:
        await channel.discard(_SILENCE_BEFORE, _DISCARD_SECONDS)
    if settings.wake_up:
        await channel.send(bytes(round(_WAKE_UP_SECONDS / channel.wire_time(1))))
        await asyncio.sleep(_WAKE_UP_PAUSE)
    channel.start_clock()
    await channel.send(request_message(settings))
    return await _receive_identification(channel, answer_seconds)


async def _receive_identification(
    channel: Channel, silence: float
) -> SignOnResponse | NoIdentification:
    received = bytearray()
    try:
        async with asyncio.timeout(_IDENTIFICATION_SECONDS):
            while data := await channel.receive(silence):
                # If it is a damaged identification, the readout follows.
                silence = _READOUT_SECONDS
                received += data
                text = without_parity(received)
                if line := IDENTIFICATION_LINE.search(text):
                    break
                if _STX in text:
                    return NoIdentification(bytes(received[text.index(_STX) :]), is_readout=True)
                if len(received) > _NOISE_MAX:
                    return NoIdentification(bytes(received))
            else:
                return NoIdentification(bytes(received))
            if text[line.end() - 1 :] == b"\r":
                # A meter does not receive an acknowledgement before it has sent the line feed.
                received += await channel.receive(_CHARACTER_SECONDS)
    except TimeoutError:
        return NoIdentification(bytes(received))
    if has_parity_errors(received[line.start() : line.end()]):
        return NoIdentification(bytes(received))
    has_more = bool(without_parity(received)[line.end() :].strip())
    return SignOnResponse(Identification.parse(line[0]), bytes(received[line.start() :]), has_more)


def agreed_speed(
    channel: Channel, identification: Identification, settings: SignOn, option: Option
) -> int:
    """Return the speed (bit/s) of the data, by the identification and the acknowledgement."""
    present = channel.port.baudrate
    if not settings.switch_speed or not channel.port.has_speed:
        return present
    return speed_of(_characters(settings, option)[1]) or identification.baudrate or present


async def send_acknowledgement(
    channel: Channel,
    identification: Identification,
    settings: SignOn,
    option: Option,
    *,
    agreed: int,
    data_speed: int,
) -> None:
    """Send the acknowledgement/option select message (6.3.3), and go on at the speed of the data.

    The user's settings may fix its characters. ``agreed`` is the speed that it names.
    """
    protocol, baud, mode = _characters(settings, option)
    if baud == settings.METERS_OWN_SPEED:
        baud = baud_character(agreed) or identification.baud
    message = f"\x06{protocol}{baud}{mode}\r\n".encode("ascii")
    # The acknowledgement must have left the optical head.
    is_quick = identification.reaction_time < _SWITCH
    settling = settings.switch_delay or (_SWITCH_QUICKLY if is_quick else _SWITCH)
    await channel.send_and_switch(message, settling, data_speed)


def is_acknowledged(identification: Identification, settings: SignOn, option: Option) -> bool:
    """Return whether an acknowledgement is sent; otherwise the readout follows without one."""
    if option is Option.READOUT and settings.acknowledgement == settings.NO_ACKNOWLEDGEMENT:
        return False
    return identification.is_negotiated


def _characters(settings: SignOn, option: Option) -> Sequence[str]:
    """Return protocol, baud character and mode of the acknowledgement (6.3.3)."""
    if option is Option.READOUT and len(settings.acknowledgement) == len("VZY"):
        return list(settings.acknowledgement)
    protocol, mode = option.value
    return protocol, settings.METERS_OWN_SPEED, mode


async def end_session(channel: Channel, kind: CheckKind, *speeds: int) -> None:
    """End a session that the meter may still be in, at each speed at which it may receive."""
    if channel.recent:
        # A meter receives nothing while it sends.
        await channel.discard(_SILENCE_BEFORE, _ANSWER_SECONDS)
    for speed in dict.fromkeys(speeds if channel.port.has_speed else speeds[:1]):
        await channel.set_speed(speed)
        await channel.send(encode_command(Command.BREAK, kind=kind))
