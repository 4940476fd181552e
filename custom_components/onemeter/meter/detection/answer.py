"""What comes of a question."""

from dataclasses import dataclass

from .result import Candidate


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a question."""

    candidates: tuple[Candidate, ...] = ()
    #: What came in place of an answer.
    heard: bytes = b""
    #: The candidate may have pushed just then, without having been asked.
    is_doubtful: bool = False
