"""What may go wrong between a meter and whoever reads it."""

from dataclasses import dataclass
from typing import Final

#: So often that nobody sees the end of it.
ALWAYS: Final = 10**9


@dataclass(kw_only=True)
class Faults:
    """How often each thing will still go wrong; a test may set it at any time."""

    #: Answers to requests that are spared, before anything happens to one.
    spared_answers: int = 0

    #: The meter takes no notice of a frame or a message.
    silences: int = 0
    #: In the wrapper its answer takes nine seconds.
    slow_answers: int = 0
    #: It refuses the connection (DM).
    refuse_connection: int = 0
    #: It is disconnected in the middle of a long answer, and says so when it is asked next (DM).
    disconnect_midway: int = 0
    #: It sends DISC in the middle of a long answer.
    disc_midway: int = 0
    #: A frame with an answer does not arrive, or a segment of one that goes on.
    lose_frames: int = 0
    lose_segments: int = 0
    #: A bit of an answer is flipped on its way.
    flip_bits: int = 0
    #: It is busy: not ready to receive (RNR) in place of an answer.
    busy: int = 0
    #: A notification comes before the answer.
    notifications: int = 0
    #: Bytes of the value come once more behind it.
    trailing_bytes: int = 0
    #: It takes the client's invocation counter for used.
    stale_counters: int = 0
    #: An answer to another request comes: with another invoke id.
    other_answers: int = 0
    #: The association is gone: exceptions are all that is answered until the next one.
    dropped_associations: int = 0
    #: An exception in place of an answer, and a result that passes in place of a value.
    exceptions: int = 0
    passing_results: int = 0
    #: The list of its objects is refused.
    object_list_refusals: int = 0
    #: It does with a list what the meter's list trouble says.
    list_troubles: int = ALWAYS
    #: It never says which frame it awaits: N(R) is always 0.
    zero_numbers: int = 0

    def happens(self, name: str) -> bool:
        """Whether a thing goes wrong now: then it does so once less in the future."""
        left: int = getattr(self, name)
        if left <= 0:
            return False
        setattr(self, name, left - 1)
        return True
