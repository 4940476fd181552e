"""Actions, which are registered even without any meter."""

from typing import Final

import probatio

from homeassistant.components.sensor import DOMAIN as SENSOR_DOMAIN
from homeassistant.const import ATTR_DEVICE_ID
from homeassistant.core import (
    HomeAssistant,
    ServiceCall,
    ServiceResponse,
    SupportsResponse,
    callback,
)
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.service import (
    async_get_device_and_config_entry,
    async_register_admin_service,
    async_register_platform_entity_service,
)
from homeassistant.util.json import JsonValueType

from .const import CONF_READING, DOMAIN
from .energy_dashboard import Role, async_add_to_energy
from .impulses.meter_reading import exact_reading

SERVICE_ADD_TO_ENERGY: Final = "add_to_energy"
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
        schema={probatio.Required(CONF_READING): probatio.All(cv.string, exact_reading)},
        func="async_set_meter_reading",
        supports_response=SupportsResponse.OPTIONAL,
    )
    async_register_admin_service(
        hass,
        DOMAIN,
        SERVICE_ADD_TO_ENERGY,
        _async_add_to_energy,
        probatio.Schema(
            {
                probatio.Required(ATTR_DEVICE_ID): cv.string,
                probatio.Required(ATTR_ROLE): probatio.In(_ROLES),
            }
        ),
        SupportsResponse.OPTIONAL,
    )


async def _async_add_to_energy(call: ServiceCall) -> ServiceResponse:
    """Give a meter a role in the Energy dashboard, and respond with what was added to it."""
    role = Role(call.data[ATTR_ROLE])
    _, entry = async_get_device_and_config_entry(call.hass, DOMAIN, call.data[ATTR_DEVICE_ID])
    added: list[JsonValueType] = [*await async_add_to_energy(call.hass, entry, role)]
    return {role.section: added}
