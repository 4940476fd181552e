"""The part of the config flow that finds out which meter is at a port."""

from abc import abstractmethod
import asyncio
from collections.abc import Mapping
from typing import Final

from homeassistant.config_entries import ConfigFlowResult
from homeassistant.const import CONF_PROTOCOL
from homeassistant.core import callback

from ..access.known_ports import FoundLine, KnownPorts
from ..meter import MeterError, Protocol, Reading
from ..meter.detection import Candidate, Detection, Refusal, Situation, Step, detect
from ..meter.looks import Look
from ..meter.redaction import redact
from ..settings import AnySettings, BlinkEntrySettings, DlmsEntrySettings
from .detected import entered_line, found_before, settings_of
from .ports import async_usb_id
from .probe import Probe
from .progress import State
from .search import LOOKS, SearchSteps

#: The texts for a meter that answers, but cannot be read like this, except for DLMS meters that
#: want a password or keys.
_REFUSALS: Final[Mapping[Refusal | None, str]] = {
    Refusal.NO_READOUT: "no_readout",
    Refusal.NEEDS_DLMS: "needs_dlms",
    Refusal.NEEDS_ADDRESS: "address_refused",
}


class DetectSteps(SearchSteps):
    """Finds out protocol, line and address, and reads the meter unless something is missing."""

    #: What was entered for a DLMS meter so far.
    _dlms: DlmsEntrySettings

    #: What is done, until the meter that was found is read.
    _step: Step | None = None
    #: What was found.
    _detection: Detection

    @abstractmethod
    def _adopt(self, settings: AnySettings) -> None:
        """Go on with the port, line and protocol of these settings, also in the port's form."""

    @callback
    def _async_detect(self) -> ConfigFlowResult:
        """Begin to find out which meter is at the port."""
        self._step = Step.OPEN
        return self._async_run(
            self._async_find_and_read(), self._state_of_detection, self._async_after_detection
        )

    def _state_of_detection(self) -> State:
        if self._step is None:
            return self._state_of_search()
        return State(f"detect_{self._step}", {"port": redact(self._connection.source_id)})

    async def _async_find_and_read(self) -> Reading | None:
        """Return the first reading of the meter; None where more must be entered first."""
        async with self._entry_unloaded():
            self._detection = await self._async_find()
            winner = self._detection.winner
            if winner is None:
                return None
            settings = settings_of(winner, self._connection, self._before)
            if (
                isinstance(settings, BlinkEntrySettings)
                or self._counts_another_total(settings.protocol)
                or _needs_more(winner, settings)
            ):
                return None
            self._settings = settings
            self._probe = Probe(self.hass, settings, is_shared=False, findings=winner.findings)
            self._step = None
            return await self._async_first_reading()

    async def _async_find(self) -> Detection:
        port = self._connection.source_id
        known = await KnownPorts.async_load(self.hass)
        last = known.found(port) or found_before(self._before)
        pushed, polled = (None, None) if last is None else last.by_mode
        detection = await detect(
            port,
            country=self.hass.config.country,
            progress=self._async_show_step,
            last_wake_up=known.last_wake_up(port),
            known=entered_line(self._connection) or pushed,
            asked=polled,
            usb_id=await async_usb_id(self.hass, port),
        )
        winner = detection.winner
        meter = None if winner is None else FoundLine(winner.line, winner.is_polled)
        await known.async_note(port, meter, detection.last_wake_up)
        return detection

    @callback
    def _async_show_step(self, step: Step, share: float) -> None:
        self._step = step
        self.async_update_progress(share)

    async def _async_after_detection(self, search: asyncio.Future[Reading | None]) -> str:
        """Return the step that follows: the meter, the form that is needed, or the port's."""
        if search.exception() is None and search.result() is None:
            return await self._async_step_for(self._detection)
        if self._step is None:
            self._take(self._settings)
        return await self._async_after_search(search)

    def _take(self, settings: AnySettings) -> None:
        """Adopt detected settings."""
        self._adopt(settings)
        if isinstance(settings, DlmsEntrySettings):
            self._dlms = settings

    async def _async_step_for(self, detection: Detection) -> str:
        """Return the step for a result without a reading."""
        match detection:
            case Detection(candidates=(candidate, *_)) if self._counts_another_total(
                candidate.protocol
            ):
                self._set_errors({CONF_PROTOCOL: "protocol_changed"})
            case Detection(
                situation=Situation.FOUND | Situation.REFUSES, candidates=(candidate, *_)
            ) if candidate.refusal is not None:
                return self._step_for_refusal(candidate)
            case Detection(situation=Situation.FOUND, candidates=(candidate, *_)):
                return self._step_for_found(candidate)
            case Detection(error=MeterError() as error):
                await self._async_explain(error)
            case Detection(situation=Situation.SILENT, has_fixed_speed=True):
                self._set_detection_error("fixed_speed")
            case Detection(situation=Situation.SILENT):
                is_lit = detection.light_seconds > 0
                self._set_detection_error("nothing_heard_lit" if is_lit else "nothing_heard")
            case _:
                self._explain_bytes(detection)
        return self._form_step

    def _step_for_found(self, candidate: Candidate) -> str:
        """Return the form for what the meter needs."""
        settings = settings_of(candidate, self._connection, self._before)
        self._take(settings)
        return "dlms_encrypted" if isinstance(settings, DlmsEntrySettings) else "blink_port"

    def _step_for_refusal(self, candidate: Candidate) -> str:
        """Return the form that can help with a meter that answers, but refuses."""
        self._take(settings_of(candidate, self._connection, self._before))
        is_dlms = candidate.protocol is Protocol.DLMS
        if is_dlms and candidate.refusal is not Refusal.NEEDS_ADDRESS:
            return "dlms_locked"
        if candidate.refusal is Refusal.NEEDS_DLMS:
            self._preselect(Protocol.DLMS)
        self._set_detection_error(_REFUSALS.get(candidate.refusal, "refused"))
        return "dlms_address" if is_dlms else self._form_step

    def _explain_bytes(self, detection: Detection) -> None:
        """Show what bytes look like that are no telegrams; preselect the protocol, if any."""
        looks_like = detection.looks_like
        if looks_like is Look.INVERTED:
            self._set_detection_error("unknown_data_inverted")
        elif looks_like is not None and looks_like in LOOKS:
            self._preselect(LOOKS[looks_like])
            self._set_detection_error("not_understood_like", looks_like=looks_like)
        elif detection.has_fixed_speed:
            self._set_detection_error("not_understood_fixed")
        else:
            speeds = ", ".join(str(line) for line in detection.tried)
            self._set_detection_error("not_understood", speeds=speeds)

    def _set_detection_error(self, key: str, **details: str) -> None:
        self._set_errors({"base": key}, {"port": redact(self._connection.source_id), **details})


def _needs_more(candidate: Candidate, settings: AnySettings) -> bool:
    """Return whether a DLMS meter cannot be read without keys that were not entered so far."""
    if not isinstance(settings, DlmsEntrySettings) or settings.encryption_key is not None:
        return False
    is_encrypted = candidate.encryption is not None and candidate.encryption.is_encrypted
    return is_encrypted or candidate.refusal is not None
