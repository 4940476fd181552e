"""Long-term statistics of simulated meters for the time before they were added.

OneMeter imports the energy of meters with a load profile itself. The demo writes that of the other
meters, and the power of all: OneMeter does not import power before its first row.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
import time
from typing import Any, Final

from simulator.household import Household

from .api import Api

DAYS: Final = 14
_HOUR: Final = 3600
_POLL_SECONDS: Final = 0.5
_SAMPLES_PER_HOUR: Final = 12
#: Tenths of a watt hour, the unit of the simulated totals, in a kWh.
_STEPS_PER_KWH: Final = 10_000


async def fill(api: Api, entity_id: str, register: Callable[[int], int]) -> None:
    """Import the hours that an energy sensor lacks; its own rows are kept.

    ``register`` returns the meter's total at a time, in tenths of a watt hour. Home Assistant
    counts the sum from the sensor's first state. So sums before it are negative, and there is no
    step between imported and own rows.
    """
    hours = _past_hours()
    short = await _rows(api, entity_id, _text(hours[0]), "5minute")
    kept = {row["start"] // 1000 for row in await _rows(api, entity_id, _text(hours[0]), "hour")}
    if short:
        zero = short[-1]["state"] - short[-1]["sum"]
    else:
        zero = await _first_state(api, entity_id, _text(hours[0]))
        kept = set()
    rows = []
    for hour in hours:
        if hour not in kept:
            state = register(hour + _HOUR) / _STEPS_PER_KWH
            rows.append({"start": _text(hour), "state": state, "sum": state - zero})
    await _import(api, entity_id, rows, unit_class="energy", unit="kWh", has_sum=True)


async def fill_power(api: Api, entity_id: str, household: Household) -> None:
    """Import the hours that a power sensor lacks: mean, minimum and maximum in watts."""
    hours = _past_hours()
    kept = {row["start"] // 1000 for row in await _rows(api, entity_id, _text(hours[0]), "hour")}
    rows = []
    for hour in hours:
        if hour in kept:
            continue
        powers = [
            sum(household.power(hour + second)) / 10
            for second in range(0, _HOUR, _HOUR // _SAMPLES_PER_HOUR)
        ]
        mean = sum(powers) / len(powers)
        rows.append({"start": _text(hour), "mean": mean, "min": min(powers), "max": max(powers)})
    await _import(api, entity_id, rows, unit_class="power", unit="W", has_sum=False)


def start() -> datetime:
    """Return when the history begins."""
    return datetime.fromtimestamp(_past_hours()[0], UTC)


def _past_hours() -> range:
    """Return the beginnings of the last complete hours."""
    now = int(time.time())
    return range((now // _HOUR - DAYS * 24) * _HOUR, now // _HOUR * _HOUR, _HOUR)


async def _rows(api: Api, entity_id: str, since: str, period: str) -> list[dict[str, Any]]:
    found = await api.call(
        "recorder/statistics_during_period",
        start_time=since,
        statistic_ids=[entity_id],
        period=period,
    )
    rows: list[dict[str, Any]] = found.get(entity_id, [])
    return rows


async def _first_state(api: Api, entity_id: str, since: str) -> float:
    """Return the first recorded number; wait if the recorder has not written it yet."""
    while True:
        history = await api.call(
            "history/history_during_period",
            start_time=since,
            entity_ids=[entity_id],
            minimal_response=True,
            no_attributes=True,
        )
        for state in history.get(entity_id, []):
            with suppress(ValueError):
                return float(state["s"])
        await asyncio.sleep(_POLL_SECONDS)


async def _import(
    api: Api,
    entity_id: str,
    rows: list[dict[str, Any]],
    *,
    unit_class: str,
    unit: str,
    has_sum: bool,
) -> None:
    if not rows:
        return
    await api.call(
        "recorder/import_statistics",
        metadata={
            "statistic_id": entity_id,
            "source": "recorder",
            "name": None,
            "has_sum": has_sum,
            "mean_type": 0 if has_sum else 1,
            "unit_class": unit_class,
            "unit_of_measurement": unit,
        },
        stats=rows,
    )
    # The recorder imports rows from a queue.
    while not await _rows(api, entity_id, rows[-1]["start"], "hour"):  # noqa: ASYNC110
        await asyncio.sleep(_POLL_SECONDS)


def _text(timestamp: int) -> str:
    return datetime.fromtimestamp(timestamp, UTC).isoformat()
