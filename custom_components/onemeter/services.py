"""Actions, which are registered even without any meter."""

from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Final, NamedTuple

import probatio

from homeassistant.components.sensor import DOMAIN as SENSOR_DOMAIN, SensorDeviceClass
from homeassistant.core import (
    HomeAssistant,
    ServiceCall,
    ServiceResponse,
    SupportsResponse,
    callback,
)
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.service import (
    async_register_admin_service,
    async_register_platform_entity_service,
)
from homeassistant.util.json import JsonValueType

from .actions import export_profile, history, read_registers
from .actions.get_telegram import async_get_telegram
from .actions.meter import async_entry
from .const import CONF_READING, DOMAIN
from .energy_dashboard import Role, async_add_to_energy

SERVICE_SET_METER_READING: Final = "set_meter_reading"
ATTR_ROLE: Final = "role"
_ROLES: Final = [role.value for role in Role if role is not Role.NONE]


@callback
def async_setup_services(hass: HomeAssistant) -> None:
    """Register the actions."""
    async_register_platform_entity_service(
        hass,
        DOMAIN,
        SERVICE_SET_METER_READING,
        entity_domain=SENSOR_DOMAIN,
        schema={probatio.Required(CONF_READING): cv.string},
        func="async_set_meter_reading",
        supports_response=SupportsResponse.OPTIONAL,
        # Of a device, only its totals are meant.
        entity_device_classes=[SensorDeviceClass.ENERGY],
    )
    for service, action in _ACTIONS.items():
        async_register_admin_service(
            hass,
            DOMAIN,
            service,
            action.run,
            cv.make_entity_service_schema(dict(action.fields)),
            action.response,
        )


async def _async_add_to_energy(call: ServiceCall) -> ServiceResponse:
    """Give a meter a role in the Energy dashboard, and respond with what was added to it."""
    role = Role(call.data[ATTR_ROLE])
    entry = await async_entry(call)
    added: list[JsonValueType] = [*await async_add_to_energy(call.hass, entry, role)]
    return {role.section: added}


class _Action(NamedTuple):
    """An action for administrators, whose target is a meter."""

    run: Callable[[ServiceCall], Coroutine[Any, Any, ServiceResponse]]
    fields: Mapping[Any, Any] = {}
    response: SupportsResponse = SupportsResponse.OPTIONAL


_ACTIONS: Final[Mapping[str, _Action]] = {
    "add_to_energy": _Action(
        _async_add_to_energy, {probatio.Required(ATTR_ROLE): probatio.In(_ROLES)}
    ),
    "import_history": _Action(history.async_import_history, history.FIELDS),
    "undo_history_import": _Action(history.async_undo_history_import),
    "read_registers": _Action(
        read_registers.async_read_registers, read_registers.FIELDS, SupportsResponse.ONLY
    ),
    "get_telegram": _Action(async_get_telegram, response=SupportsResponse.ONLY),
    "export_profile": _Action(
        export_profile.async_export_profile, export_profile.FIELDS, SupportsResponse.ONLY
    ),
}
