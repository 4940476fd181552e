"""The part of the config flow that looks for the meter and shows the progress."""

from abc import abstractmethod
import asyncio
from contextlib import suppress
from datetime import datetime
import os
from typing import override

from homeassistant.components.usb import async_get_serial_port_consumers, async_scan_serial_ports
from homeassistant.config_entries import SOURCE_RECONFIGURE, ConfigFlowResult
from homeassistant.core import HomeAssistant, callback
from homeassistant.exceptions import ConfigEntryNotReady
from homeassistant.util import dt as dt_util

from ..access.clients import is_meter_of
from ..access.error_texts import as_meter_error, text_key, with_details
from ..coordinator.first_reading import FirstReading, async_hand_over
from ..meter import MeterError, Protocol, Reading
from ..meter.errors import PortBusyError
from ..meter.redaction import redact
from ..settings import AnySettings, BlinkEntrySettings, Mode
from .base import Steps
from .impulse_probe import ImpulseProbe
from .probe import Probe

#: Seconds for which the dialog shows the same at least. The frontend begins to look for changes
#: when it has drawn the dialog; a change before that goes unnoticed.
SHORTEST_PROGRESS = 1.5
#: The frontend has this multiple of that time to fetch a change.
_FETCH_PATIENCE = 4
#: Seconds between two updates of the number of bytes received.
PROGRESS_SECONDS = 2


class SearchSteps(Steps):
    """Reads the meter in the background while the dialog shows the progress."""

    _settings: AnySettings
    _probe: Probe | ImpulseProbe
    _reading: Reading
    _taken: datetime
    _probing: asyncio.Task[Reading]
    _progress: asyncio.Task[None]
    #: What the dialog shows: the key of a text and its placeholders.
    _shown: tuple[str, dict[str, str]]

    def __init__(self) -> None:
        """Start before any search."""
        super().__init__()
        #: Set once the frontend has fetched what is shown.
        self._is_fetched = asyncio.Event()

    @property
    @abstractmethod
    def _form_step(self) -> str:
        """The step that asks for the port."""

    @abstractmethod
    def _step_after_reading(self) -> str:
        """Return the step that follows a successful search."""

    @callback
    @override
    def _async_begin(self, settings: AnySettings) -> ConfigFlowResult:
        self._settings = settings
        self._probe = (
            ImpulseProbe(self.hass, settings)
            if isinstance(settings, BlinkEntrySettings)
            else Probe(self.hass, settings, is_shared=bool(self._others))
        )
        self._probing = self.hass.async_create_background_task(
            self._async_look(), "look for a meter"
        )
        self._async_update_progress()
        # The answer to this request is the first to be shown.
        self._is_fetched.set()
        return self._async_show_progress()

    @callback
    def _async_update_progress(self) -> None:
        """Show the state of the search until it changes."""
        self._shown = self._state_of_search()
        self._is_fetched.clear()
        self._progress = self.hass.async_create_background_task(
            self._async_wait_for_change(), "show the search for a meter"
        )

    async def _async_wait_for_change(self) -> None:
        """Wait until the state of the search changes, at the latest for the end of the search.

        Whenever this ends, Home Assistant has the frontend fetch the step once. A request that is
        late would find that the flow is over, and the dialog would show an error.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(_FETCH_PATIENCE * SHORTEST_PROGRESS):
                await self._is_fetched.wait()
        await asyncio.sleep(SHORTEST_PROGRESS)
        while not self._probing.done() and self._state_of_search() == self._shown:
            await asyncio.wait([self._probing], timeout=PROGRESS_SECONDS)

    @callback
    @override
    def async_remove(self) -> None:
        """End the search when the dialog is closed."""
        if hasattr(self, "_probing"):
            self._probing.cancel()

    def _state_of_search(self) -> tuple[str, dict[str, str]]:
        """Return the key of the text that describes the search, and its placeholders."""
        probe = self._probe
        port = redact(self._settings.source_id)
        if isinstance(probe, ImpulseProbe):
            impulses, seconds = str(probe.impulses), str(probe.longest)
            return "count", {"port": port, "impulses": impulses, "seconds": seconds}
        if probe.mode is Mode.PUSHED:
            return "listen", {"port": port, "seconds": str(probe.longest)}
        return "read", {"port": port, "received": str(probe.received)}

    @callback
    def _async_show_progress(self) -> ConfigFlowResult:
        action, placeholders = self._shown
        return self.async_show_progress(
            step_id="listen",
            progress_action=action,
            description_placeholders=placeholders,
            progress_task=self._progress,
        )

    async def async_step_listen(self, _: dict[str, object] | None = None) -> ConfigFlowResult:
        """Show the progress; then go on to the meter, or back to the form with the error."""
        if not self._progress.done():
            self._is_fetched.set()
            return self._async_show_progress()
        if not self._probing.done():
            self._async_update_progress()
            return self._async_show_progress()
        step_id = None
        try:
            self._reading = self._probing.result()
        except ConfigEntryNotReady as error:
            await self._async_explain(as_meter_error(error, self._settings.source_id))
        except MeterError as error:
            await self._async_explain(error)
            step_id = self._step_for_error(error, self._settings)
        else:
            step_id = self._step_after_reading()
        return self.async_show_progress_done(next_step_id=step_id or self._form_step)

    async def _async_explain(self, error: MeterError) -> None:
        """Show at the form what went wrong, as exactly as it is known."""
        if isinstance(error, PortBusyError):
            # Home Assistant knows its own entries and apps by the names that users gave them.
            by = await _async_users(self.hass, self._settings.source_id)
            error.details["by"] = by or error.details["by"]
        error = with_details(error, self._settings.source_id)
        self._set_errors({"base": text_key(error)}, error.details)

    async def _async_look(self) -> Reading:
        """Wait for a reading; when reconfiguring, in place of the entry."""
        if self.source != SOURCE_RECONFIGURE:
            return await self._async_probe()
        # Most likely the entry reads at the same port. Nobody else can set it up while its lock
        # is held, and however this ends, also with a closed dialog, it is set up again.
        entry = self._get_reconfigure_entry()
        async with entry.setup_lock:
            try:
                await entry.async_unload(self.hass)
                reading = await self._async_probe()
                if is_meter_of(entry, reading.meter):
                    data = self._settings.to_entry()
                    self.hass.config_entries.async_update_entry(entry, data=data)
                    self._async_hand_over(reading, str(entry.unique_id))
                return reading
            finally:
                self.hass.config_entries.async_schedule_reload(entry.entry_id)

    async def _async_probe(self) -> Reading:
        """Wait for a reading; keep whether it was pushed or polled."""
        reading = await self._probe.async_read()
        self._taken = dt_util.utcnow()
        self._settings = self._settings.with_mode(self._probe.mode)
        return reading

    @callback
    def _async_hand_over(self, reading: Reading, unique_id: str) -> None:
        """Hand the reading to the coordinator of the entry, where the next one may take long."""
        if self._settings.is_polled or self._settings.protocol is Protocol.DLMS:
            probe = self._probe
            read = FirstReading(reading, self._taken, probe.duration, probe.findings)
            async_hand_over(self.hass, unique_id, read)


async def _async_users(hass: HomeAssistant, port: str) -> str:
    """Return the entries and apps that Home Assistant knows to use a port; empty without any."""
    consumers = await async_get_serial_port_consumers(hass, await async_scan_serial_ports(hass))
    devices = [*consumers]
    path, *paths = await hass.async_add_executor_job(
        lambda: [os.path.realpath(device) for device in (port, *devices)]
    )
    return ", ".join(
        user.title
        for device, device_path in zip(devices, paths, strict=True)
        if device_path == path
        for user in consumers[device]
        if user.active
    )
