"""The usual meters of a country or a head: where to begin, and how long to send no light."""

from dataclasses import dataclass, replace
from typing import Final

from ..line import Framing, LineSettings


@dataclass(frozen=True, slots=True)
class Habits:
    """How detection begins."""

    #: Where to listen first.
    line: LineSettings
    #: Seconds to listen before anything is sent.
    dark_seconds: float


#: All SML meters that were measured push at least every 5 s, and light may press the key of one.
_SML: Final = 5.2
#: Those of Norway and the Netherlands push at least every 10 s, and nothing there is polled.
_PUSHED: Final = 10.4
_DEFAULT: Final = Habits(LineSettings(9600), 1.2)
_EIGHT_EVEN: Final = LineSettings(2400, Framing.EIGHT_EVEN)
_P1: Final = Habits(LineSettings(115_200), _PUSHED)

#: By their codes (ISO 3166-1).
_COUNTRIES: Final = {
    "DE": Habits(_DEFAULT.line, _SML),
    "AT": Habits(_EIGHT_EVEN, _SML),
    "CH": Habits(_EIGHT_EVEN, _SML),
    "NO": Habits(_EIGHT_EVEN, _PUSHED),
    "DK": Habits(LineSettings(2400), _PUSHED),
    **dict.fromkeys(("NL", "BE", "LU", "SE", "HU", "LT"), _P1),
}


#: USB ids of heads that are no SML meter's: Elster's and Kamstrup's.
_POLLED_HEADS: Final = frozenset({"0403:E700", "17A8:0001"})


def habits_of(country: str | None, usb_id: str | None = None) -> Habits:
    """Return how to begin in a country, with a head of this ``VID:PID``.

    None stands for a country that is not known, so that it may be any.
    """
    habits = _COUNTRIES.get((country or "DE").upper(), _DEFAULT)
    if (usb_id or "").upper() in _POLLED_HEADS:
        return replace(habits, dark_seconds=_DEFAULT.dark_seconds)
    return habits
