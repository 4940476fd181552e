"""DLMS meters, made without a line of the library that reads them."""

from .ciphering import AUTHENTICATED, ENCRYPTED, Keys, Mechanism
from .conversation import serve
from .faults import ALWAYS, Faults
from .framings import Framing
from .habits import HABITS, set_habit
from .layouts import Expected, Layout
from .meter import (
    PUBLIC_CLIENT,
    Confirmation,
    DlmsMeter,
    ListTrouble,
    Parameters,
    ReceivedCounter,
    Transport,
    WrongKey,
)
from .profile import Profile
from .push import Envelope, PushMeter, TimeForm
from .registers import Registers
from .times import ClockStyle

__all__ = [
    "ALWAYS",
    "AUTHENTICATED",
    "ENCRYPTED",
    "HABITS",
    "PUBLIC_CLIENT",
    "ClockStyle",
    "Confirmation",
    "DlmsMeter",
    "Envelope",
    "Expected",
    "Faults",
    "Framing",
    "Keys",
    "Layout",
    "ListTrouble",
    "Mechanism",
    "Parameters",
    "Profile",
    "PushMeter",
    "ReceivedCounter",
    "Registers",
    "TimeForm",
    "Transport",
    "WrongKey",
    "serve",
    "set_habit",
]
