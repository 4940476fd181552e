"""Takes steps of a total that are no consumption out of the sums of long-term statistics.

The recorder takes a rise for consumption, a total that falls by more than a tenth for a new meter
that started at zero, and a smaller fall for negative consumption. How much of a step went into a
sum is therefore read from the rows themselves: a sum must grow by as much as the state does, less
the step. That holds whatever the recorder made of it, and a step that was taken out shows no excess
any more, so that looking again does no harm, after a crash for example.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import NamedTuple, cast

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
#: Sums and states are floats; what is smaller than this part of them is rounding.
_ROUNDING = 1e-11


class Row(NamedTuple):
    """A row of the 5-minute statistics, all amounts in one unit."""

    start: float
    end: float
    state: float
    sum: float


class Excess(NamedTuple):
    """What a row's sum holds of steps."""

    steps: Sequence[Step]
    #: Start of the row; None where the steps never came into any statistics.
    start: float | None
    #: What is to be taken out; zero once that is done.
    amount: float


class History(NamedTuple):
    """What the recorder has of a sensor."""

    #: 5-minute rows in the order of time, from the one before the first step on. Where the step is
    #: in the first row of all, the one before has no duration but the state that sums start from.
    rows: Sequence[Row]
    #: When numbers were written as states, since the first step.
    written: Sequence[float]


def find_excess(
    history: History, steps: Sequence[Step], convert: Callable[[Decimal], float]
) -> Excess | None:
    """Find the row that the first of a total's steps went into, with all that went into it.

    The steps are in the order of time; convert changes an amount of a step into the rows' unit.
    Returns None where that row does not exist yet. A step is in the rows only once a state was
    written after it: that may come later, for one that was lost in a crash.
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
    """Keeps the steps that are still in the sums, until they are out."""

    def __init__(self, hass: HomeAssistant, unique_id: str, on_change: Callable[[], None]) -> None:
        """Remember whose sensors these are; on_change is called when the steps have changed."""
        self.steps: list[Step] = []
        self._hass = hass
        self._unique_id = unique_id
        self._on_change = on_change
        self._unsubscribe: CALLBACK_TYPE | None = None

    @callback
    def async_add(self, steps: Iterable[Step]) -> None:
        """Take these steps out as soon as the recorder has made rows of them."""
        self.steps.extend(steps)
        if self.steps and self._unsubscribe is None:
            self._unsubscribe = self._hass.bus.async_listen(
                EVENT_RECORDER_5MIN_STATISTICS_GENERATED, self._async_correct
            )

    @callback
    def async_stop(self) -> None:
        """Stop looking; the steps stay."""
        if self._unsubscribe is not None:
            self._unsubscribe()
            self._unsubscribe = None

    async def _async_correct(self, _: Event) -> None:
        """Take out what the newest rows hold of the steps, and drop the steps that are out."""
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
        """Wait until the recorder has committed the rows that it has just announced."""
        written = self._hass.loop.create_future()
        get_instance(self._hass).queue_task(SynchronizeTask(written))
        await written

    async def _async_correct_sensor(self, entity_id: str, steps: Sequence[Step]) -> list[Step]:
        """Take out what the rows of a sensor hold of these steps; return the steps that are out."""
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
                # Its annotation forgets statistics without unit.
                adjustment_unit = cast("str", unit)
                recorder.async_adjust_statistics(entity_id, start, -excess.amount, adjustment_unit)
            steps = steps[len(excess.steps) :]
        return done


def _read_history(
    hass: HomeAssistant, entity_id: str, since: datetime
) -> tuple[str | None, str | None, History]:
    """Read the rows and the times of the states of a sensor, and its unit and its class."""
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
    """Read the states of a sensor from that time on, with the one before, that are numbers."""
    # A state written at the very time would be left out.
    states = state_changes_during_period(hass, since - timedelta.resolution, None, entity_id)
    return [
        state
        for state in states.get(entity_id, ())
        if state.state not in (STATE_UNAVAILABLE, STATE_UNKNOWN)
    ]


def _convert(
    from_unit: str | None, to_unit: str | None, unit_class: str | None, amount: Decimal
) -> float:
    """Change an amount into the unit of a statistic; where no way leads there it stays."""
    converted = convert(float(amount), from_unit, to_unit, unit_class)
    return float(amount) if converted is None else converted
