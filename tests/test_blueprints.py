"""The blueprints, loaded and run by Home Assistant."""

from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

from freezegun.api import FrozenDateTimeFactory
import pytest
from pytest_homeassistant_custom_component.common import (
    async_fire_time_changed,
    async_mock_service,
)
from pytest_homeassistant_custom_component.components.recorder.common import (
    async_wait_recording_done,
)

from homeassistant.components.automation.config import AUTOMATION_BLUEPRINT_SCHEMA
from homeassistant.components.blueprint import Blueprint
from homeassistant.components.recorder import Recorder
from homeassistant.components.recorder.models import (
    StatisticData,
    StatisticMeanType,
    StatisticMetaData,
)
from homeassistant.components.recorder.statistics import async_import_statistics
from homeassistant.const import STATE_ON
from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util, yaml

FOLDER = Path(__file__).parents[1] / "blueprints/automation/onemeter"
BLUEPRINTS = sorted(path.name for path in FOLDER.glob("*.yaml"))
IMPORT = "https://my.home-assistant.io/redirect/blueprint_import/"
SENSOR, LOAD = "sensor.meter", "switch.heater"


async def automate(hass: HomeAssistant, name: str, **inputs: Any) -> None:
    """Make an automation from a blueprint."""
    folder = Path(hass.config.path("blueprints/automation/onemeter"))
    text = (FOLDER / name).read_text(encoding="utf-8")
    data = yaml.parse_yaml(text)
    assert isinstance(data, dict)
    blueprint = Blueprint(data, expected_domain="automation", schema=AUTOMATION_BLUEPRINT_SCHEMA)
    assert blueprint.validate() is None
    await hass.async_add_executor_job(lambda: folder.mkdir(parents=True, exist_ok=True))
    await hass.async_add_executor_job((folder / name).write_text, text)
    use = {"path": f"onemeter/{name}", "input": inputs}
    assert await async_setup_component(hass, "automation", {"automation": {"use_blueprint": use}})
    await hass.async_block_till_done()
    (automation,) = hass.states.async_all("automation")
    assert automation.state == STATE_ON


def switching(hass: HomeAssistant) -> tuple[list[Any], list[Any]]:
    """Return the calls that switch on, and off."""
    return (
        async_mock_service(hass, "homeassistant", "turn_on"),
        async_mock_service(hass, "homeassistant", "turn_off"),
    )


async def show(hass: HomeAssistant, value: str, load: str) -> None:
    hass.states.async_set(LOAD, load)
    hass.states.async_set(SENSOR, value)
    await hass.async_block_till_done()


@pytest.fixture
def hass_config_dir(tmp_path: Path) -> str:
    """Keep blueprints apart from those of other tests."""
    return str(tmp_path)


@pytest.mark.parametrize(
    ("name", "inputs", "on", "neither", "off"),
    [
        (
            "keep_peak_below_limit.yaml",
            {"expected_power": SENSOR, "limit": 2500, "margin": 500},
            "1999",
            "2400",
            "2501",
        ),
        ("use_up_balance.yaml", {"balance": SENSOR, "surplus": 0.2}, "-0.201", "-0.1", "0.000"),
    ],
)
async def test_load_is_switched(
    hass: HomeAssistant, *, name: str, inputs: dict[str, Any], on: str, neither: str, off: str
) -> None:
    hass.states.async_set(SENSOR, "unknown")
    await automate(hass, name, load=LOAD, **inputs)
    switched_on, switched_off = switching(hass)
    for load in ("on", "off"):
        await show(hass, neither, load)
        await show(hass, "unavailable", load)
    assert (len(switched_on), len(switched_off)) == (0, 0)
    await show(hass, on, "on")
    await show(hass, off, "off")
    assert (len(switched_on), len(switched_off)) == (0, 0)
    await show(hass, on, "off")
    assert (len(switched_on), len(switched_off)) == (1, 0)
    await show(hass, off, "on")
    assert (len(switched_on), len(switched_off)) == (1, 1)
    assert switched_on[0].data["entity_id"] == switched_off[0].data["entity_id"] == [LOAD]


class Clock:
    """Lets the time pass of automations that wait."""

    def __init__(self, hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> None:
        self._hass = hass
        self._freezer = freezer

    async def wait(self, **time: float) -> None:
        self._freezer.tick(timedelta(**time))
        async_fire_time_changed(self._hass)
        await self._hass.async_block_till_done()


@pytest.fixture
def clock(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> Clock:
    return Clock(hass, freezer)


async def draw(hass: HomeAssistant, power: str, unit: str = "W") -> None:
    attributes = {"unit_of_measurement": unit, "device_class": "power"}
    hass.states.async_set(SENSOR, power, attributes)
    await hass.async_block_till_done()


@pytest.fixture
async def surplus(hass: HomeAssistant) -> tuple[list[Any], list[Any]]:
    await draw(hass, "300")
    hass.states.async_set(LOAD, "off")
    await automate(hass, "switch_on_with_surplus.yaml", power=SENSOR, load=LOAD)
    return switching(hass)


async def test_surplus_switches_a_load(
    hass: HomeAssistant, clock: Clock, surplus: tuple[list[Any], list[Any]]
) -> None:
    switched_on, switched_off = surplus
    await draw(hass, "-1.6", "kW")
    await clock.wait(seconds=100)
    assert not switched_on
    await clock.wait(seconds=21)
    assert [call.data["entity_id"] for call in switched_on] == [[LOAD]]
    hass.states.async_set(LOAD, "on")
    await draw(hass, "100")
    await clock.wait(minutes=10)
    assert not switched_off
    await draw(hass, "250")
    await clock.wait(seconds=121)
    assert [call.data["entity_id"] for call in switched_off] == [[LOAD]]
    assert len(switched_on) == 1


async def test_short_surplus_switches_nothing(
    hass: HomeAssistant, clock: Clock, surplus: tuple[list[Any], list[Any]]
) -> None:
    await draw(hass, "-1600")
    await clock.wait(seconds=100)
    await draw(hass, "-1400")
    await clock.wait(minutes=10)
    assert surplus == ([], [])


async def test_surplus_is_not_known(
    hass: HomeAssistant, clock: Clock, surplus: tuple[list[Any], list[Any]]
) -> None:
    switched_on, switched_off = surplus
    hass.states.async_set(LOAD, "on")
    await draw(hass, "unavailable")
    await clock.wait(minutes=4)
    assert not switched_off
    await clock.wait(minutes=2)
    assert len(switched_off) == 1
    hass.states.async_set(LOAD, "off")
    await draw(hass, "-2000")
    assert len(switched_on) == 1
    hass.states.async_set(LOAD, "on")
    await draw(hass, "unavailable")
    await draw(hass, "2000")
    assert len(switched_off) == 2


async def test_contracted_power(hass: HomeAssistant, clock: Clock) -> None:
    await draw(hass, "1000")
    await automate(hass, "contracted_power.yaml", power=SENSOR, warn_above=3000)
    warned = async_mock_service(hass, "persistent_notification", "create")
    await draw(hass, "3100")
    await clock.wait(seconds=5)
    await draw(hass, "2900")
    await clock.wait(seconds=20)
    assert not warned
    await draw(hass, "3200")
    await clock.wait(seconds=11)
    (call,) = warned
    assert call.data["message"] == "3200 W are drawn from the grid. Switch something off."
    await draw(hass, "unavailable")
    await draw(hass, "2000")
    assert len(warned) == 1
    await draw(hass, "unavailable")
    await draw(hass, "4000")
    assert len(warned) == 2


async def test_silent_meter(hass: HomeAssistant, clock: Clock) -> None:
    hass.states.async_set(SENSOR, "1", {"friendly_name": "Meter Energy import"})
    await automate(hass, "meter_silent.yaml", sensors=[SENSOR])
    notified = async_mock_service(hass, "persistent_notification", "create")
    hass.states.async_set(SENSOR, "unavailable", {"friendly_name": "Meter Energy import"})
    await clock.wait(minutes=59)
    assert not notified
    await clock.wait(minutes=2)
    (call,) = notified
    assert call.data["message"].startswith("Meter Energy import is unavailable.")
    assert call.data["notification_id"] == f"onemeter_silent_{SENSOR}"


async def test_daily_report(
    recorder_mock: Recorder,  # noqa: ARG001 - must come before hass
    hass: HomeAssistant,
    freezer: FrozenDateTimeFactory,
    clock: Clock,
) -> None:
    await hass.config.async_set_time_zone("Europe/Berlin")
    freezer.move_to("2026-10-26T05:59:00+00:00")
    hass.states.async_set(SENSOR, "1", {"friendly_name": "Meter Energy import"})
    # A day of 25 hours, and what was counted before and after it.
    begin = dt_util.parse_datetime("2026-10-24T21:00:00+00:00")
    assert begin is not None
    metadata = StatisticMetaData(
        has_sum=True,
        mean_type=StatisticMeanType.NONE,
        name=None,
        source="recorder",
        statistic_id=SENSOR,
        unit_class="energy",
        unit_of_measurement="kWh",
    )
    rows = [
        StatisticData(start=begin + timedelta(hours=hour), state=hour / 2, sum=hour / 2)
        for hour in range(28)
    ]
    async_import_statistics(hass, metadata, rows)
    await async_wait_recording_done(hass)
    await automate(hass, "daily_report.yaml", energy=[SENSOR, "sensor.other"])
    reported = async_mock_service(hass, "persistent_notification", "create")
    await clock.wait(minutes=1)
    await async_wait_recording_done(hass)
    await hass.async_block_till_done()
    await hass.services.async_call("automation", "turn_off", {"entity_id": "all"}, blocking=True)
    (call,) = reported
    assert call.data["message"] == "- Meter Energy import: 12.50 kWh\n- sensor.other: –"


@pytest.mark.parametrize("name", BLUEPRINTS)
def test_blueprint_has_an_import_link(name: str) -> None:
    data = yaml.parse_yaml((FOLDER / name).read_text(encoding="utf-8"))
    assert isinstance(data, dict)
    source = data["blueprint"]["source_url"]
    assert source.endswith(f"/blob/main/blueprints/automation/onemeter/{name}")
    link = f"{IMPORT}?blueprint_url={quote(source, safe='')}"
    pages = (FOLDER.parents[2] / "docs").glob("*.md")
    assert any(link in page.read_text(encoding="utf-8") for page in pages)


def test_all_blueprints_are_tested() -> None:
    tests = Path(__file__).read_text(encoding="utf-8")
    assert [name for name in BLUEPRINTS if f'"{name}"' not in tests] == []
    assert len(BLUEPRINTS) == 6
