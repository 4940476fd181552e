"""What is wrong with a meter, for its status sensor, and for a repair if it lasts."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from homeassistant.config_entries import (
    SIGNAL_CONFIG_ENTRY_CHANGED,
    ConfigEntry,
    ConfigEntryChange,
    ConfigEntryState,
)
from homeassistant.core import CALLBACK_TYPE, HassJob, HomeAssistant, callback
from homeassistant.helpers.dispatcher import async_dispatcher_connect
from homeassistant.helpers.event import async_call_later
from homeassistant.util.hass_dict import HassKey

from ..access.issues import Issue, async_clear_issue, async_raise_issue, has_issue
from ..const import DOMAIN
from ..meter import MeterError
from ..meter.errors import (
    AddressError,
    AssociationError,
    ChecksumError,
    CounterNeededError,
    InvocationCounterError,
    KeyNeededError,
    MeterAuthenticationError,
    MeterConnectionError,
    MeterPushesError,
    MeterSilentError,
    NoReadoutError,
    NotAuthenticatedError,
    OtherMeterError,
    PortBusyError,
    PortNotFoundError,
    PortPermissionError,
    ReadoutRefusedError,
    RefusedError,
    TelegramError,
    UnknownDataError,
    UnknownListError,
    WrongAuthenticationKeyError,
    WrongEncryptionKeyError,
    WrongParityError,
)

_WATCHES: HassKey[dict[str, StatusWatch]] = HassKey(f"{DOMAIN}_status")

#: After this time, a status other than OK becomes a repair.
REPAIR_AFTER: Final = timedelta(minutes=15)


class Status(StrEnum):
    """The state of the status sensor."""

    OK = "ok"
    SILENT = "silent"
    PORT_MISSING = "port_missing"
    PORT_DENIED = "port_denied"
    PORT_IN_USE = "port_in_use"
    NO_CONNECTION = "no_connection"
    DAMAGED = "damaged"
    NOT_UNDERSTOOD = "not_understood"
    OTHER_METER = "other_meter"
    KEY_NEEDED = "key_needed"
    WRONG_KEY = "wrong_key"
    WRONG_PASSWORD = "wrong_password"  # noqa: S105
    COUNTER_NEEDED = "counter_needed"
    COUNTER_REJECTED = "counter_rejected"
    NOT_AUTHENTICATED = "not_authenticated"
    REFUSED = "refused"
    #: The meter sends reduced data until its PIN is entered.
    LOCKED = "locked"
    #: The meter is read, but its totals cannot be stored.
    NOT_SAVED = "not_saved"
    ERROR = "error"


#: The status for an error: that of its class, or of the nearest base class.
_OF_ERRORS: Final[Mapping[type, Status]] = {
    MeterError: Status.ERROR,
    MeterSilentError: Status.SILENT,
    MeterConnectionError: Status.NO_CONNECTION,
    PortNotFoundError: Status.PORT_MISSING,
    PortPermissionError: Status.PORT_DENIED,
    PortBusyError: Status.PORT_IN_USE,
    TelegramError: Status.DAMAGED,
    ChecksumError: Status.DAMAGED,
    WrongParityError: Status.DAMAGED,
    UnknownDataError: Status.NOT_UNDERSTOOD,
    UnknownListError: Status.NOT_UNDERSTOOD,
    NoReadoutError: Status.NOT_UNDERSTOOD,
    MeterPushesError: Status.NOT_UNDERSTOOD,
    OtherMeterError: Status.OTHER_METER,
    KeyNeededError: Status.KEY_NEEDED,
    WrongEncryptionKeyError: Status.WRONG_KEY,
    WrongAuthenticationKeyError: Status.WRONG_KEY,
    MeterAuthenticationError: Status.WRONG_PASSWORD,
    CounterNeededError: Status.COUNTER_NEEDED,
    InvocationCounterError: Status.COUNTER_REJECTED,
    NotAuthenticatedError: Status.NOT_AUTHENTICATED,
    ReadoutRefusedError: Status.REFUSED,
    RefusedError: Status.REFUSED,
    AddressError: Status.REFUSED,
    AssociationError: Status.REFUSED,
}

#: The meter is read.
_READ: Final = frozenset({Status.OK, Status.LOCKED, Status.NOT_SAVED})
#: Causes with an issue of their own, or with a flow for other credentials.
_ASKED_OTHERWISE: Final = frozenset(
    {
        Status.OTHER_METER,
        Status.KEY_NEEDED,
        Status.WRONG_KEY,
        Status.WRONG_PASSWORD,
        Status.COUNTER_NEEDED,
    }
)
#: Issues of a meter that cannot be read, which may be raised with several statuses.
_FIXABLE_CAUSES: Final = (Issue.PORT_MOVED, Issue.COUNTER_FELL)
#: What a repair says the cause is.
REPAIRED: Final = frozenset(Status) - _READ - _ASKED_OTHERWISE


def status_of(error: MeterError) -> Status:
    """Return the status of a meter that cannot be read because of this error."""
    return next(_OF_ERRORS[kind] for kind in type(error).__mro__ if kind in _OF_ERRORS)


class StatusWatch:
    """Raises a repair for a meter that cannot be read for long, and ends it.

    It lasts while Home Assistant tries to set the entry up again and again.
    """

    def __init__(self, hass: HomeAssistant, entry: ConfigEntry) -> None:
        """Take whose meter it is."""
        self._hass = hass
        self._entry = entry
        #: As it may be shown.
        self.port = ""
        self._status = Status.OK
        self._is_overdue = False
        self._cancel: CALLBACK_TYPE | None = None
        self._end_of_entry: CALLBACK_TYPE | None = None

    @callback
    def async_take(self, status: Status) -> None:
        """Take the present status."""
        self._status = status
        if status in _READ:
            self.async_stop()
        elif self._is_overdue:
            self._async_raise()
        elif self._cancel is None:
            job = HassJob(self._async_overdue, cancel_on_shutdown=True)
            self._cancel = async_call_later(self._hass, REPAIR_AFTER, job)
            self._end_of_entry = async_dispatcher_connect(
                self._hass, SIGNAL_CONFIG_ENTRY_CHANGED, self._async_on_entry
            )

    @callback
    def async_end(self) -> None:
        """Take that the coordinator ends, maybe because setting up has failed."""
        if self._entry.state is not ConfigEntryState.SETUP_RETRY:
            self._async_forget()

    @callback
    def async_stop(self) -> None:
        """Wait no longer, and end the repair."""
        for cancel in (self._cancel, self._end_of_entry):
            if cancel is not None:
                cancel()
        self._cancel = self._end_of_entry = None
        self._is_overdue = False
        async_clear_issue(self._hass, self._entry, Issue.UNAVAILABLE)

    @callback
    def _async_on_entry(self, change: ConfigEntryChange, entry: ConfigEntry) -> None:
        """End with an entry that is removed or disabled before it is set up."""
        if entry is self._entry and (
            change is ConfigEntryChange.REMOVED or entry.disabled_by is not None
        ):
            self._async_forget()

    @callback
    def _async_forget(self) -> None:
        self.async_stop()
        self._hass.data[_WATCHES].pop(self._entry.entry_id, None)

    @callback
    def _async_overdue(self, _: datetime) -> None:
        self._cancel = None
        self._is_overdue = True
        self._async_raise()

    @callback
    def _async_raise(self) -> None:
        is_asked = any(has_issue(self._hass, self._entry, issue) for issue in _FIXABLE_CAUSES)
        if is_asked or self._status not in REPAIRED:
            async_clear_issue(self._hass, self._entry, Issue.UNAVAILABLE)
            return
        placeholders = {"port": self.port}
        async_raise_issue(
            self._hass, self._entry, Issue.UNAVAILABLE, placeholders, text=self._status
        )


@callback
def async_status_watch(hass: HomeAssistant, entry: ConfigEntry, port: str) -> StatusWatch:
    """Return what watches the status of an entry, whose port may be shown like this."""
    watches = hass.data.setdefault(_WATCHES, {})
    if entry.entry_id not in watches:
        watches[entry.entry_id] = StatusWatch(hass, entry)
    watch = watches[entry.entry_id]
    watch.port = port
    return watch
