"""What the client has found out about a meter, kept from one sign-on to the next."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from ..channel import Channel
from ..identity import identity_from_text
from ..reading import Identity
from .block import BlockCheck, CheckKind
from .framing import LIMIT
from .identification import Identification
from .profile_request import FORMS

#: Speed at which a meter most likely is that does not answer at the usual one.
OTHER_SPEED: Final = 9600
#: The integers among the findings, with their possible values.
_FINDINGS: Final = {
    "sign_on_speed": range(300, 115_201),
    "data_speed": range(115_201),
    "readout_size": range(LIMIT + 1),
    "profile_form": range(len(FORMS) + 1),
}
_CHECK: Final = "check"
#: A readout takes at most this many times as long as the longest one before, plus these seconds.
_LONGER: Final = 1.5
_MORE: Final = 5.0


@dataclass(slots=True)
class Memory:
    """What the client has found out about a meter."""

    #: The speed at which it answers the request.
    sign_on_speed: int
    #: The last speed that was agreed on, at which it may still be in a session.
    speed: int = OTHER_SPEED
    #: The speed at which it sends its data, where that is not the one agreed on; or 0.
    data_speed: int = 0
    #: It sends its readout at once, without waiting for an acknowledgement.
    sends_at_once: bool = False
    identification: Identification | None = None
    #: How it computes its block check characters.
    check: BlockCheck = field(default_factory=BlockCheck)
    #: Characters of its longest readout; 0 before the first one.
    readout_size: int = 0
    #: It has rejected the password, which is never sent again.
    password_rejected: bool = False
    #: Sending the password was cancelled before the meter had answered whether it is right.
    password_interrupted: bool = False
    #: It has accepted the password, so that a lost answer does not mean that it is wrong.
    password_accepted: bool = False
    #: Which of the forms it understands in requests for its profiles, from 1 on; 0 if unknown.
    profile_form: int = 0

    def findings(self) -> Mapping[str, int | str]:
        """Return what spares a later client the search, as values that JSON has."""
        found: dict[str, int | str] = {name: getattr(self, name) for name in _FINDINGS}
        return found | ({_CHECK: self.check.kind.value} if self.check.kind else {})

    def restore(self, findings: Mapping[str, Any]) -> None:
        """Restore what findings() has returned; invalid entries are ignored."""
        for name, allowed in _FINDINGS.items():
            if type(found := findings.get(name)) is int and found in allowed:
                setattr(self, name, found)
        kinds = (kind for kind in CheckKind if kind == findings.get(_CHECK))
        self.check.kind = next(kinds, self.check.kind)

    def longest_readout(self, channel: Channel) -> float:
        """Return the seconds after which a readout must have ended."""
        if not self.readout_size:
            return channel.wire_time(LIMIT)
        return channel.wire_time(self.readout_size) * _LONGER + _MORE

    def identity(self) -> Identity:
        """Return the meter's identity as far as the identification line contains it."""
        found = self.identification
        if found is None:
            return Identity()
        return identity_from_text(None, found.manufacturer, found.ident)
