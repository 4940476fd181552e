"""The repair for a meter whose clock is wrong."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from freezegun.api import FrozenDateTimeFactory
import pytest

from custom_components.onemeter.meter import Reading
from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir
from homeassistant.util import dt as dt_util

from ..helpers.pushed import PushedMeter, reading


@pytest.fixture
async def meter(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> PushedMeter:
    await hass.config.async_set_time_zone("Europe/Berlin")
    return PushedMeter(hass, freezer)


def off_by(minutes: float, *, aware: bool = False) -> Reading:
    """Return a telegram with a clock that is ahead by so much."""
    now = datetime.now(UTC) if aware else dt_util.now().replace(tzinfo=None)
    return replace(reading(), time=now + timedelta(minutes=minutes))


def repairs(hass: HomeAssistant) -> list[tuple[str, str]]:
    return [
        (str(issue.translation_key), (issue.translation_placeholders or {})["off"])
        for issue in ir.async_get(hass).issues.values()
    ]


@pytest.mark.parametrize("aware", [False, True], ids=["local", "zone"])
@pytest.mark.parametrize(
    ("minutes", "expected"),
    [
        (6, ("clock_off_ahead", "6 min")),
        (-7, ("clock_off_behind", "7 min")),
        # Daylight saving time, and a wrong zone.
        (-66, ("clock_off_behind", "6 min")),
        (-400 * 1440, ("clock_off_behind", "400 d")),
        (20 * 60, ("clock_off_ahead", "20 h")),
    ],
)
async def test_clock_that_is_wrong_for_ten_minutes(
    hass: HomeAssistant,
    meter: PushedMeter,
    minutes: float,
    expected: tuple[str, str],
    *,
    aware: bool,
) -> None:
    await meter.start(off_by(minutes, aware=aware))
    for _ in range(19):
        await meter.wait(30)
        await meter.say(off_by(minutes, aware=aware))
    assert repairs(hass) == []
    for _ in range(2):
        await meter.wait(30)
        await meter.say(off_by(minutes, aware=aware))
    assert repairs(hass) == [expected]
    [issue] = ir.async_get(hass).issues.values()
    assert not issue.is_fixable
    await meter.wait(1)
    await meter.say(off_by(4, aware=aware))
    assert repairs(hass) == []


@pytest.mark.parametrize("minutes", [0, 4.9, -4.9, 60, -63, 14 * 60 + 3])
async def test_clock_that_is_right(hass: HomeAssistant, meter: PushedMeter, minutes: float) -> None:
    await meter.start(off_by(minutes))
    for _ in range(25):
        await meter.wait(29)
        await meter.say(off_by(minutes))
    assert repairs(hass) == []


async def test_clock_of_home_assistant_that_is_set_late(
    hass: HomeAssistant, meter: PushedMeter
) -> None:
    await meter.start(off_by(30))
    for _ in range(10):
        await meter.wait(29)
        await meter.say(off_by(30))
    for _ in range(3):
        await meter.wait(29)
        await meter.say(off_by(0))
    for _ in range(10):
        await meter.wait(29)
        await meter.say(off_by(30))
    assert repairs(hass) == []


async def test_repair_ends_after_a_reload(hass: HomeAssistant, meter: PushedMeter) -> None:
    await meter.start(off_by(9))
    for _ in range(25):
        await meter.wait(29)
        await meter.say(off_by(9))
    assert repairs(hass) == [("clock_off_ahead", "9 min")]
    await hass.config_entries.async_unload(meter.entry.entry_id)
    await meter.start(off_by(0))
    assert repairs(hass) == []
