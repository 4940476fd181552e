"""The part of the config flow that reads a meter for the first time."""

from abc import abstractmethod
import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, Final, override

from homeassistant.config_entries import SOURCE_RECONFIGURE, ConfigFlowResult
from homeassistant.core import callback
from homeassistant.exceptions import ConfigEntryNotReady
from homeassistant.util import dt as dt_util

from ..access.clients import is_meter_of, is_taken
from ..access.error_texts import as_meter_error, text_key, with_details
from ..coordinator.first_reading import FirstReading, async_hand_over
from ..meter import MeterError, Protocol, Reading
from ..meter.errors import PortBusyError, UnknownDataError
from ..meter.looks import Look
from ..meter.redaction import redact
from ..settings import AnySettings, BlinkEntrySettings, Mode
from .base import Steps
from .impulse_probe import ImpulseProbe
from .ports import async_users
from .probe import Probe
from .progress import ProgressSteps, State

#: The protocols of what bytes look like.
LOOKS: Final[Mapping[str, Protocol]] = {
    Look.SML: Protocol.SML,
    Look.IEC62056: Protocol.IEC62056,
    Look.DLMS: Protocol.DLMS,
}


class SearchSteps(ProgressSteps, Steps):
    """Reads the meter with settings that are known, and goes on to the page that shows it."""

    _settings: AnySettings
    _probe: Probe | ImpulseProbe
    _reading: Reading
    _taken: datetime

    @abstractmethod
    def _preselect(self, protocol: Protocol) -> None:
        """Select a protocol in the form of the port."""

    @property
    @abstractmethod
    def _form_step(self) -> str:
        """The step that asks for the port."""

    @abstractmethod
    def _step_after_reading(self) -> str:
        """Return the step that follows a successful search."""

    @callback
    @override
    def _async_begin(
        self, settings: AnySettings, *, finds_source: bool = False
    ) -> ConfigFlowResult:
        self._settings = settings
        self._probe = (
            ImpulseProbe(self.hass, settings, finds_source=finds_source)
            if isinstance(settings, BlinkEntrySettings)
            else Probe(self.hass, settings, is_shared=bool(self._others))
        )
        return self._async_run(self._async_look(), self._state_of_search, self._async_after_search)

    def _state_of_search(self) -> State:
        probe = self._probe
        port = redact(self._settings.source_id)
        if isinstance(probe, ImpulseProbe):
            impulses, seconds = str(probe.impulses), str(probe.longest)
            return State("count", {"port": port, "impulses": impulses, "seconds": seconds})
        if probe.mode is Mode.PUSHED:
            return State("listen", {"port": port, "seconds": str(probe.longest)})
        return State("read", {"port": port, "received": str(probe.received)})

    async def _async_after_search(self, search: asyncio.Future[Any]) -> str:
        """Return the step that shows the meter, or the form with the error."""
        step_id = None
        try:
            self._reading = search.result()
        except ConfigEntryNotReady as error:
            await self._async_explain(as_meter_error(error, self._connection.source_id))
        except MeterError as error:
            await self._async_explain(error)
            step_id = self._step_for_error(error, self._settings)
        else:
            step_id = self._step_after_reading()
        return step_id or self._form_step

    async def _async_explain(self, error: MeterError) -> None:
        """Show at the form what went wrong, as exactly as it is known."""
        port = self._connection.source_id
        if isinstance(error, PortBusyError):
            # Home Assistant knows its own entries and apps by the names that users gave them.
            error.details["by"] = await async_users(self.hass, port) or error.details["by"]
        error = with_details(error, port)
        self._set_errors({"base": text_key(error)}, error.details)
        if isinstance(error, UnknownDataError) and error.details["looks_like"] in LOOKS:
            self._preselect(LOOKS[error.details["looks_like"]])

    @asynccontextmanager
    async def _entry_unloaded(self) -> AsyncGenerator[None]:
        """Take the place of the entry that is reconfigured.

        Usually it uses the same port. It cannot be set up while its lock is held. Afterwards it is
        set up again in any case, also if the dialog is closed.
        """
        if self.source != SOURCE_RECONFIGURE:
            yield
            return
        entry = self._get_reconfigure_entry()
        async with entry.setup_lock:
            try:
                await entry.async_unload(self.hass)
                yield
            finally:
                self.hass.config_entries.async_schedule_reload(entry.entry_id)

    async def _async_look(self) -> Reading:
        async with self._entry_unloaded():
            return await self._async_first_reading()

    async def _async_first_reading(self) -> Reading:
        """Wait for a reading; change the entry that is reconfigured if it is its meter.

        Keeps whether the reading was pushed or polled.
        """
        reading = await self._probe.async_read()
        self._taken = dt_util.utcnow()
        if isinstance(self._probe, ImpulseProbe):
            self._settings = self._probe.settings
        self._settings = self._settings.with_mode(self._probe.mode)
        if self.source == SOURCE_RECONFIGURE:
            entry = self._get_reconfigure_entry()
            is_taken_now = is_taken(self.hass, self._settings, besides=entry.entry_id)
            if is_meter_of(entry, reading.meter) and not is_taken_now:
                data = self._settings.to_entry()
                self.hass.config_entries.async_update_entry(entry, data=data)
                self._async_hand_over(reading, str(entry.unique_id))
        return reading

    @callback
    def _async_hand_over(self, reading: Reading, unique_id: str) -> None:
        """Hand the reading to the coordinator of the entry, where the next one may take long."""
        if self._settings.is_polled or self._settings.protocol is Protocol.DLMS:
            probe = self._probe
            read = FirstReading(reading, self._taken, probe.duration, probe.findings)
            async_hand_over(self.hass, unique_id, read)
