"""Faults of a DLMS meter and its line, for tests."""

from dataclasses import dataclass

from simulator.faults import ALWAYS, CountedFaults


@dataclass(kw_only=True)
class Faults(CountedFaults):
    """How often each fault still happens; a test may set it at any time."""

    #: Answers that are sent undamaged before the next fault of an answer.
    spared_answers: int = 0

    #: The meter ignores a frame or a message.
    silences: int = 0
    #: With the wrapper, its answer takes nine seconds.
    slow_answers: int = 0
    #: It refuses the connection (DM).
    refuse_connection: int = 0
    #: It disconnects in the middle of a long answer, and answers DM from then on.
    disconnect_midway: int = 0
    #: It sends DISC in the middle of a long answer.
    disc_midway: int = 0
    #: A frame with an answer does not arrive, or a segment of one.
    lose_frames: int = 0
    lose_segments: int = 0
    #: One bit of an answer is flipped.
    flip_bits: int = 0
    #: It is busy: RNR (not ready to receive) in place of an answer.
    busy: int = 0
    #: It sends a notification before the answer.
    notifications: int = 0
    #: The last bytes of the value are repeated.
    trailing_bytes: int = 0
    #: It rejects the client's invocation counter as used before.
    stale_counters: int = 0
    #: The answer has the invoke id of another request.
    other_answers: int = 0
    #: It has lost the association, and answers exceptions until the next one.
    dropped_associations: int = 0
    #: An exception in place of an answer; a temporary error in place of a value.
    exceptions: int = 0
    passing_results: int = 0
    #: It refuses its object list.
    object_list_refusals: int = 0
    #: The list trouble of the meter, if it has one, happens.
    list_troubles: int = ALWAYS
    #: N(R) is 0 in all its frames.
    zero_numbers: int = 0
