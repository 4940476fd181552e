"""Long-term statistics of totals whose sensors no longer exist, and the values they ended with."""

from collections.abc import Iterator, Sequence, Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Final

from sqlalchemy import func, select

from homeassistant.components.recorder import DOMAIN as RECORDER_DOMAIN, get_instance, history
from homeassistant.components.recorder.db_schema import Statistics, StatisticsMeta
from homeassistant.components.recorder.models import StatisticMeanType, StatisticMetaData
from homeassistant.components.recorder.statistics import (
    get_last_short_term_statistics,
    get_last_statistics,
    get_metadata,
)
from homeassistant.components.sensor import DOMAIN as SENSOR_DOMAIN
from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import ATTR_RESTORED, ATTR_UNIT_OF_MEASUREMENT
from homeassistant.core import HomeAssistant, callback, split_entity_id
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.recorder import session_scope
from homeassistant.util import dt as dt_util

from ..const import DOMAIN
from ..history.recorder_task import is_supported
from ..totals.last_rows import convert

#: The last decimal place for which floats are trusted.
_DIGIT: Final = Decimal("1e-9")
#: Newest states that are looked at for a number.
_STATES: Final = 10


@dataclass(frozen=True, slots=True)
class OldStatistic:
    """The end of a statistic whose sensor no longer exists, all amounts in its unit."""

    statistic_id: str
    unit: str | None
    unit_class: str | None
    #: When the first hour row starts (UTC).
    begin: datetime
    #: The last row: its start (UTC) and its state.
    start: datetime
    row: Decimal
    #: The newest value that is known, and when it was the sensor's (UTC).
    newest: Decimal
    seen: datetime
    #: Whether that time is known to five minutes; otherwise it is in the hour before.
    is_timed: bool


@callback
def is_gone(hass: HomeAssistant, entity_id: str) -> bool:
    """Return whether an entity no longer exists, or nothing provides it any more."""
    state = hass.states.get(entity_id)
    if (entity := er.async_get(hass).async_get(entity_id)) is None:
        return state is None
    if entity.disabled or (state is not None and not state.attributes.get(ATTR_RESTORED)):
        return False
    if entity.config_entry_id is None:
        return True
    entry = hass.config_entries.async_get_entry(entity.config_entry_id)
    if entry is None:
        return True
    # Registers of our own may yet come.
    return entry.domain != DOMAIN and entry.state is ConfigEntryState.LOADED and state is not None


@callback
def can_continue(hass: HomeAssistant) -> bool:
    """Return whether there is a recorder, with tables that the tests cover."""
    return RECORDER_DOMAIN in hass.config.components and is_supported(hass)


async def async_old_statistics(hass: HomeAssistant) -> list[OldStatistic]:
    """Return the statistics of totals that no sensor continues. Raises SQLAlchemyError."""
    recorder = get_instance(hass)
    list_sums = partial(get_metadata, hass, statistic_type="sum", statistic_source=RECORDER_DOMAIN)
    known = await recorder.async_add_executor_job(list_sums)
    gone = [
        about
        for statistic_id, (_, about) in known.items()
        if split_entity_id(statistic_id)[0] == SENSOR_DOMAIN
        and about["mean_type"] is StatisticMeanType.NONE
        and is_gone(hass, statistic_id)
    ]
    return await recorder.async_add_executor_job(_read_all, hass, gone)


def _read_all(hass: HomeAssistant, gone: Sequence[StatisticMetaData]) -> list[OldStatistic]:
    begins = _read_begins(hass, {about["statistic_id"] for about in gone})
    return [
        found
        for about in gone
        if (begin := begins.get(about["statistic_id"]))
        and (found := _read(hass, about, begin)) is not None
    ]


async def async_begins(hass: HomeAssistant, statistic_ids: AbstractSet[str]) -> dict[str, datetime]:
    """Return when the first hour rows of statistics start (UTC), as far as there are any.

    Raises SQLAlchemyError.
    """
    return await get_instance(hass).async_add_executor_job(_read_begins, hass, statistic_ids)


def _read_begins(hass: HomeAssistant, statistic_ids: AbstractSet[str]) -> dict[str, datetime]:
    query = (
        select(StatisticsMeta.statistic_id, func.min(Statistics.start_ts))
        .join(StatisticsMeta, StatisticsMeta.id == Statistics.metadata_id)
        .where(StatisticsMeta.statistic_id.in_(statistic_ids))
        .group_by(StatisticsMeta.statistic_id)
    )
    with session_scope(hass=hass, read_only=True) as session:
        return {name: dt_util.utc_from_timestamp(start) for name, start in session.execute(query)}


def _read(hass: HomeAssistant, about: StatisticMetaData, begin: datetime) -> OldStatistic | None:
    """Read how a statistic ended; None if it has no rows."""
    statistic_id, unit = about["statistic_id"], about["unit_of_measurement"]
    rows = [
        row
        for get in (get_last_short_term_statistics, get_last_statistics)
        for row in get(hass, 1, statistic_id, False, {"state", "sum"}).get(statistic_id, ())
        if row["state"] is not None and row["sum"] is not None
    ]
    if not rows:
        return None
    last = max(rows, key=lambda row: row["end"])
    # Those of five minutes show best when it was.
    start, end = (dt_util.utc_from_timestamp(rows[0][name]) for name in ("start", "end"))
    amount = _decimal(last["state"] or 0.0)
    newest, seen = next(_numbers(hass, about, start), (amount, end))
    return OldStatistic(
        statistic_id,
        unit,
        about["unit_class"],
        begin=begin,
        start=dt_util.utc_from_timestamp(last["start"]),
        row=amount,
        newest=newest,
        seen=seen,
        is_timed=len(rows) > 1 or seen != end,
    )


def _numbers(
    hass: HomeAssistant, about: StatisticMetaData, since: datetime
) -> Iterator[tuple[Decimal, datetime]]:
    """Yield the newest states that are numbers, in the unit of the statistic."""
    statistic_id = about["statistic_id"]
    states = history.state_changes_during_period(
        hass, since, None, statistic_id, descending=True, limit=_STATES
    )
    for state in states.get(statistic_id, ()):
        try:
            amount = float(state.state)
        except ValueError:
            continue
        unit = state.attributes.get(ATTR_UNIT_OF_MEASUREMENT)
        converted = convert(amount, unit, about["unit_of_measurement"], about["unit_class"])
        if converted is not None:
            yield _decimal(converted), state.last_updated


def _decimal(amount: float) -> Decimal:
    return Decimal(amount).quantize(_DIGIT)
