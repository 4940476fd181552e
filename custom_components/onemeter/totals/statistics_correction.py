"""Removes steps of a total that are no consumption from the sums of long-term statistics.

The recorder treats a rise as consumption, a total that falls by more than a tenth as a new meter
that started at zero, and a smaller fall as negative consumption. How much of a step went into a sum
is therefore calculated from the rows: the sum must grow by as much as the state, minus the step.
That holds for all three cases. A step that was removed leaves no excess, so correcting again, for
example after a crash, changes nothing.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any, NamedTuple, cast

from homeassistant.components.recorder import get_instance
from homeassistant.components.recorder.history import state_changes_during_period
from homeassistant.components.recorder.statistics import (
    get_last_short_term_statistics,
    get_metadata,
)
from homeassistant.components.recorder.tasks import SynchronizeTask
from homeassistant.components.sensor import DOMAIN as SENSOR_DOMAIN
from homeassistant.const import (
    ATTR_UNIT_OF_MEASUREMENT,
    EVENT_RECORDER_5MIN_STATISTICS_GENERATED,
    STATE_UNAVAILABLE,
    STATE_UNKNOWN,
)
from homeassistant.core import CALLBACK_TYPE, Event, HomeAssistant, State, callback
from homeassistant.helpers import entity_registry as er
from homeassistant.util import dt as dt_util

from ..const import DOMAIN
from .last_rows import convert
from .total import Step

_ROW_DURATION = timedelta(minutes=5)
#: Sums and states are floats; a smaller fraction of them is a rounding error.
_ROUNDING = 1e-11


class Row(NamedTuple):
    """A row of the 5-minute statistics, all amounts in one unit."""

    start: float
    end: float
    state: float
    sum: float


class Excess(NamedTuple):
    """The part of a row's sum that comes from steps."""

    steps: Sequence[Step]
    #: Start of the row; None if the steps are in no row.
    start: float | None
    #: The amount to be removed; zero once that is done.
    amount: float


class History(NamedTuple):
    """The statistics rows and states of a sensor."""

    #: 5-minute rows in the order of time, beginning with the one before the first step. If the step
    #: is in the very first row, the one before has no duration but the state that sums start from.
    rows: Sequence[Row]
    #: The times of numeric states since the first step.
    written: Sequence[float]


def find_excess(
    history: History, steps: Sequence[Step], convert: Callable[[Decimal], float]
) -> Excess | None:
    """Find the row that contains the first of a total's steps, and all steps in that row.

    The steps are in the order of time; convert converts the offset of a step to the rows' unit.
    Returns None if that row does not exist yet. A step is in the rows only once a state was written
    after it; after a crash that may be later.
    """
    before: Row | None = None
    for row in history.rows:
        written = max((time for time in history.written if time < row.end), default=0)
        within = [step for step in steps if step.time.timestamp() <= written]
        if not within:
            before = row
            continue
        if before is None:
            return Excess(within, None, 0)
        offset = convert(sum((step.offset for step in within), Decimal()))
        amount = row.sum - before.sum - (row.state - before.state - offset)
        size = max(map(abs, (row.sum, before.sum, row.state, before.state, offset)))
        return Excess(within, row.start, 0 if abs(amount) <= size * _ROUNDING else amount)
    return None


class SumCorrection:
    """Keeps the steps that are still in the sums until they are removed."""

    def __init__(self, hass: HomeAssistant, unique_id: str, on_change: Callable[[], None]) -> None:
        """Take the unique id of the entry; on_change is called when steps were removed."""
        self.steps: list[Step] = []
        self._hass = hass
        self._unique_id = unique_id
        self._on_change = on_change
        self._unsubscribe: CALLBACK_TYPE | None = None

    @callback
    def async_add(self, steps: Iterable[Step]) -> None:
        """Remove these steps as soon as the recorder has written rows that contain them."""
        self.steps.extend(steps)
        if self.steps and self._unsubscribe is None:
            self._unsubscribe = self._hass.bus.async_listen(
                EVENT_RECORDER_5MIN_STATISTICS_GENERATED, self._async_correct
            )

    @callback
    def restore(self, stored: Iterable[Mapping[str, Any]]) -> None:
        """Add the steps that as_list has returned."""
        self.async_add(map(Step.from_dict, stored))

    def as_list(self) -> list[dict[str, str | None]]:
        """Return the steps for the JSON storage."""
        return [step.as_dict() for step in self.steps]

    @callback
    def async_stop(self) -> None:
        """Stop the correction; the steps are kept."""
        if self._unsubscribe is not None:
            self._unsubscribe()
            self._unsubscribe = None

    async def _async_correct(self, _: Event) -> None:
        """Correct the newest rows, and drop the steps that are removed."""
        await self._async_rows_written()
        done: set[Step] = set()
        for key in dict.fromkeys(step.key for step in self.steps):
            steps = [step for step in self.steps if step.key == key]
            entity_id = er.async_get(self._hass).async_get_entity_id(
                SENSOR_DOMAIN, DOMAIN, f"{self._unique_id}-{key}"
            )
            if entity_id is None:
                done.update(steps)
            else:
                done.update(await self._async_correct_sensor(entity_id, steps))
        if done:
            self.steps = [step for step in self.steps if step not in done]
            if not self.steps:
                self.async_stop()
            self._on_change()

    async def _async_rows_written(self) -> None:
        """Wait until the recorder has committed the rows of the event."""
        written = self._hass.loop.create_future()
        get_instance(self._hass).queue_task(SynchronizeTask(written))
        await written

    async def _async_correct_sensor(self, entity_id: str, steps: Sequence[Step]) -> list[Step]:
        """Correct the rows of a sensor; return the steps that are removed."""
        recorder = get_instance(self._hass)
        unit, unit_class, history = await recorder.async_add_executor_job(
            _read_history, self._hass, entity_id, steps[0].time
        )
        into_unit = partial(_convert, steps[0].unit, unit, unit_class)
        done: list[Step] = []
        while steps and (excess := find_excess(history, steps, into_unit)):
            if excess.start is None or not excess.amount:
                done.extend(excess.steps)
            else:
                start = dt_util.utc_from_timestamp(excess.start)
                # The annotation does not allow statistics without unit.
                adjustment_unit = cast("str", unit)
                recorder.async_adjust_statistics(entity_id, start, -excess.amount, adjustment_unit)
            steps = steps[len(excess.steps) :]
        return done


def _read_history(
    hass: HomeAssistant, entity_id: str, since: datetime
) -> tuple[str | None, str | None, History]:
    """Read the unit, the unit class and the history of a sensor."""
    if not (metadata := get_metadata(hass, statistic_ids={entity_id})):
        return None, None, History((), ())
    _, about = metadata[entity_id]
    count = (dt_util.utcnow() - since) // _ROW_DURATION + 3
    newest = get_last_short_term_statistics(
        hass, count, entity_id, convert_units=False, types={"state", "sum"}
    )
    rows = [
        Row(row["start"], row["end"], row["state"], row["sum"])
        for row in reversed(newest.get(entity_id, ()))
        if row["state"] is not None and row["sum"] is not None
    ]
    unit, unit_class = about["unit_of_measurement"], about["unit_class"]
    if rows and rows[0].start <= since.timestamp() < rows[0].end:
        start = rows[0].start
        for state in _read_states(hass, entity_id, dt_util.utc_from_timestamp(start)):
            state_unit = state.attributes.get(ATTR_UNIT_OF_MEASUREMENT)
            base = _convert(state_unit, unit, unit_class, Decimal(state.state))
            rows.insert(0, Row(start, start, base, 0))
            break
    written = [state.last_updated_timestamp for state in _read_states(hass, entity_id, since)]
    return unit, unit_class, History(rows, written)


def _read_states(hass: HomeAssistant, entity_id: str, since: datetime) -> list[State]:
    """Read the numeric states of a sensor since a time, and the one before."""
    # A state written at exactly that time would be left out.
    states = state_changes_during_period(hass, since - timedelta.resolution, None, entity_id)
    return [
        state
        for state in states.get(entity_id, ())
        if state.state not in (STATE_UNAVAILABLE, STATE_UNKNOWN)
    ]


def _convert(
    from_unit: str | None, to_unit: str | None, unit_class: str | None, amount: Decimal
) -> float:
    """Convert an amount to the unit of a statistic; unchanged if that is impossible."""
    converted = convert(float(amount), from_unit, to_unit, unit_class)
    return float(amount) if converted is None else converted
