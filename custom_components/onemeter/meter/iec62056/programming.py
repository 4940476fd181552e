"""Frames of the programming mode, which reads single registers (IEC 62056-21:2002, 6.4).

There is no command that writes, on purpose: this integration never changes a meter.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
import re
from typing import Final

from ..checksum import sum_of, xor_of
from ..parity import ParityTally, without_parity
from .block import CONTROL, BlockCheck, CheckKind, check_character
from .data_sets import parse_data_sets

_SOH: Final = b"\x01"
_STX: Final = b"\x02"
_ETX: Final = b"\x03"
_EOT: Final = b"\x04"
ACK: Final = b"\x06"
NAK: Final = b"\x15"

#: Frames begin with one of these, ...
_BEGINS: Final = (_SOH, _STX)
#: ... end with one of these and the check character after it, ...
_END: Final = re.compile(rb"[\x03\x04]")
#: ... or are a single character.
_MARK: Final = re.compile(rb"[\x01-\x04\x06\x15]")
#: Bytes of the longest frame that is read: the load profile of a year.
LIMIT: Final = 1_048_576
#: The answer of a meter that does not have a register, or denies access to it (6.4.4).
_ERROR: Final = re.compile(r"ER(?:ROR)?[0-9A-Z:;]{0,8}")


class Command(StrEnum):
    """A command of the programming mode (6.4.3.2)."""

    #: The meter's part of the password exchange, with the operand of the algorithm.
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
    """The kind of a frame or single character."""

    ACK = "ack"
    NAK = "nak"
    #: A command of the meter, with SOH: the seed, or a break.
    COMMAND = "command"
    #: Requested data.
    ANSWER = "answer"
    #: A frame with a wrong block check character.
    DAMAGED = "damaged"


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame or a single character of the meter."""

    kind: FrameKind
    #: Such as "P0", in a frame with SOH.
    command: str = ""
    #: Between STX and the end.
    data: str = ""
    #: Whether another block follows once this one is acknowledged (EOT, 6.4.5).
    is_partial: bool = False
    #: Characters of the data, of a damaged frame only.
    size: int = field(default=0, compare=False)


def encode_command(
    command: Command, data: str | None = None, kind: CheckKind | None = None
) -> bytes:
    """Return the frame of a command, with a block check character, without parity bits."""
    block = command.value.encode()
    if data is not None:
        block += _STX + data.encode("ascii")
    block += _ETX
    return _SOH + block + bytes([check_character(block, kind)])


class FrameReader:
    """Finds the frames in the answers of a meter; ignores what is between them.

    Checksum and parity are computed while the bytes are received: for the longest frames at once,
    they would block the event loop.
    """

    def __init__(self, check: BlockCheck) -> None:
        """Begin before the first byte; ``check`` verifies the check characters of the meter."""
        self._check = check
        #: The present frame as received, and without highest bits; empty between frames.
        self._raw = bytearray()
        self._text = bytearray()
        self._scan = 0
        self._start_sums()

    def _start_sums(self) -> None:
        """Restart the sums at the first character in the buffer."""
        #: Number of characters that are in the sums.
        self._summed = 0
        self._xor = 0
        self._sum = 0
        self._controls = 0
        self._parity = ParityTally()

    @property
    def rest(self) -> str:
        """The data of an answer that is not complete."""
        if not self._text.startswith(_STX):
            return ""
        return _END.split(self._text[1:], maxsplit=1)[0].decode("ascii")

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Add bytes; yield the frames that end in them."""
        position = 0
        while position < len(data):
            piece = data[position : position + LIMIT + 1 - len(self._text)]
            position += len(piece)
            self._raw += piece
            self._text += without_parity(piece)
            yield from self._advance()
            if len(self._text) > LIMIT:
                self._remove(len(self._text))

    def _advance(self) -> Iterator[Frame]:
        """Process the marks in the buffer, as far as the bytes allow."""
        while (found := _MARK.search(self._text, self._scan)) is not None:
            place = found.start()
            has_begun = place > 0 and self._text.startswith(_BEGINS)
            self._scan = place + 1
            match found[0]:
                case b"\x01" | b"\x02":
                    if not self._is_data_of_command(place):
                        # A frame begins here, also if the one before has not ended.
                        self._remove(place)
                        self._scan = 1
                case b"\x03" | b"\x04" if has_begun:
                    if place + 1 == len(self._text):
                        self._scan = place
                        return
                    frame = self._frame(place)
                    self._remove(place + 2)
                    yield frame
                case (b"\x06" | b"\x15") as character if not has_begun:
                    self._remove(place + 1)
                    yield Frame(FrameKind.ACK if character == ACK else FrameKind.NAK)
        if self._text.startswith(_BEGINS):
            self._scan = len(self._text)
            self._sum_up(self._scan)
        else:
            self._remove(len(self._text))

    def _is_data_of_command(self, place: int) -> bool:
        """Return whether the STX at a place is that between a command and its data."""
        is_stx = self._text.startswith(_STX, place)
        return is_stx and self._text.startswith(_SOH) and self._text.find(_STX) == place

    def _remove(self, end: int) -> None:
        del self._raw[:end]
        del self._text[:end]
        self._scan = 0
        self._start_sums()

    def _sum_up(self, end: int) -> None:
        """Add the characters before a place to the sums."""
        start, self._summed = self._summed, end
        text = bytes(self._text[start:end])
        self._xor ^= xor_of(text)
        self._sum += sum_of(text)
        self._controls += len(CONTROL.findall(text))
        self._parity.add(self._raw[start:end])

    def _frame(self, end: int) -> Frame:
        self._sum_up(end + 1)
        self._parity.add(self._raw[end + 1 : end + 2])
        begin, last, check = self._text[0], self._text[end], self._text[end + 1]
        command, separator, data = "", "", self._text[1:end].decode("ascii")
        if begin in _SOH:
            command, separator, data = data.partition("\x02")
        # The first character is not part of the check character. Control characters are the first,
        # the last, and the one between a command and its data.
        if (
            self._parity.shows_damage
            or self._controls > len(separator) + 2
            or not self._check.accepts_sums(self._xor ^ begin, (self._sum - begin) & 0x7F, check)
        ):
            return Frame(FrameKind.DAMAGED, size=len(data))
        kind = FrameKind.COMMAND if begin in _SOH else FrameKind.ANSWER
        return Frame(kind, command, data, last in _EOT)


def error_in(data: str) -> str | None:
    """Return the error in an answer, None if it contains values, "" if it is empty."""
    values = [value.strip() for _, _, value in parse_data_sets(data)]
    for value in values:
        if _ERROR.fullmatch(value):
            return value
    return None if any(values) else ""


def has_no_entries(data: str, name: str) -> bool:
    """Return whether an answer says that a profile has no entries: ``P.01(ERROR)`` or ``P.01()``.

    An error without the profile's name, or with a number, is about the request.
    """
    found = next(parse_data_sets(data), None)
    return found is not None and found[0].endswith(name) and found[2].strip() in {"", "ERROR"}
