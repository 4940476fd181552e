"""Actions that are there from the start, whatever meters there are."""

from typing import Final

import probatio

from homeassistant.components.sensor import DOMAIN as SENSOR_DOMAIN
from homeassistant.core import HomeAssistant, SupportsResponse, callback
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.service import async_register_platform_entity_service

from .const import CONF_READING, DOMAIN
from .impulses.meter_reading import exact_reading

SERVICE_SET_METER_READING: Final = "set_meter_reading"


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
