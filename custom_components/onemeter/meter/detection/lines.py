"""Which line settings a sender has, by what is read of it with others.

Measured with ports at 9600 8N1 that hand over characters without a stop bit as they were read,
which those of Linux do, and clocks that are wrong by 2 % at the most.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

from ..line import Framing, LineSettings
from ..looks import SINGLE_EDGE

#: The speed at which received bytes distinguish other speeds best.
REFERENCE: Final = LineSettings(9600)
#: Bytes of which statistics are made.
SAMPLE: Final = 64
#: A burst that is no longer than this, from silence to silence, is that of a faster sender.
SHORT_BURST: Final = 60


def _lines(*texts: str) -> tuple[LineSettings, ...]:
    return tuple(
        LineSettings(int(baudrate), Framing(framing))
        for baudrate, framing in (text.split() for text in texts)
    )


#: All that is tried, the likeliest first.
SWEEP: Final = _lines(
    "9600 8N1",
    "9600 8E1",
    "2400 8E1",
    "2400 8N1",
    "115200 8N1",
    "19200 8N1",
    "4800 8N1",
    "4800 8E1",
    "38400 8N1",
    "57600 8N1",
    "19200 8E1",
    "300 8N1",
    "1200 8N1",
    "1200 8E1",
    "9600 7N1",
    "115200 7N1",
    "115200 8E1",
    "600 8N1",
)
_2400_8N1: Final = _lines("2400 8N1", "2400 8E1")
_2400_8E1: Final = _lines("2400 8E1", "2400 8N1")
_4800_8N1: Final = _lines("4800 8N1", "4800 8E1")
_4800_8E1: Final = _lines("4800 8E1", "4800 8N1")
_1200: Final = _lines("1200 8N1", "1200 8E1")
_19200: Final = _lines("19200 8N1", "19200 8E1")
_SEVEN_BITS: Final = _lines("9600 7N1")

#: The first bytes of a burst after a silence: how frames of HDLC (7E A.) and M-Bus (68), texts (/)
#: and SML (1B 1B 1B 1B) begin.
_PREFIXES: Final[Sequence[tuple[str, Sequence[LineSettings]]]] = (
    # HDLC
    ("80 78", _2400_8N1),
    ("80 80 00 80 80", _1200),  # SML
    ("80 80", (*_2400_8E1, *_1200)),
    ("F8 06", _4800_8N1),
    ("F8 66", _4800_8N1),
    ("F8 18", _4800_8E1),
    ("F8 98", _4800_8E1),
    ("00 80", _1200),
    # M-Bus
    ("00 F8 78", _2400_8N1),
    ("00 F8 F8", _2400_8E1),
    ("80 9E", _4800_8E1),
    # Text
    ("F8 78", _2400_8N1),
    ("FE 86", _4800_8N1),
    ("FE E6", _4800_8N1),
    # SML
    ("F8 F8 00", _2400_8N1),
    ("9E 60", _4800_8N1),
    ("9E 80", _4800_8E1),
    # HDLC
    ("0F", _19200),
    ("1F", _19200),
    ("87", _19200),
)
_BY_PREFIX: Final = tuple((bytes.fromhex(text), lines) for text, lines in _PREFIXES)
#: A text with eight bits to each character of seven has the highest one set, or it has parity.
_SLASH: Final = b"\xaf"
#: What telegrams begin with where at least the speed is right.
_BEGINS: Final = (_SLASH, b"/", b"\x7e", b"\x68", b"\x1b")
#: SML at 9600, read at 2400.
_FOURFOLD: Final = (b"\x2b\x80", b"\x2b\x00")

_300: Final = _lines("300 8N1", "600 8N1")
_1200_OR_2400: Final = _lines("1200 8N1", "2400 8E1", "2400 8N1", "1200 8E1")
_2400: Final = _lines("2400 8E1", "2400 8N1", "4800 8N1", "4800 8E1")
_4800: Final = _lines("4800 8N1", "4800 8E1", "2400 8E1", "2400 8N1")
_FAST: Final = _lines(
    "115200 8N1", "19200 8N1", "57600 8N1", "38400 8N1", "115200 7N1", "115200 8E1"
)
_OTHERS: Final = _lines("9600 8E1", "19200 8N1", "38400 8N1", "115200 8N1")


@dataclass(frozen=True, slots=True)
class _Shares:
    """Of how many of the bytes something is true."""

    #: Bit 0 is clear.
    even: float
    #: The line changes its level once at most.
    edge: float
    zero: float
    #: Bit 7 is set.
    high: float

    @classmethod
    def of(cls, data: bytes) -> Self:
        size = len(data)
        return cls(
            even=sum(not byte & 1 for byte in data) / size,
            edge=1 - len(data.translate(None, SINGLE_EDGE)) / size,
            zero=data.count(0) / size,
            high=sum(byte >> 7 for byte in data) / size,
        )


def slower_lines(data: bytes) -> Sequence[LineSettings]:
    """Return the line settings of a sender that is slower than 9600 baud, the likeliest first.

    Of as many bytes as a sample has, from wherever they are; none where it is not surely slower.
    """
    if len(data) < SAMPLE:
        return ()
    shares = _Shares.of(data[: 2 * SAMPLE])
    if shares.even >= 0.93 and shares.edge >= 0.99:
        return _300 if shares.zero >= 0.97 else _1200_OR_2400
    if shares.even >= 0.93 and shares.edge >= 0.6:
        return _2400
    if shares.even >= 0.8 and 0.13 <= shares.edge <= 0.65:
        return _4800
    return ()


def lines_by_start(data: bytes) -> Sequence[LineSettings]:
    """Return the line settings to which the first bytes after a silence point, none otherwise."""
    found = (lines for prefix, lines in _BY_PREFIX if data.startswith(prefix))
    return next(found, ())


def likely_lines(
    line: LineSettings, burst: bytes, *, is_whole: bool, has_begin: bool = True
) -> Sequence[LineSettings]:
    """Return line settings to which a burst points that was not understood, the likeliest first.

    ``is_whole`` is one that is not merely the rest of a burst, ``has_begin`` one that begins with
    its first byte. None if it is too short.
    """
    if line != REFERENCE:
        return _by_other_line(line, burst) if is_whole else ()
    by_start = lines_by_start(burst) if has_begin else ()
    if is_whole and len(burst) <= SHORT_BURST and by_start in {(), _19200}:
        return _FAST
    found = by_start or slower_lines(burst)
    if found or not is_whole:
        return found
    return (*_SEVEN_BITS, *_OTHERS) if burst.startswith(_SLASH) else _OTHERS


def _by_other_line(line: LineSettings, burst: bytes) -> Sequence[LineSettings]:
    if burst.startswith(_FOURFOLD) or not burst.startswith(_BEGINS):
        return (REFERENCE, *other_framings(line))
    is_text = burst.startswith(_SLASH)
    seven_bits = (LineSettings(line.baudrate, Framing.SEVEN_NONE),) if is_text else ()
    if line.framing is Framing.EIGHT_NONE:
        return (*seven_bits, *other_framings(line), REFERENCE)
    return (*other_framings(line), *seven_bits, REFERENCE)


def other_framings(line: LineSettings) -> Sequence[LineSettings]:
    """Return the framing that meters have in place of this one, at the same speed."""
    others = {Framing.EIGHT_NONE: Framing.EIGHT_EVEN, Framing.EIGHT_EVEN: Framing.EIGHT_NONE}
    other = others.get(line.framing)
    return () if other is None else (LineSettings(line.baudrate, other),)
