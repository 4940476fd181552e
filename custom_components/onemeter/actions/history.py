"""Fills gaps from the load profiles of meters, and undoes it."""

from itertools import chain
from typing import Any, Final

import probatio

from homeassistant.core import HomeAssistant, ServiceCall, ServiceResponse
from homeassistant.helpers import config_validation as cv
from homeassistant.util import dt as dt_util

from ..coordinator.base import OneMeterConfigEntry
from ..history.importer import HistoryImporter, async_importer
from ..history.recorder_task import UnsupportedSchemaError
from . import export_profile
from .export_profile import ATTR_END, ATTR_START
from .meter import async_for_each_meter, async_poll, polled_coordinator, refusal

ATTR_DRY_RUN: Final = "dry_run"
FIELDS: Final = {
    **export_profile.FIELDS,
    probatio.Optional(ATTR_DRY_RUN, default=True): cv.boolean,
}


async def async_import_history(call: ServiceCall) -> ServiceResponse:
    """Fill the gaps in a period from the load profiles, or only show what would be written."""
    dry_run: bool = call.data[ATTR_DRY_RUN]
    # A time without zone is in that of Home Assistant.
    start = dt_util.as_utc(call.data[ATTR_START])
    now = dt_util.utcnow()
    end = dt_util.as_utc(call.data[ATTR_END]) if ATTR_END in call.data else now
    if start >= min(end, now):
        raise refusal("import_period")

    async def fill(entry: OneMeterConfigEntry) -> list[Any]:
        coordinator = polled_coordinator(entry, "no_load_profile")
        job = _importer(call.hass, entry).async_import(start, end, dry_run=dry_run)
        return [outcome.as_dict() for outcome in await async_poll(call, coordinator, job)]

    try:
        filled, failed = await async_for_each_meter(call, fill)
    except UnsupportedSchemaError as err:
        raise refusal("history_unsupported") from err
    return {"dry_run": dry_run, "statistics": [*chain(*filled)], "failed": failed}


async def async_undo_history_import(call: ServiceCall) -> ServiceResponse:
    """Undo the newest import of each meter."""

    async def undo(entry: OneMeterConfigEntry) -> tuple[int, int] | None:
        try:
            return await _importer(call.hass, entry).async_undo()
        except LookupError:
            return None

    try:
        done, failed = await async_for_each_meter(call, undo)
    except UnsupportedSchemaError as err:
        raise refusal("history_unsupported") from err
    undone = [counts for counts in done if counts is not None]
    if not undone:
        raise refusal("nothing_to_undo")
    restored, changed = map(sum, zip(*undone, strict=True))
    return {"restored": restored, "changed_since": changed, "failed": failed}


def _importer(hass: HomeAssistant, entry: OneMeterConfigEntry) -> HistoryImporter:
    if (importer := async_importer(hass, entry.entry_id)) is None:
        raise refusal("no_load_profile")
    return importer
