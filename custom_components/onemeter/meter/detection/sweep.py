"""Which line settings are listened to next, by what came with others and was not understood."""

from collections.abc import Sequence
from typing import Final

from ..line import LineSettings
from ..looks import TELEGRAMS, Look, looks_like
from .bursts import Burst
from .lines import (
    REFERENCE,
    SHORT_BURST,
    SWEEP,
    likely_lines,
    lines_by_start,
    other_framings,
    slower_lines,
)

#: How often settings are tried with which something like telegrams came, before those of another
#: speed, and before all is given up.
_TRIES: Final = 3
_MOST: Final = 6
#: Bytes of a burst that are looked at: more would hold the event loop up.
_LOOKED_AT: Final = 1024


class Sweep:
    """Chooses line settings."""

    def __init__(self) -> None:
        """Begin before the first byte."""
        #: Whether all was tried in vain.
        self.has_ended = False
        #: How often bursts came with each setting, and those with which they looked right.
        self._tries: dict[LineSettings, int] = {}
        self._promising: set[LineSettings] = set()
        self._likely: Sequence[LineSettings] = ()

    @property
    def share(self) -> float:
        """How much of all there is was tried, from 0 to 1."""
        return min(1.0, len(self._tries) / len(SWEEP))

    def after_burst(
        self, line: LineSettings, burst: Burst, *, is_promising: bool, has_right_line: bool
    ) -> LineSettings:
        """Return the settings to go on with after a burst that proved nothing.

        ``is_promising`` says that more of the same would, ``has_right_line`` that a checksum was
        right.
        """
        data = bytes(burst.data)
        guess = looks_like(data[:_LOOKED_AT])
        likely = likely_lines(line, data, is_whole=burst.is_whole, has_begin=burst.follows_silence)
        if not burst.is_whole and not likely:
            # Its begin was missed.
            return line
        self._count(line)
        if guess in TELEGRAMS or is_promising:
            self._promising.add(line)
            # Nothing but frames is sent with parity, and also without.
            others = [other for other in other_framings(line) if guess is Look.DLMS]
            if self._tries[line] < _MOST and (has_right_line or not others):
                return line
            likely = (line, *others)
        return self._next(likely)

    def within_burst(
        self, line: LineSettings, data: bytes, *, has_begin: bool
    ) -> LineSettings | None:
        """Return the settings of a sender that is surely slower, before its burst has ended."""
        if line != REFERENCE or not (found := slower_lines(data)):
            return None
        self._count(line)
        return self._next((has_begin and lines_by_start(data)) or found)

    def after_silence(self, line: LineSettings) -> LineSettings:
        """Return the settings to go on with where nothing came for long."""
        self._count(line)
        return self._next(())

    def after_question(self, data: bytes, baudrate: int) -> LineSettings:
        """Return where to listen to what came in place of an answer, at a speed."""
        if baudrate != REFERENCE.baudrate or looks_like(data) in TELEGRAMS:
            return REFERENCE
        # What is long may have begun before the question.
        if not (likely := likely_lines(REFERENCE, data, is_whole=len(data) <= SHORT_BURST)):
            return REFERENCE
        self._count(REFERENCE)
        return self._next(likely)

    def _count(self, line: LineSettings) -> None:
        self._tries[line] = self._tries.get(line, 0) + 1

    def _next(self, likely: Sequence[LineSettings]) -> LineSettings:
        """Return what was tried least, what is likely now first, and then what was before."""
        self._likely = tuple(dict.fromkeys((*likely, *self._likely)))
        lines = list(dict.fromkeys((*self._likely, *SWEEP)))
        speeds = {line.baudrate for line in self._promising}

        def rank(line: LineSettings) -> tuple[int, int]:
            tries = self._tries.get(line, 0)
            if speeds and line.baudrate not in speeds:
                # What looks like telegrams may come damaged for other reasons.
                tries += _TRIES
            return tries, lines.index(line)

        best = min(lines, key=rank)
        self.has_ended = self._tries.get(best, 0) >= (_MOST if speeds else 1)
        return best
