"""OneMeter: electricity meters, read through an optical probe."""

from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import CONF_PORT, Platform
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import ConfigEntryNotReady

from .coordinator import OneMeterConfigEntry, OneMeterCoordinator
from .issues import Issue, async_clear_issue
from .port_watch import async_wait_for_change
from .totals import async_forget

PLATFORMS = [Platform.SENSOR]

#: Seconds for which a port that could not be opened is watched: Home Assistant tries again at the
#: latest after 80 s, and then anew.
_WATCH = 120


async def async_setup_entry(hass: HomeAssistant, entry: OneMeterConfigEntry) -> bool:
    """Listen to a meter, and set its sensors up once its first telegram is there."""
    coordinator = OneMeterCoordinator(hass, entry)
    try:
        await coordinator.async_config_entry_first_refresh()
    except ConfigEntryNotReady:
        hass.async_create_background_task(
            _async_retry_when_plugged_in(hass, entry), f"{entry.domain} port watch"
        )
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


async def _async_retry_when_plugged_in(hass: HomeAssistant, entry: OneMeterConfigEntry) -> None:
    """Set up again as soon as there is a new device at the port, before Home Assistant would."""
    if (
        await async_wait_for_change(hass, entry.data[CONF_PORT], _WATCH)
        and entry.state is ConfigEntryState.SETUP_RETRY
    ):
        hass.config_entries.async_schedule_reload(entry.entry_id)
