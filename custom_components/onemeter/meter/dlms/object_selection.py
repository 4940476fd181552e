"""Selection of the objects that make a reading, and default objects for meters without a list."""

from collections.abc import Iterator, Sequence
from itertools import chain, islice
from typing import Final

from ..obis import (
    ABSTRACT,
    CURRENT_VALUE,
    DEVICE_ID_1,
    ELECTRICITY,
    LOGICAL_DEVICE_NAME,
    PHASE_STEP,
    C,
    D,
    Obis,
)
from .cosem import REGISTER_CLASSES, CosemObject, ObjectClass

CLOCK: Final = Obis(0, 0, 1, 0, 0, 255)
LOAD_PROFILE: Final = Obis(1, 0, 99, 1, 0, 255)

#: Value groups C and D of data objects to read: ids, firmware, status words, tariff, errors.
_ABSTRACT: Final = frozenset({(42, 0), (96, 1), (96, 5), (96, 7), (96, 14), (97, 97), (0, 2)})
#: Value groups C, D and E of M-Bus clients.
_MBUS_CLIENT: Final = (24, 1, 0)
_ELECTRICITY: Final = frozenset({(0, 0), (0, 2), (96, 5), (97, 97)})
#: Objects in a reading: more would take too long.
OBJECTS_TO_READ_MAX: Final = 400
#: Rank by value group D and whether there is an E (tariff or harmonic), if there are more objects:
#: data first, then totals and momentary values, totals by tariff, all others without E, maxima by
#: tariff, the rest.
_RANKS: Final = {
    (D.ENERGY, False): 1,
    (D.INSTANTANEOUS, False): 1,
    (D.ENERGY, True): 2,
    (D.MAXIMUM_DEMAND, True): 4,
}
_WITHOUT_E: Final = 3
_LAST_RANK: Final = 5

#: Value groups C, D and E of registers that most meters have: energies with tariffs, powers,
#: voltages, currents, power factor, frequency.
_ACTIVE: Final = (C.ACTIVE_IMPORT, C.ACTIVE_EXPORT)
_SUMS: Final = (C.ACTIVE_ABSOLUTE, C.ACTIVE_NET)
_OTHER_ENERGIES: Final = (*range(C.REACTIVE_IMPORT, C.APPARENT_IMPORT + 1), *_SUMS)
_MOMENTARY: Final = (
    *(*_ACTIVE, C.REACTIVE_IMPORT, C.REACTIVE_EXPORT, C.APPARENT_IMPORT),
    *(C.POWER_FACTOR, C.FREQUENCY, *_SUMS),
)
_DEFAULT_REGISTERS: Final = (
    *((c, D.ENERGY, tariff) for c in _ACTIVE for tariff in range(5)),
    *((c, D.ENERGY, 0) for c in _OTHER_ENERGIES),
    *((c, D.INSTANTANEOUS, 0) for c in _MOMENTARY),
    *(
        (PHASE_STEP * phase + c, D.INSTANTANEOUS, 0)
        for phase in (1, 2, 3)
        for c in (*_ACTIVE, C.CURRENT, C.VOLTAGE, C.POWER_FACTOR)
    ),
)


def objects_to_read(objects: Sequence[CosemObject]) -> tuple[CosemObject, ...]:
    """Return the objects of a reading: the readable ones, or the most useful of too many."""
    found = tuple(readable(objects))
    if len(found) <= OBJECTS_TO_READ_MAX:
        return found
    by_rank: list[list[int]] = [[] for _ in range(_LAST_RANK + 1)]
    for place, entry in enumerate(found):
        by_rank[_rank(entry)].append(place)
    places = sorted(islice(chain.from_iterable(by_rank), OBJECTS_TO_READ_MAX))
    return tuple(found[place] for place in places)


def _rank(entry: CosemObject) -> int:
    if entry.class_id == ObjectClass.DATA:
        return 0
    obis = entry.obis
    if obis.a != ELECTRICITY:
        # Other media have few registers.
        return 1
    return _RANKS.get((obis.d, obis.e > 0), _LAST_RANK if obis.e else _WITHOUT_E)


def objects_to_remember(objects: Sequence[CosemObject]) -> tuple[CosemObject, ...]:
    """Return the objects of a reading, the clock, and the profiles."""
    clocks = [entry for entry in objects if entry.obis == CLOCK]
    profiles = [entry for entry in objects if entry.class_id == ObjectClass.PROFILE_GENERIC]
    return (*objects_to_read(objects), *clocks, *profiles[:OBJECTS_TO_READ_MAX])


def readable(objects: Sequence[CosemObject]) -> Iterator[CosemObject]:
    """Yield the objects of a reading: current registers, some data, and M-Bus clients."""
    for entry in objects:
        obis = entry.obis
        if obis.f != CURRENT_VALUE:
            continue
        if entry.class_id in REGISTER_CLASSES:
            yield entry
        elif entry.class_id == ObjectClass.MBUS_CLIENT:
            if obis.a == ABSTRACT and obis.b and (obis.c, obis.d, obis.e) == _MBUS_CLIENT:
                yield entry
        elif entry.class_id == ObjectClass.DATA:
            kinds = _ABSTRACT if obis.a == ABSTRACT else _ELECTRICITY
            if (obis.c, obis.d) in kinds:
                yield entry


def default_objects() -> tuple[CosemObject, ...]:
    """Return objects that most meters have, for a meter that refuses its object list."""
    maximum = Obis(ELECTRICITY, 0, C.ACTIVE_IMPORT, D.MAXIMUM_DEMAND, 0)
    registers = (Obis(ELECTRICITY, 0, c, d, e) for c, d, e in _DEFAULT_REGISTERS)
    data = (LOGICAL_DEVICE_NAME, DEVICE_ID_1, Obis(1, 0, 0, 2, 0), Obis(0, 0, 96, 14, 0))
    return (
        *(CosemObject(ObjectClass.DATA, 0, obis) for obis in data),
        CosemObject(ObjectClass.CLOCK, 0, CLOCK),
        *(CosemObject(ObjectClass.REGISTER, 0, obis) for obis in registers),
        CosemObject(ObjectClass.EXTENDED_REGISTER, 0, maximum),
        CosemObject(ObjectClass.PROFILE_GENERIC, 1, LOAD_PROFILE),
    )
