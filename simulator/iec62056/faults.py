"""Faults of an IEC 62056-21 meter and its line, for tests."""

from dataclasses import dataclass

from simulator.faults import CountedFaults


@dataclass(kw_only=True)
class Faults(CountedFaults):
    """How often each fault still happens; a test may set it at any time."""

    #: The meter does not receive an acknowledgement.
    lose_acknowledgements: int = 0
    #: The meter does not receive a request.
    miss_requests: int = 0
    #: One bit of the text of the identification is flipped.
    damage_identifications: int = 0
    #: The meter does not receive a command in programming mode.
    miss_commands: int = 0
    #: The meter agrees on another speed and then sends at the old one.
    keep_old_speed: int = 0
    #: One bit in the middle of a readout is flipped.
    flip_bits: int = 0
    #: One bit in the middle of an answer in programming mode is flipped.
    flip_bits_of_answers: int = 0
    #: The meter stops in the middle of a readout.
    stop_midway: int = 0
    #: There is noise on the line before the identification.
    noise: int = 0
