"""Load profile and event log: sums, summer time, gaps, formats of times."""

from datetime import UTC, datetime

import pytest

from simulator.household import Household
from simulator.iec62056 import Memory
from simulator.iec62056.profile import parse_span

HOUSE = Household(utc_offset=3600)


def at(*parts: int) -> int:
    """Return a time in UTC as seconds."""
    return int(datetime(*parts, tzinfo=UTC).timestamp())  # type: ignore[arg-type,misc]


def headers(lines: list[str]) -> list[tuple[str, str, int]]:
    """Return time and status of each header, and the number of its rows."""
    found: list[tuple[str, str, int]] = []
    for line in lines:
        if line.startswith("P.01("):
            time, status = line[5:].split(")(")[:2]
            found.append((time, status, 0))
        else:
            time, status, rows = found[-1]
            found[-1] = time, status, rows + 1
    return found


def test_sixty_days() -> None:
    now = at(2026, 7, 15, 10, 7)
    lines = Memory().load_profile(HOUSE, now, (0, 2**40))
    assert headers(lines) == [("1260516121500", "00", 60 * 96)]
    assert lines[0] == "P.01(1260516121500)(00)(15)(2)(1.5.0)(kW)(2.5.0)(kW)"


def test_sums_of_intervals_are_differences_of_totals() -> None:
    start, end = at(2026, 10, 20), at(2026, 10, 30)
    memory = Memory(channels=("1.29.0", "2.29.0", "1.8.0"))
    lines = memory.load_profile(HOUSE, end, (start + 900, end))
    rows = [
        [float(value) for value in line[1:-1].split(")(")]
        for line in lines
        if not line.startswith("P")
    ]
    assert len(rows) == 10 * 96
    before, after = HOUSE.energy(start), HOUSE.energy(end)
    for place in range(2):
        assert sum(row[place] for row in rows) == pytest.approx(
            (after[place] - before[place]) / 36e6, abs=0.01
        )
    assert rows[-1][2] == after.imported * 1000 // 36_000_000 / 1000


def test_autumn() -> None:
    """The repeated hour has rows twice, and a header at the change."""
    span = at(2026, 10, 24, 23, 15), at(2026, 10, 25, 2)
    lines = Memory().load_profile(HOUSE, span[1], span)
    assert headers(lines) == [
        ("1261025011500", "00", 7),
        ("1261025030000", "28", 1),
        ("0261025021500", "00", 4),
    ]
    lines = Memory(seasons=False).load_profile(HOUSE, span[1], span)
    assert [time for time, _, _ in headers(lines)] == [
        "261025011500",
        "261025030000",
        "261025021500",
    ]


def test_spring() -> None:
    span = at(2026, 3, 29, 0, 15), at(2026, 3, 29, 2)
    lines = Memory().load_profile(HOUSE, span[1], span)
    assert headers(lines) == [
        ("0260329011500", "00", 3),
        ("0260329020000", "28", 1),
        ("1260329031500", "00", 4),
    ]


def test_outage_leaves_a_gap() -> None:
    outage = at(2026, 7, 15, 8, 5), at(2026, 7, 15, 9, 5)
    lines = Memory(outages=[outage]).load_profile(
        HOUSE, at(2026, 7, 15, 10), (at(2026, 7, 15, 8), at(2026, 7, 15, 10))
    )
    assert headers(lines) == [
        ("1260715100000", "00", 1),
        ("1260715101500", "80", 1),
        ("1260715111500", "80", 1),
        ("1260715113000", "00", 3),
    ]


def test_events() -> None:
    now = at(2026, 10, 30)
    outage = at(2026, 10, 20, 8, 5), at(2026, 10, 20, 9, 5)
    memory = Memory(outages=[outage])
    assert memory.event_log(now, (0, 2**40)) == [
        "P.98(1261020100500)(00000080)()(0)",
        "P.98(1261020110500)(00000040)()(0)",
        "P.98(1261025030000)(00000028)()(0)",
    ]
    assert len(memory.event_log(now, (at(2026, 10, 25), now))) == 1
    assert memory.event_log(at(2027, 2, 1), (0, 2**40)) == []


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("2607151200;2607151300", (at(2026, 7, 15, 10), at(2026, 7, 15, 11))),
        ("12607151200;12607151300", (at(2026, 7, 15, 10), at(2026, 7, 15, 11))),
        ("260115120000;260115130001", (at(2026, 1, 15, 11), at(2026, 1, 15, 12, 0, 1))),
        ("0260715120000;2260715120000", (at(2026, 7, 15, 11), at(2026, 7, 15, 12))),
        # In the repeated hour the span begins in the first and ends in the second.
        ("2610250230;2610250230", (at(2026, 10, 25, 0, 30), at(2026, 10, 25, 1, 30))),
        (";2601151200", (0, at(2026, 1, 15, 11))),
        ("2601151200;", (at(2026, 1, 15, 11), 2**40)),
        ("", (0, 2**40)),
        ("2601151200", None),
        ("yesterday;", None),
        ("2613151200;", None),
        ("260115120;", None),
    ],
)
def test_spans(text: str, span: tuple[int, int] | None) -> None:
    assert parse_span(text) == span
