"""DLMS meters, made without a line of the library that reads them."""

from .ciphering import AUTHENTICATED, ENCRYPTED, Keys, Mechanism
from .conversation import serve
from .faults import ALWAYS, Faults
from .meter import (
    PUBLIC_CLIENT,
    Confirmation,
    DlmsMeter,
    Parameters,
    ReceivedCounter,
    Transport,
    WrongKey,
)
from .profile import Profile
from .registers import Registers
from .times import ClockStyle

__all__ = [
    "ALWAYS",
    "AUTHENTICATED",
    "ENCRYPTED",
    "PUBLIC_CLIENT",
    "ClockStyle",
    "Confirmation",
    "DlmsMeter",
    "Faults",
    "Keys",
    "Mechanism",
    "Parameters",
    "Profile",
    "ReceivedCounter",
    "Registers",
    "Transport",
    "WrongKey",
    "serve",
]
