"""The identification line, with which a meter introduces itself (IEC 62056-21:2002, 6.3.2)."""

from dataclasses import dataclass
from functools import lru_cache
import re
from typing import Final, Self

from .parity import without_parity

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
#: The usual ones among the speeds that meters propose.
SPEEDS: Final = (9600, 19200, 4800, 2400)
_MODE_B: Final = {"A": 600, "B": 1200, "C": 2400, "D": 4800, "E": 9600, "F": 19200}

#: Manufacturer, baud character, escapes such as ``\2`` (6.3.2, item 23), and the text, which in the
#: wild is longer than the sixteen characters of the standard, or none at all.
_LINE: Final = re.compile(r"/([A-Za-z]{3})([^\r\n()])((?:\\[^\r\n()])*)([^\r\n]*)")
#: Such a line within a stream, up to its end: at most so long that nothing else is taken for it.
#: By the standard its text has no "/" nor "!" (6.3.14, item 14); Holley's begins with "/". Where
#: that is within a value, the parenthesis that ends the value has no other one before it.
IDENTIFICATION_LINE: Final = re.compile(
    rb"/(?!kWh|kva)[A-Za-z]{3}(?=[^\r\n]{1,81}[\r\n])[^\r\n()/!]"
    rb"(?:[^\r\n()/!]|/(?![A-Za-z]{3}\d)|\([^\r\n()/!]*+\))*+[\r\n]"
)
#: What may become such a line when more bytes come.
IDENTIFICATION_START: Final = re.compile(
    rb"/(?:[A-Za-z]{0,3}|[A-Za-z]{3}(?=[^\r\n]{1,80}\Z)[^\r\n()/!]"
    rb"(?:[^\r\n()/!]|/|\([^\r\n()/!]*+\))*+(?:\([^\r\n()/!]*+)?)\Z"
)


def baud_character(baudrate: int) -> str | None:
    """Return the character that stands for a speed in mode C; None where there is none."""
    return next((char for char, speed in _MODE_C.items() if speed == baudrate), None)


def speed_of(character: str) -> int | None:
    """Return the speed that a character stands for in mode C."""
    return _MODE_C.get(character)


@dataclass(frozen=True, slots=True)
class Identification:
    """A meter's identification line."""

    #: The three letters as sent; the last one is small in meters that answer within 20 ms.
    manufacturer: str
    #: The character that tells mode and speed (6.3.14, item 13).
    baud: str
    #: What the escapes before the text announce: "2" HDLC, "@" extended commands, ...
    escapes: str
    #: All behind the baud character, with escapes, without control characters.
    ident: str

    @classmethod
    @lru_cache(maxsize=64)
    def parse(cls, line: bytes) -> Self:
        """Read an identification line, with or without its end and parity bits.

        Raises ValueError for anything else.
        """
        text = without_parity(line).decode("ascii").rstrip("\r\n")
        match = _LINE.fullmatch(text)
        if match is None:
            raise ValueError("not an identification line")
        manufacturer, baud, escapes, ident = match.groups()
        shown = "".join(filter(str.isprintable, escapes + ident))
        return cls(manufacturer, baud, escapes[1::2], shown.strip())

    @property
    def baudrate(self) -> int | None:
        """The speed that the meter proposes; None for mode A, which stays at 300 baud."""
        return _MODE_C.get(self.baud) or _MODE_B.get(self.baud)

    @property
    def is_negotiated(self) -> bool:
        """Whether the meter waits for an acknowledgement that selects speed and kind of data.

        That is mode C and E; in mode A and B the readout follows without being asked for.
        """
        return self.baud in _MODE_C

    @property
    def offers_hdlc(self) -> bool:
        """Whether the meter can go on with DLMS over HDLC (mode E, Annex E)."""
        return "2" in self.escapes

    @property
    def reaction_time(self) -> float:
        """Seconds that pass at least between a request and its answer (6.3.14, item 12)."""
        return 0.02 if self.manufacturer[2].islower() else 0.2
