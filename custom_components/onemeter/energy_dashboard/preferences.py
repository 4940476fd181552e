"""Changes to the preferences of the Energy dashboard, which belong to the user.

Only what was added here, and is still as it was added, is ever completed, renamed or removed.
"""

from collections.abc import Callable, Mapping
from copy import deepcopy
from datetime import datetime, timedelta
import logging
from typing import Any, Final, NamedTuple, NotRequired, TypedDict, cast

import probatio

from homeassistant.components.energy import DOMAIN as ENERGY_DOMAIN
from homeassistant.components.energy.data import (
    DEVICE_CONSUMPTION_SCHEMA,
    ENERGY_SOURCE_SCHEMA,
    EnergyManager,
    EnergyPreferencesUpdate,
    async_get_manager,
)
from homeassistant.core import HomeAssistant, callback
from homeassistant.exceptions import ServiceValidationError
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.event import async_track_time_interval
from homeassistant.helpers.singleton import singleton
from homeassistant.helpers.storage import Store

from ..const import CONF_ENERGY_ROLE, DOMAIN
from ..coordinator.base import OneMeterConfigEntry
from .items import ENERGY_KEYS, Item, Role, completed, is_same, items, renamed, statistics
from .sensors import MEDIA, energy_sensors, is_balanced

_LOGGER = logging.getLogger(__name__)

_VERSION: Final = 1
#: Seconds after which the record is written. Home Assistant writes the preferences as late, so that
#: a crash loses both or neither; what only the record holds would count as removed by the user.
_WRITE_AFTER: Final = 60
#: How often sensors that appeared later are added and new entity ids are followed: no more often
#: are there new statistics to show.
_INTERVAL: Final = timedelta(minutes=5)

#: The sections of the preferences in which a meter may stand, with what Home Assistant accepts.
_SCHEMAS: Final[Mapping[str, Callable[[Any], Any]]] = {
    Role.GRID.section: ENERGY_SOURCE_SCHEMA,
    Role.DEVICE.section: probatio.Schema([DEVICE_CONSUMPTION_SCHEMA]),
}

type Preferences = dict[str, list[Item]]


class Added(TypedDict):
    """An item that was added."""

    item: Item
    #: Ids in the entity registry, which stay the same, by entity id.
    entities: dict[str, str]


class Record(TypedDict):
    """What was added for one entry."""

    role: str
    added: list[Added]
    #: The items use balanced energy.
    balanced: NotRequired[bool]


class _Records(NamedTuple):
    """What was added for each entry, by entry id.

    Not in the entries, whose data and options are replaced as a whole by the flows.
    """

    store: Store[dict[str, Record]]
    by_entry: dict[str, Record]

    def save(self) -> None:
        self.store.async_delay_save(lambda: self.by_entry, _WRITE_AFTER)


async def async_default_role(hass: HomeAssistant) -> Role:
    """Return the role to propose for a new meter: the grid connection while there is none."""
    if ENERGY_DOMAIN not in hass.config.components:
        return Role.NONE
    sources = _preferences(await async_get_manager(hass))[Role.GRID.section]
    return Role.NONE if any(source["type"] == "grid" for source in sources) else Role.GRID


@callback
def async_setup_energy_dashboard(hass: HomeAssistant, entry: OneMeterConfigEntry) -> None:
    """Carry out the role in the entry's options, also for sensors that appear later."""

    async def carry_out(_: datetime | None = None) -> None:
        await _async_carry_out(hass, entry)

    entry.async_create_task(hass, carry_out(), f"{DOMAIN} energy dashboard")
    entry.async_on_unload(
        async_track_time_interval(hass, carry_out, _INTERVAL, cancel_on_shutdown=True)
    )


async def async_add_to_energy(
    hass: HomeAssistant, entry: OneMeterConfigEntry, role: Role
) -> list[Item]:
    """Give a meter that is read a role, and return what was added to the preferences.

    What the user has removed is added again.
    """
    if ENERGY_DOMAIN not in hass.config.components:
        raise ServiceValidationError(translation_domain=DOMAIN, translation_key="energy_not_set_up")
    usable = energy_sensors(hass, entry).usable.values()
    if all(sensor.energy is None for sensor in usable):
        raise ServiceValidationError(
            translation_domain=DOMAIN,
            translation_key="no_energy_sensor",
            translation_placeholders={"title": entry.title},
        )
    hass.config_entries.async_update_entry(
        entry, options={**entry.options, CONF_ENERGY_ROLE: role.value}
    )
    return await _async_carry_out(hass, entry, anew=True)


async def async_remove_from_energy(hass: HomeAssistant, entry: OneMeterConfigEntry) -> None:
    """Remove what was added for an entry that is gone, except what the user has changed."""
    records = await _async_records(hass)
    if (record := records.by_entry.pop(entry.entry_id, None)) is None:
        return
    records.save()
    manager = await async_get_manager(hass)
    preferences = _preferences(manager)
    _withdraw(preferences, record, entry.title)
    await _async_update(manager, preferences)


async def _async_carry_out(
    hass: HomeAssistant, entry: OneMeterConfigEntry, *, anew: bool = False
) -> list[Item]:
    """Bring the preferences to what the entry's role wants, and return what was added.

    What the user has removed stays so, except anew.
    """
    role = Role(entry.options.get(CONF_ENERGY_ROLE, Role.NONE))
    records = await _async_records(hass)
    before = records.by_entry.get(entry.entry_id)
    if ENERGY_DOMAIN not in hass.config.components or (role is Role.NONE and before is None):
        return []
    manager = await async_get_manager(hass)
    # Nothing is awaited from here on to the update: no change of anybody else is lost.
    preferences = _preferences(manager)
    record = deepcopy(before) or Record(role=role, added=[])
    _follow_new_ids(hass, preferences, record)
    balanced = is_balanced(entry)
    if record["role"] != role or record.get("balanced", False) != balanced:
        _withdraw(preferences, record, entry.title)
        record = Record(role=role, added=[])
    if balanced:
        record["balanced"] = True
    section = preferences[role.section]
    if anew:
        record["added"] = [it for it in record["added"] if _index(section, it["item"]) is not None]
    new = _add(hass, entry, section, record)
    if record != before:
        records.by_entry[entry.entry_id] = record
        records.save()
    await _async_update(manager, preferences)
    return new


def _add(
    hass: HomeAssistant, entry: OneMeterConfigEntry, section: list[Item], record: Record
) -> list[Item]:
    """Add what a meter's role wants and is not there, and return it."""
    role = Role(record["role"])
    added = record["added"]
    used = set[str]().union(*map(statistics, section), *(known["entities"] for known in added))
    new: list[Item] = []
    for wanted in items(role, energy_sensors(hass, entry), used):
        if not statistics(wanted) or _is_taken(wanted, section, added):
            continue
        for known in added:
            index = _index(section, known["item"])
            if index is not None and (item := completed(section[index], wanted)):
                section[index] = item = _valid(role, item)
                known.update(_added(hass, item))
                break
        else:
            if not any(wanted.get(key) for key in ENERGY_KEYS):
                continue
            item = _valid(role, wanted)
            section.append(item)
            added.append(_added(hass, item))
        new.append(item)
        _LOGGER.info(
            "Added to the Energy dashboard as %s of %s: %s", role, entry.title, _named(wanted)
        )
    return new


def _is_taken(wanted: Item, section: list[Item], added: list[Added]) -> bool:
    """Return whether the user has entered a source of gas or water, which may be the same meter."""
    own = {entity_id for known in added for entity_id in known["entities"]}
    return wanted.get("type") in MEDIA and any(
        item["type"] == wanted["type"] and own.isdisjoint(statistics(item)) for item in section
    )


def _follow_new_ids(hass: HomeAssistant, preferences: Preferences, record: Record) -> None:
    """Put new entity ids in place of earlier ones, which Home Assistant leaves to the user."""
    entities = er.async_get(hass).entities
    role = Role(record["role"])
    section = preferences[role.section]
    for known in list(record["added"]):
        new_ids = {
            entity_id: entity.entity_id
            for entity_id, registry_id in known["entities"].items()
            if (entity := entities.get_entry(registry_id)) and entity.entity_id != entity_id
        }
        if not new_ids:
            continue
        index = _index(section, known["item"])
        others = (item for place, item in enumerate(section) if place != index)
        if not set(new_ids.values()).isdisjoint(set[str]().union(*map(statistics, others))):
            # The sensor has taken the place of another one, which stands there: twice is too much.
            record["added"].remove(known)
            if index is not None:
                del section[index]
            continue
        item = _valid(role, renamed(known["item"], new_ids))
        known.update(_added(hass, item))
        if index is not None:
            section[index] = item
            _LOGGER.info("Entity ids that are new in the Energy dashboard: %s", new_ids)


def _withdraw(preferences: Preferences, record: Record, title: str) -> None:
    """Remove what was added, except what the user has changed."""
    section = preferences[Role(record["role"]).section]
    for known in record["added"]:
        if (index := _index(section, known["item"])) is None:
            text = "Not removed from the Energy dashboard with %s, since it was changed there: %s"
        else:
            text = "Removed from the Energy dashboard with %s: %s"
            del section[index]
        _LOGGER.info(text, title, _named(known["item"]))


def _index(section: list[Item], item: Item) -> int | None:
    """Return where an item stands as it was added; None where it was changed or removed."""
    return next((index for index, it in enumerate(section) if is_same(it, item)), None)


def _added(hass: HomeAssistant, item: Item) -> Added:
    """Return what is remembered of an item."""
    registry = er.async_get(hass)
    entities = {it: registry.async_get(it) for it in statistics(item)}
    return Added(item=item, entities={it: entity.id for it, entity in entities.items() if entity})


def _valid(role: Role, item: Item) -> Item:
    """Return an item with all that Home Assistant keeps of one."""
    section: list[Item] = _SCHEMAS[role.section]([item])
    return section[0]


def _named(item: Item) -> str:
    return ", ".join(sorted(statistics(item)))


def _preferences(manager: EnergyManager) -> Preferences:
    """Return the lists of sources and devices, to be changed."""
    kept: Any = manager.data or manager.default_preferences()
    return {section: list(kept[section]) for section in _SCHEMAS}


async def _async_update(manager: EnergyManager, preferences: Preferences) -> None:
    """Give Home Assistant the changed preferences."""
    if preferences != _preferences(manager):
        await manager.async_update(cast("EnergyPreferencesUpdate", preferences))


@singleton(f"{DOMAIN}_energy_dashboard")
async def _async_records(hass: HomeAssistant) -> _Records:
    store: Store[dict[str, Record]] = Store(hass, _VERSION, f"{DOMAIN}.energy_dashboard")
    return _Records(store, await store.async_load() or {})
