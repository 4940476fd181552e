"""The repair for a meter whose telegrams often arrive damaged."""

from freezegun.api import FrozenDateTimeFactory
import pytest

from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir

from ..helpers.polled import PolledMeter
from ..helpers.pushed import PushedMeter, reading


@pytest.fixture
def meter(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> PushedMeter:
    return PushedMeter(hass, freezer)


def repairs(hass: HomeAssistant) -> list[str]:
    return [str(issue.translation_key) for issue in ir.async_get(hass).issues.values()]


async def receive(meter: PushedMeter, minutes: float, good: int, damaged: int) -> None:
    """Receive this number of telegrams every 20 seconds."""
    for _ in range(round(minutes * 3)):
        meter.client.counters.damaged += damaged
        await meter.say(*[reading()] * good, after=20)


async def test_one_of_five_telegrams_is_damaged(hass: HomeAssistant, meter: PushedMeter) -> None:
    await meter.start()
    await receive(meter, 9, 4, 1)
    assert repairs(hass) == []
    await receive(meter, 2, 4, 1)
    assert repairs(hass) == ["poor_signal"]
    [issue] = ir.async_get(hass).issues.values()
    assert issue.translation_placeholders is not None
    assert 19 <= int(issue.translation_placeholders["share"]) <= 21
    assert not issue.is_fixable
    await receive(meter, 3, 5, 0)
    assert repairs(hass) == ["poor_signal"]
    await receive(meter, 3, 5, 0)
    assert repairs(hass) == []


async def test_few_damaged_telegrams(hass: HomeAssistant, meter: PushedMeter) -> None:
    await meter.start()
    await receive(meter, 12, 10, 1)
    assert repairs(hass) == []


async def test_short_disturbance(hass: HomeAssistant, meter: PushedMeter) -> None:
    await meter.start()
    await receive(meter, 10, 4, 0)
    await receive(meter, 3, 1, 9)
    for _ in range(10):
        await receive(meter, 1, 4, 0)
        assert repairs(hass) == []


async def test_meter_that_cannot_be_read_has_one_repair(
    hass: HomeAssistant, meter: PushedMeter
) -> None:
    await meter.start()
    await receive(meter, 11, 4, 1)
    assert repairs(hass) == ["poor_signal"]
    await receive(meter, 17, 0, 1)
    assert repairs(hass) == ["unavailable_silent"]


async def test_repair_ends_after_a_reload(hass: HomeAssistant, meter: PushedMeter) -> None:
    await meter.start()
    await receive(meter, 11, 4, 1)
    await hass.config_entries.async_unload(meter.entry.entry_id)
    await meter.start()
    await receive(meter, 6, 5, 0)
    assert repairs(hass) == []


async def test_polled_meter(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> None:
    meter = PolledMeter(hass, freezer)
    await meter.start()
    for _ in range(12):
        meter.client.counters.damaged += 1
        await meter.wait(60, step=10)
    assert repairs(hass) == ["poor_signal"]
