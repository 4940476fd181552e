"""The speed at which a meter sends: whether what comes is text, and at which speed it is."""

from typing import Final

from ..channel import Channel
from ..parity import ParityTally, with_parity, without_parity
from .identification import IDENTIFICATION_LINE, SPEEDS

#: Characters by which the speed is judged, and the seconds in which they have come.
_SAMPLE: Final = 4
#: As many are needed to call it wrong: some optical heads send garbage while the speed changes.
_SAMPLE_WRONG: Final = 16
SAMPLE_SECONDS: Final = 1.5
#: Share of the first characters that is text at least.
SAMPLE_SHARE: Final = 0.5
#: Share of an answer that is text at least if it is only damaged: garbage of another speed may be
#: text by more than a half.
DAMAGED_SHARE: Final = 0.75
#: Characters by which a speed is recognized in a search, the share of them that is text at least,
#: and the seconds in which each of them has come.
_SEARCHED: Final = 16
_SEARCHED_SHARE: Final = 0.85
_SEARCHED_SECONDS: Final = 0.5
#: Speeds tried last in a search.
_RARE_SPEEDS: Final = (1200, 600)

#: What meters send: printable characters, and SOH, STX, ETX, EOT, ACK, NAK, CR, LF.
_TEXT: Final = bytes({*range(0x20, 0x7F), 1, 2, 3, 4, 6, 0x15, 0x0D, 0x0A})
_TEXT_WITH_PARITY: Final = with_parity(_TEXT)
#: Share of characters with the highest bit set, at least, when it is a parity bit.
_PARITY_SHARE: Final = 0.2
#: Share of characters with wrong even parity, at least, when the meter sends another parity.
_WRONG_PARITY_SHARE: Final = 0.25


class WrongSpeedError(Exception):
    """What comes is no text: the meter sends at another speed."""

    def __init__(self, *, goes_on: bool = True) -> None:
        """Keep whether more was received than a head sends while its speed changes."""
        super().__init__()
        self.goes_on = goes_on


def is_text(data: bytes | bytearray, share: float) -> bool:
    """Return whether more than a share of the data is text, with even parity if it has any."""
    highest = sum(byte >> 7 for byte in data)
    text = _TEXT_WITH_PARITY if highest > _PARITY_SHARE * len(data) else _TEXT
    return not data or len(data) - len(data.translate(None, text)) > share * len(data)


def has_other_parity(data: bytes) -> bool:
    """Return whether an identification came with odd parity, or with eight data bits."""
    line = IDENTIFICATION_LINE.search(without_parity(data))
    if line is None:
        return False
    tally = ParityTally()
    tally.add(data[slice(*line.span())])
    return tally.highest > 0 and tally.wrong > _WRONG_PARITY_SHARE * len(line[0])


async def complete_sample(channel: Channel, data: bytes) -> bytes:
    """Receive until the characters are enough to judge the speed by; return all of them.

    Raises WrongSpeedError where they are no text.
    """
    goes_on = True
    while len(data) < (_SAMPLE if is_text(data, SAMPLE_SHARE) else _SAMPLE_WRONG):
        more = await channel.receive(SAMPLE_SECONDS)
        if not more:
            goes_on = False
            break
        data += more
    if not is_text(data, SAMPLE_SHARE):
        raise WrongSpeedError(goes_on=goes_on)
    return data


async def find_speed(channel: Channel, *likely: int) -> int | None:
    """Return the speed of what is being received, trying the likely ones first.

    None where the meter falls silent before it is found. The port stays at the speed found.
    """
    speeds = dict.fromkeys((*likely, *SPEEDS, *_RARE_SPEEDS))
    for speed in [speed for speed in speeds if speed != channel.port.baudrate]:
        await channel.set_speed(speed)
        data = b""
        while len(data) < _SEARCHED:
            more = await channel.receive(_SEARCHED_SECONDS)
            if not more:
                return None
            data += more
        if is_text(data[-_SEARCHED:], _SEARCHED_SHARE):
            return speed
    return None
