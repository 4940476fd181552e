"""Finding out which meter is at a port: ``await detect(url, country="DE")`` gives a ``Detection``.

The scoring is sans-IO: ``lines`` guesses the settings of the line, ``telegrams`` proves protocols.
"""

from .client import Progress, detect
from .impulses import find_source
from .result import (
    Candidate,
    Checksum,
    Detection,
    Encryption,
    Evidence,
    EvidenceKind,
    Frames,
    Refusal,
    Situation,
    Step,
)

__all__ = [
    "Candidate",
    "Checksum",
    "Detection",
    "Encryption",
    "Evidence",
    "EvidenceKind",
    "Frames",
    "Progress",
    "Refusal",
    "Situation",
    "Step",
    "detect",
    "find_source",
]
