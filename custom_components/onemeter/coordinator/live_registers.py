"""Live values: registers of a polled meter that are read again and again between its readouts."""

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

#: Seconds without live values after a session that gave none, ...
_PAUSE: Final = 60
#: ... and after one that the meter has refused, if it has never given any.
_PAUSE_REFUSED: Final = 86_400


class LiveRegisters:
    """Watches the registers that the user has chosen, as long as the meter lets that happen.

    A meter that does not is left alone: its readouts go on, and tell all that they told before.
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
        #: Whether there were live values since the meter has refused any.
        self._has_worked = False

    @property
    def pause(self) -> float:
        """Seconds until the registers may be watched."""
        if not self._addresses:
            return inf
        return max(0.0, self._not_before - monotonic())

    async def async_watch(self, take: Callable[[Reading], object]) -> bool:
        """Hand on each reading of the registers, for good.

        When the session ends by itself, returns whether only a readout can tell what is wrong.
        """
        heard = False
        try:
            async with aclosing(self._client.watch(self._addresses, self._interval)) as readings:
                async for reading in readings:
                    heard = self._has_worked = True
                    take(reading)
        except RefusedError as err:
            if self._has_worked:
                # It may be for now only; refused once more, it is for a day.
                self._has_worked = False
                _LOGGER.debug("Live values of %s are refused: %s", self._entry.title, err)
                self._rest(_PAUSE)
                return False
            _LOGGER.info(
                "%s does not let single registers be read, so there are no live values",
                self._entry.title,
            )
            self._rest(_PAUSE_REFUSED)
            return False
        except MeterAuthenticationError:
            # One attempt only: meters that are given wrong passwords lock themselves.
            self._rest(inf)
            self._entry.async_start_reauth(self._hass)
            return False
        except (MeterError, ConfigEntryNotReady) as err:
            _LOGGER.debug("Live values of %s have broken off: %s", self._entry.title, err)
        except Exception:
            _LOGGER.exception("Unexpected error while watching %s", self._entry.title)
            heard = False
        if not heard:
            self._rest(_PAUSE)
        return True

    def _rest(self, seconds: float) -> None:
        self._not_before = max(self._not_before, monotonic() + seconds)
