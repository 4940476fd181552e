"""Notices that a local port was plugged in again, so that nobody waits longer than needed."""

import asyncio
from pathlib import Path

from homeassistant.core import HomeAssistant

from .meter.errors import PortBusyError

_LOOK_EVERY = 1.0

#: Seconds between two attempts to open a port, to begin with, ...
SHORTEST_WAIT = 1
#: ... and at the most where its device is seen to come back.
LONGEST_WAIT = 60
#: Seconds after which a port is tried again at the latest where nothing tells that it has become
#: ready: one with a URL, or a meter that setting up did not hear; ...
LONGEST_WAIT_UNWATCHED = 10
#: ... and a port that another program has, which is often gone soon.
LONGEST_WAIT_BUSY = 5

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
    """Return what tells the device behind a local path from any other; None where there is none.

    Not for the event loop.
    """
    try:
        found = Path(path).stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_rdev, found.st_mode


async def async_wait_for_change(hass: HomeAssistant, url: str, seconds: float) -> bool:
    """Wait so long, but no longer than until there is a new device behind a local path.

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
