"""Which sensors of a meter are enabled from the start: few, so that the database grows slowly."""

from collections.abc import Mapping
from typing import Any, Final

from homeassistant.config_entries import ConfigEntry
from homeassistant.const import Platform
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import entity_registry as er

from ..const import CONF_ENERGY_ROLE, CONF_PEAK_PERIOD, DOMAIN, PERIOD_OFF
from ..coordinator.meter_data import MeterData, export_power, import_powers
from ..energy_dashboard import Role
from ..meter import Key, Obis, Register
from ..meter.obis import CURRENT_VALUE, ELECTRICITY, C, D
from ..registers.grid_quality import has_grid_quality
from ..registers.table import RegisterDescription
from ..settings import second_source
from ..totals import Total
from .values import Conversion, net_power

#: Groups C, D and E of the maximum of the mean power, of all tariffs.
_MAXIMUM_DEMAND: Final = (C.ACTIVE_IMPORT, D.MAXIMUM_DEMAND, 0)
#: The phases with the codes of power in either direction.
_POWERS: Final = [
    (phase, imported, export_power(imported))
    for phase in range(4)
    for imported in import_powers(phase)
]


def is_enabled(
    key: Key,
    description: RegisterDescription,
    data: MeterData,
    conversion: Conversion,
    options: Mapping[str, Any],
) -> bool:
    """Return whether the sensor of a register is enabled when it is made."""
    if description.grid_quality:
        return has_grid_quality(options)
    is_needed = _is_needed(key, data.registers, options)
    if is_needed is not None:
        return is_needed
    return description.enabled and not _is_part_of_signed_power(key, data, conversion)


@callback
def async_enable_needed(
    hass: HomeAssistant, entry: ConfigEntry, registers: Mapping[Key, Register]
) -> None:
    """Enable sensors that were not needed when they were made."""
    entities = er.async_get(hass)
    for key in registers:
        if not _is_needed(key, registers, entry.options):
            continue
        unique_id = f"{entry.unique_id}-{key}"
        entity_id = entities.async_get_entity_id(Platform.SENSOR, DOMAIN, unique_id)
        if entity_id is None:
            continue
        if entities.entities[entity_id].disabled_by is er.RegistryEntryDisabler.INTEGRATION:
            entities.async_update_entity(entity_id, disabled_by=None)


def _is_needed(
    key: Key, registers: Mapping[Key, Register], options: Mapping[str, Any]
) -> bool | None:
    """Return whether the use of a meter decides that a sensor is enabled, or that it is not."""
    if not isinstance(key, Obis) or (key.a, key.f) != (ELECTRICITY, CURRENT_VALUE):
        return None
    if (source := second_source(options)) is not None:
        counted = C.ACTIVE_EXPORT if source.export else C.ACTIVE_IMPORT
        if (key.c, key.d, key.e) == (counted, D.INSTANTANEOUS, 0):
            # The impulses give this power more exactly than the meter does.
            return True
    role = options.get(CONF_ENERGY_ROLE)
    if key.d == D.ENERGY and key.e:
        return role == Role.GRID_TARIFFS or _is_in_use(key, registers)
    if (key.c, key.d, key.e) == _MAXIMUM_DEMAND:
        # It takes the place of our own peak power.
        return bool(options.get(CONF_PEAK_PERIOD, PERIOD_OFF) != PERIOD_OFF)
    # The Energy dashboard shows the one direction in which a solar meter counts.
    is_direction = role == Role.SOLAR and any(key in powers for _, *powers in _POWERS)
    return True if is_direction else None


def _is_in_use(tariff: Obis, registers: Mapping[Key, Register]) -> bool:
    """Return whether a tariff has counted something, but not all."""
    total = Total.of(registers.get(tariff._replace(e=0)))
    part = Total.of(registers.get(tariff))
    return total is None or part is None or part.amount not in (0, total.amount)


def _is_part_of_signed_power(key: Key, data: MeterData, conversion: Conversion) -> bool:
    """Return whether a register is power in one direction, and there is signed power too."""
    for phase, imported, exported in _POWERS:
        if key in (imported, exported):
            signed = imported._replace(c=imported.c - C.ACTIVE_IMPORT + C.ACTIVE_NET)
            return signed in data.registers or net_power(phase, data, conversion) is not None
    return False
