"""Undoes imports: brings back the rows that they have replaced."""

from datetime import datetime
from functools import partial

from homeassistant.core import HomeAssistant

from .memory import ImportMemory
from .recorder_task import async_in_recorder
from .records import undo


async def async_undo(
    hass: HomeAssistant, imports: ImportMemory, until: datetime | None = None
) -> tuple[int, int]:
    """Undo the newest import; return how many rows were brought back, and how many not.

    With the time of an import, that one is undone after all newer ones: their sums may follow from
    its. Rows that have changed since are left as they are. Raises LookupError without an import.
    """
    times = [record.time for record in imports.imports]
    if not times or (until is not None and until not in times):
        raise LookupError
    first = len(times) - 1 if until is None else times.index(until)
    counts = [await _async_undo_newest(hass, imports) for _ in times[first:]]
    return sum(restored for restored, _ in counts), sum(changed for _, changed in counts)


async def _async_undo_newest(hass: HomeAssistant, imports: ImportMemory) -> tuple[int, int]:
    record = imports.imports[-1]
    counts = [
        await async_in_recorder(hass, partial(undo, record=item))
        for item in reversed(record.records)
    ]
    imports.imports.remove(record)
    await imports.async_save()
    return sum(restored for restored, _ in counts), sum(changed for _, changed in counts)
