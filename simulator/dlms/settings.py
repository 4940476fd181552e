"""The settings of a polled DLMS meter: identity, connection, access, protection, services."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
import time
from typing import Final

from . import hdlc
from .acse import conformance
from .ciphering import Keys, Mechanism, check_key
from .faults import Faults
from .mbus import MbusMeter
from .profile import Profile
from .registers import Registers
from .times import ClockStyle

#: Not assigned by the FLAG association.
MANUFACTURER: Final = "DMO"
#: The client that may read a few objects without authentication.
PUBLIC_CLIENT: Final = 16

_CONFORMANCE: Final = conformance(
    "general-protection",
    "block-transfer-with-get",
    "multiple-references",
    "get",
    "selective-access",
    "action",
)


class Transport(StrEnum):
    """What transports the messages."""

    HDLC = "hdlc"
    #: HDLC after a sign-on at 300 baud (IEC 62056-21, mode E).
    MODE_E = "mode-e"
    WRAPPER = "wrapper"


class Parameters(StrEnum):
    """How a meter handles parameters in an SNRM frame."""

    NEGOTIATED = "negotiated"
    #: It refuses a frame without parameters.
    REQUIRED = "required"
    #: It refuses a frame with parameters.
    REFUSED = "refused"
    #: It does not answer a frame with parameters.
    IGNORED = "ignored"


class Confirmation(StrEnum):
    """When a meter confirms that HDLC follows the sign-on."""

    NONE = "none"
    #: At the speed of the sign-on.
    BEFORE = "before"
    #: At the new speed.
    AFTER = "after"


class WrongKey(StrEnum):
    """What a meter answers when it cannot decipher a message."""

    #: An exception-response: deciphering error.
    EXCEPTION = "exception"
    #: A rejected association without a reason.
    REJECTION = "rejection"
    #: A rejected association with a confirmed-service-error: deciphering error.
    ERROR = "error"
    SILENCE = "silence"


class ListTrouble(StrEnum):
    """What a meter does with a list of attributes that it does not support."""

    EXCEPTION = "exception"
    SILENCE = "silence"
    #: It answers the first ones only.
    CUT = "cut"
    HANG_UP = "hang up"


@dataclass(kw_only=True, eq=False)
class MeterSettings:
    """The settings of a polled meter. Any of them may be changed between two connections."""

    registers: Registers = field(default_factory=Registers)
    profile: Profile = field(default_factory=Profile)
    #: The meters on its M-Bus, in ascending channels.
    mbus: Sequence[MbusMeter] = ()
    #: What the meter's clock shows, in seconds since 1970.
    clock: Callable[[], float] = time.time
    clock_style: ClockStyle = ClockStyle.STANDARD
    serial: str = "12345678"
    #: The error register 0-0:97.97.0.
    error: int = 0

    # --- connection
    transport: Transport = Transport.HDLC
    #: The speed that it proposes in mode E; otherwise the line has a constant speed.
    baudrate: int = 9600
    start_baudrate: int = 300
    confirmation: Confirmation = Confirmation.AFTER
    logical_device: int = 1
    physical_device: int = 17
    #: The sizes of HDLC addresses that it answers.
    address_sizes: tuple[int, ...] = (1, 2, 4)
    #: Whether it answers DM to frames for other addresses, instead of ignoring them.
    refuses_other_addresses: bool = False
    parameters: Parameters = Parameters.NEGOTIATED
    #: Whether its UA frame has the negotiated parameters.
    sends_parameters: bool = True
    #: Bytes of information in a frame, and window size.
    max_information: int = 128
    window: int = 1
    #: Window size that it uses regardless of the negotiated one; 0: the negotiated one.
    frames_in_a_row: int = 0
    #: Whether its wrapper headers repeat the ports of the requests instead of swapping them.
    mirrors_ports: bool = False
    #: Whether it stops answering with the wrapper after it has received HDLC.
    breaks_on_hdlc: bool = False
    #: Whether it keeps an association that is not released when its TCP connection ends, and
    #: ignores other clients meanwhile.
    keeps_associations: bool = False
    #: Seconds before each answer.
    reaction_time: float = 0.0
    #: Seconds without a request after which the association times out; 0: never.
    association_timeout: float = 0.0
    #: Seconds without a frame after which it disconnects.
    inactivity_timeout: float = 60.0

    # --- access
    client: int = 1
    public_client: int | None = PUBLIC_CLIENT
    mechanism: Mechanism = Mechanism.NONE
    #: The password, or the secret of HLS.
    secret: bytes = field(default=b"", repr=False)
    #: Whether a rejected association has user information.
    explains_rejection: bool = False
    #: Whether an association response has the optional protocol version.
    sends_protocol_version: bool = False
    #: Whether the diagnostic is 0 instead of 14 while the HLS authentication is pending.
    hides_pending_authentication: bool = False
    #: The application context in answers; None: the requested one.
    answered_context: int | None = None
    #: Whether it answers a release request.
    answers_release: bool = True

    # --- protection
    suite: int = 0
    encryption_key: bytes | None = field(default=None, repr=False)
    authentication_key: bytes = field(default=b"", repr=False)
    #: Protection that each message must have: bits of the security control byte, or 0.
    policy: int = 0
    wrong_key: WrongKey = WrongKey.EXCEPTION
    system_title: bytes | None = None
    #: Whether an association response has the system title if it is required.
    sends_title: bool = True
    #: Whether it answers with general-ciphering regardless of the request.
    answers_with_general_ciphering: bool = False
    #: Whether a dedicated key is accepted for the client's answer to the challenge.
    dedicated_before_proof: bool = True
    #: Whether its exception has the expected counter, and the instance of its counter object.
    reports_counter: bool = True
    counter_instance: int = 0
    #: The highest counter that it has accepted from a client.
    client_counter: int = 0
    #: The counter of its next message.
    server_counter: int = 1
    #: The system title of the last client.
    client_title: bytes = bytes(8)
    #: Whether it answers a second association request in the same connection.
    accepts_second_request: bool = True

    # --- services
    #: Whether it has short names instead of logical names.
    short_names: bool = False
    #: Whether it supports selective access with short names.
    parameterized_access: bool = True
    #: Number of registers for harmonics, which come first in its object list.
    harmonics: int = 0
    max_pdu: int = 1024
    conformance: int = _CONFORMANCE
    #: What it does with a list of attributes that is longer than ``longest_list`` or, without
    #: ``lists_unknown``, has an unknown object; None: it answers all lists.
    list_trouble: ListTrouble | None = None
    longest_list: int = 1
    lists_unknown: bool = True
    #: Whether it answers a request of an unknown object with an exception.
    unknown_is_exception: bool = False
    #: Codes of objects that it refuses in lists.
    refused_in_lists: frozenset[str] = frozenset()
    #: Whether it encodes times twice in lists.
    wraps_times_in_lists: bool = False
    #: Whether its object list has its objects, or is empty.
    lists_objects: bool = True

    faults: Faults = field(default_factory=Faults)

    def __post_init__(self) -> None:
        """Check the keys; ValueError if they do not fit."""
        if self.encryption_key is not None:
            check_key(self.encryption_key, self.suite)
        elif self.policy or self.mechanism is Mechanism.GMAC:
            raise ValueError("there is no encryption key")

    @property
    def logical_device_name(self) -> bytes:
        """Its logical device name: sixteen bytes, the first three are the manufacturer."""
        return f"{MANUFACTURER}{self.serial:0>13}".encode()

    @property
    def title(self) -> bytes:
        """Its system title: eight bytes, the first three are the manufacturer."""
        if self.system_title is not None:
            return self.system_title
        return MANUFACTURER.encode() + (int(self.serial) % 2**40).to_bytes(5)

    @property
    def keys(self) -> Keys | None:
        """The global keys."""
        if self.encryption_key is None:
            return None
        return Keys(self.encryption_key, self.authentication_key)

    @property
    def addresses(self) -> set[bytes]:
        """The HDLC addresses that it answers."""
        return {
            hdlc.server_address(self.logical_device, self.physical_device, size)
            for size in self.address_sizes
        }
