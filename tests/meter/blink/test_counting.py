"""Sources that report their own count."""

import pytest

from custom_components.onemeter.meter.blink.counting import CountingSource

SECOND = 10**9
#: The shortest time between two edges: 20 of them in a second.
SPACING = SECOND // 20


def passed(*reports: tuple[int, int], source: CountingSource | None = None) -> list[int]:
    """Return the impulses before each report, given as second and total."""
    source = source or CountingSource(SPACING)
    return [source.passed(total, second * SECOND) for total, second in reports]


def test_counting_begins_with_the_first_report() -> None:
    source = CountingSource(SPACING)
    assert source.state is None
    assert passed((70_000, 0), (70_000, 10), (70_007, 60), (71_000, 120), source=source) == [
        *(0, 0, 7, 993)
    ]
    assert source.state == {"total": 71_000, "largest": 71_000}


@pytest.mark.parametrize("wrap", [2**16, 2**32])
def test_wraps(wrap: int) -> None:
    assert passed((wrap - 300, 0), (wrap - 7, 60), (12, 120), (50, 180)) == [0, 293, 19, 38]
    # Also if it increases so much at a time that the last report was not close to the end.
    assert passed((wrap - 3000, 0), (wrap - 2000, 60), (12, 180)) == [0, 1000, 2012]
    # It may wrap again.
    source = CountingSource(SPACING)
    passed((wrap - 1, 0), (3, 10), (wrap - 5, 10**9), source=source)
    assert source.passed(2, (10**9 + 10) * SECOND) == 7


def test_wraps_over_a_restart() -> None:
    before = CountingSource(SPACING)
    passed((2**16 - 50, 0), source=before)
    source = CountingSource(SPACING, before.state, -3600 * SECOND)
    assert source.passed(30, 5 * SECOND) == 80


def test_what_is_wider_does_not_wrap() -> None:
    source = CountingSource(SPACING)
    # It was beyond 2^16 once, and was reset twice.
    passed((70_000, 0), (0, 10), (2**16 - 4, 10_000), source=source)
    assert source.passed(3, 10_010 * SECOND) == 3


def test_begins_again() -> None:
    assert passed((5000, 0), (0, 60), (0, 70), (8, 80)) == [0, 0, 0, 8]
    assert passed((5000, 0), (30, 60), (31, 70)) == [0, 30, 1]


def test_goes_on_from_what_was_saved() -> None:
    """A counter that falls a little has not counted that much since a reset."""
    assert passed((5000, 0), (4950, 3600), (4951, 3610)) == [0, 0, 1]
    # Neither has one that was set.
    assert passed((50_000, 0), (20_000, 60), (20_001, 70)) == [0, 0, 1]


def test_had_only_seemed_to_begin_again() -> None:
    """Some devices report 0 or a new count until they have loaded their total."""
    assert passed((500_000, 0), (0, 60), (500_010, 70), (500_011, 80)) == [0, 0, 10, 1]
    assert passed((500_000, 0), (4, 60), (500_010, 70), (500_011, 80)) == [0, 4, 6, 1]


def test_a_jump_does_not_count() -> None:
    assert passed((100, 0), (900_000, 10), (104, 20)) == [0, 0, 4]
    # If it persists, the counter was set or replaced.
    assert passed((100, 0), *((900_000 + n, 10 * n) for n in range(1, 10))) == [
        *(0, 0, 0, 0, 0, 0, 0, 6, 1, 1)
    ]
    # After two jumps neither is accepted.
    assert passed((100, 0), (900_000, 10), (5_000_000, 20), (130, 30)) == [0, 0, 0, 30]


def test_a_jump_is_one_also_after_a_restart() -> None:
    stored = {"total": 100, "largest": 100}
    assert CountingSource(SPACING, stored, -SECOND).passed(900_000, SECOND) == 0
    assert CountingSource(SPACING, stored, -86_400 * SECOND).passed(900_000, SECOND) == 899_900


def test_a_long_time_out_of_reach() -> None:
    assert passed((100, 0), (1_000_100, 86_400)) == [0, 1_000_000]


def test_a_clock_that_is_set_back() -> None:
    assert passed((100, 1000), (103, 900), (104, 910)) == [0, 3, 1]
