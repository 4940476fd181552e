"""The sign-on settings of a polled meter (IEC 62056-21:2002, 6.1 to 6.4)."""

from dataclasses import dataclass, field
import re
from typing import ClassVar, Final

_ADDRESS: Final = re.compile(r"[0-9A-Za-z ]{0,32}")
_TABLE: Final = re.compile(r"[0-9#]?")
#: Printable characters that do not end the data set or frame which they are part of.
_PASSWORD: Final = re.compile(r"[!-'*-~]{1,32}")
#: Protocol, speed, or Z for the speed that the meter proposes, and mode (6.3.3).
_ACKNOWLEDGEMENT: Final = re.compile(r"(?:none|[0-9][0-9Z][0-9A-Z])?")
_REGISTER: Final = re.compile(r"[!-'*-~]{1,32}")


@dataclass(frozen=True, slots=True)
class SignOn:
    """The user's settings for a polled meter.

    Raises ValueError for what cannot be sent.
    """

    #: Values of ``acknowledgement``: none is sent; and of its second character: the speed that the
    #: meter proposes.
    NO_ACKNOWLEDGEMENT: ClassVar[str] = "none"
    METERS_OWN_SPEED: ClassVar[str] = "Z"

    #: Device address, up to 32 of [0-9A-Za-z ]; without it any meter answers (6.3.1).
    address: str = ""
    #: Readout table, sent before the address: of VDEW ("1" to "4") or "#"; usually none.
    table: str = ""
    #: Needed for registers and load profiles of some meters only (P1, 6.4.2).
    password: str | None = field(default=None, repr=False)
    #: Send zeros for two seconds first, which wake a battery meter (Annex B.1).
    wake_up: bool = False
    #: Change to the speed that the meter proposes; False keeps the speed of the sign-on.
    switch_speed: bool = True
    #: Seconds between the end of the acknowledgement and the change of speed, for slow optical
    #: heads; 0 for the usual delay.
    switch_delay: float = 0.0
    #: The acknowledgement that requests the readout: "" is the usual "0Z0"; "none" for meters that
    #: send it only without one; others, such as "0Z6" for a short list.
    acknowledgement: str = ""

    def __post_init__(self) -> None:
        """Raise ValueError for characters that would change the meaning of a message."""
        if not is_address(self.address):
            raise ValueError("not a device address")
        if _TABLE.fullmatch(self.table) is None:
            raise ValueError("not a readout table")
        if self.password is not None and not is_password(self.password):
            raise ValueError("not a password")
        if not is_acknowledgement(self.acknowledgement):
            raise ValueError("not an acknowledgement")


def is_address(text: str) -> bool:
    """Return whether a text may be a device address; empty for any meter."""
    return _ADDRESS.fullmatch(text) is not None


def is_password(text: str) -> bool:
    """Return whether a text may be sent as a password."""
    return _PASSWORD.fullmatch(text) is not None


def is_acknowledgement(text: str) -> bool:
    """Return whether a text may be the setting ``acknowledgement``."""
    return _ACKNOWLEDGEMENT.fullmatch(text) is not None


def is_register(text: str) -> bool:
    """Return whether a text may be sent as the address of a register."""
    return _REGISTER.fullmatch(text) is not None
