"""Ending tasks that may not want to end."""

import asyncio
from collections.abc import Iterable
import logging
from typing import Any, Final

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import callback

_LOGGER = logging.getLogger(__name__)

#: Seconds for what a client does when it is cancelled, such as hanging up, and after the second
#: time. What has not ended by then is left behind: an entry must be removed within two seconds.
_PATIENCE: Final = (0.75, 0.5)
#: Seconds between two looks at who waits for an entry.
LOOK_SECONDS: Final = 0.2


async def async_end(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel tasks at once, and wait for their ends, but not for long."""
    left = set(tasks)
    for seconds in _PATIENCE:
        for task in left:
            task.cancel()
        if left:
            _, left = await asyncio.wait(left, timeout=seconds)
    for task in left:
        _LOGGER.warning("%s does not end, and is left behind", task.get_name())


@callback
def is_wanted(entry: ConfigEntry) -> bool:
    """Tell whether somebody waits to remove, disable or reload an entry that is being set up.

    Home Assistant has them wait for its lock and tells nobody; nor does the lock.
    """
    return bool(getattr(entry.setup_lock, "_waiters", None))
