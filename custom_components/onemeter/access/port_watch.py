"""When a port that was lost is opened again, and whether its device is back before."""

import asyncio
from pathlib import Path
from time import monotonic

from homeassistant.core import HomeAssistant

from ..meter.errors import MeterConnectionError, PortBusyError

_LOOK_EVERY = 1.0

#: Seconds between two attempts to open a port, to begin with, ...
SHORTEST_WAIT = 1
#: ... and at the most where its device is seen to come back.
LONGEST_WAIT = 60
#: Longest wait (s) for a port whose return cannot be seen: one with a URL, or that of a meter that
#: was silent during set-up; ...
LONGEST_WAIT_UNWATCHED = 10
#: ... and a port that another program has, which is often gone soon.
LONGEST_WAIT_BUSY = 5

#: Seconds after which a connection counts as one that holds.
STEADY_SECONDS = 60

type Device = tuple[int, int, int, int]


def longest_wait(url: str, error: Exception) -> float:
    """Return the seconds after which a port is tried again at the latest."""
    if isinstance(error, PortBusyError):
        return LONGEST_WAIT_BUSY
    return LONGEST_WAIT if can_be_watched(url) else LONGEST_WAIT_UNWATCHED


def can_be_watched(url: str) -> bool:
    """Return whether a port is a local path, so that its device can be seen to come back."""
    return url.startswith("/")


def find_device(path: str) -> Device | None:
    """Return what identifies the device behind a local path; None if there is none.

    Not for the event loop.
    """
    try:
        found = Path(path).stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_rdev, found.st_mode


async def async_wait_for_change(hass: HomeAssistant, url: str, seconds: float) -> bool:
    """Wait for a number of seconds, or until there is a new device behind a local path.

    Returns whether there is.
    """
    if not can_be_watched(url):
        await asyncio.sleep(seconds)
        return False
    before = await hass.async_add_executor_job(find_device, url)
    end = hass.loop.time() + seconds
    while (left := end - hass.loop.time()) > 0:
        await asyncio.sleep(min(left, _LOOK_EVERY))
        device = await hass.async_add_executor_job(find_device, url)
        if device not in {None, before}:
            return True
        before = device
    return False


class Backoff:
    """Waits before a port is opened again: longer each time, until a connection has held."""

    def __init__(self, hass: HomeAssistant) -> None:
        """Begin with the shortest wait."""
        self._hass = hass
        self._wait = SHORTEST_WAIT
        self._opened_at = monotonic()

    def start(self) -> None:
        """Note that the port is opened now."""
        self._opened_at = monotonic()

    @property
    def unsteady_for(self) -> float:
        """Seconds until the connection counts as one that holds; 0 from then on."""
        return max(0.0, self._opened_at + STEADY_SECONDS - monotonic())

    async def async_wait(self, url: str, error: Exception) -> None:
        """Wait after a connection has ended with an error; one that held has begun anew."""
        if not isinstance(error, MeterConnectionError) or not self.unsteady_for:
            self._wait = SHORTEST_WAIT
        seconds = min(self._wait, longest_wait(url, error))
        changed = await async_wait_for_change(self._hass, url, seconds)
        self._wait = SHORTEST_WAIT if changed else min(2 * self._wait, LONGEST_WAIT)
