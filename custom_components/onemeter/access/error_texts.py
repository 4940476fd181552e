"""Errors of the library as errors of Home Assistant, with translated texts."""

from typing import Final

from homeassistant.exceptions import ConfigEntryAuthFailed, ConfigEntryNotReady
from homeassistant.helpers.update_coordinator import UpdateFailed

from ..const import DOMAIN
from ..meter import MeterError
from ..meter.errors import (
    UNKNOWN,
    AssociationError,
    ChecksumError,
    CounterNeededError,
    KeyNeededError,
    MeterAuthenticationError,
    MeterConnectionError,
    PortBusyError,
    RefusedError,
    UnknownDataError,
    WrongAuthenticationKeyError,
    WrongEncryptionKeyError,
    WrongKeysError,
)
from ..meter.looks import Look
from ..meter.redaction import redact

#: Errors that another password, key or invocation counter can correct.
_CREDENTIALS: Final = (
    CounterNeededError,
    KeyNeededError,
    MeterAuthenticationError,
    WrongAuthenticationKeyError,
    WrongEncryptionKeyError,
    WrongKeysError,
)
CREDENTIALS: Final = frozenset(kind.translation_key for kind in _CREDENTIALS)

#: Endings of the translation keys for bytes that are not of any protocol.
_GUESSES: dict[str, str] = {Look.NOISE: "noise", Look.INVERTED: "inverted"}

#: Errors for Home Assistant; the second one starts the flow for other credentials.
type Failure = UpdateFailed | ConfigEntryAuthFailed


def is_about_credentials(error: MeterError) -> bool:
    """Return whether another password or key can correct an error."""
    return isinstance(error, _CREDENTIALS)


def text_key(error: MeterError) -> str:
    """Return the translation key of an error, by its class and its details."""
    match error:
        case PortBusyError(details={"by": by}) if by != UNKNOWN:
            return f"{error.translation_key}_by"
        case ChecksumError() | UnknownDataError() if "usual" in error.details:
            return "no_telegram_at_speed"
        case UnknownDataError(details={"looks_like": guess}) if guess != UNKNOWN:
            return f"{error.translation_key}_{_GUESSES.get(guess, 'like')}"
    return error.translation_key


def with_details(error: MeterError, url: str) -> MeterError:
    """Return an error at a port with all placeholders of its texts."""
    if isinstance(error, AssociationError | RefusedError):
        error.details.setdefault("reason", UNKNOWN)
    error.details.setdefault("port", redact(url))
    return error


def as_meter_error(error: Exception, url: str) -> MeterError:
    """Return an error at a port as an error of the library."""
    match error:
        case MeterError():
            return with_details(error, url)
        case ConfigEntryNotReady():
            # A port of another integration that is not there yet.
            reason = str(error)
            return MeterConnectionError(reason, port=redact(url), reason=reason)
    return MeterError("unexpected", reason=type(error).__name__)


def update_failed(error: MeterError) -> Failure:
    """Return what Home Assistant shows of an error."""
    kind = ConfigEntryAuthFailed if is_about_credentials(error) else UpdateFailed
    return kind(
        translation_domain=DOMAIN,
        translation_key=text_key(error),
        translation_placeholders=error.details,
    )


def slow_readout(url: str) -> UpdateFailed:
    """Return the error for a readout that takes too long to wait for."""
    return UpdateFailed(
        translation_domain=DOMAIN,
        translation_key="slow_readout",
        translation_placeholders={"port": redact(url)},
    )
