"""Actions, which are registered even without any meter."""

from typing import Any, Final

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
from homeassistant.exceptions import ServiceValidationError
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.service import (
    async_get_device_and_config_entry,
    async_register_admin_service,
    async_register_platform_entity_service,
)
from homeassistant.util import dt as dt_util
from homeassistant.util.json import JsonValueType

from .access.error_texts import as_meter_error, update_failed
from .const import CONF_READING, DOMAIN
from .energy_dashboard import Role, async_add_to_energy
from .history.importer import HistoryImporter, async_importer
from .history.recorder_task import UnsupportedSchemaError
from .impulses.meter_reading import exact_reading
from .meter import MeterError

SERVICE_ADD_TO_ENERGY: Final = "add_to_energy"
SERVICE_SET_METER_READING: Final = "set_meter_reading"
ATTR_ROLE: Final = "role"
_ROLES: Final = [role.value for role in Role if role is not Role.NONE]
SERVICE_IMPORT_HISTORY: Final = "import_history"
SERVICE_UNDO_HISTORY_IMPORT: Final = "undo_history_import"
ATTR_START: Final = "start"
ATTR_END: Final = "end"
ATTR_DRY_RUN: Final = "dry_run"

_DEVICE: Final = {probatio.Required(ATTR_DEVICE_ID): cv.string}


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
                **_DEVICE,
                probatio.Required(ATTR_ROLE): probatio.In(_ROLES),
            }
        ),
        SupportsResponse.OPTIONAL,
    )
    async_register_admin_service(
        hass,
        DOMAIN,
        SERVICE_IMPORT_HISTORY,
        _async_import_history,
        probatio.Schema(
            {
                **_DEVICE,
                probatio.Required(ATTR_START): cv.datetime,
                probatio.Optional(ATTR_END): cv.datetime,
                probatio.Optional(ATTR_DRY_RUN, default=True): cv.boolean,
            }
        ),
        SupportsResponse.OPTIONAL,
    )
    async_register_admin_service(
        hass,
        DOMAIN,
        SERVICE_UNDO_HISTORY_IMPORT,
        _async_undo_history_import,
        probatio.Schema(_DEVICE),
        SupportsResponse.OPTIONAL,
    )


async def _async_add_to_energy(call: ServiceCall) -> ServiceResponse:
    """Give a meter a role in the Energy dashboard, and respond with what was added to it."""
    role = Role(call.data[ATTR_ROLE])
    _, entry = async_get_device_and_config_entry(call.hass, DOMAIN, call.data[ATTR_DEVICE_ID])
    added: list[JsonValueType] = [*await async_add_to_energy(call.hass, entry, role)]
    return {role.section: added}


async def _async_import_history(call: ServiceCall) -> ServiceResponse:
    """Fill the gaps in a period from the load profile, or only show what would be written."""
    importer = _importer(call)
    dry_run: bool = call.data[ATTR_DRY_RUN]
    # A time without zone is in that of Home Assistant.
    start = dt_util.as_utc(call.data[ATTR_START])
    end = dt_util.as_utc(call.data[ATTR_END]) if ATTR_END in call.data else dt_util.utcnow()
    try:
        outcomes = await importer.async_import(start, end, dry_run=dry_run)
    except MeterError as err:
        raise update_failed(as_meter_error(err, importer.url)) from err
    except UnsupportedSchemaError as err:
        raise _invalid("history_unsupported") from err
    statistics: list[Any] = [outcome.as_dict() for outcome in outcomes]
    return {"dry_run": dry_run, "statistics": statistics}


async def _async_undo_history_import(call: ServiceCall) -> ServiceResponse:
    """Undo the newest import of an entry."""
    try:
        restored, changed = await _importer(call).async_undo()
    except LookupError as err:
        raise _invalid("nothing_to_undo") from err
    except UnsupportedSchemaError as err:
        raise _invalid("history_unsupported") from err
    return {"restored": restored, "changed_since": changed}


def _importer(call: ServiceCall) -> HistoryImporter:
    _, entry = async_get_device_and_config_entry(call.hass, DOMAIN, call.data[ATTR_DEVICE_ID])
    importer = async_importer(call.hass, entry.entry_id)
    if importer is None:
        raise _invalid("no_load_profile")
    return importer


def _invalid(key: str) -> ServiceValidationError:
    return ServiceValidationError(translation_domain=DOMAIN, translation_key=key)
