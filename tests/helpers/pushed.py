"""An entry of a pushing meter with a scripted client."""

import asyncio
from collections.abc import AsyncGenerator, Generator
from contextlib import contextmanager
from datetime import timedelta
import math
from typing import Any, override
from unittest.mock import patch

from freezegun.api import FrozenDateTimeFactory
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_fire_time_changed,
)

from custom_components.onemeter.const import DOMAIN
from custom_components.onemeter.coordinator.base import OneMeterCoordinator
from custom_components.onemeter.meter import (
    Identity,
    LineSettings,
    MeterError,
    Protocol,
    PushedClient,
    Reading,
    Register,
)
from custom_components.onemeter.meter.errors import MeterSilentError
from custom_components.onemeter.settings import MINOR_VERSION
from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import CONF_PORT, CONF_PROTOCOL, Platform
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.event import RANDOM_MICROSECOND_MAX
from homeassistant.util.async_ import get_scheduled_timer_handles

from .published import register
from .usb import stub_usb

PORT = "socket://user:secret@meter.local:3333"
METER = Identity("0a01444d4f0000bc614e", "DMO", None, "1DMO0012345678")
OTHER_METER = Identity("0a01444d4f0005f5e0ff", "DMO", None, "1DMO0099999999")
GENERATED_ID = "generated-5e0c1f6a7b8d4c2e9f0a1b2c3d4e5f60"


def reading(*registers: Register, meter: Identity = METER, raw: bytes = b"raw") -> Reading:
    """Return a telegram of these registers; by default one total and the power."""
    if not registers:
        registers = (
            register("1-0:1.8.0*255", "5000", "Wh"),
            register("1-0:16.7.0*255", "100", "W"),
        )
    return Reading(meter, None, registers, raw)


def energy(watt_hours: str, code: str = "1-0:1.8.0*255", meter: Identity = METER) -> Reading:
    """Return a telegram with this total and the power."""
    power = register("1-0:16.7.0*255", "100", "W")
    return reading(register(code, watt_hours, "Wh"), power, meter=meter)


class ScriptedClient(PushedClient):
    """A client whose telegrams and errors are set by the test."""

    def __init__(self, url: str = PORT, line: LineSettings | None = None) -> None:
        super().__init__(url, line or LineSettings(9600))
        self.said: asyncio.Queue[Reading | Exception] = asyncio.Queue()
        self.diagnosis: MeterError = MeterSilentError("silent", port="port")
        self.opened = 0
        self.is_open = False
        self.listening = asyncio.Event()

    @override
    async def listen(self) -> AsyncGenerator[Reading]:
        self.opened += 1
        self.is_open = True
        self.listening.set()
        try:
            while True:
                match await self.said.get():
                    case Reading() as heard:
                        self.counters.good += 1
                        yield heard
                    case error:
                        raise error
        finally:
            self.is_open = False

    @override
    def diagnose(self) -> MeterError:
        return self.diagnosis


class PushedMeter:
    """An entry with a scripted client."""

    def __init__(self, hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> None:
        self.hass = hass
        self.freezer = freezer
        self.client = ScriptedClient()
        self.entry = self.make_entry()

    def make_entry(
        self,
        unique_id: str | None = METER.unique_id,
        *,
        port: str = PORT,
        options: dict[str, Any] | None = None,
        **data: Any,
    ) -> MockConfigEntry:
        """Replace the entry by another one for the same client."""
        self.entry = MockConfigEntry(
            domain=DOMAIN,
            minor_version=MINOR_VERSION,
            title="Meter",
            unique_id=unique_id,
            data={CONF_PORT: port, CONF_PROTOCOL: Protocol.SML.value, **data},
            options=options or {},
        )
        return self.entry

    @property
    def coordinator(self) -> OneMeterCoordinator:
        coordinator: OneMeterCoordinator = self.entry.runtime_data
        return coordinator

    async def start(self, *said: Reading | Exception) -> bool:
        """Set up the entry while the client receives these telegrams; by default one."""
        for item in said or (reading(),):
            self.client.said.put_nowait(item)
        return await self.set_up()

    async def set_up(self) -> bool:
        """Set up the entry."""
        stub_usb(self.hass)
        if not self.hass.config_entries.async_get_entry(self.entry.entry_id):
            self.entry.add_to_hass(self.hass)
        with self.patched():
            set_up = await self.hass.config_entries.async_setup(self.entry.entry_id)
            await self.hass.async_block_till_done()
        return set_up

    @contextmanager
    def patched(self) -> Generator[None]:
        """Patch the creation of clients to return the scripted one."""
        with patch(
            "custom_components.onemeter.access.clients.create_pushed_client",
            return_value=self.client,
        ):
            yield

    async def say(self, *said: Reading | Exception, after: float = 0) -> None:
        """Advance the time, then receive these telegrams or errors."""
        await self.wait(after)
        for item in said:
            self.client.said.put_nowait(item)
        await self.settle()

    def forget(self) -> None:
        """Discard telegrams that have not been received yet."""
        while not self.client.said.empty():
            self.client.said.get_nowait()

    async def wait(self, seconds: float, step: float = 1) -> None:
        """Advance the time in steps; steps without an ending timer are joined."""
        if seconds > 0:
            await self.settle()
        while seconds > 0:
            idle = math.ceil(min(seconds, self._idle_seconds()) / step) * step
            passing = min(seconds, max(step, idle))
            self.freezer.tick(timedelta(seconds=passing))
            async_fire_time_changed(self.hass)
            await self.settle()
            seconds -= passing

    def _idle_seconds(self) -> float:
        """Return the seconds in which ``async_fire_time_changed`` would fire no timer."""
        timers = get_scheduled_timer_handles(self.hass.loop)
        ends = (timer.when() for timer in timers if not timer.cancelled())
        return min(ends, default=math.inf) - self.hass.loop.time() - RANDOM_MICROSECOND_MAX / 1e6

    async def settle(self) -> None:
        """Run everything that is due, also in threads and background tasks."""
        while True:
            await self.hass.async_block_till_done()
            # Imports run one after the other: when this one is done, so are all earlier ones.
            await self.hass.async_add_import_executor_job(int)
            # Reading and writing of stores is not tracked; after this job it is done.
            await self.hass.async_add_executor_job(int)
            if jobs := [
                job for job in self.hass._background_tasks if not isinstance(job, asyncio.Task)
            ]:
                await asyncio.wait(jobs)
            elif not self.hass.loop._ready:  # type: ignore[attr-defined]
                return

    def enable(self, key: str, name: str) -> None:
        """Enable a sensor before it is created."""
        unique_id = f"{self.entry.unique_id}-{key}"
        er.async_get(self.hass).async_get_or_create(
            Platform.SENSOR, DOMAIN, unique_id, suggested_object_id=f"meter_{name}"
        )

    def state(self) -> ConfigEntryState:
        """Return the state of the entry."""
        return self.entry.state

    def value(self, name: str = "energy_import") -> str:
        """Return the state of a sensor."""
        state = self.hass.states.get(f"sensor.meter_{name}")
        assert state is not None
        return state.state
