"""How long a pushing meter may be silent, and how long its values are valid."""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from math import inf
from typing import Final

from ..meter import Key, Protocol, Register
from ..registers.lookup import is_measurement

#: Intervals of a register that are kept, and how many are needed to derive a timeout from them.
_INTERVALS: Final = 5
_FEW_INTERVALS: Final = 3
#: How many of the longest intervals may pass without the register.
_MISSED: Final = 3


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Timeouts for meters of a protocol, in seconds."""

    #: For the first telegram, which the start of Home Assistant waits for, ...
    first: float
    #: ... and at any other time.
    first_running: float
    #: Without a telegram, until a meter counts as silent and its port is reopened: the minimum, ...
    silence: float
    #: ... the value while the meter's intervals are unknown, ...
    unknown_silence: float
    #: ... and the maximum.
    longest_silence: float
    #: Until a register is no longer valid if it was not sent again. A measurement is valid for
    #: three of its own intervals, but at least for the silence.
    kept: float


TIMEOUTS: Final = {
    # Meters push every one to five seconds.
    Protocol.SML: Timeouts(8, 8, 30, 30, 30, 30),
    # A telegram without checksum must be repeated before it is accepted, and some meters send
    # telegrams with a checksum every ten seconds.
    Protocol.IEC62056: Timeouts(20, 20, 30, 30, 30, 30),
    # Some meters send power every other second, others all registers once a minute or every quarter
    # of an hour; many send their totals hourly.
    Protocol.DLMS: Timeouts(20, 75, 30, 300, 3600, 3 * 3600),
    # No impulses mean that nothing is consumed.
    Protocol.BLINK: Timeouts(8, 8, inf, inf, inf, inf),
}


@dataclass(slots=True)
class _Reception:
    """When registers were last received, always together, and the intervals before that."""

    keys: set[Key]
    at: float
    is_measurement: bool
    intervals: deque[float] = field(default_factory=lambda: deque(maxlen=_INTERVALS))

    @property
    def expected(self) -> float:
        return _MISSED * max(self.intervals, default=0)


class SilenceMonitor:
    """Learns a meter's intervals, and derives when it counts as silent and which values are valid.

    Meters send different lists of registers at different intervals. The most frequent list decides
    whether the meter is silent, unless that list has stopped while others are still sent.
    """

    def __init__(self, timeouts: Timeouts) -> None:
        """Take the timeouts of the meter's protocol."""
        self._timeouts = timeouts
        self._receptions: list[_Reception] = []
        self._since = -inf
        #: Seconds without a telegram after which the meter counts as silent.
        self.silence = timeouts.unknown_silence

    def restart(self, now: float) -> None:
        """Ignore intervals that began before: the connection was lost, and not the meter silent."""
        self._since = now

    def add(self, registers: Mapping[Key, Register], now: float) -> None:
        """Take the registers of a telegram."""
        kept = self._timeouts.kept
        receptions: list[_Reception] = []
        known = 0
        for reception in self._receptions:
            if now - reception.at >= kept:
                continue
            receptions.append(reception)
            missed = reception.keys.difference(registers)
            if len(missed) == len(reception.keys):
                continue
            if missed:
                intervals = reception.intervals.copy()
                receptions.append(replace(reception, keys=missed, intervals=intervals))
                reception.keys = reception.keys - missed
            known += len(reception.keys)
            if reception.at > self._since:
                reception.intervals.append(now - reception.at)
            reception.at = now
        if known < len(registers):
            receptions += self._new(registers, receptions, now)
        self._receptions = receptions
        waits = (
            silent_after
            for reception in receptions
            if reception.intervals
            and now - reception.at <= (silent_after := self._silent_after(reception))
        )
        timeouts = self._timeouts
        self.silence = min(min(waits, default=timeouts.unknown_silence), timeouts.longest_silence)

    def _new(
        self, registers: Mapping[Key, Register], known: Iterable[_Reception], now: float
    ) -> Iterator[_Reception]:
        """Yield the receptions of registers that were not received before."""
        new = set(registers).difference(*(reception.keys for reception in known))
        measured = {key for key in new if is_measurement(key, registers)}
        if measured:
            yield _Reception(measured, now, is_measurement=True)
        if others := new - measured:
            yield _Reception(others, now, is_measurement=False)

    def current(self, now: float) -> set[Key]:
        """Return the registers that are still valid."""
        valid = (it.keys for it in self._receptions if now < self._expiry(it))
        return set().union(*valid)

    def next_expiry(self, now: float) -> float:
        """Return when the next register becomes invalid; infinity for none."""
        expiries = (self._expiry(reception) for reception in self._receptions)
        return min((expiry for expiry in expiries if expiry > now), default=inf)

    def _silent_after(self, reception: _Reception) -> float:
        is_known = len(reception.intervals) >= _FEW_INTERVALS
        least = self._timeouts.silence if is_known else self._timeouts.unknown_silence
        return max(least, reception.expected)

    def _expiry(self, reception: _Reception) -> float:
        timeouts = self._timeouts
        if not reception.is_measurement:
            return reception.at + timeouts.kept
        least = timeouts.silence if reception.intervals else timeouts.unknown_silence
        return reception.at + min(max(least, reception.expected), timeouts.kept)
