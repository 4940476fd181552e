"""How often a meter that pushes is to be expected to, and how long its values hold."""

from collections import deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from math import inf
from typing import Final

from ..meter import Key, Protocol, Register
from ..registers.lookup import is_measurement

#: Gaps before a register that are remembered, and how many must be known to expect more of them.
_GAPS: Final = 5
_FEW_GAPS: Final = 3
#: How many gaps of the longest kind a meter may miss.
_MISSED: Final = 3


@dataclass(frozen=True, slots=True)
class Timeouts:
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
    #: For a register to be told again, by meters that send in turns; a measurement must come again
    #: within three of its own intervals, but not sooner than a silence.
    kept: float


PATIENCE: Final = {
    # Meters push every one to five seconds.
    Protocol.SML: Timeouts(8, 8, 30, 30, 30, 30),
    # A telegram without checksum is heard twice before it is believed, and those with one come
    # every ten seconds from some meters.
    Protocol.IEC62056: Timeouts(20, 20, 30, 30, 30, 30),
    # Power every other second from some meters, and all they know once a minute or every quarter of
    # an hour from others; totals are told hourly by many.
    Protocol.DLMS: Timeouts(20, 75, 30, 300, 3600, 3 * 3600),
    # Darkness means that nothing is consumed.
    Protocol.BLINK: Timeouts(8, 8, inf, inf, inf, inf),
}


@dataclass(slots=True)
class _Rhythm:
    """When a register came last, and after which gaps."""

    at: float
    is_measurement: bool
    gaps: deque[float] = field(default_factory=lambda: deque(maxlen=_GAPS))

    @property
    def expected(self) -> float:
        return _MISSED * max(self.gaps, default=0)


class SilenceMonitor:
    """Learns from a meter's telegrams when there is something wrong, and what is out of date.

    Meters send different lists of registers at different intervals. The one that comes most often
    says whether the meter is silent, unless it has stopped while others went on.
    """

    def __init__(self, patience: Timeouts) -> None:
        """Know nothing yet of the meter, but of its protocol."""
        self._patience = patience
        self._rhythms: dict[Key, _Rhythm] = {}
        self._since = -inf
        #: Seconds without a telegram after which the meter counts as silent.
        self.silence = patience.unknown_silence

    def restart(self, now: float) -> None:
        """Take no gap that began before for one that the meter has made."""
        self._since = now

    def add(self, registers: Mapping[Key, Register], now: float) -> None:
        """Take a telegram."""
        kept = self._patience.kept
        self._rhythms = {
            key: rhythm for key, rhythm in self._rhythms.items() if now - rhythm.at < kept
        }
        for key in registers:
            if (rhythm := self._rhythms.get(key)) is None:
                self._rhythms[key] = _Rhythm(now, is_measurement(key, registers))
                continue
            if rhythm.at > self._since:
                rhythm.gaps.append(now - rhythm.at)
            rhythm.at = now
        waits = (
            self._silent_after(rhythm)
            for rhythm in self._rhythms.values()
            if rhythm.gaps and now - rhythm.at <= self._silent_after(rhythm)
        )
        patience = self._patience
        self.silence = min(min(waits, default=patience.unknown_silence), patience.longest_silence)

    def current(self, now: float) -> Collection[Key]:
        """Return the registers that are not out of date."""
        return [key for key, rhythm in self._rhythms.items() if now < self._expiry(rhythm)]

    def next_expiry(self, now: float) -> float:
        """Return after how many seconds the next register is out of date; infinity for none."""
        expiries = (self._expiry(rhythm) for rhythm in self._rhythms.values())
        return min((expiry for expiry in expiries if expiry > now), default=inf) - now

    def _silent_after(self, rhythm: _Rhythm) -> float:
        is_known = len(rhythm.gaps) >= _FEW_GAPS
        least = self._patience.silence if is_known else self._patience.unknown_silence
        return max(least, rhythm.expected)

    def _expiry(self, rhythm: _Rhythm) -> float:
        patience = self._patience
        if not rhythm.is_measurement:
            return rhythm.at + patience.kept
        least = patience.silence if rhythm.gaps else patience.unknown_silence
        return rhythm.at + min(max(least, rhythm.expected), patience.kept)
