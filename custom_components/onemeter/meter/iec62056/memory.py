"""What is found out about a meter, so that it need not be found out again."""

from dataclasses import dataclass, field
from typing import Final

from ..reading import Identity
from .block import BlockCheck
from .framing import LIMIT
from .identification import Identification
from .identity import identity_from_text
from .link import Link

#: Speed at which a meter most likely is that does not answer at the usual one.
OTHER_SPEED: Final = 9600
#: Seconds after the acknowledgement without an answer, after which it is said again: before a
#: meter that has not heard it begins to send at the old speed (tt, 6.3.14 item 12).
_REPEAT_AFTER: Final = 0.5
#: A readout takes at most so many times as long as the longest one before, and so much longer.
_LONGER: Final = 1.5
_MORE: Final = 5.0


@dataclass(slots=True)
class Memory:
    """What was found out about a meter; it outlives the conversation."""

    #: The speed at which it answers the request.
    sign_on_speed: int
    #: The last speed that was agreed on, at which it may be stuck in a session.
    speed: int = OTHER_SPEED
    #: It changes to the speed that it proposes.
    follows: bool = True
    #: Seconds after which it has not heard the acknowledgement.
    repeat_after: float = _REPEAT_AFTER
    identification: Identification | None = None
    #: How it computes its block check characters.
    check: BlockCheck = field(default_factory=BlockCheck)
    #: Characters of its longest readout; 0 before the first one.
    readout_size: int = 0
    #: It has refused the password, which is never tried again.
    password_rejected: bool = False
    #: Giving the password was cancelled before the meter had said whether it is right.
    password_interrupted: bool = False
    #: It has taken the password, so that an answer that is lost does not mean that it is wrong.
    password_accepted: bool = False
    #: Characters of a time stamp in its requests for profiles; 0 before the first one.
    time_stamp: int = 0

    def longest_readout(self, link: Link) -> float:
        """Return the seconds after which a readout must have ended."""
        if not self.readout_size:
            return link.port.wire_time(LIMIT)
        return link.port.wire_time(self.readout_size) * _LONGER + _MORE

    def identity(self) -> Identity:
        """Return what the identification alone tells of the meter."""
        found = self.identification
        if found is None:
            return Identity()
        return identity_from_text(None, found.manufacturer, found.ident)
