"""Live registers: registers of a polled meter that are read repeatedly between readouts."""

from collections.abc import Callable
from contextlib import aclosing
import logging
from math import inf
from time import monotonic
from typing import Final

from homeassistant.core import HomeAssistant
from homeassistant.exceptions import ConfigEntryNotReady

from ..const import CONF_LIVE_REGISTERS, CONF_PUBLISH_INTERVAL, DEFAULT_LIVE_INTERVAL
from ..meter import MeterError, PolledClient, Reading
from ..meter.errors import MeterAuthenticationError, RefusedError
from ..settings import EntrySettings
from .base import OneMeterConfigEntry

_LOGGER = logging.getLogger(__name__)

#: Seconds until the next session after one without values, ...
_PAUSE: Final = 60
#: ... and after one that the meter has refused, if there was never a value.
_PAUSE_REFUSED: Final = 86_400


class LiveRegisters:
    """Reads the live registers that the user has chosen, if the meter allows it.

    If it does not, only its readouts continue.
    """

    def __init__(
        self,
        hass: HomeAssistant,
        entry: OneMeterConfigEntry,
        settings: EntrySettings,
        client: PolledClient,
    ) -> None:
        """Take the meter's entry and client."""
        self._hass = hass
        self._entry = entry
        self._client = client
        # A session lasts until the next readout, which is too long for a battery.
        is_wanted = not settings.on_battery
        self._addresses = entry.options.get(CONF_LIVE_REGISTERS, []) if is_wanted else []
        self._interval: float = entry.options.get(CONF_PUBLISH_INTERVAL, DEFAULT_LIVE_INTERVAL)
        self._not_before = -inf
        #: Whether there were values since the meter last refused.
        self._has_worked = False
        #: Whether the meter has rejected the password.
        self.is_rejected = False

    @property
    def pause(self) -> float:
        """Seconds until the next session may begin; infinite without live registers."""
        if not self._addresses:
            return inf
        return max(0.0, self._not_before - monotonic())

    async def async_watch(self, take: Callable[[Reading], object]) -> bool:
        """Read the registers repeatedly, and call take with each reading.

        When the session ends by itself, returns whether a readout is needed to find the reason.
        """
        has_values = False
        try:
            async with aclosing(self._client.watch(self._addresses, self._interval)) as readings:
                async for reading in readings:
                    has_values = self._has_worked = True
                    take(reading)
        except RefusedError as err:
            if self._has_worked:
                # The refusal may be temporary; a second one counts for a day.
                self._has_worked = False
                _LOGGER.debug("Live values of %s are refused: %s", self._entry.title, err)
                self._pause_for(_PAUSE)
                return False
            _LOGGER.info(
                "%s does not allow single registers to be read, so there are no live values",
                self._entry.title,
            )
            self._pause_for(_PAUSE_REFUSED)
            return False
        except MeterAuthenticationError:
            # One attempt only: meters lock themselves after wrong passwords.
            self.is_rejected = True
            self._pause_for(inf)
            self._entry.async_start_reauth(self._hass)
            return False
        except (MeterError, ConfigEntryNotReady) as err:
            _LOGGER.debug("Live values of %s were interrupted: %s", self._entry.title, err)
        except Exception:
            _LOGGER.exception(
                "Unexpected error while reading live registers of %s", self._entry.title
            )
            has_values = False
        if not has_values:
            self._pause_for(_PAUSE)
        return True

    def _pause_for(self, seconds: float) -> None:
        self._not_before = max(self._not_before, monotonic() + seconds)
