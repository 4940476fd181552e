"""The form of what the preferences of the Energy dashboard hold of a meter."""

from collections.abc import Mapping, Set as AbstractSet
from enum import StrEnum
from itertools import zip_longest
from typing import Any, Final

from ..meter import Key, Register
from .sensors import (
    DERIVED_POWER,
    EXPORT,
    IMPORT,
    MEDIA,
    POWER,
    POWER_EXPORT,
    POWER_IMPORT,
    POWERS,
    EnergySensors,
    has_tariffs,
)

#: A source or device, as the preferences hold it.
type Item = dict[str, Any]

#: The keys of an item that hold energy; without any, there is nothing to show.
ENERGY_KEYS: Final = ("stat_energy_from", "stat_energy_to", "stat_consumption")

#: kWh by which one direction must be ahead to be the production of a solar meter. The other one is
#: what the inverter consumes at night.
_CLEARLY_AHEAD: Final = 1
#: Powers that are positive while the meter imports, the best first.
_CONSUMPTION: Final = (POWER_IMPORT, POWER, DERIVED_POWER)


class Role(StrEnum):
    """What a meter is in the Energy dashboard."""

    GRID = "grid"
    #: A grid connection whose tariffs are used in place of the total.
    GRID_TARIFFS = "grid_tariffs"
    SOLAR = "solar"
    DEVICE = "device"
    NONE = "none"

    @property
    def section(self) -> str:
        """The section of the preferences that holds such a meter."""
        return "device_consumption" if self is Role.DEVICE else "energy_sources"


def offered_roles(registers: Mapping[Key, Register]) -> list[Role]:
    """Return the roles to choose from for a meter that sends these registers."""
    return [role for role in Role if role is not Role.GRID_TARIFFS or has_tariffs(registers)]


def items(role: Role, sensors: EnergySensors, used: AbstractSet[str]) -> list[Item]:
    """Return the items of a meter in a role, without the statistics that are used already.

    An item without energy only completes another one.
    """
    match role:
        case Role.GRID | Role.GRID_TARIFFS:
            by_tariff = role is Role.GRID_TARIFFS
            imports = _energies(IMPORT, sensors, used, by_tariff=by_tariff)
            exports = _energies(EXPORT, sensors, used, by_tariff=by_tariff)
            found = [_grid(*pair) for pair in zip_longest(imports, exports)] or [_grid()]
            if power := _grid_power(sensors, used):
                found[0]["power_config"] = power
            found += [
                {"type": medium, "stat_energy_from": entity_id}
                for medium in MEDIA
                for entity_id in sensors.media.get(medium, ())
                if entity_id not in used
            ]
        case Role.SOLAR:
            direction = _production(sensors, used)
            found = [
                {"type": "solar", "stat_energy_from": energy}
                for energy in (_energies(direction, sensors, used) if direction else ())
            ] or [{"type": "solar"}]
            powers = (POWER_EXPORT,) if direction == EXPORT else _CONSUMPTION
            found[0] |= _rate(powers, sensors, used)
        case Role.DEVICE:
            energies = _energies(IMPORT, sensors, used)
            found = [{"stat_consumption": energy} for energy in energies] or [{}]
            found[0] |= _rate(_CONSUMPTION, sensors, used)
        case Role.NONE:
            found = []
    return found


def statistics(item: Item) -> set[str]:
    """Return the ids of the statistics that an item uses."""
    essence = _essence(item)
    found = {value for key, value in essence.items() if key.startswith("stat_")}
    return found.union(essence.get("power_config", {}).values())


def is_same(item: Item, other: Item) -> bool:
    """Return whether two items are the same, apart from what Home Assistant adds."""
    return _essence(item) == _essence(other)


def completed(item: Item, other: Item) -> Item | None:
    """Return an item with what another one has and it has not; None where they contradict."""
    news = {key: value for key, value in other.items() if value is not None}
    if all(item.get(key) in (None, value) for key, value in news.items()):
        return item | news
    return None


def renamed(item: Item, new_ids: dict[str, str]) -> Item:
    """Return an item with other entity ids."""
    return {
        key: renamed(value, new_ids)
        if isinstance(value, dict)
        else new_ids.get(value, value)
        if isinstance(value, str)
        else value
        for key, value in _essence(item).items()
    }


def _essence(item: Item) -> Item:
    """Return an item without what is empty or follows from the rest."""
    follows = {"stat_rate"} if "power_config" in item else set()
    return {key: value for key, value in item.items() if value is not None and key not in follows}


def _grid(imported: str | None = None, exported: str | None = None) -> Item:
    return {
        "type": "grid",
        "stat_energy_from": imported,
        "stat_energy_to": exported,
        "cost_adjustment_day": 0,
    }


def _energies(
    direction: str, sensors: EnergySensors, used: AbstractSet[str], *, by_tariff: bool = False
) -> list[str]:
    """Return the total of a direction, or its tariffs where these are wanted or all there is.

    Nothing where something else that counts the same energy is used already.
    """
    chosen = sensors.tariffs(direction) if by_tariff else sensors.total(direction)
    chosen = chosen or sensors.total(direction) or sensors.tariffs(direction)
    ids = [sensor.entity_id for sensor in chosen]
    if not sensors.related[direction].isdisjoint(used - set(ids)):
        return []
    return [entity_id for entity_id in ids if entity_id not in used]


def _production(sensors: EnergySensors, used: AbstractSet[str]) -> str | None:
    """Return the direction in which a solar meter counts what is produced; None if not yet known.

    That depends on how the meter is connected; most count production as export.
    """
    there = [direction for direction in (IMPORT, EXPORT) if sensors.related[direction]]
    for direction in there:
        if len(there) == 1 or not sensors.related[direction].isdisjoint(used):
            return direction
    imported, exported = sensors.energy(IMPORT), sensors.energy(EXPORT)
    if imported is None or exported is None or abs(imported - exported) < _CLEARLY_AHEAD:
        return None
    return IMPORT if imported > exported else EXPORT


def _rate(names: tuple[str, ...], sensors: EnergySensors, used: AbstractSet[str]) -> Item:
    """Return the first of these powers, unless power of the meter is used already."""
    found = [sensors.usable[name].entity_id for name in names if name in sensors.usable]
    return {"stat_rate": found[0]} if found and not _is_power_used(sensors, used) else {}


def _grid_power(sensors: EnergySensors, used: AbstractSet[str]) -> Item:
    """Return the power of a grid connection, positive while it imports."""
    if signed := _rate((POWER,), sensors, used):
        return signed
    imported, exported = (_rate((name,), sensors, used) for name in (POWER_IMPORT, POWER_EXPORT))
    if imported and exported:
        return {"stat_rate_from": imported["stat_rate"], "stat_rate_to": exported["stat_rate"]}
    # Power of imports alone would show 0 W while the meter exports.
    if imported and sensors.energy(EXPORT) is None:
        return imported
    return _rate((DERIVED_POWER,), sensors, used)


def _is_power_used(sensors: EnergySensors, used: AbstractSet[str]) -> bool:
    return any(not sensors.related[name].isdisjoint(used) for name in POWERS)
