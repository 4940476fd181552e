"""Actions, which are registered even without any meter."""

from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
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
from homeassistant.util import dt as dt_util
from homeassistant.util.json import JsonValueType

from .actions import export_profile, read_registers
from .actions.export_profile import ATTR_END, ATTR_START
from .actions.get_telegram import async_get_telegram
from .actions.meter import async_entries, async_entry, async_poll, polled_coordinator, refusal
from .const import CONF_READING, DOMAIN
from .coordinator.base import OneMeterConfigEntry
from .energy_dashboard import Role, async_add_to_energy
from .history.importer import HistoryImporter, async_importer
from .history.recorder_task import UnsupportedSchemaError

SERVICE_SET_METER_READING: Final = "set_meter_reading"
ATTR_ROLE: Final = "role"
_ROLES: Final = [role.value for role in Role if role is not Role.NONE]
ATTR_DRY_RUN: Final = "dry_run"


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


async def _async_import_history(call: ServiceCall) -> ServiceResponse:
    """Fill the gaps in a period from the load profiles, or only show what would be written."""
    meters = [
        (polled_coordinator(entry, "no_load_profile"), _importer(call.hass, entry))
        for entry in await async_entries(call)
    ]
    dry_run: bool = call.data[ATTR_DRY_RUN]
    # A time without zone is in that of Home Assistant.
    start = dt_util.as_utc(call.data[ATTR_START])
    now = dt_util.utcnow()
    end = dt_util.as_utc(call.data[ATTR_END]) if ATTR_END in call.data else now
    if start >= min(end, now):
        raise refusal("import_period")
    statistics: list[Any] = []
    try:
        for coordinator, importer in meters:
            outcomes = await async_poll(
                call, coordinator, importer.async_import(start, end, dry_run=dry_run)
            )
            statistics += [outcome.as_dict() for outcome in outcomes]
    except UnsupportedSchemaError as err:
        raise refusal("history_unsupported") from err
    return {"dry_run": dry_run, "statistics": statistics}


async def _async_undo_history_import(call: ServiceCall) -> ServiceResponse:
    """Undo the newest import of each meter."""
    undone: list[tuple[int, int]] = []
    importers = [_importer(call.hass, entry) for entry in await async_entries(call)]
    try:
        for importer in importers:
            with suppress(LookupError):
                undone.append(await importer.async_undo())
    except UnsupportedSchemaError as err:
        raise refusal("history_unsupported") from err
    if not undone:
        raise refusal("nothing_to_undo")
    restored, changed = map(sum, zip(*undone, strict=True))
    return {"restored": restored, "changed_since": changed}


def _importer(hass: HomeAssistant, entry: OneMeterConfigEntry) -> HistoryImporter:
    if (importer := async_importer(hass, entry.entry_id)) is None:
        raise refusal("no_load_profile")
    return importer


class _Action(NamedTuple):
    """An action for administrators, whose target is a meter."""

    run: Callable[[ServiceCall], Coroutine[Any, Any, ServiceResponse]]
    fields: Mapping[Any, Any] = {}
    response: SupportsResponse = SupportsResponse.OPTIONAL


_ACTIONS: Final[Mapping[str, _Action]] = {
    "add_to_energy": _Action(
        _async_add_to_energy, {probatio.Required(ATTR_ROLE): probatio.In(_ROLES)}
    ),
    "import_history": _Action(
        _async_import_history,
        {
            **export_profile.FIELDS,
            probatio.Optional(ATTR_DRY_RUN, default=True): cv.boolean,
        },
    ),
    "undo_history_import": _Action(_async_undo_history_import),
    "read_registers": _Action(
        read_registers.async_read_registers, read_registers.FIELDS, SupportsResponse.ONLY
    ),
    "get_telegram": _Action(async_get_telegram, response=SupportsResponse.ONLY),
    "export_profile": _Action(
        export_profile.async_export_profile, export_profile.FIELDS, SupportsResponse.ONLY
    ),
}
