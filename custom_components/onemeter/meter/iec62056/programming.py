"""Frames of the programming mode, in which single registers are read (IEC 62056-21:2002, 6.4).

There is no command here that writes: to set a meter is its owner's right.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
import re
from typing import Final

from .block import BlockCheck, CheckKind, check_character
from .parity import without_parity
from .readout import parse_data_sets

_SOH: Final = 0x01
_STX: Final = 0x02
_ETX: Final = 0x03
_EOT: Final = 0x04
ACK: Final = b"\x06"
NAK: Final = b"\x15"

#: The longest frame that is read.
_LIMIT: Final = 65_536
#: What a meter answers where it knows no such register, or allows nobody to read it (6.4.4).
_ERROR: Final = re.compile(r"ER(?:ROR)?[0-9A-Z:;]{0,8}")


class Command(StrEnum):
    """What may be said to a meter in programming mode (6.4.3.2)."""

    #: The meter's half of the password exchange, with the operand of the algorithm.
    SEED = "P0"
    #: The password.
    PASSWORD = "P1"  # noqa: S105 - the name of the command
    #: Read a register.
    READ = "R1"
    #: Read a register, as formatted data.
    READ_FORMATTED = "R2"
    #: Read a load profile or an event log (VDEW-Lastenheft 2.1.2, 10.4).
    READ_PROFILE = "R5"
    #: The same, in partial blocks.
    READ_PROFILE_PARTIALLY = "R6"
    #: End the session.
    BREAK = "B0"


class FrameKind(StrEnum):
    """What came."""

    ACK = "ack"
    NAK = "nak"
    #: A command of the meter, with SOH: the seed, or a break.
    COMMAND = "command"
    #: Data that were asked for.
    ANSWER = "answer"
    #: A frame with a wrong block check character.
    DAMAGED = "damaged"


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame or a single character of the meter."""

    kind: FrameKind
    #: Command, for those with SOH: "P0", "B0".
    command: str = ""
    #: Between STX and the end.
    data: str = ""
    #: Whether another block follows once this one was acknowledged (EOT, 6.4.5).
    is_partial: bool = False


def encode_command(
    command: Command, data: str | None = None, kind: CheckKind | None = None
) -> bytes:
    """Return the frame of a command, with the meter's kind of block check character, no parity."""
    block = command.value.encode()
    if data is not None:
        block += bytes([_STX]) + data.encode("ascii")
    block += bytes([_ETX])
    return bytes([_SOH]) + block + bytes([check_character(block, kind)])


class FrameReader:
    """Finds the frames in what a meter answers; passes over whatever is between them."""

    def __init__(self, check: BlockCheck) -> None:
        """Take what is known of the meter's block check character."""
        self._check = check
        self._text = bytearray()

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Take the next bytes; yield the frames that end in them."""
        self._text += without_parity(data)
        while self._text:
            match self._text[0]:
                case 0x06:
                    frame, length = Frame(FrameKind.ACK), 1
                case 0x15:
                    frame, length = Frame(FrameKind.NAK), 1
                case 0x01 | 0x02:
                    end = self._end()
                    if end is None or end + 1 >= len(self._text):
                        if len(self._text) > _LIMIT:
                            self._text.clear()
                        return
                    frame, length = self._frame(end), end + 2
                case _:
                    del self._text[0]
                    continue
            del self._text[:length]
            yield frame

    def _end(self) -> int | None:
        """Return where the ETX or EOT of the frame at the begin stands."""
        places = [place for end in (_ETX, _EOT) if (place := self._text.find(end, 1)) > 0]
        return min(places, default=None)

    def _frame(self, end: int) -> Frame:
        block = bytes(self._text[1 : end + 1])
        if not self._check.accepts(block, self._text[end + 1]):
            return Frame(FrameKind.DAMAGED)
        text = block[:-1].decode("ascii")
        is_partial = block[-1] == _EOT
        if self._text[0] == _STX:
            return Frame(FrameKind.ANSWER, "", text, is_partial)
        command, _, data = text.partition(chr(_STX))
        return Frame(FrameKind.COMMAND, command, data, is_partial)


def error_in(data: str) -> str | None:
    """Return the error that an answer tells, None where it holds values; "" where it is empty."""
    values = [value.strip() for _, _, value in parse_data_sets(data)]
    for value in values:
        if _ERROR.fullmatch(value):
            return value
    return None if any(values) else ""
