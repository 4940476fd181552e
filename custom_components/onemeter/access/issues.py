"""Problems that need the user, as issues in Home Assistant's repairs."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import issue_registry as ir

from ..const import DOMAIN


class Issue(StrEnum):
    """A problem that only the user can solve; its value is the translation key."""

    #: Totals have jumped: a replaced or reset meter. Ends with the user's consent.
    TOTALS_JUMPED = "totals_jumped"
    #: The reading head is at another meter than the entry's.
    OTHER_METER = "other_meter"
    #: The device of the entry's port is at another port now. Ends with that port.
    PORT_MOVED = "port_moved"
    #: The meter waits for its PIN.
    METER_LOCKED = "meter_locked"
    #: Totals rise faster than *Maximum power* allows. Ends with a higher one.
    OVERLOAD = "overload"
    #: Many telegrams arrive damaged.
    POOR_SIGNAL = "poor_signal"
    #: The meter's clock is wrong.
    CLOCK_OFF = "clock_off"
    #: The meter cannot be read for long, for a reason that no other issue is about.
    UNAVAILABLE = "unavailable"
    #: Totals cannot be stored.
    NOT_WRITTEN = "not_written"
    #: Counters under right tags have fallen: a replaced or reset meter. Ends with consent.
    COUNTER_FELL = "counter_fell"
    #: Impulses and registers of the meter give different energies.
    IMPULSE_DRIFT = "impulse_drift"
    #: The registers of the meter count, but no impulse is seen.
    NO_IMPULSES = "no_impulses"
    #: The source of the impulses of a meter whose registers are read is unavailable.
    IMPULSES_LOST = "impulses_lost"
    #: There is a gap, and the user has not decided yet whether gaps are filled.
    FILL_GAPS = "fill_gaps"
    #: Filling gaps was not tested with the schema of the recorder's tables.
    HISTORY_UNSUPPORTED = "history_unsupported"
    #: The load profile rises by another amount than the register, so that a gap stays.
    HISTORY_DISAGREES = "history_disagrees"
    #: The meter has rejected the password or keys when its load profile was read.
    HISTORY_REJECTED = "history_rejected"
    #: It is unknown in which time the rows of the load profile are.
    HISTORY_TIME_UNKNOWN = "history_time_unknown"


#: Issues about the impulses of a meter whose registers are read.
SECOND_SOURCE_ISSUES = (Issue.IMPULSE_DRIFT, Issue.NO_IMPULSES, Issue.IMPULSES_LOST)

#: Translation keys of the issues with a fix flow.
_FIXABLE: Final = {
    Issue.TOTALS_JUMPED,
    Issue.OTHER_METER,
    Issue.PORT_MOVED,
    Issue.OVERLOAD,
    Issue.COUNTER_FELL,
    "impulse_drift_constant",
    "impulse_drift_doubled",
    "impulse_drift_halved",
    Issue.FILL_GAPS,
}


@callback
def async_raise_issue(
    hass: HomeAssistant,
    entry: ConfigEntry,
    issue: Issue,
    placeholders: Mapping[str, str] | None = None,
    text: str | None = None,
    **data: str,
) -> None:
    """Raise an issue, or update it; ``text`` selects one of several texts.

    Ids of meters may be in data, which never leaves Home Assistant.
    """
    translation_key = str(issue) if text is None else f"{issue}_{text}"
    ir.async_create_issue(
        hass,
        DOMAIN,
        _issue_id(issue, entry.entry_id),
        data={"entry_id": entry.entry_id, "issue": issue.value, **data},
        is_fixable=translation_key in _FIXABLE,
        severity=ir.IssueSeverity.WARNING,
        translation_key=translation_key,
        translation_placeholders={"title": entry.title, **(placeholders or {})},
    )


@callback
def async_clear_issue(hass: HomeAssistant, entry: ConfigEntry, issue: Issue) -> None:
    """End an issue, if it is raised."""
    ir.async_delete_issue(hass, DOMAIN, _issue_id(issue, entry.entry_id))


@callback
def has_issue(hass: HomeAssistant, entry: ConfigEntry, issue: Issue) -> bool:
    """Return whether an issue is raised for an entry."""
    issue_id = _issue_id(issue, entry.entry_id)
    return ir.async_get(hass).async_get_issue(DOMAIN, issue_id) is not None


def _issue_id(issue: Issue, entry_id: str) -> str:
    return f"{issue}_{entry_id}"
