"""How long large meters block Home Assistant's event loop: run by scripts/benchmark callbacks.

The CPU time of each callback with our code is measured, without Home Assistant's own time for
writing states and adding entities.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import wraps
import gc
import logging
import os
from pathlib import Path
import sys
from tempfile import TemporaryDirectory
import time
from typing import Any, Final
from unittest.mock import patch

from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_test_home_assistant,
)

from custom_components.onemeter import sensor
from custom_components.onemeter.const import DOMAIN
from custom_components.onemeter.coordinator.base import OneMeterCoordinator
from custom_components.onemeter.meter import Identity, Obis, Protocol, Reading, Register
from custom_components.onemeter.meter.iec62056 import Iec62056Decoder
from custom_components.onemeter.settings import MINOR_VERSION
from custom_components.onemeter.totals import Totals
from homeassistant.const import CONF_MODE, CONF_PORT, CONF_PROTOCOL
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity import Entity
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.loader import DATA_CUSTOM_COMPONENTS
from simulator.iec62056.encoder import Checksum, data_block, data_set

from .polled import ScriptedPolledClient
from .pushed import ScriptedClient
from .usb import stub_usb

TARGET_MS: Final = 2
CAPTURE: Final = "iec62056/amateusz_kohler.bin"
_IS_QUICK: Final = "--quick" in sys.argv
_READINGS: Final = 2 if _IS_QUICK else 10
#: Registers of a usual and of a large meter, and the allowed ratio of the times for their readings.
_USUAL: Final = 21
_LARGE: Final = 616
TARGET_RATIO: Final = 20
#: The shortest of several rounds counts, since a busy machine makes some callbacks longer.
_ROUNDS: Final = 1 if _IS_QUICK else 3
_METER: Final = Identity("12345678", "TST", "LARGE", None)
_PORT: Final = "socket://meter.local:1"


@dataclass
class Callbacks:
    """CPU times of callbacks in which our code ran (ns)."""

    longest: int = 0
    #: Including Home Assistant's own time.
    longest_with_home_assistant: int = 0
    _is_ours: bool = False
    _foreign: int = 0
    _depth: int = 0

    def run(self, handle: asyncio.Handle, run: Callable[[asyncio.Handle], None]) -> None:
        """Run a callback, and record its time if our code has run in it."""
        self._is_ours, self._foreign = False, 0
        begin = time.thread_time_ns()
        run(handle)
        took = time.thread_time_ns() - begin
        if self._is_ours:
            self.longest = max(self.longest, took - self._foreign)
            self.longest_with_home_assistant = max(self.longest_with_home_assistant, took)

    def ours[**P, R](self, function: Callable[P, R]) -> Callable[P, R]:
        """Make calls of a function of ours mark their callback as ours."""

        @wraps(function)
        def counted(*args: P.args, **kwargs: P.kwargs) -> R:
            self._is_ours = True
            return function(*args, **kwargs)

        return counted

    def foreign[**P, R](self, function: Callable[P, R]) -> Callable[P, R]:
        """Exclude the time of a function of Home Assistant that our code calls."""

        @wraps(function)
        def not_counted(*args: P.args, **kwargs: P.kwargs) -> R:
            self._is_ours = True
            self._depth += 1
            begin = time.thread_time_ns()
            try:
                return function(*args, **kwargs)
            finally:
                self._depth -= 1
                if not self._depth:
                    self._foreign += time.thread_time_ns() - begin

        return not_counted


@contextmanager
def timed() -> Generator[Callbacks]:
    """Measure all callbacks."""
    found = Callbacks()
    run = asyncio.Handle._run
    set_up = sensor.async_setup_entry

    async def set_up_sensors(
        hass: HomeAssistant, entry: Any, add: AddConfigEntryEntitiesCallback
    ) -> None:
        await set_up(hass, entry, found.foreign(add))

    gc.collect()
    gc.disable()
    try:
        with (
            patch.object(asyncio.Handle, "_run", lambda handle: found.run(handle, run)),
            patch.object(
                Entity, "async_write_ha_state", found.foreign(Entity.async_write_ha_state)
            ),
            patch.object(
                OneMeterCoordinator, "_async_take", found.ours(OneMeterCoordinator._async_take)
            ),
            patch.object(
                OneMeterCoordinator,
                "async_update_listeners",
                found.ours(OneMeterCoordinator.async_update_listeners),
            ),
            patch.object(Totals, "_content", found.ours(Totals._content)),
            patch.object(
                sensor.OneMeterSensor,
                "_snapshot",
                found.ours(sensor.OneMeterSensor._snapshot),
            ),
            patch.object(sensor, "async_setup_entry", set_up_sensors),
        ):
            yield found
    finally:
        gc.enable()


@asynccontextmanager
async def home_assistant() -> AsyncGenerator[HomeAssistant]:
    """Start a Home Assistant with this integration."""
    with TemporaryDirectory() as folder:
        async with async_test_home_assistant(config_dir=folder) as hass:
            hass.data.pop(DATA_CUSTOM_COMPONENTS, None)
            stub_usb(hass)
            yield hass
            await hass.async_stop(force=True)


async def settle(hass: HomeAssistant) -> None:
    """Run everything that is due."""
    for _ in range(3):
        await hass.async_block_till_done()
        for _ in range(50):
            await asyncio.sleep(0)
        await hass.async_add_executor_job(int)


def entry_of(protocol: Protocol, **data: Any) -> MockConfigEntry:
    return MockConfigEntry(
        domain=DOMAIN,
        minor_version=MINOR_VERSION,
        title="Meter",
        unique_id=_METER.unique_id,
        data={CONF_PORT: _PORT, CONF_PROTOCOL: protocol.value, **data},
        options={"publish_interval": 0},
    )


def large_readout() -> Reading:
    """Return the largest recorded readout, or a made-up one of the same size."""
    folder = os.environ.get("ONEMETER_CAPTURES")
    if folder is None:
        lines = [
            data_set(f"{quantity}.8.{tariff}*{month}", [f"{month * 321:06}.{tariff}*kWh"])
            for quantity in range(1, 11)
            for tariff in range(5)
            for month in range(1, 13)
        ]
        data = b"/TST5LARGE\r\n" + data_block("\r\n".join([*lines, ""]), Checksum.XOR)
    else:
        data = Path(folder, CAPTURE).read_bytes()
    decoder = Iec62056Decoder()
    (reading,) = [*decoder.feed(data), *decoder.finish()]
    return Reading(_METER, reading.time, reading.registers, reading.raw)


async def measure_large_readout() -> dict[str, Callbacks]:
    """Set up a meter with hundreds of registers, and read it several times."""
    reading = large_readout()
    client = ScriptedPolledClient(_PORT)
    found = {}
    async with home_assistant() as hass:
        entry = entry_of(Protocol.IEC62056, **{CONF_MODE: "polled"})
        entry.add_to_hass(hass)
        client.usual = reading
        with (
            patch(
                "custom_components.onemeter.access.clients.create_polled_client",
                return_value=client,
            ),
            timed() as found[f"{len(reading.registers)} registers: set-up"],
        ):
            await hass.config_entries.async_setup(entry.entry_id)
            await settle(hass)
        with timed() as found[f"{len(reading.registers)} registers: {_READINGS} readouts"]:
            for _ in range(_READINGS):
                await entry.runtime_data.async_request_refresh()
                await settle(hass)
    return found


async def measure_new_codes() -> dict[str, Callbacks]:
    """Receive telegrams, each with 380 new codes."""
    client = ScriptedClient(_PORT)
    found = {}
    async with home_assistant() as hass:
        entry = entry_of(Protocol.SML)
        entry.add_to_hass(hass)
        with (
            patch(
                "custom_components.onemeter.access.clients.create_pushed_client",
                return_value=client,
            ),
            timed() as found["380 new codes in each telegram"],
        ):
            for number in range(_READINGS):
                codes = range(380 * number, 380 * (number + 1))
                client.said.put_nowait(
                    Reading(
                        _METER,
                        None,
                        tuple(
                            Register(
                                Obis(1, 9, code >> 8 & 0xFF, 8, code & 0xFF), Decimal(code), "Wh"
                            )
                            for code in codes
                        ),
                        b"",
                    )
                )
                if not number:
                    await hass.config_entries.async_setup(entry.entry_id)
                await settle(hass)
    return found


async def measure_reading(registers: int) -> float:
    """Return the time (s) of a reading in which two of the registers have changed."""
    client = ScriptedClient(_PORT)
    codes = (Obis(1, 0, 1 + index // 100, 8, index % 100) for index in range(registers))
    sent = [Register(code, Decimal(index), "kWh") for index, code in enumerate(codes)]
    async with home_assistant() as hass:
        entry = entry_of(Protocol.SML)
        entry.add_to_hass(hass)
        client.said.put_nowait(Reading(_METER, None, tuple(sent), b""))
        with patch(
            "custom_components.onemeter.access.clients.create_pushed_client", return_value=client
        ):
            await hass.config_entries.async_setup(entry.entry_id)
        await settle(hass)
        times = []
        for number in range(5 * _READINGS):
            sent[:2] = (replace(item, value=Decimal(number)) for item in sent[:2])
            reading = Reading(_METER, None, tuple(sent), b"")
            begin = time.thread_time()
            entry.runtime_data._async_take(reading)
            times.append(time.thread_time() - begin)
            await settle(hass)
    return min(times)


def forget_codes() -> None:
    """Clear the caches of codes, as at the start of Home Assistant."""
    for name, module in list(sys.modules.items()):
        if name.startswith("custom_components.onemeter."):
            for function in vars(module).values():
                if hasattr(function, "cache_clear"):
                    function.cache_clear()


def main() -> int:
    """Print the longest callbacks; return 1 if one was too long in a full run."""
    logging.disable()
    found: dict[str, Callbacks] = {}
    for _ in range(_ROUNDS):
        for measure in (measure_large_readout, measure_new_codes):
            forget_codes()
            for title, callbacks in asyncio.run(measure()).items():
                before = found.setdefault(title, callbacks)
                found[title] = min(before, callbacks, key=lambda each: each.longest)
    write = sys.stdout.write
    write("\nHome Assistant’s event loop: our CPU time, and with Home Assistant’s own\n")
    for title, callbacks in found.items():
        ours, both = callbacks.longest / 1e6, callbacks.longest_with_home_assistant / 1e6
        write(f"  {title:50} {ours:6.3f} ms   {both:6.3f} ms\n")
    usual, large = (asyncio.run(measure_reading(number)) for number in (_USUAL, _LARGE))
    ratio = large / usual
    write(
        f"  a reading with two changed registers: {usual * 1e6:.0f} µs of {_USUAL}, "
        f"{large * 1e6:.0f} µs of {_LARGE}: {ratio:.1f} times (at most {TARGET_RATIO})\n"
    )
    missed = [title for title, callbacks in found.items() if callbacks.longest > TARGET_MS * 1e6]
    return bool((missed or ratio > TARGET_RATIO) and not _IS_QUICK)


if __name__ == "__main__":
    sys.exit(main())
