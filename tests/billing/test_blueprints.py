"""The blueprints, loaded and run by Home Assistant."""

from pathlib import Path
from typing import Any

import pytest
from pytest_homeassistant_custom_component.common import async_mock_service

from homeassistant.components.automation.config import AUTOMATION_BLUEPRINT_SCHEMA
from homeassistant.components.blueprint import Blueprint
from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component
from homeassistant.util import yaml

FOLDER = Path(__file__).parents[2] / "blueprints/automation/onemeter"
BLUEPRINTS = sorted(path.name for path in FOLDER.glob("*.yaml"))
SENSOR, LOAD = "sensor.meter", "switch.heater"


async def automate(hass: HomeAssistant, name: str, **inputs: Any) -> tuple[list[Any], list[Any]]:
    """Make an automation from a blueprint; return the calls that switch on, and off."""
    folder = Path(hass.config.path("blueprints/automation/onemeter"))
    text = (FOLDER / name).read_text(encoding="utf-8")
    data = yaml.parse_yaml(text)
    assert isinstance(data, dict)
    blueprint = Blueprint(data, expected_domain="automation", schema=AUTOMATION_BLUEPRINT_SCHEMA)
    assert blueprint.validate() is None
    await hass.async_add_executor_job(lambda: folder.mkdir(parents=True, exist_ok=True))
    await hass.async_add_executor_job((folder / name).write_text, text)
    use = {"path": f"onemeter/{name}", "input": {**inputs, "load": LOAD}}
    assert await async_setup_component(hass, "automation", {"automation": {"use_blueprint": use}})
    await hass.async_block_till_done()
    assert len(hass.states.async_all("automation")) == 1
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
    switched_on, switched_off = await automate(hass, name, **inputs)
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


def test_all_blueprints_are_tested() -> None:
    assert BLUEPRINTS == ["keep_peak_below_limit.yaml", "use_up_balance.yaml"]
