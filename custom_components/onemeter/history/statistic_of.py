"""Which statistic belongs to a sensor, and how the meter's amounts become those of its rows."""

from dataclasses import dataclass
from decimal import Decimal
from functools import partial

from homeassistant.components.recorder import get_instance
from homeassistant.components.recorder.models import StatisticMetaData
from homeassistant.components.recorder.statistics import get_metadata
from homeassistant.components.sensor import DOMAIN as SENSOR_DOMAIN
from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er

from ..const import DOMAIN
from ..totals.last_rows import convert
from .new_statistic import async_metadata_of


@dataclass(frozen=True, slots=True)
class Statistic:
    """The statistic of a sensor."""

    statistic_id: str
    #: None where the recorder has no row yet, but will have.
    metadata_id: int | None
    #: What leads from the meter's amounts to those of the rows.
    factor: Decimal
    has_sum: bool
    #: What the recorder will have of it where it has no row yet.
    metadata: StatisticMetaData | None = None


async def async_statistic_of(
    hass: HomeAssistant, entry: ConfigEntry, name: str, unit: str | None
) -> Statistic | None:
    """Return the statistic of the sensor with a name, for amounts in a unit."""
    entity_id = er.async_get(hass).async_get_entity_id(
        SENSOR_DOMAIN, DOMAIN, f"{entry.unique_id}-{name}"
    )
    if entity_id is None:
        return None
    found = await get_instance(hass).async_add_executor_job(
        partial(get_metadata, hass, statistic_ids={entity_id})
    )
    metadata_id: int | None = None
    metadata: StatisticMetaData | None = None
    if entity_id in found:
        metadata_id, about = found[entity_id]
    elif (metadata := async_metadata_of(hass, entity_id)) is not None:
        about = metadata
    else:
        return None
    factor = convert(1.0, unit, about["unit_of_measurement"], about["unit_class"])
    if factor is None:
        return None
    exact = Decimal(repr(factor))
    return Statistic(entity_id, metadata_id, exact, has_sum=about["has_sum"], metadata=metadata)
