"""How a meter wants to be spoken to (IEC 62056-21:2002, 6.1 to 6.4)."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SignOn:
    """What the user knows about a meter that is asked."""

    #: Device address, up to 32 of [0-9A-Za-z ]; without it any meter answers (6.3.1).
    address: str = ""
    #: What stands before the address: a table of VDEW ("1" to "4") or "#"; usually nothing.
    table: str = ""
    #: Needed for registers and load profiles of some meters only (P1, 6.4.2).
    password: str | None = None
    #: A battery meter sleeps until it was sent zeros for two seconds (Annex B.1).
    wake_up: bool = False
    #: Follow the meter to the speed that it proposes; False stays at the speed of the sign-on.
    switch_speed: bool = True
    #: Seconds between the end of the acknowledgement and the change of speed, for slow heads.
    switch_delay: float = 0.0
