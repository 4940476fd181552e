"""The identification line of a meter (IEC 62056-21:2002, 6.3.2)."""

from dataclasses import dataclass
from functools import lru_cache
import re
from typing import Final, Self

from ..parity import without_parity

#: Speeds by the baud characters of mode C and E, and of mode B.
_MODE_C: Final = {
    "0": 300,
    "1": 600,
    "2": 1200,
    "3": 2400,
    "4": 4800,
    "5": 9600,
    "6": 19200,
}
#: The speeds that meters usually propose, the most frequent first.
SPEEDS: Final = (9600, 19200, 4800, 2400)
_MODE_B: Final = {"A": 600, "B": 1200, "C": 2400, "D": 4800, "E": 9600, "F": 19200}

#: Manufacturer, baud character, and the text: escapes such as ``\2`` (6.3.2, item 23), then the
#: identification, which may be longer than the sixteen characters of the standard, or empty.
_LINE: Final = re.compile(r"/([A-Za-z]{3})([^\r\n()])([^\r\n]*)")
#: Such a line within a stream, up to its end. It is bounded to 82 characters, so that nothing else
#: is taken for one. By the standard its text contains no "/" nor "!" (6.3.14, item 14); Holley's
#: begins with "/". A "/" within a value is none: the parenthesis that closes the value follows
#: without an opening one.
IDENTIFICATION_LINE: Final = re.compile(
    rb"/(?!kWh|kva)[A-Za-z]{3}(?=[^\r\n]{1,81}[\r\n])[^\r\n()/!]"
    rb"(?:[^\r\n()/!]|/(?![A-Za-z]{3}\d)|\([^\r\n()/!]*+\))*+[\r\n]"
)
#: The begin of such a line, which may be completed by the next bytes.
IDENTIFICATION_START: Final = re.compile(
    rb"/(?:[A-Za-z]{0,3}|[A-Za-z]{3}(?=[^\r\n]{1,80}\Z)[^\r\n()/!]"
    rb"(?:[^\r\n()/!]|/|\([^\r\n()/!]*+\))*+(?:\([^\r\n()/!]*+)?)\Z"
)


def baud_character(baudrate: int) -> str | None:
    """Return the baud character of a speed (bit/s) in mode C; None where there is none."""
    return next((char for char, speed in _MODE_C.items() if speed == baudrate), None)


def speed_of(character: str) -> int | None:
    """Return the speed (bit/s) of a baud character in mode C; None for another character."""
    return _MODE_C.get(character)


@dataclass(frozen=True, slots=True)
class Identification:
    """A meter's identification line."""

    #: The three letters as sent; the last one is small in meters that answer within 20 ms.
    manufacturer: str
    #: The character for mode and speed (6.3.14, item 13).
    baud: str
    #: Everything after the baud character, with escapes, without control characters.
    ident: str

    @classmethod
    @lru_cache(maxsize=64)
    def parse(cls, line: bytes) -> Self:
        """Parse an identification line, with or without its end and parity bits.

        Raises ValueError for anything else.
        """
        text = without_parity(line).decode("ascii").rstrip("\r\n")
        match = _LINE.fullmatch(text)
        if match is None:
            raise ValueError("not an identification line")
        manufacturer, baud, ident = match.groups()
        return cls(manufacturer, baud, "".join(filter(str.isprintable, ident)).strip())

    @property
    def baudrate(self) -> int | None:
        """The speed that the meter proposes (bit/s); None in mode A, which stays at 300 baud."""
        return _MODE_C.get(self.baud) or _MODE_B.get(self.baud)

    @property
    def is_negotiated(self) -> bool:
        """Whether the meter waits for an acknowledgement that selects speed and kind of data.

        That is mode C and E; in mode A and B the readout follows at once.
        """
        return self.baud in _MODE_C

    @property
    def reaction_time(self) -> float:
        """The shortest time (s) between a request and its answer (6.3.14, item 12)."""
        return 0.02 if self.manufacturer[2].islower() else 0.2
