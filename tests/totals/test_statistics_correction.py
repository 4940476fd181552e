"""Steps of a total leave no trace in the sums of long-term statistics."""

from datetime import timedelta
from decimal import Decimal

from freezegun.api import FrozenDateTimeFactory
import pytest
from pytest_homeassistant_custom_component.common import async_fire_time_changed

from custom_components.onemeter.const import (
    CONF_GRID_QUALITY,
    CONF_MAX_POWER,
    CONF_MULTIPLIER,
    DOMAIN,
)
from custom_components.onemeter.meter import Obis, Reading
from custom_components.onemeter.totals import Step
from custom_components.onemeter.totals.statistics_correction import (
    Excess,
    History,
    Row,
    find_excess,
)
from homeassistant.components.recorder import Recorder, get_instance
from homeassistant.components.recorder.statistics import statistics_during_period
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er, issue_registry as ir
from tests.helpers.published import register
from tests.helpers.pushed import METER, energy, reading
from tests.helpers.recorded import ENTITY, NOON, RecordedMeter

IMPORT = Obis.parse("1-0:1.8.0")


def step(seconds: float, before: str, after: str) -> Step:
    offset = Decimal(after) - Decimal(before)
    return Step(IMPORT, NOON + timedelta(seconds=seconds), offset, "kWh")


def row(number: int, state: float, total: float) -> Row:
    start = NOON.timestamp() + 300 * number
    return Row(start, start + 300, state, total)


def start_of(number: int) -> float:
    return NOON.timestamp() + 300 * number


AT_ONCE = start_of(0) + 11


@pytest.mark.parametrize(
    ("rows", "written", "jump", "expected"),
    [
        pytest.param([], AT_ONCE, ("5", "0"), None, id="no rows yet"),
        pytest.param([row(-1, 5, 1)], AT_ONCE, ("5", "0"), None, id="the row is not there yet"),
        pytest.param(
            [row(-1, 5, 1), row(0, 0.5, 1.5)],
            AT_ONCE,
            ("5", "0"),
            (start_of(0), 0),
            id="a new meter at zero is taken for what it is",
        ),
        pytest.param(
            [row(-1, 5, 1), row(0, 2.5, 3.5)],
            AT_ONCE,
            ("5", "2"),
            (start_of(0), 2),
            id="a new meter above zero counts as consumption",
        ),
        pytest.param(
            [row(-1, 5, 1), row(0, 4.9, 0.9)],
            AT_ONCE,
            ("5", "4.8"),
            (start_of(0), -0.2),
            id="a small fall counts as negative consumption",
        ),
        pytest.param(
            [row(-1, 5, 1), row(0, 5.3, 1.3)],
            AT_ONCE,
            ("5", "4.8"),
            (start_of(0), -0.2),
            id="a small fall that consumption has made up for",
        ),
        pytest.param(
            [row(-1, 5, 1), row(0, 90.1, 86.1)],
            AT_ONCE,
            ("5", "90"),
            (start_of(0), 85),
            id="a rise counts as consumption",
        ),
        pytest.param(
            [row(-1, 5, 1), row(0, 90.1, 1.1)],
            AT_ONCE,
            ("5", "90"),
            (start_of(0), 0),
            id="taken out",
        ),
        pytest.param(
            [row(-1, 5, 1), row(0, 5, 1), row(1, 90.1, 86.1)],
            start_of(1) + 1,
            ("5", "90"),
            (start_of(1), 85),
            id="the state was written in a later row",
        ),
        pytest.param(
            [row(-9, 5, 1), row(7, 90.1, 86.1)],
            AT_ONCE,
            ("5", "90"),
            (start_of(7), 85),
            id="no rows in between",
        ),
        pytest.param(
            [Row(start_of(0), start_of(0), 4.8, 0), row(0, 200.1, 195.3)],
            AT_ONCE,
            ("5", "200"),
            (start_of(0), 195),
            id="in the first row of all",
        ),
        pytest.param(
            [row(1, 200.1, 0.1)],
            start_of(1) + 1,
            ("5", "200"),
            (None, 0),
            id="before there were statistics",
        ),
    ],
)
def test_find_excess(
    rows: list[Row],
    written: float,
    jump: tuple[str, str],
    expected: tuple[float | None, float] | None,
) -> None:
    steps = [step(10, *jump)]
    found = find_excess(History(rows, [written]), steps, float)
    assert found == (
        expected and Excess(steps, expected[0], pytest.approx(expected[1]))  # type: ignore[arg-type]
    )


def test_find_excess_of_several_steps_in_one_row() -> None:
    """Up and down again: the rise counts, and the fall counts as a new meter from zero."""
    steps = [step(10, "5", "200"), step(70, "200", "5"), step(310, "5", "6")]
    history = History([row(-1, 5, 1), row(0, 5, 201)], [start_of(0) + 80, start_of(1) + 11])
    assert find_excess(history, steps, float) == Excess(steps[:2], start_of(0), 200)


class Recorded(RecordedMeter):
    """A meter whose sensors are recorded; every 20 s it says what 6 kW have added."""

    total = Decimal(5_000_000)

    async def begin(self) -> None:
        assert await self.start(energy(str(self.total)))

    async def run(self, minutes: int, consumed: str = "33.3") -> None:
        """Let some time pass, with the recorder making its rows."""
        for _ in range(minutes * 3):
            self.total += Decimal(consumed)
            self.freezer.tick(timedelta(seconds=20))
            await self.say(energy(str(self.total)))
            async_fire_time_changed(self.hass)
            await self.settle()
            await self.make_rows()

    async def replace(self, total: str) -> None:
        """Replace the meter by one with this total, and wait 2 minutes until that is detected."""
        self.total = Decimal(total)
        await self.run(2, consumed="0")
        assert len(ir.async_get(self.hass).issues) == 1


@pytest.fixture
async def meter(
    recorder_mock: Recorder,  # noqa: ARG001 - must come before hass
    hass: HomeAssistant,
    freezer: FrozenDateTimeFactory,
) -> Recorded:
    freezer.move_to(NOON + timedelta(minutes=40, seconds=10))
    return Recorded(hass, freezer)


#: In 5 minutes 15 times 33.3 Wh; but 14 times in the first, and 9 times where a meter is replaced.
SUMS = pytest.approx([466.2, 765.9, 1265.4, 1764.9], abs=1e-6)


@pytest.mark.parametrize("total", ["0", "3000000", "4999000", "9000000"])
async def test_replaced_meter_leaves_no_trace(meter: Recorded, total: str) -> None:
    await meter.begin()
    await meter.run(6)
    await meter.replace(total)
    assert await meter.coordinator.async_accept_totals()
    assert meter.remembered_steps() == 1
    assert not ir.async_get(meter.hass).issues
    await meter.run(13)
    assert await meter.sums() == SUMS
    assert await meter.sums("hour") == pytest.approx([1764.9], abs=1e-6)
    assert meter.remembered_steps() == 0


@pytest.mark.parametrize("total", ["0", "3000000", "9000000"])
async def test_restart_before_the_row_is_there(meter: Recorded, total: str) -> None:
    await meter.begin()
    await meter.run(6)
    await meter.replace(total)
    assert await meter.coordinator.async_accept_totals()
    await meter.hass.config_entries.async_unload(meter.entry.entry_id)
    assert await meter.start(energy(str(meter.total)))
    await meter.run(13)
    assert await meter.sums() == SUMS
    assert meter.remembered_steps() == 0


@pytest.mark.parametrize("unit", ["Wh", "MWh", "MJ"])
async def test_statistics_in_a_unit_that_the_user_chose(meter: Recorded, unit: str) -> None:
    er.async_get(meter.hass).async_get_or_create(
        "sensor",
        DOMAIN,
        f"{METER.unique_id}-1-0:1.8.0*255",
        suggested_object_id="meter_energy_import",
    )
    er.async_get(meter.hass).async_update_entity_options(
        ENTITY, "sensor", {"unit_of_measurement": unit}
    )
    await meter.begin()
    await meter.run(6)
    await meter.replace("3000000")
    assert await meter.coordinator.async_accept_totals()
    await meter.run(13)
    state = meter.hass.states.get(ENTITY)
    assert state is not None
    assert state.attributes["unit_of_measurement"] == unit
    assert await meter.sums() == SUMS


@pytest.mark.parametrize(
    ("minutes", "sums"),
    [
        pytest.param(
            1, [99.9 + 11 * 1332, 99.9 + 26 * 1332, 99.9 + 41 * 1332], id="in the first row of all"
        ),
        pytest.param(6, [466.2, 599.4 + 11 * 1332, 599.4 + 26 * 1332], id="later"),
    ],
)
async def test_changed_multiplier_leaves_no_trace(
    meter: Recorded, minutes: int, sums: list[float]
) -> None:
    await meter.begin()
    await meter.run(minutes)
    with meter.patched():
        meter.hass.config_entries.async_update_entry(
            meter.entry, options={CONF_MULTIPLIER: "40", CONF_MAX_POWER: 400_000}
        )
        meter.client.said.put_nowait(energy(str(meter.total)))
        await meter.hass.config_entries.async_reload(meter.entry.entry_id)
    await meter.run(15 - minutes)
    assert float(meter.value()) == pytest.approx(float(meter.total) / 1000 * 40, abs=2)
    assert await meter.sums() == pytest.approx(sums, abs=1e-6)


async def test_removed_sensor_has_no_sums_to_mend(meter: Recorded) -> None:
    def telegram(*watt_hours: str) -> Reading:
        imported, exported = (
            register(code, value, "Wh")
            for code, value in zip(("1-0:1.8.0*255", "1-0:2.8.0*255"), watt_hours, strict=True)
        )
        return reading(imported, exported, register("1-0:16.7.0*255", 1, "W"))

    await meter.start(telegram("5000000", "6000000"))
    for _ in range(4):
        await meter.say(telegram("10", "20"), after=20)
    assert await meter.coordinator.async_accept_totals()
    assert {str(step.key) for step in meter.coordinator.totals._correction.steps} == {
        "1-0:1.8.0*255",
        "1-0:2.8.0*255",
    }
    er.async_get(meter.hass).async_remove(ENTITY)
    meter.freezer.move_to(NOON + timedelta(minutes=45, seconds=10))
    await meter.say(telegram("10", "20"))
    await meter.make_rows()
    assert {str(step.key) for step in meter.coordinator.totals._correction.steps} == {
        "1-0:2.8.0*255"
    }


async def test_sensor_that_is_not_recorded_yet(meter: Recorded) -> None:
    """A disabled sensor keeps its step as long as its sums are unknown."""
    er.async_get(meter.hass).async_get_or_create(
        "sensor",
        DOMAIN,
        f"{METER.unique_id}-1-0:1.8.0*255",
        disabled_by=er.RegistryEntryDisabler.USER,
    )
    await meter.begin()
    await meter.run(6)
    await meter.replace("3000000")
    assert await meter.coordinator.async_accept_totals()
    await meter.run(5)
    assert meter.remembered_steps() == 1


async def test_apparent_energy_has_a_unit_of_its_own(meter: Recorded) -> None:
    code = "1-0:9.8.0*255"

    def telegram(volt_ampere_hours: str) -> Reading:
        return reading(register(code, volt_ampere_hours, "VAh"), register("1-0:16.7.0*255", 1, "W"))

    meter.make_entry(options={CONF_GRID_QUALITY: True})
    await meter.start(telegram("5000000"))
    for second in range(10, 400, 10):
        meter.freezer.tick(timedelta(seconds=10))
        await meter.say(telegram("5000010" if second < 100 else "7000000"))
        async_fire_time_changed(meter.hass)
        await meter.settle()
        if second == 200:
            assert await meter.coordinator.async_accept_totals()
        await meter.make_rows()
    rows = await get_instance(meter.hass).async_add_executor_job(
        statistics_during_period,
        meter.hass,
        NOON,
        None,
        {"sensor.meter_apparent_energy_import"},
        "5minute",
        None,
        {"sum"},
    )
    [row] = rows["sensor.meter_apparent_energy_import"]
    assert row["sum"] == pytest.approx(0.01, abs=1e-6)
