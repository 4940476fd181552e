"""OneMeter: electricity meters, read through an optical probe."""

import asyncio

from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import Platform
from homeassistant.core import HomeAssistant, callback
from homeassistant.exceptions import ConfigEntryNotReady
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.device_registry import DeviceEntry
from homeassistant.helpers.typing import ConfigType

from .access.authentication import async_forget_authenticity, async_judge
from .access.clients import make_pushed_client, stored_counter
from .access.discovery_cache import async_forget_findings
from .access.issues import SECOND_SOURCE_ISSUES, Issue, async_clear_issue
from .access.port_watch import LONGEST_WAIT_BUSY, LONGEST_WAIT_UNWATCHED, async_wait_for_change
from .const import DOMAIN
from .coordinator.base import OneMeterConfigEntry, OneMeterCoordinator
from .coordinator.blink import BlinkCoordinator
from .coordinator.polled import PolledCoordinator
from .coordinator.pushed import PushedCoordinator
from .coordinator.schedule import poll_interval
from .devices.mbus import async_remove_device
from .energy_dashboard import async_remove_from_energy, async_setup_energy_dashboard
from .events.events import async_forget_events
from .history.importer import async_setup_history
from .history.memory import async_forget_history
from .impulses.discovery import async_end_offers
from .meter.errors import (
    MeterConnectionError,
    PortBusyError,
    PortNotFoundError,
    PortPermissionError,
)
from .services import async_setup_services
from .settings import (
    MINOR_VERSION,
    BlinkEntrySettings,
    SmlEntrySettings,
    from_entry,
    migrate_from_1_1,
    migrate_from_1_2,
)
from .takeover import async_take_over
from .totals import async_forget

CONFIG_SCHEMA = cv.config_entry_only_config_schema(DOMAIN)

PLATFORMS = [Platform.BINARY_SENSOR, Platform.BUTTON, Platform.EVENT, Platform.SENSOR]

#: Situations in which a battery meter was not even woken up.
_UNDISTURBED = frozenset(
    kind.translation_key
    for kind in (MeterConnectionError, PortBusyError, PortNotFoundError, PortPermissionError)
)


async def async_setup(hass: HomeAssistant, _: ConfigType) -> bool:
    """Register the actions."""
    async_setup_services(hass)
    return True


async def async_migrate_entry(hass: HomeAssistant, entry: OneMeterConfigEntry) -> bool:
    """Bring an entry that an earlier version has made into the form of today."""
    if entry.minor_version < MINOR_VERSION:
        # The first one leaves an entry of version 1.2 as it is.
        data, options = migrate_from_1_1(entry.data, entry.options)
        options = migrate_from_1_2(data, options)
        hass.config_entries.async_update_entry(
            entry, data=data, options=options, minor_version=MINOR_VERSION
        )
    return True


async def async_setup_entry(hass: HomeAssistant, entry: OneMeterConfigEntry) -> bool:
    """Follow a meter, and set its sensors up once its first reading is there."""
    async_end_offers(hass, entry)
    coordinator = _make_coordinator(hass, entry)
    if isinstance(coordinator, PolledCoordinator):
        await async_setup_history(hass, entry, coordinator)
    try:
        await coordinator.async_config_entry_first_refresh()
    except ConfigEntryNotReady:
        _async_retry_within(hass, entry, _longest_wait(entry, coordinator.translation_key))
        raise
    entry.runtime_data = coordinator
    # Whatever was compared so far was counted in another way.
    for issue in SECOND_SOURCE_ISSUES:
        async_clear_issue(hass, entry, issue)
    await async_take_over(hass, entry)
    await hass.config_entries.async_forward_entry_setups(entry, PLATFORMS)
    async_setup_energy_dashboard(hass, entry)
    return True


async def async_unload_entry(hass: HomeAssistant, entry: OneMeterConfigEntry) -> bool:
    """Take the sensors down; then the port is closed too."""
    return await hass.config_entries.async_unload_platforms(entry, PLATFORMS)


async def async_remove_entry(hass: HomeAssistant, entry: OneMeterConfigEntry) -> None:
    """Forget a meter."""
    for issue in Issue:
        async_clear_issue(hass, entry, issue)
    await async_forget(hass, entry.entry_id)
    await async_forget_history(hass, entry.entry_id)
    await async_forget_findings(hass, entry.entry_id)
    await async_forget_events(hass, entry.entry_id)
    await async_forget_authenticity(hass, entry.entry_id)
    counter = stored_counter(hass, from_entry(entry.data))
    if counter is not None:
        await counter.async_forget()
    await async_remove_from_energy(hass, entry)


async def async_remove_config_entry_device(
    hass: HomeAssistant, entry: OneMeterConfigEntry, device: DeviceEntry
) -> bool:
    """Let the user remove the device of an M-Bus meter that is gone."""
    async_remove_device(hass, entry, device)
    return True


def _make_coordinator(hass: HomeAssistant, entry: OneMeterConfigEntry) -> OneMeterCoordinator:
    settings = from_entry(entry.data)
    if isinstance(settings, BlinkEntrySettings):
        return BlinkCoordinator(hass, entry, settings)
    if isinstance(settings, SmlEntrySettings) or not settings.is_polled:
        client = make_pushed_client(settings, async_judge(hass, entry))
        return PushedCoordinator(hass, entry, settings, client)
    return PolledCoordinator(hass, entry, settings)


def _longest_wait(entry: OneMeterConfigEntry, translation_key: str | None) -> float:
    """Return the seconds after which setting up is tried again at the latest."""
    if from_entry(entry.data).on_battery and translation_key not in _UNDISTURBED:
        return poll_interval(entry).total_seconds()
    return (
        LONGEST_WAIT_BUSY
        if translation_key == PortBusyError.translation_key
        else LONGEST_WAIT_UNWATCHED
    )


@callback
def _async_retry_within(hass: HomeAssistant, entry: OneMeterConfigEntry, seconds: float) -> None:
    """Set up again after so long, or as soon as there is a new device at the port.

    Home Assistant would wait longer and longer, but at first not long enough for a battery.
    Whatever happens to the entry before ends it.
    """

    async def retry() -> None:
        if seconds > LONGEST_WAIT_UNWATCHED:
            # By then the attempt of Home Assistant is planned, and is still seconds away.
            await asyncio.sleep(1)
            entry.async_cancel_retry_setup()
        await async_wait_for_change(hass, from_entry(entry.data).source_id, seconds)
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
