"""DLMS/COSEM meters."""

from simulator.faults import ALWAYS

from .ciphering import AUTHENTICATED, ENCRYPTED, Keys, Mechanism
from .conversation import serve
from .faults import Faults
from .framings import Framing
from .habits import HABITS, set_habit
from .layouts import Layout
from .mbus import MbusMeter
from .meter import DlmsMeter, ReceivedCounter
from .profile import Columns, Profile
from .push import Envelope, PushMeter, TimeForm
from .pushed_values import Expected
from .registers import Registers
from .settings import (
    PUBLIC_CLIENT,
    Confirmation,
    ListTrouble,
    Parameters,
    Transport,
    WrongKey,
)
from .times import ClockStyle

__all__ = [
    "ALWAYS",
    "AUTHENTICATED",
    "ENCRYPTED",
    "HABITS",
    "PUBLIC_CLIENT",
    "ClockStyle",
    "Columns",
    "Confirmation",
    "DlmsMeter",
    "Envelope",
    "Expected",
    "Faults",
    "Framing",
    "Keys",
    "Layout",
    "ListTrouble",
    "MbusMeter",
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
