"""System health: the meters and their telegrams."""

from typing import Any

from homeassistant.components.system_health import SystemHealthRegistration
from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant, callback

from .const import DOMAIN
from .coordinator.base import OneMeterConfigEntry


@callback
def async_register(hass: HomeAssistant, register: SystemHealthRegistration) -> None:
    """Register the information."""
    register.async_register_info(_async_info)


async def _async_info(hass: HomeAssistant) -> dict[str, Any]:
    """Count meters and their telegrams."""
    entries: list[OneMeterConfigEntry] = hass.config_entries.async_entries(
        DOMAIN, include_disabled=False
    )
    coordinators = [
        entry.runtime_data for entry in entries if entry.state is ConfigEntryState.LOADED
    ]
    read = sum(coordinator.last_update_success for coordinator in coordinators)
    good = sum(coordinator.client.counters.good for coordinator in coordinators)
    damaged = sum(coordinator.client.counters.damaged for coordinator in coordinators)
    return {"meters": f"{read} / {len(entries)}", "telegrams": f"{good} / {damaged}"}
