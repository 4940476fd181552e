"""Many meters are set up at once, and none of them waits for another one."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any
from unittest.mock import patch

from freezegun.api import FrozenDateTimeFactory
import pytest

from custom_components.onemeter import PLATFORMS
from custom_components.onemeter.const import DOMAIN
from custom_components.onemeter.meter import Identity
from custom_components.onemeter.meter.errors import MeterSilentError
from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import CoreState, HomeAssistant
from homeassistant.loader import async_get_integration

from .helpers.polled import PolledMeter, ScriptedPolledClient
from .helpers.pushed import PushedMeter, ScriptedClient, reading
from .helpers.usb import stub_usb

METERS = 25
#: Seconds of a readout, or until the first telegram.
FIRST_AFTER = 5
#: Seconds after which a readout of a silent meter fails.
SILENT_AFTER = 15
SILENT = MeterSilentError("silent", port="port")


class Meters[M: PushedMeter]:
    """Meters at a port of their own each, set up as at the start of Home Assistant."""

    def __init__(self, hass: HomeAssistant, make: Callable[[], M]) -> None:
        self.hass = hass
        self.meters: Sequence[M] = [make() for _ in range(METERS)]
        self.identities = [
            Identity(f"{number:08}", "TST", "METER", f"1TST{number:010}")
            for number in range(METERS)
        ]
        self.urls = [f"socket://meter{number}.local:1" for number in range(METERS)]
        for meter, identity, url in zip(self.meters, self.identities, self.urls, strict=True):
            meter.make_entry(identity.unique_id, port=url)
            meter.entry.add_to_hass(hass)

    async def set_up(
        self, begun: Callable[[M], asyncio.Event], seconds: float
    ) -> list[ConfigEntryState]:
        """Set all up at once; return their states these seconds after the last one has begun."""
        stub_usb(self.hass)
        # A thread imports them otherwise, for which the simulated clock does not wait.
        integration = await async_get_integration(self.hass, DOMAIN)
        await integration.async_get_platforms(PLATFORMS)
        setting_up = [
            asyncio.create_task(self.hass.config_entries.async_setup(meter.entry.entry_id))
            for meter in self.meters
        ]
        for meter in self.meters:
            await begun(meter).wait()
        await self.meters[0].wait(seconds)
        states = [meter.entry.state for meter in self.meters]
        await self.meters[0].wait(3 * SILENT_AFTER)
        await asyncio.gather(*setting_up)
        return states


@pytest.fixture(params=[CoreState.starting, CoreState.running])
def state(hass: HomeAssistant, request: pytest.FixtureRequest) -> None:
    hass.set_state(request.param)


@pytest.mark.usefixtures("state")
@pytest.mark.parametrize("silent", [(), (0,), (3, 7)])
async def test_polled_meters_do_not_wait_for_each_other(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, silent: Sequence[int]
) -> None:
    meters = Meters(hass, lambda: PolledMeter(hass, freezer))
    for number, meter in enumerate(meters.meters):
        meter.client.takes = SILENT_AFTER if number in silent else FIRST_AFTER
        meter.client.usual = (
            SILENT if number in silent else reading(meter=meters.identities[number])
        )

    def client(_: Any, url: str, *__: Any, **___: Any) -> ScriptedPolledClient:
        return meters.meters[meters.urls.index(url)].client

    with patch("custom_components.onemeter.access.clients.create_polled_client", client):
        states = await meters.set_up(lambda meter: meter.client.reading, FIRST_AFTER + 1)
    assert len({meter.client.read_at[0] for meter in meters.meters}) == 1
    assert loaded(states) == [number not in silent for number in range(METERS)]


@pytest.mark.usefixtures("state")
@pytest.mark.parametrize("silent", [(0,), (3, 7)])
async def test_pushing_meters_do_not_wait_for_each_other(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, silent: Sequence[int]
) -> None:
    meters = Meters(hass, lambda: PushedMeter(hass, freezer))
    for number, meter in enumerate(meters.meters):
        if number not in silent:
            meter.client.said.put_nowait(reading(meter=meters.identities[number]))

    def client(_: Any, url: str, *__: Any, **___: Any) -> ScriptedClient:
        return meters.meters[meters.urls.index(url)].client

    with patch("custom_components.onemeter.access.clients.create_pushed_client", client):
        states = await meters.set_up(lambda meter: meter.client.listening, 1)
    assert loaded(states) == [number not in silent for number in range(METERS)]


def loaded(states: Sequence[ConfigEntryState]) -> list[bool]:
    return [state is ConfigEntryState.LOADED for state in states]
