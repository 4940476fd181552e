"""Errors between the port and a reading, one class for each situation of the user."""

from typing import ClassVar, Final

#: A detail of an error that could not be found out.
UNKNOWN: Final = "?"


class MeterError(Exception):
    """Base of all errors of this library.

    Messages never contain keys, passwords, or ids of meters and customers.
    """

    #: Identifies the error, for texts in any language.
    translation_key: ClassVar[str] = "unknown"

    def __init__(self, message: str, **details: str) -> None:
        """Keep the message, and the details that are placeholders of the translations."""
        super().__init__(message)
        self.details = details


class MeterConnectionError(MeterError):
    """The port cannot be used."""

    translation_key = "cannot_connect"


class PortNotFoundError(MeterConnectionError):
    """There is no such port: unplugged, renamed or mistyped."""

    translation_key = "port_not_found"


class PortPermissionError(MeterConnectionError):
    """The port exists, but this user may not open it."""

    translation_key = "port_permission"


class PortBusyError(MeterConnectionError):
    """Another program uses the port."""

    translation_key = "port_busy"


class PortLostError(MeterConnectionError):
    """The port was open and went away."""

    translation_key = "port_lost"


class MeterSilentError(MeterError):
    """The port is open, but nothing is received."""

    translation_key = "meter_silent"


class ConnectionEndedError(MeterSilentError):
    """The meter has ended the connection while it was being read."""


class FixedSpeedError(MeterSilentError):
    """The meter has never answered, at a port whose speed is set elsewhere."""

    translation_key = "fixed_speed"


class UnknownDataError(MeterError):
    """What is received contains no telegram of this protocol."""

    translation_key = "unknown_data"


class UnknownListError(MeterError):
    """Telegrams are valid, but the meaning of their values is unknown."""

    translation_key = "unknown_list"


class TelegramError(MeterError):
    """A telegram breaks the rules of its protocol."""

    translation_key = "telegram_invalid"


class ChecksumError(TelegramError):
    """A telegram arrived damaged."""

    translation_key = "checksum_failed"


class NoReadoutError(MeterError):
    """The meter answers the sign-on, but sends no readout: it may use another protocol."""

    translation_key = "no_readout"


class EmptyReadoutError(TelegramError):
    """The meter sends a valid readout without values."""

    translation_key = "empty_readout"


class ReadoutRefusedError(TelegramError):
    """The meter sends an error instead of its readout."""

    translation_key = "readout_refused"


class MeterPushesError(MeterError):
    """The meter pushes its readouts, whether or not it is polled."""

    translation_key = "meter_pushes"


class WrongParityError(MeterError):
    """The meter sends characters with another parity than the protocol's."""

    translation_key = "wrong_parity"


class RefusedError(MeterError):
    """The meter answers a command with an error."""

    translation_key = "refused"


class NoRegisterError(RefusedError):
    """The meter has none of the registers that were requested."""


class MeterAuthenticationError(MeterError):
    """The meter needs a password, or has rejected it."""

    translation_key = "password_rejected"


class OtherMeterError(MeterError):
    """The telegrams are from another meter than the expected one."""

    translation_key = "other_meter"


class KeyFormatError(MeterError):
    """The format of a key is invalid."""

    translation_key = "invalid_key"


class KeyNeededError(MeterError):
    """Telegrams are encrypted, and there is no key."""

    translation_key = "key_needed"


class WrongEncryptionKeyError(MeterError):
    """Telegrams do not decrypt: the encryption key is wrong."""

    translation_key = "wrong_encryption_key"


class WrongKeysError(WrongEncryptionKeyError):
    """The meter does not understand encrypted requests: one of both keys is wrong."""

    translation_key = "wrong_keys"


class WrongAuthenticationKeyError(MeterError):
    """Telegrams decrypt, but their authentication tag is wrong."""

    translation_key = "wrong_authentication_key"


class NotAuthenticatedError(MeterError):
    """Telegrams have no right tag and rising counter, as the meter's had before."""

    translation_key = "not_authenticated"


class InvocationCounterError(MeterError):
    """The meter rejects the client's invocation counter, even one above its own."""

    translation_key = "counter_rejected"


class CounterNeededError(InvocationCounterError):
    """It is unknown which invocation counters were used with this key and system title."""

    translation_key = "counter_needed"


class AddressError(MeterError):
    """The meter refuses the connection, or does not answer at this address."""

    translation_key = "address_refused"


class AssociationError(MeterError):
    """The meter rejects the association, for another reason than the password."""

    translation_key = "association_refused"


class AccessError(RefusedError):
    """The meter denies access to an object's attribute."""

    translation_key = "access_refused"
