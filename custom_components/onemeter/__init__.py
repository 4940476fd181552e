"""OneMeter: electricity meters, read through an optical probe."""

from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import CONF_PORT, Platform
from homeassistant.core import HomeAssistant, callback
from homeassistant.exceptions import ConfigEntryNotReady

from .coordinator import OneMeterConfigEntry, OneMeterCoordinator
from .issues import Issue, async_clear_issue
from .meter.errors import PortBusyError
from .port_watch import LONGEST_WAIT_BUSY, LONGEST_WAIT_UNWATCHED, async_wait_for_change
from .totals import async_forget

PLATFORMS = [Platform.SENSOR]


async def async_setup_entry(hass: HomeAssistant, entry: OneMeterConfigEntry) -> bool:
    """Listen to a meter, and set its sensors up once its first telegram is there."""
    coordinator = OneMeterCoordinator(hass, entry)
    try:
        await coordinator.async_config_entry_first_refresh()
    except ConfigEntryNotReady:
        busy = coordinator.situation == PortBusyError.situation
        _async_retry_within(hass, entry, LONGEST_WAIT_BUSY if busy else LONGEST_WAIT_UNWATCHED)
        raise
    entry.runtime_data = coordinator
    await hass.config_entries.async_forward_entry_setups(entry, PLATFORMS)
    return True


async def async_unload_entry(hass: HomeAssistant, entry: OneMeterConfigEntry) -> bool:
    """Take the sensors down; then the port is closed too."""
    return await hass.config_entries.async_unload_platforms(entry, PLATFORMS)


async def async_remove_entry(hass: HomeAssistant, entry: OneMeterConfigEntry) -> None:
    """Forget a meter."""
    for issue in Issue:
        async_clear_issue(hass, entry, issue)
    await async_forget(hass, entry.entry_id)


@callback
def _async_retry_within(hass: HomeAssistant, entry: OneMeterConfigEntry, seconds: float) -> None:
    """Set up again after so long, or as soon as there is a new device at the port.

    Home Assistant would wait longer and longer. Whatever happens to the entry before ends it.
    """

    async def retry() -> None:
        await async_wait_for_change(hass, entry.data[CONF_PORT], seconds)
        # In the background, so that the start of Home Assistant does not wait for it.
        hass.async_create_background_task(
            hass.config_entries.async_reload(entry.entry_id), f"{entry.domain} retry"
        )

    waiting = hass.async_create_background_task(retry(), f"{entry.domain} port watch")

    @callback
    def stop() -> None:
        if entry.state is not ConfigEntryState.SETUP_RETRY:
            waiting.cancel()

    stop_listening = entry.async_on_state_change(stop)
    waiting.add_done_callback(lambda _: stop_listening())
