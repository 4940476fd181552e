"""A polled meter with a load profile, in a Home Assistant with a database."""

from datetime import timedelta

from freezegun.api import FrozenDateTimeFactory
import pytest

from custom_components.onemeter.history import reading
from homeassistant.components.recorder import Recorder
from homeassistant.core import HomeAssistant
from tests.helpers.load_profile import START, DlmsMeter, IecMeter, ProfiledMeter

#: When Home Assistant is off.
OFF = START + timedelta(minutes=17)
ON = OFF + timedelta(hours=2, seconds=21)


@pytest.fixture
def simulated() -> IecMeter | DlmsMeter:
    return IecMeter()


@pytest.fixture
def new_meter(
    recorder_mock: Recorder,  # noqa: ARG001 - must come before hass
    hass: HomeAssistant,
    freezer: FrozenDateTimeFactory,
    monkeypatch: pytest.MonkeyPatch,
    simulated: IecMeter | DlmsMeter,
) -> ProfiledMeter:
    """Return a meter that is not set up yet."""
    monkeypatch.setattr(reading, "_PAUSE", 0)
    return ProfiledMeter(hass, freezer, simulated)


@pytest.fixture
async def meter(new_meter: ProfiledMeter) -> ProfiledMeter:
    """Return a meter that is set up at START."""
    await new_meter.begin()
    return new_meter


@pytest.fixture
async def meter_behind_gap(new_meter: ProfiledMeter) -> ProfiledMeter:
    """Return a meter behind a gap of two hours, 45 minutes ago."""
    await new_meter.begin()
    await new_meter.live(START, OFF)
    await new_meter.switch_off(OFF)
    await new_meter.switch_on(ON)
    await new_meter.live(ON, ON + timedelta(minutes=45))
    return new_meter
