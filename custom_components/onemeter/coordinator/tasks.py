"""Ending tasks, also those that do not end when they are cancelled."""

import asyncio
from collections.abc import Iterable
import logging
from typing import Any, Final

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import callback

_LOGGER = logging.getLogger(__name__)

#: Seconds to wait after the first and after the second cancellation. A client may have to close a
#: session; but an entry must be removed within two seconds.
_TIMEOUTS: Final = (0.75, 0.5)
#: Seconds between two checks whether an entry is to be removed.
CHECK_INTERVAL: Final = 0.2


async def async_end(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel tasks and wait for their ends, for 1.25 seconds at most."""
    left = set(tasks)
    for seconds in _TIMEOUTS:
        for task in left:
            task.cancel()
        if left:
            _, left = await asyncio.wait(left, timeout=seconds)
    for task in left:
        _LOGGER.warning("%s does not end, and is left behind", task.get_name())


@callback
def is_removal_pending(entry: ConfigEntry) -> bool:
    """Return whether an entry that is being set up is to be removed, disabled or reloaded.

    Home Assistant waits for the entry's lock meanwhile, and has no event for that.
    """
    return bool(getattr(entry.setup_lock, "_waiters", None))
