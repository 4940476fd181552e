"""What may go wrong between a meter and whoever reads it."""

from dataclasses import dataclass
from typing import Final

#: So often that nobody sees the end of it.
ALWAYS: Final = 10**9


@dataclass(kw_only=True)
class Faults:
    """How often each thing will still go wrong; a test may set it at any time."""

    #: The meter does not see the acknowledgement.
    lose_acknowledgements: int = 0
    #: The meter does not hear a request.
    miss_requests: int = 0
    #: One bit of the text of the identification is flipped.
    damage_identifications: int = 0
    #: A command in a programming session is not heard.
    miss_commands: int = 0
    #: The meter agrees to another speed and then sends at the old one.
    keep_old_speed: int = 0
    #: One bit in the middle of a readout is flipped.
    flip_bits: int = 0
    #: One bit in the middle of an answer in a programming session is flipped.
    flip_bits_of_answers: int = 0
    #: The meter stops in the middle of a readout.
    stop_midway: int = 0
    #: There is noise on the line before the identification.
    noise: int = 0

    def happens(self, name: str) -> bool:
        """Whether a thing goes wrong now: then it does so once less in the future."""
        left: int = getattr(self, name)
        if left <= 0:
            return False
        setattr(self, name, left - 1)
        return True
