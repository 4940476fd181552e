"""Power from energy, compared with the true power of simulated meters."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
import random

from hypothesis import given, strategies as st
import pytest

from custom_components.onemeter.coordinator.meter_data import MeterData
from custom_components.onemeter.meter import Identity, Obis, Register
from custom_components.onemeter.states.derived_power import DerivedPower
from custom_components.onemeter.states.values import Conversion, PowerFromEnergy
from custom_components.onemeter.totals import Moment, Total

START = datetime(2026, 11, 23, tzinfo=UTC)


def at(seconds: float, *, clock: float = 0) -> Moment:
    """Return a moment some seconds after the start, by a clock that was set by some more."""
    return Moment(START + timedelta(seconds=seconds + clock), round(seconds * 10**9))


MAX_POWER = 43_470
JOULES = 3_600_000


class Meter:
    """A meter whose total is energy rounded down to its last digit."""

    def __init__(self, digits: int, imported: int, exported: int = 0) -> None:
        self.now = 0
        self._step = JOULES // 10**digits
        self._digits = digits
        #: Ws, whole ones to be exact.
        self.imported = imported
        self.exported = exported

    def run(self, seconds: int, power: int) -> None:
        self.now += seconds
        self.imported += max(power, 0) * seconds
        self.exported += max(-power, 0) * seconds

    @property
    def time(self) -> Moment:
        return at(self.now)

    @property
    def shown(self) -> tuple[Total, Total]:
        return self._show(self.imported), self._show(self.exported)

    @property
    def net(self) -> int:
        return self.imported - self.exported

    def _show(self, energy: int) -> Total:
        return Total(Decimal(energy // self._step).scaleb(-self._digits), "kWh")


def feed(
    derived: DerivedPower, *lines: tuple[float, str], exported: str | None = None
) -> list[int | None]:
    """Feed totals in kWh at seconds; return the power after each."""
    powers = []
    for seconds, energy in lines:
        derived.add(
            at(seconds),
            Total(Decimal(energy), "kWh"),
            None if exported is None else Total(Decimal(exported), "kWh"),
        )
        powers.append(derived.power)
    return powers


def steady(count: int, spacing: int = 60, step: str = "0.01") -> list[tuple[float, str]]:
    """Return readings of a steady load (600 W) in Wh."""
    return [
        (spacing * index, str(Decimal("1.001") + index * Decimal(step))) for index in range(count)
    ]


@given(
    digits=st.integers(0, 5),
    imported=st.integers(0, 10**9),
    exported=st.integers(0, 10**9),
    multiplier=st.sampled_from([1, 40, Decimal("33.3")]),
    runs=st.lists(
        st.tuples(
            st.integers(1, 600) | st.integers(1, 12),
            st.integers(-MAX_POWER, MAX_POWER) | st.integers(-200, 2000),
        ),
        max_size=80,
    ),
)
def test_no_figure_is_further_from_the_truth_than_promised(
    digits: int,
    imported: int,
    exported: int,
    multiplier: Decimal,
    runs: list[tuple[int, int]],
) -> None:
    # An export total that has never counted is taken for no export, which its first step belies.
    meter = Meter(digits, imported, exported + JOULES)
    derived = DerivedPower(MAX_POWER, Decimal(multiplier))
    past: list[tuple[int, int]] = []
    for seconds, power in [(0, 0), *runs]:
        meter.run(seconds, power)
        derived.add(meter.time, *meter.shown)
        if derived.power is not None:
            limit = max(Decimal(25), abs(Decimal(derived.power)) / 20) + 1
            assert any(
                abs(derived.power - multiplier * Decimal(meter.net - net) / (meter.now - then))
                <= limit
                for then, net in past
                if 10 <= meter.now - then <= 3600
            )
        past.append((meter.now, meter.net))


@pytest.mark.parametrize("digits", [1, 2, 3, 4])
@pytest.mark.parametrize("spacing", [10, 15, 60, 900])
@pytest.mark.parametrize("solar", [0, 5000])
def test_window_is_the_shortest_whose_figure_is_honest(
    digits: int, spacing: int, solar: int
) -> None:
    rng = random.Random(f"{digits} {spacing} {solar}")
    step = JOULES // 10**digits
    # Last digits that are not zero show the resolution from the start.
    meter = Meter(digits, 1234 * JOULES + step, (567 * JOULES + step) * bool(solar))
    derived = DerivedPower(MAX_POWER, Decimal(1))
    doubt = 2 * step if solar else step
    past: list[tuple[int, int, int]] = []
    for index in range(1000):
        load = rng.choice([0, 15, 350, 2000, 9000])
        meter.run((spacing + rng.randrange(3)) * bool(index), load - rng.choice([0, solar]))
        derived.add(meter.time, *meter.shown)
        shown = meter.imported // step * step - meter.exported // step * step
        window = next(
            (
                (meter.now - then, shown - shown_then, meter.net - net_then)
                for then, shown_then, net_then in reversed(past)
                if meter.now - then <= 3600
                and (doubt <= 25 * (meter.now - then) or 20 * doubt <= abs(shown - shown_then))
            ),
            None,
        )
        past.append((meter.now, shown, meter.net))
        if window is None:
            assert derived.power is None
            continue
        seconds, energy, true_energy = window
        assert derived.power == round(Decimal(energy) / seconds)
        limit = max(Decimal(25), abs(Decimal(energy) / seconds / 20))
        assert abs(derived.power - Decimal(true_energy) / seconds) <= limit + Decimal("0.5")


def test_steady_load() -> None:
    derived = DerivedPower(MAX_POWER, Decimal(1))
    assert feed(derived, *steady(5)) == [None, None, 600, 600, 600]


def test_no_load_is_told_once_it_is_certain() -> None:
    derived = DerivedPower(MAX_POWER, Decimal(1))
    lines = [(seconds, "1.001") for seconds in (0, 60, 120, 144, 200)]
    assert feed(derived, *lines) == [None, None, None, 0, 0]


def test_multiplier_makes_the_step_larger_too() -> None:
    derived = DerivedPower(MAX_POWER, Decimal(40))
    # 10 steps in a minute: 24 kW, of which one step is 10 %.
    assert feed(derived, *steady(4)) == [None, None, 24_000, 24_000]
    # 144 s are no longer enough for nothing.
    derived = DerivedPower(MAX_POWER, Decimal(40))
    assert feed(derived, *((60 * minute, "1.001") for minute in range(61))) == [None] * 61


def test_export_is_negative_and_adds_its_own_doubt() -> None:
    derived = DerivedPower(MAX_POWER, Decimal(1))
    powers = []
    for index in range(8):
        derived.add(
            at(60 * index),
            Total(Decimal("5.001"), "kWh"),
            Total(Decimal("7.001") + index * Decimal("0.010"), "kWh"),
        )
        powers.append(derived.power)
    assert powers == [None] * 4 + [-600] * 4


def test_export_that_never_counted_adds_no_doubt() -> None:
    assert feed(DerivedPower(MAX_POWER, Decimal(1)), *steady(3), exported="0.000")[-1] == 600
    assert feed(DerivedPower(MAX_POWER, Decimal(1)), *steady(3), exported="4.001")[-1] is None


def test_whole_kilowatt_hours_give_no_figure() -> None:
    """Not even with trailing zeros, as from a meter without PIN."""
    lines = [(60 * minute, f"{12345 + minute // 6}.0000") for minute in range(120)]
    assert set(feed(DerivedPower(MAX_POWER, Decimal(1)), *lines)) == {None}


def test_a_total_in_coarser_steps_than_the_other_counts_with_its_own() -> None:
    derived = DerivedPower(MAX_POWER, Decimal(1))
    for minute in range(60):
        derived.add(
            at(60 * minute),
            Total(Decimal("5.001") + minute * Decimal("0.010"), "kWh"),
            Total(Decimal("0.043"), "MWh"),
        )
        assert derived.power is None


@pytest.mark.parametrize(
    "next_line",
    [
        (300, "1.040"),  # it falls
        (300, "3.041"),  # a jump that was accepted
        (421, "1.071"),  # a gap of more than three minutes
        (300, "1.05112"),  # finer digits: the meter was waiting for its PIN, or was replaced
    ],
)
def test_a_new_series_begins(next_line: tuple[float, str]) -> None:
    derived = DerivedPower(MAX_POWER, Decimal(1))
    assert feed(derived, *steady(5), next_line) == [None, None, 600, 600, 600, None]


@pytest.mark.parametrize("clock", [-100, -2, 2, 100])
def test_clock_that_is_set_begins_a_new_series(clock: int) -> None:
    """The machine may have been paused, so the elapsed time is unknown."""
    derived = DerivedPower(MAX_POWER, Decimal(1))
    assert feed(derived, *steady(5))[-1] == 600
    powers = []
    for minute in range(5, 9):
        derived.add(at(60 * minute, clock=clock), Total(Decimal("1.051"), "kWh"))
        powers.append(derived.power)
    assert powers == [None, None, None, 0]


def test_the_first_energy_exported_begins_a_new_series() -> None:
    derived = DerivedPower(MAX_POWER, Decimal(1))
    assert feed(derived, *steady(3), exported="0.000")[-1] == 600
    assert feed(derived, (180, "1.031"), exported="0.001") == [None]
    assert feed(derived, (240, "1.041")) == [None]


def test_readings_missed_now_and_then_are_no_gap() -> None:
    derived = DerivedPower(MAX_POWER, Decimal(1))
    assert feed(derived, *steady(5), (420, "1.071"))[-1] == 600


def test_a_reading_asked_for_between_makes_no_gap() -> None:
    derived = DerivedPower(MAX_POWER, Decimal(1))
    lines = [*steady(5), (243, "1.041"), (300, "1.051"), (360, "1.061")]
    assert feed(derived, *lines)[-3:] == [585, 600, 600]


def test_a_new_rhythm_is_learned() -> None:
    derived = DerivedPower(MAX_POWER, Decimal(1))
    slow = [(240 + 600 * index, str(Decimal("1.041") + index / Decimal(10))) for index in range(9)]
    powers = feed(derived, *steady(5), *slow)
    assert powers[6] is None
    assert powers[-1] == 600


def test_the_same_time_is_no_other_reading() -> None:
    derived = DerivedPower(MAX_POWER, Decimal(1))
    feed(derived, *steady(3))
    assert feed(derived, (120, "1.999"), (180, "1.031")) == [600, 600]


def test_nothing_older_than_an_hour_is_used() -> None:
    derived = DerivedPower(MAX_POWER, Decimal(1))
    assert feed(derived, (0, "1.1"), (3000, "3.1")) == [None, 2400]
    derived = DerivedPower(MAX_POWER, Decimal(1))
    assert feed(derived, (0, "1.1"), (3601, "3.3")) == [None, None]


def test_memory_is_bounded() -> None:
    derived = DerivedPower(MAX_POWER, Decimal(1))
    for second in range(4_500):
        derived.add(at(second), Total(Decimal(1), "kWh"))
    assert len(derived._samples) <= 3600 / 5 + 2


def test_a_total_that_is_received_again_without_a_change_is_another_reading() -> None:
    """Decoders give the same register for one that has not changed."""
    total = Obis.parse("1-0:1.8.0")
    first, second = (Register(total, Decimal(value), "kWh") for value in ("1.0001", "1.0101"))
    power = PowerFromEnergy(DerivedPower(MAX_POWER, Decimal(1)))

    def shown(seconds: int, register: Register, *, read_at: int) -> int | None:
        data = MeterData(
            Identity(), {total: register}, at(seconds), read_at={total: moments[read_at]}
        )
        return power(data, Conversion(Decimal(1), signed=True))

    moments = {seconds: at(seconds) for seconds in (0, 60, 120, 180)}
    shown(0, first, read_at=0)
    rising = shown(60, second, read_at=60)
    assert rising is not None
    assert rising > 500
    assert shown(120, second, read_at=60) == rising, "it was not received again"
    assert shown(180, second, read_at=180) != rising
