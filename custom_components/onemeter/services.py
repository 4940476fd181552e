"""Actions that are there from the start, whatever meters there are."""

from decimal import Decimal, InvalidOperation
from typing import Final

import probatio

from homeassistant.components.sensor import DOMAIN as SENSOR_DOMAIN
from homeassistant.core import HomeAssistant, SupportsResponse, callback
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.service import async_register_platform_entity_service

from .const import CONF_READING, DOMAIN

SERVICE_SET_METER_READING: Final = "set_meter_reading"
#: No display has as many digits.
_END: Final = 10**12


def exact_reading(text: str) -> Decimal:
    """Return what a meter's display shows, with the digits that were entered."""
    try:
        reading = Decimal(text.strip().replace(",", "."))
    except InvalidOperation:
        reading = Decimal("NaN")
    if not reading.is_finite() or not 0 <= reading < _END:
        raise probatio.Invalid("not a meter reading")
    return reading


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
