"""Fields of the forms that are about a load profile: gaps, the first import, undoing one."""

from datetime import datetime
from typing import Any, Final

import probatio

from homeassistant.const import UnitOfTime
from homeassistant.helpers.selector import (
    BooleanSelector,
    SelectOptionDict,
    SelectSelector,
    SelectSelectorConfig,
    SelectSelectorMode,
)
from homeassistant.util import dt as dt_util

from ..const import CONF_FILL_GAPS, CONF_IMPORT_DAYS
from ..history.importer import HistoryImporter
from ..history.memory import ImportRecord
from ..settings import EntrySettings
from .schemas import whole_number

#: Of a form: no entry keeps it.
CONF_UNDO_IMPORT: Final = "undo_import"
#: More than any known meter remembers.
_LONGEST: Final = 1000
#: Characters of a day of quarters of an hour with four channels, and bits of each on the line.
_CHARACTERS_PER_DAY: Final = 2880
_BITS: Final = 10

type Fields = dict[probatio.Marker, Any]


def may_have_profile(settings: EntrySettings) -> bool:
    """Return whether gaps of a meter may be filled by themselves."""
    return settings.is_polled and not settings.on_battery


def fill_gaps(*, default: bool) -> Fields:
    """Return the field of the option."""
    return {probatio.Required(CONF_FILL_GAPS, default=default): BooleanSelector()}


def at_set_up() -> Fields:
    """Return the fields that a new entry has."""
    days = whole_number(0, _LONGEST, UnitOfTime.DAYS)
    return {
        **fill_gaps(default=True),
        probatio.Required(CONF_IMPORT_DAYS, default=0): days,
    }


def import_time(speed: int) -> dict[str, str]:
    """Return the placeholder of how long a day takes to be read at a baud rate."""
    seconds = _CHARACTERS_PER_DAY * _BITS / speed
    return {"import_seconds": f"{max(round(seconds), 1)}"}


def undo_import(importer: HistoryImporter | None) -> Fields:
    """Return the field that selects an import to be undone; none where there is no import."""
    if importer is None or not importer.imports.imports:
        return {}
    options = [
        SelectOptionDict(value=record.time.isoformat(), label=_described(record))
        for record in reversed(importer.imports.imports)
    ]
    config = SelectSelectorConfig(options=options, mode=SelectSelectorMode.DROPDOWN)
    return {probatio.Optional(CONF_UNDO_IMPORT): SelectSelector(config)}


def _described(record: ImportRecord) -> str:
    first, last = map(_shown, record.period)
    return f"{_shown(record.time)}: {first} – {last} ({record.hours} h)"


def _shown(time: datetime) -> str:
    return f"{dt_util.as_local(time):%Y-%m-%d %H:%M}"
