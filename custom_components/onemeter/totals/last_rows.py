"""The last statistics row of each total, and its reconciliation with the stored state."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from functools import partial
import logging
from typing import Final

from sqlalchemy.exc import SQLAlchemyError

from homeassistant.components.recorder import DOMAIN as RECORDER_DOMAIN, get_instance, history
from homeassistant.components.recorder.statistics import (
    UNIT_CLASS_TO_UNIT_CONVERTER,
    get_last_short_term_statistics,
    get_last_statistics,
    get_metadata,
)
from homeassistant.components.sensor import DOMAIN as SENSOR_DOMAIN
from homeassistant.config_entries import ConfigEntry
from homeassistant.const import ATTR_UNIT_OF_MEASUREMENT
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import entity_registry as er
from homeassistant.util import dt as dt_util

from ..meter import Key
from ..registers.known_codes import parse_key
from .limits import Rule, fits
from .moment import Moment
from .total import Step, Total
from .total_state import TotalState

_LOGGER = logging.getLogger(__name__)

#: The last decimal place for which floats are trusted.
_DIGIT: Final = Decimal("1e-9")


@dataclass(frozen=True, slots=True)
class LastRow:
    """The last row of a sensor's statistics."""

    start: datetime
    end: datetime
    #: The state at the end of the row, or a later one; then its time is the end.
    state: float
    unit: str | None
    unit_class: str | None
    #: Steps of the total that the row may or may not contain, in the order of time.
    steps: Sequence[Step] = ()

    def amounts(self, unit: str | None) -> Iterator[Decimal]:
        """Yield the state in a unit, without any of the steps and after each of them.

        Yields nothing if the unit cannot be converted. Amounts are rounded to nine decimals.
        """
        state = convert(self.state, self.unit, unit, self.unit_class)
        if state is None:
            return
        amount = Decimal(state).quantize(_DIGIT)
        yield amount
        for step in self.steps:
            amount += step.offset
            yield amount


def convert(
    amount: float, from_unit: str | None, to_unit: str | None, unit_class: str | None
) -> float | None:
    """Return an amount in another unit; None if it cannot be converted."""
    if from_unit == to_unit:
        return amount
    if (converter := UNIT_CLASS_TO_UNIT_CONVERTER.get(unit_class)) is None:
        return None
    try:
        return converter.convert(amount, from_unit, to_unit)
    except HomeAssistantError:
        return None


def reconciled(
    state: TotalState | None,
    row: LastRow,
    like: Total,
    rule: Rule,
    *,
    multiplier: Decimal,
    factor: Decimal,
) -> TotalState | None:
    """Return the state from which a total like this continues: the stored one, or one of the row.

    The newer one counts; the stored one only if it can follow the row. Otherwise the recorder would
    add more to the sum than was consumed. factor is the sensor's value per unit at the meter.
    """
    start, end = Moment(row.start), Moment(row.end)
    known = [
        TotalState(
            Total((amount / factor).quantize(_DIGIT), like.amount_unit),
            # It is unknown for how long the value had not changed.
            since=Moment(row.end - rule.max_unchanged),
            seen=end,
            multiplier=multiplier,
            is_approximate=True,
        )
        for amount in row.amounts(rule.unit)
    ]
    if state is None or not known:
        return state or next(iter(known), None)
    for other in known:
        change, tolerance = state.total.minus(other.total), other.tolerance(state.total)
        if abs(change) <= tolerance:
            # A row that repeats it may be of an outage, so it does not show that it was seen since.
            return state
        if (
            state.seen.time >= row.end
            and (change > 0 or rule.may_fall)
            and fits(change, rule.most_per_hour, start.until(state.seen), tolerance)
        ):
            return state
    known[0].start_over, known[0].most_per_hour = state.start_over, state.most_per_hour
    return known[0]


async def async_last_rows(
    hass: HomeAssistant, entry: ConfigEntry, steps: Sequence[Step], *, with_states: bool = False
) -> dict[Key, LastRow]:
    """Return the last statistics rows of an entry's totals by their keys.

    steps are those that the rows may not contain yet. with_states adds states that are newer than
    the rows. Empty if the recorder is missing or does not work.
    """
    if RECORDER_DOMAIN not in hass.config.components:
        return {}
    prefix = f"{entry.unique_id}-"
    keys = {
        entity.entity_id: parse_key(entity.unique_id.removeprefix(prefix))
        for entity in er.async_entries_for_config_entry(er.async_get(hass), entry.entry_id)
        if entity.domain == SENSOR_DOMAIN and entity.unique_id.startswith(prefix)
    }
    if not keys:
        return {}
    try:
        read = partial(_read, hass, set(keys), with_states=with_states)
        rows = await get_instance(hass).async_add_executor_job(read)
    except SQLAlchemyError as err:
        _LOGGER.warning("The statistics of %s cannot be read: %s", entry.title, type(err).__name__)
        return {}
    return {
        (key := keys[entity_id]): replace(
            row, steps=[step for step in steps if step.key == key and step.time >= row.start]
        )
        for entity_id, row in rows.items()
    }


def _read(hass: HomeAssistant, entity_ids: set[str], *, with_states: bool) -> dict[str, LastRow]:
    """Read the last row of each sensor.

    5-minute rows are newer than hourly ones, but are purged after some days.
    """
    found: dict[str, LastRow] = {}
    for entity_id, (_, about) in get_metadata(hass, statistic_ids=entity_ids).items():
        rows = [
            row
            for get in (get_last_short_term_statistics, get_last_statistics)
            for row in get(hass, 1, entity_id, False, {"state"}).get(entity_id, ())
            if about["has_sum"] and row["state"] is not None
        ]
        if rows:
            newest = max(rows, key=lambda row: row["end"])
            start, end = (dt_util.utc_from_timestamp(newest[name]) for name in ("start", "end"))
            unit, unit_class = about["unit_of_measurement"], about["unit_class"]
            state = newest["state"] or 0.0
            row = LastRow(start, end, state, unit, unit_class)
            found[entity_id] = _with_last_state(hass, entity_id, row) if with_states else row
    return found


def _with_last_state(hass: HomeAssistant, entity_id: str, row: LastRow) -> LastRow:
    """Return a row with the last state since its end, if there is one."""
    since = history.state_changes_during_period(
        hass, row.end, entity_id=entity_id, include_start_time_state=False
    )
    for state in reversed(since.get(entity_id, [])):
        try:
            amount = float(state.state)
        except ValueError:
            continue
        unit = state.attributes.get(ATTR_UNIT_OF_MEASUREMENT)
        return replace(row, end=state.last_updated, state=amount, unit=unit)
    return row
