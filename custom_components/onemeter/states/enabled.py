"""Which sensors of a meter are enabled from the start: few, so that the database grows slowly."""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from homeassistant.config_entries import ConfigEntry
from homeassistant.const import Platform
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er

from ..const import (
    CONF_DIRECTION,
    CONF_ENERGY_ROLE,
    CONF_PEAK_PERIOD,
    DIRECTION_OFF,
    DOMAIN,
    PERIOD_OFF,
)
from ..coordinator.meter_data import MeterData
from ..energy_dashboard import Role
from ..meter import Key, Obis, Register
from ..meter.obis import CURRENT_VALUE, ELECTRICITY, POWER, POWER_ABSOLUTE, C, D
from ..registers.grid_quality import has_grid_quality
from ..registers.powers import SIGNED_POWERS
from ..registers.table import RegisterDescription
from ..settings import second_source
from ..totals import Total
from .values import Conversion, net_power, signed_power

#: Groups C, D and E of the maximum of the mean power, of all tariffs.
_MAXIMUM_DEMAND: Final = (C.ACTIVE_IMPORT, D.MAXIMUM_DEMAND, 0)
#: Keys that are judged without a pause for other tasks: a meter may have hundreds.
_KEYS_AT_ONCE: Final = 64


def is_enabled(
    key: Key,
    description: RegisterDescription,
    data: MeterData,
    conversion: Conversion,
    options: Mapping[str, Any],
) -> bool:
    """Return whether the sensor of a register is enabled when it is made."""
    if description.grid_quality:
        enabled = has_grid_quality(options)
    else:
        is_needed = _is_needed(key, data.registers, options)
        if is_needed is not None:
            return is_needed
        enabled = description.enabled
    return enabled and not _is_replaced(key, data, conversion)


async def async_enable_needed(
    hass: HomeAssistant, entry: ConfigEntry, registers: Mapping[Key, Register]
) -> None:
    """Enable sensors that were not needed when they were made, with pauses for other tasks."""
    entities = er.async_get(hass)
    for number, key in enumerate(registers, 1):
        if not number % _KEYS_AT_ONCE:
            await asyncio.sleep(0)
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
    if key == POWER_ABSOLUTE and options.get(CONF_DIRECTION) == DIRECTION_OFF:
        # Its sign is not used, so only a signed power of the meter replaces it.
        return POWER not in registers
    # The Energy dashboard shows the one direction in which a solar meter counts.
    signed = SIGNED_POWERS.get(key)
    is_direction = role == Role.SOLAR and signed is not None and signed.phase == 0
    return True if is_direction else None


def _is_in_use(tariff: Obis, registers: Mapping[Key, Register]) -> bool:
    """Return whether a tariff has counted something, but not all."""
    if (total := Total.of(registers.get(tariff._replace(e=0)))) is None:
        return True
    part = Total.of(registers.get(tariff))
    return part is None or part.amount not in (0, total.amount)


def _is_replaced(key: Key, data: MeterData, conversion: Conversion) -> bool:
    """Return whether a register is power without sign, and there is signed power too."""
    if key == POWER_ABSOLUTE:
        return POWER in data.registers or signed_power(data, conversion) is not None
    if (signed := SIGNED_POWERS.get(key)) is None:
        return False
    return signed.sent in data.registers or net_power(signed.phase, data, conversion) is not None
