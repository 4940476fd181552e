"""What a telegram contains apart from its counters: the status word, and the failure log of P1."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
import re
from typing import Final, NamedTuple

from ..meter import Key, Reading, Register
from ..meter.sml.status_word import TERMINAL_COVER, VOLTAGES, is_fnn
from ..registers.lookup import is_number
from .sources import FAILURE_DURATION, FAILURE_LOG, STATUS_WORD, EventType

#: The four bytes of a status word as text.
_WORD: Final = re.compile(r"[0-9A-F]{8}", re.IGNORECASE | re.ASCII)
_WORD_BYTES: Final = 4
#: The bits that report events.
_REPORTED: Final = TERMINAL_COVER | sum(VOLTAGES)
#: Values of the log before the first failure: their number, and the code of their durations.
_HEAD: Final = 2


class Failure(NamedTuple):
    """An entry of the log of long power failures."""

    #: The time as the meter sends it, which distinguishes entries.
    sent: str
    #: When the power was restored.
    end: datetime | None
    #: Seconds.
    duration: int


def status_bits(reading: Reading, registers: Mapping[Key, Register]) -> int | None:
    """Return the bits of an FNN status word that report events; None without such a word."""
    word = reading.status_word
    if word is None and (register := registers.get(STATUS_WORD)) is not None:
        match register.value:
            case bool():
                return None
            case int() as word:
                pass
            case str() as text if _WORD.fullmatch(text):
                word = int(text, 16)
            case bytes() as octets if len(octets) == _WORD_BYTES:
                word = int.from_bytes(octets)
    return word & _REPORTED if word is not None and is_fnn(word) else None


def status_events(before: int, now: int) -> Iterator[tuple[EventType, dict[str, object]]]:
    """Yield the events between two values of status_bits, with their attributes."""
    if now & ~before & TERMINAL_COVER:
        yield EventType.TERMINAL_COVER_OPENED, {}
    for event, bits in (
        (EventType.POWER_FAILURE, before & ~now),
        (EventType.POWER_RESTORED, now & ~before),
    ):
        phases = [f"L{phase}" for phase, bit in enumerate(VOLTAGES, 1) if bits & bit]
        if phases:
            yield event, {"phases": phases}


def failure_log(reading: Reading) -> list[Failure] | None:
    """Return the log of long power failures; None without one, or for one that is incomplete."""
    values = [register for register in reading.registers if register.obis == FAILURE_LOG]
    if len(values) < _HEAD or not str(values[1].value).endswith(FAILURE_DURATION):
        return None
    number, entries = values[0].value, values[_HEAD:]
    failures = list(_failures(entries))
    is_whole = str(number) == str(len(failures)) and len(entries) == 2 * len(failures)
    return failures if is_whole else None


def _failures(entries: Sequence[Register]) -> Iterator[Failure]:
    for end, duration in zip(entries[::2], entries[1::2], strict=False):
        if isinstance(end.value, str) and is_number(duration.value) and duration.unit == "s":
            yield Failure(end.value, end.time, int(duration.value))
