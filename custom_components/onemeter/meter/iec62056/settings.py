"""How a meter wants to be spoken to (IEC 62056-21:2002, 6.1 to 6.4)."""

from dataclasses import dataclass, field
import re
from typing import ClassVar, Final

_ADDRESS: Final = re.compile(r"[0-9A-Za-z ]{0,32}")
_TABLE: Final = re.compile(r"[0-9#]?")
#: Nothing that would end what a password or a register's address is part of.
_PASSWORD: Final = re.compile(r"[!-'*-~]{1,32}")
#: Protocol, speed, or Z for the speed that the meter proposes, and mode (6.3.3).
_ACKNOWLEDGEMENT: Final = re.compile(r"(?:none|[0-9][0-9Z][0-9A-Z])?")
_REGISTER: Final = re.compile(r"[!-'*-~]{1,32}")


@dataclass(frozen=True, slots=True)
class SignOn:
    """What the user knows about a meter that is asked.

    Raises ValueError for what cannot be sent.
    """

    #: What "acknowledgement" is where none is sent, and its speed where that is the meter's.
    NO_ACKNOWLEDGEMENT: ClassVar[str] = "none"
    METERS_OWN_SPEED: ClassVar[str] = "Z"

    #: Device address, up to 32 of [0-9A-Za-z ]; without it any meter answers (6.3.1).
    address: str = ""
    #: What stands before the address: a table of VDEW ("1" to "4") or "#"; usually nothing.
    table: str = ""
    #: Needed for registers and load profiles of some meters only (P1, 6.4.2).
    password: str | None = field(default=None, repr=False)
    #: A battery meter sleeps until it was sent zeros for two seconds (Annex B.1).
    wake_up: bool = False
    #: Follow the meter to the speed that it proposes; False stays at the speed of the sign-on.
    switch_speed: bool = True
    #: Seconds between the end of the acknowledgement and the change of speed, for slow heads.
    switch_delay: float = 0.0
    #: What asks for the readout after the identification: usually "0Z0", which "" is too; "none"
    #: for meters that send it only where nothing does; or others, such as "0Z6" for a short list.
    acknowledgement: str = ""

    def __post_init__(self) -> None:
        """Let nothing pass that would be understood as something else."""
        if not is_address(self.address):
            raise ValueError("not a device address")
        if _TABLE.fullmatch(self.table) is None:
            raise ValueError("not a readout table")
        if self.password is not None and not is_password(self.password):
            raise ValueError("not a password")
        if not is_acknowledgement(self.acknowledgement):
            raise ValueError("not an acknowledgement")


def is_address(text: str) -> bool:
    """Tell whether a text may be a device address; an empty one is that of any meter."""
    return _ADDRESS.fullmatch(text) is not None


def is_password(text: str) -> bool:
    """Tell whether a text may be sent as a password."""
    return _PASSWORD.fullmatch(text) is not None


def is_acknowledgement(text: str) -> bool:
    """Tell whether a text may say how an identification is acknowledged; usually it is empty."""
    return _ACKNOWLEDGEMENT.fullmatch(text) is not None


def is_register(text: str) -> bool:
    """Tell whether a text may be sent as the address of a register."""
    return _REGISTER.fullmatch(text) is not None
