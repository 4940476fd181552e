"""What distinguishes one DLMS meter from another: identity, connection, access, protection."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
import time
from typing import Final

from . import hdlc
from .acse import conformance
from .ciphering import KEY_SIZES, Keys, Mechanism
from .faults import Faults
from .profile import Profile
from .registers import Registers
from .times import ClockStyle

#: A manufacturer that does not exist.
MANUFACTURER: Final = "DMO"
#: The client that may read a little without any right.
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
    """What carries the messages."""

    HDLC = "hdlc"
    #: HDLC after a sign-on at 300 baud (IEC 62056-21, mode E).
    MODE_E = "mode-e"
    WRAPPER = "wrapper"


class Parameters(StrEnum):
    """What a meter makes of parameters in an SNRM frame."""

    NEGOTIATED = "negotiated"
    #: It answers none but those with parameters.
    REQUIRED = "required"
    #: It answers none but those without.
    REFUSED = "refused"
    #: It takes no notice of those with parameters.
    IGNORED = "ignored"


class Confirmation(StrEnum):
    """How a meter confirms that HDLC will follow the sign-on."""

    NONE = "none"
    #: At the speed of the sign-on.
    BEFORE = "before"
    #: At the new speed.
    AFTER = "after"


class WrongKey(StrEnum):
    """What a meter does with what it cannot decipher."""

    #: It says so: exception-response, deciphering error.
    EXCEPTION = "exception"
    #: It refuses an association without telling why.
    REJECTION = "rejection"
    #: It refuses an association with a confirmed-service-error: deciphering error.
    ERROR = "error"
    SILENCE = "silence"


class ListTrouble(StrEnum):
    """What a meter does with a list of attributes that it does not answer."""

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
    #: What the meter's clock shows, in seconds since 1970.
    clock: Callable[[], float] = time.time
    clock_style: ClockStyle = ClockStyle.STANDARD
    serial: str = "12345678"
    #: The error register 0.0.97.97.0: bits, none of them set while all is well.
    error: int = 0

    # --- how it is connected
    transport: Transport = Transport.HDLC
    #: The speed that it proposes in mode E; else the line has one of its own.
    baudrate: int = 9600
    start_baudrate: int = 300
    confirmation: Confirmation = Confirmation.AFTER
    logical_device: int = 1
    physical_device: int = 17
    #: The sizes of addresses that it answers to.
    address_sizes: tuple[int, ...] = (1, 2, 4)
    #: Whether it refuses (DM) what is for another address, instead of being silent.
    refuses_other_addresses: bool = False
    parameters: Parameters = Parameters.NEGOTIATED
    #: Whether its UA frame tells what was agreed on.
    tells_parameters: bool = True
    #: Bytes of information in a frame, and frames in a row.
    max_information: int = 128
    window: int = 1
    #: Frames that it sends in a row whatever was agreed on; 0 is none.
    frames_in_a_row: int = 0
    #: Whether its wrapper headers are those of the requests, instead of the other way round.
    mirrors_ports: bool = False
    #: Whether it answers nothing more in the wrapper after a byte of HDLC.
    breaks_on_hdlc: bool = False
    #: Seconds that it takes before each answer.
    reaction_time: float = 0.0
    #: Seconds without a message after which it forgets the association; 0 is never.
    association_timeout: float = 0.0
    #: Seconds without a frame after which it is disconnected.
    inactivity_timeout: float = 60.0

    # --- whom it lets in
    client: int = 1
    public_client: int | None = PUBLIC_CLIENT
    mechanism: Mechanism = Mechanism.NONE
    #: The password, or the secret of HLS.
    secret: bytes = field(default=b"", repr=False)
    #: Whether an association that fails comes with user information.
    explains_rejection: bool = False
    #: Whether an association tells the version of its protocol, though it need not.
    tells_protocol_version: bool = False
    #: Say nothing of the authentication that is still to come: the diagnostic is 0, not 14.
    hides_pending_authentication: bool = False
    #: The application context in answers; None is the one asked for.
    answered_context: int | None = None
    #: Whether it answers a release.
    answers_release: bool = True

    # --- how messages are protected
    suite: int = 0
    encryption_key: bytes | None = field(default=None, repr=False)
    authentication_key: bytes = field(default=b"", repr=False)
    #: What each message must have: bits of the security control byte, or 0.
    policy: int = 0
    wrong_key: WrongKey = WrongKey.EXCEPTION
    system_title: bytes | None = None
    #: Whether an association tells the system title where it has to.
    tells_title: bool = True
    #: Answer by general-ciphering, whatever the request came in.
    answers_generally: bool = False
    #: Whether a dedicated key may protect the client's answer to the challenge already.
    dedicated_before_proof: bool = True
    #: Whether it says which counter it would accept, and the instance of its object for that.
    tells_counter: bool = True
    counter_instance: int = 0
    #: The highest counter that a client has used.
    client_counter: int = 0
    #: The counter of its own next message.
    server_counter: int = 1
    #: The title of the client that came last.
    client_title: bytes = bytes(8)
    #: Whether it answers another request for an association in the same connection.
    takes_second_request: bool = True

    # --- what it can do
    #: Whether it knows its objects by short names instead of logical ones.
    short_names: bool = False
    #: Whether it lets rows of a profile be chosen by short names.
    parameterized_access: bool = True
    #: Registers that hardly anybody needs, before all others in the list of its objects.
    harmonics: int = 0
    max_pdu: int = 1024
    conformance: int = _CONFORMANCE
    #: What it does with a list of attributes that is longer than the longest that it answers, or,
    #: where it does not take them, one with an object that it does not have; None: answers it.
    list_trouble: ListTrouble | None = None
    longest_list: int = 1
    lists_unknown: bool = True
    #: Whether it makes an exception of an object that it does not have.
    unknown_is_exception: bool = False
    #: Codes of objects that it gives alone only.
    refused_in_lists: frozenset[str] = frozenset()
    #: Whether its object list has anything in it.
    tells_objects: bool = True

    faults: Faults = field(default_factory=Faults)

    def __post_init__(self) -> None:
        """Refuse keys that do not fit."""
        key = self.encryption_key
        if key is not None and len(key) != KEY_SIZES[self.suite]:
            raise ValueError(f"suite {self.suite} has keys of {KEY_SIZES[self.suite]} bytes")
        if key is None and (self.policy or self.mechanism is Mechanism.GMAC):
            raise ValueError("there is no encryption key")

    @property
    def logical_device_name(self) -> bytes:
        """Its name: sixteen bytes, of which the first three are the manufacturer."""
        return f"{MANUFACTURER}{self.serial:0>13}".encode()

    @property
    def title(self) -> bytes:
        """Its system title: eight bytes, of which the first three are the manufacturer."""
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
        """All that it answers to on HDLC."""
        return {
            hdlc.server_address(self.logical_device, self.physical_device, size)
            for size in self.address_sizes
        }
