"""Sources that count by themselves: what passed between two of the totals that they tell."""

from collections.abc import Mapping
from typing import Final, NamedTuple

_SECOND: Final = 10**9
#: Where counters of different widths begin again.
_WRAPS: Final = (2**16, 2**32)
#: One that fell from its topmost part in so many, or from as near to its end as it was moving, has
#: wrapped; from anywhere else it began again for another reason.
_TOP: Final = 64
_STEPS: Final = 2
#: Nanoseconds that a report may be late by, and edges that it may be ahead.
_LATE: Final = 10 * _SECOND
_AHEAD: Final = 2
#: An implausible rise that so many reports, over at least this time, go on from is a counter that
#: was set or replaced.
_REPORTS: Final = 3
_SETTLED: Final = 60 * _SECOND
#: A counter that has fallen to less than one part in so many has begun again at zero; otherwise it
#: goes on from what it had saved some time ago.
_FALL: Final = 2


class _Report(NamedTuple):
    """What a counter showed at a time."""

    total: int
    at: int


class CountingSource:
    """Follows the total of a counter that may wrap, be reset, and be out of reach for a while."""

    def __init__(
        self, spacing: int, state: Mapping[str, int] | None = None, stored_at: int = 0
    ) -> None:
        """Take the shortest time from one edge to the next (ns), and what ``state`` gave at a time.

        That may be a time before the clock began.
        """
        self._spacing = spacing
        self._last = None if state is None else _Report(state["total"], stored_at)
        self._largest = 0 if state is None else state["largest"]
        self._step = 0
        #: The last report before a fall, and what was counted since.
        self._before: _Report | None = None
        self._since_before = 0
        #: The first report of a rise that is not believed yet, and how many there were.
        self._held: list[_Report] = []

    @property
    def state(self) -> dict[str, int] | None:
        """All that must survive a restart; None before the first report."""
        return None if self._last is None else {"total": self._last.total, "largest": self._largest}

    def allow(self, duration: int) -> None:
        """Take that more time has passed since the last report than the clock shows (ns)."""
        if self._last is not None:
            self._last = self._last._replace(at=self._last.at - duration)

    def passed(self, total: int, at: int) -> int:
        """Return how many edges have passed since the last report.

        No edge before the first report, nor in a rise that is more than could pass in the time.
        """
        report = _Report(total, at)
        last = self._last
        if last is None:
            edges = 0
        elif self._held and 0 <= total - self._held[-1].total <= self._most(self._held[-1], at):
            return self._hold(report)
        elif total < last.total:
            edges = self._fallen(last, report)
        elif total - last.total > self._most(last, at):
            returned = self._returned(report)
            if returned is None:
                self._held.clear()
                return self._hold(report)
            edges = returned
        else:
            edges = total - last.total
        self._follow(report, edges)
        return edges

    def _follow(self, report: _Report, edges: int) -> None:
        self._last = report
        self._largest = max(self._largest, report.total)
        self._since_before += edges
        self._step = edges
        self._held.clear()

    def _most(self, report: _Report, at: int) -> int:
        """Return how many edges there may have been since a report."""
        elapsed = max(at - report.at, 0)
        return (elapsed + _LATE) // self._spacing + _AHEAD

    def _fallen(self, last: _Report, report: _Report) -> int:
        """Return what passed while the counter wrapped or began again."""
        most = self._most(last, report.at)
        for wrap in _WRAPS:
            is_near = wrap - last.total <= max(wrap // _TOP, _STEPS * self._step)
            if self._largest < wrap and is_near and report.total + wrap - last.total <= most:
                self._before = None
                self._largest = 0
                return report.total + wrap - last.total
        self._before, self._since_before = last, 0
        if report.total <= most and report.total * _FALL <= last.total:
            return report.total
        return 0

    def _returned(self, report: _Report) -> int | None:
        """Return what passed, where a counter had only seemed to begin again."""
        if self._before is None:
            return None
        edges = report.total - self._before.total - self._since_before
        if not 0 <= edges <= self._most(self._before, report.at):
            return None
        self._before = None
        return edges

    def _hold(self, report: _Report) -> int:
        """Keep a rise back until it has lasted; return what was counted on from there."""
        self._held.append(report)
        first = self._held[0]
        if len(self._held) < _REPORTS or report.at - first.at < _SETTLED:
            return 0
        edges = report.total - first.total
        self._before = None
        self._follow(report, edges)
        return edges
