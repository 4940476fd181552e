"""Which registers report an event: those whose meaning a standard fixes for every meter.

Codes are those of IEC 62056-61 (abstract and electricity-related service entries) and DSMR 5 P1.
Error registers, event codes and other status words have bits of the manufacturer or of a companion
specification, and report nothing here.
"""

from collections.abc import Mapping
from enum import Enum, StrEnum, auto
from functools import lru_cache
from typing import Final, NamedTuple

from ..meter import Key, Obis, Register
from ..meter.obis import ABSTRACT, CURRENT_VALUE, ELECTRICITY
from ..registers.codes import is_digits
from ..registers.lookup import is_number, timestamp_of

#: Longer texts are no name of a tariff.
_TEXT_MAX: Final = 32


class EventType(StrEnum):
    """What has happened; its value is the event type of the entity."""

    TARIFF_CHANGED = "tariff_changed"
    POWER_FAILURE = "power_failure"
    #: A failure that has lasted longer than the meter's threshold, in DSMR 5 three minutes.
    LONG_POWER_FAILURE = "long_power_failure"
    POWER_RESTORED = "power_restored"
    BILLING_RESET = "billing_reset"
    TERMINAL_COVER_OPENED = "terminal_cover_opened"
    CLOCK_SET = "clock_set"


class Kind(Enum):
    """How a register reports an event."""

    #: It counts the events.
    COUNT = auto()
    #: It is the time of the newest one.
    TIME = auto()
    #: It is the state that changes.
    STATE = auto()


class Source(NamedTuple):
    """A register that reports an event."""

    event: EventType
    kind: Kind
    #: Of the registers that a meter has, those of the lowest rank report the event once; the others
    #: describe it.
    rank: int = 0
    phase: str | None = None


def _failures(event: EventType, first: int, of_any: int) -> dict[tuple[int, int, int], Source]:
    """Return the counters of failures of any phase, of all at once, and of each one."""
    return {
        (96, 7, of_any): Source(event, Kind.COUNT),
        (96, 7, first): Source(event, Kind.COUNT, 1),
        **{
            (96, 7, first + phase): Source(event, Kind.COUNT, 1, f"L{phase}") for phase in (1, 2, 3)
        },
    }


#: By value groups C, D and E.
SOURCES: Final[Mapping[tuple[int, int, int], Source]] = {
    (96, 14, 0): Source(EventType.TARIFF_CHANGED, Kind.STATE),
    **_failures(EventType.POWER_FAILURE, 0, 21),
    **_failures(EventType.LONG_POWER_FAILURE, 5, 9),
    (0, 1, 0): Source(EventType.BILLING_RESET, Kind.COUNT),
    (0, 1, 2): Source(EventType.BILLING_RESET, Kind.TIME, 1),
    (96, 20, 5): Source(EventType.TERMINAL_COVER_OPENED, Kind.COUNT),
    (96, 20, 6): Source(EventType.TERMINAL_COVER_OPENED, Kind.TIME, 1),
    (96, 2, 12): Source(EventType.CLOCK_SET, Kind.TIME),
}
#: The status word of an FNN basic meter, as a register.
STATUS_WORD: Final = Obis(ELECTRICITY, 0, 96, 5, 0)
#: The log of long power failures of DSMR 5 P1, and the code of the durations in it.
FAILURE_LOG: Final = Obis(ELECTRICITY, 0, 99, 97, 0)
FAILURE_DURATION: Final = "96.7.19"


@lru_cache(4096)
def source_of(key: Key) -> Source | None:
    """Return which event a register of the meter itself reports; None for most."""
    if not isinstance(key, Obis) or key.f != CURRENT_VALUE:
        return None
    is_own = key.a == ELECTRICITY or (key.a, key.b) == (ABSTRACT, 0)
    return SOURCES.get((key.c, key.d, key.e)) if is_own else None


def known_value(register: Register, kind: Kind) -> int | str | None:
    """Return the value of a source: a count, a time in ISO 8601, or a state; None without one."""
    value = register.value
    match kind:
        case Kind.TIME:
            time = timestamp_of(register)
            return None if time is None else time.isoformat()
        case Kind.COUNT if is_number(value):
            return int(value) if value == int(value) >= 0 else None
        case Kind.COUNT:
            return int(value) if isinstance(value, str) and is_digits(value) else None
    match value:
        case bytes():
            state = value.hex().upper()
        case int() | str():
            state = str(value)
        case _:
            return None
    return state if 0 < len(state) <= _TEXT_MAX else None
