"""What meters are usual in a country: where to begin, and how long to send no light."""

from dataclasses import dataclass
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


def habits_of(country: str | None) -> Habits:
    """Return how to begin in a country; None where it is not known, so that it may be any."""
    if country is None:
        return _COUNTRIES["DE"]
    return _COUNTRIES.get(country.upper(), _DEFAULT)
