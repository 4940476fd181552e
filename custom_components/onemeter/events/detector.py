"""Finds events in telegrams: by what has changed since the telegrams before."""

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from ..meter import Key, Obis, Reading, Register
from .sources import EventType, Kind, Source, known_value, source_of
from .status import failure_log, status_bits, status_events

_ORDER: Final = tuple(EventType)
#: Names of what is remembered beside the registers.
_STATUS: Final = "status_word"
_LOG: Final = "failure_log"
_REPORTED_BY: Final[Mapping[str, frozenset[EventType]]] = {
    _STATUS: frozenset(
        {
            EventType.TERMINAL_COVER_OPENED,
            EventType.POWER_FAILURE,
            EventType.POWER_RESTORED,
        }
    ),
    _LOG: frozenset({EventType.POWER_RESTORED}),
}
#: Entries of the log that are remembered: three times as many as a meter keeps.
_LOG_MAX: Final = 30

#: The values of sources by their names, as JSON.
type Memory = dict[str, Any]


class MeterEvent(NamedTuple):
    """An event that a meter has reported."""

    type: EventType
    attributes: Mapping[str, Any]


class _Change(NamedTuple):
    source: Source
    before: int | str
    now: int | str


class EventDetector:
    """Compares each telegram with what is known of the meter.

    The first value of a source is no event. A value is taken from a telegram without checksum, and
    a count or time that has fallen from any telegram, only if the next one repeats it; what has
    fallen is no event either.
    """

    def __init__(self) -> None:
        """Begin without any telegram."""
        self.memory: Memory = {}
        #: The events that the meter can report, as far as its sources are known.
        self.types: list[EventType] = []
        #: Whether the memory has changed since it was stored.
        self.is_changed = False
        #: New values that the next telegram must repeat.
        self._doubtful: Memory = {}

    def restore(self, memory: Memory) -> None:
        """Continue with a memory that was stored; raise TypeError, ValueError if it is damaged."""
        for name, value in memory.items():
            if not isinstance(value, _type_of(name)):
                raise TypeError(name)
        self.memory = memory
        self._find_types()

    def take(self, reading: Reading, registers: Mapping[Key, Register]) -> list[MeterEvent]:
        """Return the events between the telegrams before and this one.

        ``registers`` are its current values.
        """
        found = [
            *self._of_registers(registers, checked=reading.checked),
            *self._of_status(reading, registers),
            *self._of_log(reading),
        ]
        return sorted(found, key=lambda event: _ORDER.index(event.type))

    def _of_registers(
        self, registers: Mapping[Key, Register], *, checked: bool
    ) -> Iterator[MeterEvent]:
        changes: dict[EventType, list[_Change]] = {}
        for key, register in registers.items():
            if (source := source_of(key)) is None:
                continue
            if (now := known_value(register, source.kind)) is None:
                continue
            before = self.memory.get(str(key))
            has_fallen = _has_fallen(source.kind, before, now)
            is_new = self._accept(str(key), now, certain=checked and not has_fallen)
            if is_new and before is not None and not has_fallen:
                changes.setdefault(source.event, []).append(_Change(source, before, now))
        for event, changed in changes.items():
            changed.sort(key=lambda change: change.source.rank)
            if changed[0].source.rank == self._lowest_rank(event):
                yield MeterEvent(event, _attributes(changed))

    def _of_status(
        self, reading: Reading, registers: Mapping[Key, Register]
    ) -> Iterator[MeterEvent]:
        if (now := status_bits(reading, registers)) is None:
            return
        before = self.memory.get(_STATUS)
        if self._accept(_STATUS, now, certain=reading.checked) and before is not None:
            for event, attributes in status_events(before, now):
                yield MeterEvent(event, attributes)

    def _of_log(self, reading: Reading) -> Iterator[MeterEvent]:
        if (failures := failure_log(reading)) is None:
            return
        before: list[str] | None = self.memory.get(_LOG)
        known = before or []
        new = [failure for failure in failures if failure.sent not in known]
        kept = [*known, *(failure.sent for failure in new)][-_LOG_MAX:]
        if self._accept(_LOG, kept, certain=reading.checked) and before is not None:
            # Some meters send the newest failure first, others last.
            for _, end, duration in sorted(new, key=lambda failure: str(failure.end)):
                time = {} if end is None else {"time": end.isoformat()}
                yield MeterEvent(EventType.POWER_RESTORED, {**time, "duration": duration})

    def _accept(self, name: str, now: Any, *, certain: bool) -> bool:
        """Remember a value; return whether it is another one than before."""
        if now == self.memory.get(name):
            self._doubtful.pop(name, None)
            return False
        if not certain and now != self._doubtful.get(name):
            self._doubtful[name] = now
            return False
        self._doubtful.pop(name, None)
        is_known = name in self.memory
        self.memory[name] = now
        self.is_changed = True
        if not is_known:
            self._find_types()
        return True

    def _find_types(self) -> None:
        found = {event for name in self.memory for event in _types(name)}
        self.types = [event for event in EventType if event in found]

    def _lowest_rank(self, event: EventType) -> int:
        sources = (_source(name) for name in self.memory)
        return min(source.rank for source in sources if source and source.event is event)


def _source(name: str) -> Source | None:
    """Return the source of a name in the memory, if it is a register."""
    return None if name in _REPORTED_BY else source_of(Obis.parse(name))


def _types(name: str) -> frozenset[EventType]:
    """Return the events that are reported under a name in the memory."""
    source = _source(name)
    return _REPORTED_BY.get(name, frozenset()) if source is None else frozenset({source.event})


def _type_of(name: str) -> type:
    """Return of which type the value of a name in the memory is."""
    if name in _REPORTED_BY:
        return int if name == _STATUS else list
    source = _source(name)
    return object if source is None else int if source.kind is Kind.COUNT else str


def _has_fallen(kind: Kind, before: Any, now: Any) -> bool:
    return kind is not Kind.STATE and before is not None and now < before


def _attributes(changed: list[_Change]) -> dict[str, Any]:
    """Return what has changed; of several registers of a kind, the first one."""
    attributes: dict[str, Any] = {}
    for source, before, now in changed:
        match source.kind:
            case Kind.COUNT:
                attributes.setdefault("count", now)
                attributes.setdefault("previous_count", before)
            case Kind.TIME:
                attributes.setdefault("time", now)
            case Kind.STATE:
                attributes |= {"tariff": now, "previous_tariff": before}
    if phases := sorted({change.source.phase for change in changed if change.source.phase}):
        attributes["phases"] = phases
    return attributes
