"""Errors between the port and a reading, one class for each situation of the user."""

from typing import ClassVar, Final

#: A detail of an error that could not be found out.
UNKNOWN: Final = "?"


class MeterError(Exception):
    """Base of all errors of this library.

    Messages never contain keys, passwords, or ids of meters and customers.
    """

    #: Name of the situation, to which the translations have a text.
    situation: ClassVar[str] = "unknown"

    def __init__(self, message: str, **details: str) -> None:
        """Keep the message, and the details that are placeholders of the translations."""
        super().__init__(message)
        self.details = details


class MeterConnectionError(MeterError):
    """The port cannot be used."""

    situation = "cannot_connect"


class PortNotFoundError(MeterConnectionError):
    """There is no such port: unplugged, renamed or mistyped."""

    situation = "port_not_found"


class PortPermissionError(MeterConnectionError):
    """The port exists, but this user may not open it."""

    situation = "port_permission"


class PortBusyError(MeterConnectionError):
    """Another program uses the port."""

    situation = "port_busy"


class PortLostError(MeterConnectionError):
    """The port was open and went away."""

    situation = "port_lost"


class MeterSilentError(MeterError):
    """The port is open, but nothing is received."""

    situation = "meter_silent"


class ConnectionEndedError(MeterSilentError):
    """The meter has ended the connection while it was being read."""


class FixedSpeedError(MeterSilentError):
    """The meter has never answered, at a port whose speed is set elsewhere."""

    situation = "fixed_speed"


class UnknownDataError(MeterError):
    """What is received contains no telegram of this protocol."""

    situation = "unknown_data"


class UnknownListError(MeterError):
    """Telegrams are valid, but the meaning of their values is unknown."""

    situation = "unknown_list"


class TelegramError(MeterError):
    """A telegram breaks the rules of its protocol."""

    situation = "telegram_invalid"


class ChecksumError(TelegramError):
    """A telegram arrived damaged."""

    situation = "checksum_failed"


class NoReadoutError(MeterError):
    """The meter answers the sign-on, but sends no readout: it may use another protocol."""

    situation = "no_readout"


class EmptyReadoutError(TelegramError):
    """The meter sends a valid readout without values."""

    situation = "empty_readout"


class ReadoutRefusedError(TelegramError):
    """The meter sends an error instead of its readout."""

    situation = "readout_refused"


class MeterPushesError(MeterError):
    """The meter pushes its readouts, whether or not it is polled."""

    situation = "meter_pushes"


class WrongParityError(MeterError):
    """The meter sends characters with another parity than the protocol's."""

    situation = "wrong_parity"


class RefusedError(MeterError):
    """The meter answers a command with an error, or does not have the register."""

    situation = "refused"


class MeterAuthenticationError(MeterError):
    """The meter needs a password, or has rejected it."""

    situation = "password_rejected"


class OtherMeterError(MeterError):
    """The telegrams are from another meter than the expected one."""

    situation = "other_meter"


class KeyFormatError(MeterError):
    """The format of a key is invalid."""

    situation = "invalid_key"


class KeyNeededError(MeterError):
    """Telegrams are encrypted, and there is no key."""

    situation = "key_needed"


class WrongEncryptionKeyError(MeterError):
    """Telegrams do not decrypt: the encryption key is wrong."""

    situation = "wrong_encryption_key"


class WrongKeysError(WrongEncryptionKeyError):
    """The meter does not understand encrypted requests: one of both keys is wrong."""

    situation = "wrong_keys"


class WrongAuthenticationKeyError(MeterError):
    """Telegrams decrypt, but their authentication tag is wrong."""

    situation = "wrong_authentication_key"


class NotAuthenticatedError(MeterError):
    """Telegrams have no right tag and rising counter, as the meter's had before."""

    situation = "not_authenticated"


class InvocationCounterError(MeterError):
    """The meter rejects the client's invocation counter, even one above its own."""

    situation = "counter_rejected"


class CounterNeededError(InvocationCounterError):
    """It is unknown which invocation counters were used with this key and system title."""

    situation = "counter_needed"


class AddressError(MeterError):
    """The meter refuses the connection, or does not answer at this address."""

    situation = "address_refused"


class AssociationError(MeterError):
    """The meter rejects the association, for another reason than the password."""

    situation = "association_refused"


class AccessError(RefusedError):
    """The meter denies access to an object's attribute."""

    situation = "access_refused"
