"""A meter whose statistics another sensor has begun."""

from freezegun.api import FrozenDateTimeFactory
import pytest

from homeassistant.components.recorder import Recorder
from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component

from ..helpers.taken_over import NOON, Successor


@pytest.fixture
async def meter(
    recorder_mock: Recorder,  # noqa: ARG001 - must come before hass
    hass: HomeAssistant,
    freezer: FrozenDateTimeFactory,
) -> Successor:
    """Return a meter that is not set up yet, at noon."""
    freezer.move_to(NOON)
    assert await async_setup_component(hass, "sensor", {})
    return Successor(hass, freezer)
