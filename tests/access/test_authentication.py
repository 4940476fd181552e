"""Whether a meter authenticates its telegrams, kept over restarts, and what the user is told."""

from typing import Any

from freezegun.api import FrozenDateTimeFactory
import pytest

from custom_components.onemeter.access.authentication import KeptAuthenticity, async_authenticity
from custom_components.onemeter.access.issues import Issue
from custom_components.onemeter.const import DOMAIN
from custom_components.onemeter.coordinator.first_reading import FirstReading, async_hand_over
from custom_components.onemeter.diagnostics import async_get_config_entry_diagnostics
from custom_components.onemeter.meter.errors import NotAuthenticatedError
from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util

from ..helpers.polled import PolledMeter
from ..helpers.pushed import PushedMeter, reading
from ..test_repairs import issues, submit

EK = "000102030405060708090a0b0c0d0e0f"
AK = "d0d1d2d3d4d5d6d7d8d9dadbdcdddedf"
KEYS: dict[str, Any] = {"encryption_key": EK, "authentication_key": AK}
TITLE = b"MMM12345"
RUN = f"{DOMAIN}_authenticity"


@pytest.fixture(autouse=True)
async def repairs(hass: HomeAssistant) -> None:
    await async_setup_component(hass, "repairs", {})


@pytest.fixture
def meter(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> PushedMeter:
    meter = PushedMeter(hass, freezer)
    meter.make_entry(protocol="dlms", mode="pushed", **KEYS)
    return meter


def kept(meter: PushedMeter) -> KeptAuthenticity:
    found = async_authenticity(meter.hass, meter.entry)
    assert found is not None
    return found


def admits(meter: PushedMeter, counter: int, *, is_authentic: bool | None = True) -> bool:
    """Let a telegram with this counter come."""
    judge = kept(meter).judge
    return judge.admits(is_authentic=is_authentic, title=TITLE, counter=counter)


async def restart(meter: PushedMeter) -> None:
    """Start Home Assistant again."""
    await meter.hass.config_entries.async_unload(meter.entry.entry_id)
    meter.hass.data.pop(RUN)
    meter.client.said.put_nowait(reading())
    await meter.set_up()


async def authentication(meter: PushedMeter) -> str:
    """Return what the diagnostics say."""
    diagnostics = await async_get_config_entry_diagnostics(meter.hass, meter.entry)
    assert AK not in str(diagnostics)
    assert TITLE.hex() not in str(diagnostics)
    found: str = diagnostics["authentication"]
    return found


async def test_right_tag_is_remembered_over_restarts(
    meter: PushedMeter, hass_storage: dict[str, Any]
) -> None:
    await meter.start()
    assert await authentication(meter) == "not authenticated"
    assert admits(meter, 1, is_authentic=None)
    assert admits(meter, 10)
    await meter.settle()
    stored = hass_storage[f"{DOMAIN}.{meter.entry.entry_id}.authenticity"]["data"]
    assert stored["authenticity"]["is_required"], "written at once"
    assert EK not in str(stored)
    assert admits(meter, 20)
    await restart(meter)
    assert await authentication(meter) == "authenticated"
    assert not admits(meter, 30, is_authentic=None)
    assert not admits(meter, 20), "written when the entry ends"
    assert admits(meter, 21)


async def test_crash_forgets_counters_of_minutes_only(
    meter: PushedMeter, hass_storage: dict[str, Any]
) -> None:
    await meter.start()
    assert admits(meter, 10)
    await meter.settle()
    await meter.wait(1)
    assert admits(meter, 20)
    await meter.wait(301)
    name = f"{DOMAIN}.{meter.entry.entry_id}.authenticity"
    assert hass_storage[name]["data"]["authenticity"]["counters"] == {TITLE.hex(): 20}


@pytest.mark.usefixtures("hass_storage")
async def test_other_keys_begin_anew(hass: HomeAssistant, meter: PushedMeter) -> None:
    await meter.start()
    assert admits(meter, 10)
    changed = {**meter.entry.data, "authentication_key": EK}
    hass.config_entries.async_update_entry(meter.entry, data=changed)
    await restart(meter)
    assert await authentication(meter) == "not authenticated"
    assert admits(meter, 1, is_authentic=None)


async def test_removed_entry_leaves_nothing(
    hass: HomeAssistant, meter: PushedMeter, hass_storage: dict[str, Any]
) -> None:
    await meter.start()
    assert admits(meter, 10)
    await hass.config_entries.async_remove(meter.entry.entry_id)
    await meter.settle()
    assert not [name for name in hass_storage if name.endswith("authenticity")]
    assert not hass.data[RUN]


@pytest.mark.usefixtures("hass_storage")
@pytest.mark.parametrize("given", [{"encryption_key": EK}, {}])
async def test_nothing_is_judged_without_the_key(meter: PushedMeter, given: dict[str, Any]) -> None:
    meter.make_entry(protocol="dlms", mode="pushed", **given)
    await meter.start()
    assert async_authenticity(meter.hass, meter.entry) is None
    assert await authentication(meter) == "not authenticated"


@pytest.mark.usefixtures("hass_storage")
async def test_fallen_counters_wait_for_consent(hass: HomeAssistant, meter: PushedMeter) -> None:
    await meter.start()
    assert admits(meter, 1000)
    assert not admits(meter, 1)
    await meter.wait(599)
    assert not admits(meter, 2)
    assert not issues(hass)
    await meter.wait(2)
    assert not admits(meter, 3)
    assert issues(hass)[Issue.COUNTER_FELL].is_fixable
    assert (await submit(hass, Issue.COUNTER_FELL))["type"] is FlowResultType.CREATE_ENTRY
    await meter.settle()
    assert not issues(hass)
    assert not admits(meter, 3)
    assert admits(meter, 4)
    await restart(meter)
    assert not admits(meter, 4)
    assert admits(meter, 5)


@pytest.mark.usefixtures("hass_storage")
async def test_counters_that_rise_again_end_the_notice(
    hass: HomeAssistant, meter: PushedMeter
) -> None:
    await meter.start()
    assert admits(meter, 1000)
    # Somebody sends an earlier telegram again, time after time, while the meter goes on.
    for number in range(5):
        assert not admits(meter, 999)
        await meter.wait(300)
        assert admits(meter, 1001 + number)
    assert Issue.COUNTER_FELL not in issues(hass)
    for _ in range(3):
        assert not admits(meter, 999)
        await meter.wait(301)
    assert Issue.COUNTER_FELL in issues(hass)
    assert admits(meter, 2000)
    assert Issue.COUNTER_FELL not in issues(hass)


@pytest.mark.usefixtures("hass_storage")
async def test_consent_reloads_an_entry_that_could_not_be_set_up(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory
) -> None:
    meter = PolledMeter(hass, freezer)
    meter.make_entry(protocol="dlms", **KEYS)
    await meter.start()
    assert admits(meter, 1000)
    await hass.config_entries.async_unload(meter.entry.entry_id)
    for _ in range(2):
        assert not admits(meter, 1)
        freezer.tick(601)
    assert not admits(meter, 2)
    assert Issue.COUNTER_FELL in issues(hass)
    with meter.patched():
        await submit(hass, Issue.COUNTER_FELL)
        await meter.settle()
    assert meter.state() is ConfigEntryState.LOADED
    assert admits(meter, 3)


@pytest.mark.usefixtures("hass_storage")
async def test_situation_is_named(meter: PushedMeter) -> None:
    meter.client.diagnosis = NotAuthenticatedError("", port="port")
    await meter.start()
    await meter.wait(3600)
    assert meter.coordinator.translation_key == "not_authenticated"


@pytest.mark.usefixtures("hass_storage")
@pytest.mark.parametrize("is_required", [False, True])
async def test_reading_of_a_flow_is_not_used_once_tags_are_required(
    hass: HomeAssistant, meter: PushedMeter, *, is_required: bool
) -> None:
    await meter.start()
    if is_required:
        assert admits(meter, 1)
    read = FirstReading(reading(), dt_util.utcnow(), None, {})
    async_hand_over(hass, str(meter.entry.unique_id), read)
    assert meter.coordinator._async_first_reading() == (None if is_required else read)
