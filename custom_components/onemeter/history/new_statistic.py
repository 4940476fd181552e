"""The statistic of a sensor of which the recorder has no row yet."""

from sqlalchemy.orm.session import Session

from homeassistant.components.recorder import get_instance
from homeassistant.components.recorder.models import StatisticMeanType, StatisticMetaData
from homeassistant.components.recorder.statistics import STATISTIC_UNIT_TO_UNIT_CONVERTER
from homeassistant.components.sensor import ATTR_STATE_CLASS, SensorStateClass
from homeassistant.const import ATTR_UNIT_OF_MEASUREMENT
from homeassistant.core import HomeAssistant, callback

from .recorder_task import async_in_recorder


@callback
def async_metadata_of(hass: HomeAssistant, entity_id: str) -> StatisticMetaData | None:
    """Return the metadata that the recorder will give to a total; None where it will not."""
    state = hass.states.get(entity_id)
    is_recorded = get_instance(hass).entity_filter
    if state is None or (is_recorded is not None and not is_recorded(entity_id)):
        return None
    if state.attributes.get(ATTR_STATE_CLASS) != SensorStateClass.TOTAL_INCREASING:
        return None
    unit = state.attributes.get(ATTR_UNIT_OF_MEASUREMENT)
    converter = STATISTIC_UNIT_TO_UNIT_CONVERTER.get(unit)
    return StatisticMetaData(
        has_sum=True,
        mean_type=StatisticMeanType.NONE,
        name=None,
        source="recorder",
        statistic_id=entity_id,
        unit_class=None if converter is None else converter.UNIT_CLASS,
        unit_of_measurement=unit,
    )


async def async_add_statistic(hass: HomeAssistant, metadata: StatisticMetaData) -> int:
    """Add the statistic before its first row, and return its id; that of the recorder if it has."""

    def add(session: Session) -> int:
        manager = get_instance(hass).statistics_meta_manager
        found = manager.get_many(session, {metadata["statistic_id"]})
        _, metadata_id = manager.update_or_add(session, metadata, found)
        return metadata_id

    return await async_in_recorder(hass, add)
