"""Totals after clocks were set, restarts, and failures of the disk."""

from collections.abc import Generator
from contextlib import contextmanager
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from unittest.mock import patch

from freezegun.api import FrozenDateTimeFactory
import pytest

from custom_components.onemeter.access.issues import Issue
from custom_components.onemeter.const import CONF_MULTIPLIER, DOMAIN
from custom_components.onemeter.meter import Obis
from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import EVENT_STATE_CHANGED
from homeassistant.core import Event, EventStateChangedData, HomeAssistant, callback
from homeassistant.helpers import issue_registry as ir
from homeassistant.util import dt as dt_util
from homeassistant.util.file import WriteError
from tests.helpers.published import register
from tests.helpers.pushed import PushedMeter, energy, reading

IMPORT = Obis.parse("1-0:1.8.0")


def newest(meter: PushedMeter) -> object:
    return meter.coordinator.newest.registers[IMPORT].value


def stored(meter: PushedMeter, storage: dict[str, Any]) -> dict[str, Any]:
    data: dict[str, Any] = storage[f"{DOMAIN}.{meter.entry.entry_id}"]["data"]
    return data


def issues(hass: HomeAssistant) -> list[str | None]:
    return [issue.translation_key for issue in ir.async_get(hass).issues.values()]


@contextmanager
def full_disk() -> Generator[None]:
    """Make all writing of Home Assistant fail."""
    name = "homeassistant.helpers.storage.Store._async_write_data"
    with patch(name, side_effect=WriteError("no space left on device")):
        yield


class Clock:
    """A clock that can be set while the steady clock runs on."""

    def __init__(self) -> None:
        self._set_by = timedelta()

    def utcnow(self) -> datetime:
        return dt_util.utcnow() + self._set_by

    def set(self, by: timedelta) -> None:
        self._set_by += by


@pytest.fixture
def clock() -> Generator[Clock]:
    with patch("custom_components.onemeter.totals.moment.dt_util", Clock()) as clock:
        yield clock


@pytest.fixture
def meter(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> PushedMeter:
    return PushedMeter(hass, freezer)


async def test_clock_that_is_set_back(
    hass: HomeAssistant, meter: PushedMeter, clock: Clock
) -> None:
    await meter.start(energy("5001"))
    clock.set(timedelta(hours=-2))
    for second in range(1, 90):
        await meter.say(energy(str(5001 + second)), after=1)
        assert newest(meter) == 5001 + second
        assert meter.coordinator.newest.withheld == set()
    for _ in range(7):
        await meter.say(energy("90000"), after=10)
        assert newest(meter) == 5090
        assert meter.coordinator.newest.withheld == {IMPORT}
    assert len(ir.async_get(hass).issues) == 1
    assert await meter.coordinator.async_accept_totals()
    assert newest(meter) == 90_000
    [step] = meter.coordinator.totals._correction.steps
    assert step.time == clock.utcnow()


async def test_paused_machine_loses_nothing(
    hass: HomeAssistant, meter: PushedMeter, clock: Clock
) -> None:
    await meter.start(energy("5001"))
    clock.set(timedelta(hours=5))
    await meter.say(energy("205001"), after=1)
    assert newest(meter) == 205_001
    await meter.say(energy("205100"), after=1)
    assert newest(meter) == 205_001
    assert not ir.async_get(hass).issues


async def test_clock_that_is_set_late(
    hass: HomeAssistant, meter: PushedMeter, clock: Clock
) -> None:
    """The clock had stopped while Home Assistant was off, so the consumption looks like a jump."""
    await meter.start(energy("5000"))
    await hass.config_entries.async_unload(meter.entry.entry_id)
    await meter.start(energy("25000"))
    for _ in range(7):
        await meter.say(energy("25000"), after=10)
    assert newest(meter) == 5000
    assert ir.async_get(hass).issues
    clock.set(timedelta(days=2))
    await meter.say(energy("25001"), after=1)
    assert newest(meter) == 25_001
    assert not ir.async_get(hass).issues


async def test_clock_behind_after_a_start_accepts_no_first_total_of_any_size(
    hass: HomeAssistant, meter: PushedMeter, clock: Clock
) -> None:
    await meter.start(energy("5000000"))
    await hass.config_entries.async_unload(meter.entry.entry_id)
    clock.set(timedelta(minutes=-40))
    await meter.start(energy("4299967000"))
    assert meter.value() == "5000.000"
    await meter.say(energy("5000600"), after=1)
    assert newest(meter) == 5_000_600


async def test_total_is_withheld_as_long_as_its_telegram_counts(meter: PushedMeter) -> None:
    await meter.start(energy("5000"))
    await meter.say(energy("90000"), after=1)
    await meter.say(reading(register("1-0:16.7.0*255", "100", "W")), after=1)
    assert newest(meter) == 5000
    assert meter.coordinator.newest.withheld == {IMPORT}
    await meter.say(energy("5001"), after=1)
    assert meter.coordinator.newest.withheld == set()


async def test_time_is_written_when_the_entry_ends(
    hass: HomeAssistant, meter: PushedMeter, hass_storage: dict[str, Any]
) -> None:
    await meter.start(energy("5001"))
    await meter.wait(36_000, step=600)
    await meter.say(energy("5001"))
    await hass.config_entries.async_unload(meter.entry.entry_id)
    [mark] = stored(meter, hass_storage)["guard"]["marks"].values()
    seen = datetime.fromisoformat(mark["seen"])
    assert seen == dt_util.utcnow()
    assert seen - datetime.fromisoformat(mark["time"]) == timedelta(hours=10)


async def test_time_is_written_when_home_assistant_ends(
    hass: HomeAssistant, meter: PushedMeter, hass_storage: dict[str, Any]
) -> None:
    await meter.start(energy("5001"))
    await meter.wait(400, step=100)
    await meter.say(energy("5001"))
    await hass.async_stop(force=True)
    [mark] = stored(meter, hass_storage)["guard"]["marks"].values()
    assert datetime.fromisoformat(mark["seen"]) == dt_util.utcnow()


async def test_memory_of_an_earlier_version_is_kept(
    hass: HomeAssistant, meter: PushedMeter, hass_storage: dict[str, Any]
) -> None:
    """The file of the previous version, with a jump that waits for consent."""
    now = dt_util.utcnow()
    meter.make_entry(options={CONF_MULTIPLIER: "40"})
    marks = {
        "1-0:1.8.0*255": {
            "total": ["5001.0", "Wh"],
            "time": (now - timedelta(seconds=10)).isoformat(),
            "start_over": False,
            "step": None,
        },
        "1-0:2.8.0*255": {
            "total": ["9000", "Wh"],
            "time": (now - timedelta(minutes=2)).isoformat(),
            "start_over": False,
            "step": [["100.5", "Wh"], ["100.5", "Wh"]],
        },
    }
    step = {
        "obis": "1-0:1.8.0*255",
        "time": (now - timedelta(minutes=2)).isoformat(),
        "value": "200.04",
        "offset": "195.04",
        "unit": "kWh",
    }
    hass_storage[f"{DOMAIN}.{meter.entry.entry_id}"] = {
        "version": 1,
        "minor_version": 1,
        "key": f"{DOMAIN}.{meter.entry.entry_id}",
        "data": {"guard": {"multiplier": "40", "marks": marks}, "steps": [step]},
    }
    telegram = reading(
        register("1-0:1.8.0*255", "5002.0", "Wh"), register("1-0:2.8.0*255", "100.6", "Wh")
    )
    assert await meter.start(telegram)
    assert newest(meter) == Decimal("5002.0")
    assert [
        (str(step.key), str(step.offset)) for step in meter.coordinator.totals._correction.steps
    ] == [("1-0:1.8.0*255", "195.04")]
    assert issues(hass) == [Issue.TOTALS_JUMPED]
    assert meter.coordinator.newest.withheld == {Obis.parse("1-0:2.8.0")}
    assert await meter.coordinator.async_accept_totals()
    assert [str(step.offset) for step in meter.coordinator.totals._correction.steps] == [
        "195.04",
        "-355.9760",
    ]


class Disk:
    """The content of the disk whenever a total is published."""

    def __init__(self, meter: PushedMeter, storage: dict[str, Any]) -> None:
        self._meter = meter
        self._storage = storage
        #: Each total that was published, and how many steps were on the disk then.
        self.published: list[tuple[str, int]] = []
        meter.hass.bus.async_listen(EVENT_STATE_CHANGED, self._look)

    @callback
    def _look(self, event: Event[EventStateChangedData]) -> None:
        state = event.data["new_state"]
        if state is not None and state.entity_id == "sensor.meter_energy_import":
            steps = stored(self._meter, self._storage)["steps"]
            self.published.append((state.state, len(steps)))


async def set_multiplier(meter: PushedMeter, multiplier: str) -> None:
    """Change the option, and wait for the reload."""
    with meter.patched():
        options = {CONF_MULTIPLIER: multiplier}
        meter.hass.config_entries.async_update_entry(meter.entry, options=options)
        meter.client.said.put_nowait(energy("5001"))
        await meter.hass.config_entries.async_reload(meter.entry.entry_id)
        await meter.settle()


async def test_step_of_the_multiplier_is_written_before_it_is_published(
    meter: PushedMeter, hass_storage: dict[str, Any]
) -> None:
    await meter.start(energy("5001"))
    disk = Disk(meter, hass_storage)
    await set_multiplier(meter, "40")
    assert disk.published[-1] == ("200.040", 1)
    assert [step["offset"] for step in stored(meter, hass_storage)["steps"]] == ["195.039"]


async def jump(meter: PushedMeter) -> None:
    """Let the total fall for more than a minute."""
    for _ in range(7):
        await meter.say(energy("300"), after=10)


async def test_accepted_step_is_written_before_it_is_published(
    meter: PushedMeter, hass_storage: dict[str, Any]
) -> None:
    await meter.start(energy("5001"))
    await jump(meter)
    await meter.coordinator.totals._storage.async_save()
    disk = Disk(meter, hass_storage)
    assert await meter.coordinator.async_accept_totals()
    await meter.settle()
    assert disk.published == [("0.300", 1)]


async def test_accepted_step_that_cannot_be_written_is_not_published(
    hass: HomeAssistant, meter: PushedMeter, hass_storage: dict[str, Any]
) -> None:
    await meter.start(energy("5001"))
    await jump(meter)
    with full_disk():
        assert await meter.coordinator.async_accept_totals()
        await meter.settle()
        await meter.say(energy("301"), after=11)
        await meter.wait(11)
        assert meter.value() == "5.001"
        assert issues(hass) == [Issue.NOT_WRITTEN]
    await meter.say(energy("302"), after=11)
    await meter.wait(11)
    assert meter.value() == "0.302"
    assert not issues(hass)
    assert len(stored(meter, hass_storage)["steps"]) == 1


async def test_nothing_is_published_with_another_multiplier_that_cannot_be_written(
    hass: HomeAssistant, meter: PushedMeter
) -> None:
    await meter.start(energy("5001"))
    with full_disk():
        await set_multiplier(meter, "40")
        assert meter.state() is ConfigEntryState.SETUP_RETRY
        assert meter.entry.error_reason_translation_key == "not_written"
        assert issues(hass) == [Issue.NOT_WRITTEN]
    await hass.config_entries.async_unload(meter.entry.entry_id)
    await meter.start(energy("5001"))
    assert meter.value() == "200.040"
    assert not issues(hass)


@pytest.mark.parametrize(
    "damage",
    [
        {"data": {"guard": {}}},
        {"data": {"guard": {"marks": {"1-0:1.8.0*255": 1}}}},
        {"data": []},
        {"data": {"guard": {}, "billing": 1}},
        {"minor_version": 1, "data": {"guard": {}}},
    ],
)
async def test_damaged_memory_is_none(
    meter: PushedMeter,
    hass_storage: dict[str, Any],
    caplog: pytest.LogCaptureFixture,
    damage: dict[str, Any],
) -> None:
    await meter.start(energy("5001"))
    await meter.hass.config_entries.async_unload(meter.entry.entry_id)
    hass_storage[f"{DOMAIN}.{meter.entry.entry_id}"] |= damage
    await meter.start(energy("6001"))
    assert meter.value() == "6.001"
    assert "The stored totals of Meter are damaged" in caplog.text


@pytest.mark.parametrize(("power", "shown"), [("86940", "86940"), ("86941", "unknown")])
async def test_power_that_cannot_pass_is_not_published(
    meter: PushedMeter, power: str, shown: str
) -> None:
    await meter.start(reading(register("1-0:16.7.0*255", power, "W")))
    assert meter.value("power") == shown


async def test_review_leaves_the_telegram_as_it_came(meter: PushedMeter) -> None:
    await meter.start(energy("5000"))
    fallen, damaged = register("1-0:1.8.0", 4000, "Wh"), register("1-0:16.7.0", 10**9, "W")
    came = reading(fallen, damaged).current()
    before = dict(came)
    reviewed, withheld = meter.coordinator.totals.async_review(came)
    assert came == before
    assert withheld == {IMPORT}
    assert [item.value for item in reviewed.values()] == [5000, None]
