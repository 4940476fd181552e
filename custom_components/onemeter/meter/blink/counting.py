"""Sources that count impulses themselves: the increments between their totals."""

from collections.abc import Mapping
from typing import Final, NamedTuple

_SECOND: Final = 10**9
#: Values after which counters of different widths restart at 0.
_WRAPS: Final = (2**16, 2**32)
#: A counter has wrapped if it was near the end of its range: within one part in _TOP of it, or
#: within _STEPS times the last increment. Otherwise it has restarted for another reason.
_TOP: Final = 64
_STEPS: Final = 2
#: Delay of a report (ns), and edges that it may be ahead.
_LATE: Final = 10 * _SECOND
_AHEAD: Final = 2
#: Reports, and time (ns), over which a counter must continue after an implausible rise until it is
#: accepted as set or replaced.
_REPORTS: Final = 3
_SETTLED: Final = 60 * _SECOND
#: A counter that has fallen to less than one part in this number has restarted at zero; otherwise
#: it continues from an older value that it had saved.
_FALL: Final = 2


class _Report(NamedTuple):
    """The total of a counter at a time (ns)."""

    total: int
    at: int


class CountingSource:
    """Follows the total of a counter that may wrap, restart, or be unreachable for a while."""

    def __init__(
        self, spacing: int, state: Mapping[str, int] | None = None, stored_at: int = 0
    ) -> None:
        """Take the shortest time from one edge to the next (ns), and a stored ``state``.

        ``stored_at`` is its time by the present clock (ns), so it may be negative.
        """
        self._spacing = spacing
        self._last = None if state is None else _Report(state["total"], stored_at)
        self._largest = 0 if state is None else state["largest"]
        self._step = 0
        #: The last report before a fall, and the edges counted since.
        self._before: _Report | None = None
        self._since_before = 0
        #: The reports since an implausible rise, until it is accepted.
        self._held: list[_Report] = []

    @property
    def state(self) -> dict[str, int] | None:
        """What must survive a restart; None before the first report."""
        return None if self._last is None else {"total": self._last.total, "largest": self._largest}

    def add_elapsed(self, duration: int) -> None:
        """Add time (ns) since the last report during which the clock stood still."""
        if self._last is not None:
            self._last = self._last._replace(at=self._last.at - duration)

    def passed(self, total: int, at: int) -> int:
        """Return the number of edges since the last report; add this one.

        0 for the first report, and for a rise that is impossible in the time since.
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
        """Return the largest possible number of edges since a report."""
        elapsed = max(at - report.at, 0)
        return (elapsed + _LATE) // self._spacing + _AHEAD

    def _fallen(self, last: _Report, report: _Report) -> int:
        """Return the edges since the last report of a counter that wrapped or restarted."""
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
        """Return the edges if the counter continues from before its fall, otherwise None."""
        if self._before is None:
            return None
        edges = report.total - self._before.total - self._since_before
        if not 0 <= edges <= self._most(self._before, report.at):
            return None
        self._before = None
        return edges

    def _hold(self, report: _Report) -> int:
        """Hold an implausible rise until it has lasted; return the edges after it, or 0."""
        self._held.append(report)
        first = self._held[0]
        if len(self._held) < _REPORTS or report.at - first.at < _SETTLED:
            return 0
        edges = report.total - first.total
        self._before = None
        self._follow(report, edges)
        return edges
