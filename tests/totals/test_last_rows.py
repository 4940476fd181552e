"""The stored state of a total, and its last statistics row."""

from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from custom_components.onemeter.meter import Key, Register
from custom_components.onemeter.totals import Moment, Step
from custom_components.onemeter.totals.last_rows import LastRow

from ..helpers.guarded import IMPORT, NET, START, Meter

MINUTES = timedelta(minutes=1)


def row(
    state: float,
    end: datetime = START,
    unit: str | None = "kWh",
    unit_class: str | None = "energy",
    steps: tuple[Step, ...] = (),
) -> LastRow:
    """Return a row of five minutes."""
    return LastRow(end - 5 * MINUTES, end, state, unit, unit_class, steps)


def restarted(
    found: LastRow,
    *,
    remembered: str | None,
    written: timedelta = timedelta(),
    multiplier: str = "1",
    obis: Key = IMPORT,
) -> Meter:
    """Return a meter 10 minutes after a row, with a state that was stored after the row."""
    meter = Meter(multiplier)
    if remembered is not None:
        meter.now = Moment(START + written, 0)
        meter.tell(remembered, obis=obis)
        meter.restart(multiplier=multiplier)
    meter.now = Moment(START + 10 * MINUTES, 10**15)
    meter.guard.rows = {obis: found}
    return meter


def test_row_leads_to_the_total_when_nothing_is_remembered() -> None:
    meter = restarted(row(5.001), remembered=None)
    assert meter.tell(5123) == 5123
    assert meter.tell(5124, after=1) == 5124
    assert not meter.steps


@pytest.mark.parametrize("total", [0, 4990, 90_000_000])
def test_total_that_the_row_does_not_lead_to_is_unknown_until_consent(total: int) -> None:
    meter = restarted(row(5.001), remembered=None)
    for _ in range(4):
        assert meter.tell(total, after=30) is None
    assert [float(last.amount) for last, _ in meter.jumped.values()] == [5.001]
    meter.restart()
    assert meter.tell(total, after=1) is None, "also after another restart"
    assert meter.jumped
    meter.guard.accept(meter.now)
    [step] = meter.guard.steps
    assert float(step.offset) == pytest.approx(total / 1000 - 5.001, abs=1e-9)
    assert meter.tell(total + 1, after=1) == total + 1


def test_row_that_is_newer_counts() -> None:
    """The backup contains the total of a meter that was replaced since."""
    meter = restarted(row(0.010), remembered="5001", written=-60 * MINUTES)
    assert meter.tell(13) == 13


def test_row_that_is_newer_and_the_same_leaves_the_exact_value() -> None:
    meter = restarted(row(5.001), remembered="5001", written=-600 * MINUTES)
    assert meter.tell(4990) == 5001
    assert meter.tell(5001 + 12_001, after=5400) == 5001 + 12_001


def test_row_of_an_outage_does_not_show_that_the_meter_was_seen() -> None:
    """The recorder makes rows for the time that it was off, from the last state before."""
    meter = restarted(row(5.001), remembered="5001", written=-12 * 24 * 60 * MINUTES)
    assert meter.tell(5001 + 345_600) == 5001 + 345_600
    assert not meter.jumped


def test_memory_that_is_newer_counts_where_the_row_leads_to_it() -> None:
    meter = restarted(row(5.001), remembered="5123", written=4 * MINUTES)
    assert meter.tell(5122) == 5123


@pytest.mark.parametrize("remembered", ["10", "9000001"])
def test_memory_that_the_row_does_not_lead_to_does_not_count(remembered: str) -> None:
    """The database is older than the stored state: its sums continue from the row."""
    meter = restarted(row(5.001), remembered=remembered, written=4 * MINUTES)
    for _ in range(4):
        assert meter.tell(remembered, after=30) is None
    assert meter.jumped


def test_step_that_no_row_holds_yet_leads_to_the_memory() -> None:
    step = Step(IMPORT, START + MINUTES, Decimal("-4.991"), "kWh")
    meter = restarted(row(5.001, steps=(step,)), remembered="10", written=4 * MINUTES)
    assert meter.tell(11) == 11


def test_multiplier_is_in_the_row() -> None:
    meter = restarted(row(200.04), remembered=None, multiplier="40")
    assert meter.tell(5002) == 5002
    meter = restarted(row(200.04), remembered="5001", multiplier="40", written=MINUTES)
    assert meter.tell(5002) == 5002


def test_multiplier_that_is_changed_is_a_step_from_what_the_row_holds() -> None:
    meter = restarted(row(5.001), remembered="4001", written=-60 * MINUTES)
    memory = meter.guard.as_dict()
    meter.guard = meter._new("40")
    meter.guard.restore(memory)
    meter.guard.rows = {IMPORT: row(5.001)}
    assert meter.tell(5002) == 5002
    [step] = meter.guard.steps
    assert float(step.offset) == pytest.approx(5.001 * 39, abs=1e-6)


def test_net_total_goes_on_in_both_directions() -> None:
    for total in (4990, 5012):
        meter = restarted(row(5.001), remembered=None, obis=NET)
        assert meter.tell(total, obis=NET) == total
    assert meter.tell(-90_000_000, obis=NET) == 5012


@pytest.mark.parametrize(
    ("state", "unit"), [(5.001, "kWh"), (0.005001, "MWh"), (18.0036, "MJ"), (0.0180036, "GJ")]
)
@pytest.mark.parametrize(("total", "is_possible"), [(5001, True), (5002, True), (4990, False)])
def test_row_in_a_unit_that_the_user_chose(
    state: float, unit: str, total: int, *, is_possible: bool
) -> None:
    meter = restarted(row(state, unit=unit), remembered=None)
    assert meter.tell(total) == (total if is_possible else None)


@pytest.mark.parametrize(
    ("unit", "unit_class"), [("kWh", None), ("°C", "temperature"), (None, None)]
)
def test_row_in_a_unit_from_which_no_way_leads(unit: str | None, unit_class: str | None) -> None:
    """As the statistics of another sensor with the same entity id."""
    key = "6.26"
    meter = restarted(row(900.0, unit=unit, unit_class=unit_class), remembered=None, obis=key)
    assert meter.tell("5", obis=key, unit="m³") == 5


def test_row_of_a_total_that_starts_over() -> None:
    meter = restarted(row(5.001), remembered="4001", written=-60 * MINUTES)
    meter.start_over()
    meter.guard.rows = {IMPORT: row(5.001)}
    assert meter.tell(70) == 70
    [step] = meter.guard.steps
    assert float(step.offset) == pytest.approx(-4.931, abs=1e-9)


def test_locked_meter_after_its_memory_was_lost_is_unknown_until_it_has_gone_on() -> None:
    meter = restarted(row(5000.5), remembered=None)
    assert meter.tell(5_000_000) is None
    assert not meter.jumped
    assert meter.tell(5_001_000, after=60) == 5_001_000


def test_registers_without_a_row_are_those_of_a_new_entry() -> None:
    meter = Meter()
    registers: dict[Key, Register] = {IMPORT: Register(IMPORT, 5000, "Wh")}
    assert meter.review(registers).withheld == set()
    assert registers[IMPORT].value == 5000
