"""How often a meter that pushes is to be expected to."""

from collections import deque
from dataclasses import dataclass
from math import inf
from typing import Final

from .meter import Protocol

#: Gaps between telegrams that are remembered, and how many must be known to expect more of them.
_GAPS: Final = 60
_FEW_GAPS: Final = 3
#: How many gaps of the longest kind a meter may miss.
_MISSED: Final = 3


@dataclass(frozen=True, slots=True)
class Patience:
    """How long meters of a protocol are waited for, in seconds."""

    #: For the first telegram while Home Assistant starts, which waits for it, ...
    first: float
    #: ... and at any other time.
    first_running: float
    #: Without a telegram, until a meter counts as silent and its port is opened anew: at least, ...
    silence: float
    #: ... where its gaps are not known yet, ...
    unknown_silence: float
    #: ... and at the most.
    longest_silence: float
    #: For a register to be told again, by meters that send in turns.
    kept: float


PATIENCE: Final = {
    # Meters push every one to five seconds.
    Protocol.SML: Patience(8, 8, 30, 30, 30, 30),
    # A telegram without checksum is heard twice before it is believed, and those with one come
    # every ten seconds from some meters.
    Protocol.IEC62056: Patience(20, 20, 30, 30, 30, 30),
    # Power every other second from some meters, and all they know once a minute or every quarter of
    # an hour from others; totals are told hourly by many.
    Protocol.DLMS: Patience(20, 75, 30, 300, 3600, 3 * 3600),
    # Darkness means that nothing is consumed.
    Protocol.BLINK: Patience(8, 8, inf, inf, inf, inf),
}


class Cadence:
    """Learns from a meter's telegrams after how long a silence there is something wrong."""

    def __init__(self, patience: Patience) -> None:
        """Know nothing yet of the meter, but of its protocol."""
        self._patience = patience
        self._gaps: deque[float] = deque(maxlen=_GAPS)

    def add(self, gap: float) -> None:
        """Take the seconds between two telegrams."""
        self._gaps.append(gap)

    @property
    def silence(self) -> float:
        """Seconds without a telegram after which the meter counts as silent."""
        patience = self._patience
        least = patience.silence if len(self._gaps) >= _FEW_GAPS else patience.unknown_silence
        expected = _MISSED * max(self._gaps, default=0)
        return min(max(least, expected), patience.longest_silence)
