"""What can go wrong between the port and a reading, one class for each situation of the user."""

from typing import ClassVar, Final

#: Stands among the details of an error for what could not be found out.
UNKNOWN: Final = "?"


class MeterError(Exception):
    """Anything that keeps a meter from being read.

    Messages never hold keys, passwords, or ids of meters and customers.
    """

    #: Name of the situation; texts in other languages are found by it.
    situation: ClassVar[str] = "unknown"

    def __init__(self, message: str, **details: str) -> None:
        """Keep the message and the details that texts in other languages need."""
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
    """The port is open and nothing comes."""

    situation = "meter_silent"


class ConnectionEndedError(MeterSilentError):
    """The meter has ended the connection while it was read."""


class FixedSpeedError(MeterSilentError):
    """A meter has never answered at a port whose speed cannot be changed from here."""

    situation = "fixed_speed"


class UnknownDataError(MeterError):
    """Bytes come, but no telegram of this protocol is in them."""

    situation = "unknown_data"


class UnknownListError(MeterError):
    """Telegrams come in order, but nobody knows yet what their values are."""

    situation = "unknown_list"


class TelegramError(MeterError):
    """A telegram breaks the rules of its protocol."""

    situation = "telegram_invalid"


class ChecksumError(TelegramError):
    """A telegram arrived damaged."""

    situation = "checksum_failed"


class NoReadoutError(MeterError):
    """The meter answers the sign-on, but sends no readout: it wants another protocol."""

    situation = "no_readout"


class EmptyReadoutError(TelegramError):
    """The meter sends a readout in order, with nothing in it."""

    situation = "empty_readout"


class ReadoutRefusedError(TelegramError):
    """The meter sends an error in place of its readout."""

    situation = "readout_refused"


class MeterPushesError(MeterError):
    """The meter sends its readouts by itself, whether or not it is asked for them."""

    situation = "meter_pushes"


class WrongParityError(MeterError):
    """The meter's characters have another parity than those of the protocol."""

    situation = "wrong_parity"


class RefusedError(MeterError):
    """The meter answers a command with an error, or does not know the register."""

    situation = "refused"


class MeterAuthenticationError(MeterError):
    """The meter wants a password, or another one."""

    situation = "password_rejected"


class OtherMeterError(MeterError):
    """Telegrams come, but from another meter than the one that is expected."""

    situation = "other_meter"


class KeyFormatError(MeterError):
    """What was given as a key is none."""

    situation = "invalid_key"


class KeyNeededError(MeterError):
    """Telegrams come encrypted, and there is no key."""

    situation = "key_needed"


class WrongEncryptionKeyError(MeterError):
    """Telegrams do not decrypt to anything: the encryption key is wrong."""

    situation = "wrong_encryption_key"


class WrongKeysError(WrongEncryptionKeyError):
    """The meter makes nothing of what it is sent, and does not tell which of both keys is wrong."""

    situation = "wrong_keys"


class WrongAuthenticationKeyError(MeterError):
    """Telegrams decrypt, but their tag is not that of the authentication key."""

    situation = "wrong_authentication_key"


class NotAuthenticatedError(MeterError):
    """Telegrams come, but not with a right tag and a rising counter, as the meter's used to."""

    situation = "not_authenticated"


class InvocationCounterError(MeterError):
    """The meter does not accept the client's invocation counter, nor what it proposed itself."""

    situation = "counter_rejected"


class CounterNeededError(InvocationCounterError):
    """Nobody knows which invocation counters were used with this key and system title."""

    situation = "counter_needed"


class AddressError(MeterError):
    """The meter refuses the connection, or does not answer at this address."""

    situation = "address_refused"


class AssociationError(MeterError):
    """The meter refuses the association, for another reason than the password."""

    situation = "association_refused"


class AccessError(RefusedError):
    """The meter does not give an object's attribute away."""

    situation = "access_refused"
