"""Which of a meter's objects make a reading, and which codes there usually are."""

from collections.abc import Iterator, Sequence
from itertools import chain, islice
from typing import Final

from ..obis import (
    CURRENT_VALUE,
    DEVICE_ID_1,
    ELECTRICITY,
    LOGICAL_DEVICE_NAME,
    PHASE_STEP,
    C,
    D,
    Obis,
)
from .cosem import CosemObject, ObjectClass

CLOCK: Final = Obis(0, 0, 1, 0, 0, 255)
LOAD_PROFILE: Final = Obis(1, 0, 99, 1, 0, 255)

_REGISTERS: Final = frozenset(
    {ObjectClass.REGISTER, ObjectClass.EXTENDED_REGISTER, ObjectClass.DEMAND_REGISTER}
)
#: Data objects by value groups C and D: ids, firmware, status words, tariff, errors.
_ABSTRACT: Final = frozenset({(42, 0), (96, 1), (96, 5), (96, 7), (96, 14), (97, 97), (0, 2)})
_OF_ELECTRICITY: Final = frozenset({(0, 0), (0, 2), (96, 5), (97, 97)})
#: More registers are not read, since that would take too long, ...
MOST: Final = 400
#: ... but the most useful ones, by value group D and whether there is an E (tariff, harmonic):
#: first totals and momentary values, then totals of tariffs, all others without E, maxima of
#: tariffs, and the rest.
_RANKS: Final = {
    (D.ENERGY, False): 1,
    (D.INSTANTANEOUS, False): 1,
    (D.ENERGY, True): 2,
    (D.MAXIMUM_DEMAND, True): 4,
}
_WITHOUT_E: Final = 3
_LEAST: Final = 5

#: What meters usually have, for those that do not tell: energies with tariffs, powers, voltages,
#: currents, power factor, frequency, maximum demands.
_ACTIVE: Final = (C.ACTIVE_IMPORT, C.ACTIVE_EXPORT)
_SUMS: Final = (C.ACTIVE_ABSOLUTE, C.ACTIVE_NET)
_OTHER_ENERGIES: Final = (*range(C.REACTIVE_IMPORT, C.APPARENT_IMPORT + 1), *_SUMS)
_MOMENTARY: Final = (
    *(*_ACTIVE, C.REACTIVE_IMPORT, C.REACTIVE_EXPORT, C.APPARENT_IMPORT),
    *(C.POWER_FACTOR, C.FREQUENCY, *_SUMS),
)
_USUAL: Final = (
    *((c, D.ENERGY, tariff) for c in _ACTIVE for tariff in range(5)),
    *((c, D.ENERGY, 0) for c in _OTHER_ENERGIES),
    *((c, D.INSTANTANEOUS, 0) for c in _MOMENTARY),
    *(
        (PHASE_STEP * phase + c, D.INSTANTANEOUS, 0)
        for phase in (1, 2, 3)
        for c in (*_ACTIVE, C.CURRENT, C.VOLTAGE, C.POWER_FACTOR)
    ),
)


def wanted(objects: Sequence[CosemObject]) -> tuple[CosemObject, ...]:
    """Return the objects of a reading: registers with current values, and some data.

    Where there are too many of them, the most useful ones.
    """
    found = tuple(readable(objects))
    if len(found) <= MOST:
        return found
    by_rank: list[list[int]] = [[] for _ in range(_LEAST + 1)]
    for place, entry in enumerate(found):
        by_rank[_rank(entry)].append(place)
    places = sorted(islice(chain.from_iterable(by_rank), MOST))
    return tuple(found[place] for place in places)


def _rank(entry: CosemObject) -> int:
    if entry.class_id == ObjectClass.DATA:
        return 0
    obis = entry.obis
    if obis.a != ELECTRICITY:
        # Other media have few registers.
        return 1
    return _RANKS.get((obis.d, obis.e > 0), _LEAST if obis.e else _WITHOUT_E)


def needed(objects: Sequence[CosemObject]) -> tuple[CosemObject, ...]:
    """Return the objects of a reading, the clock, and the profiles."""
    clocks = [entry for entry in objects if entry.obis == CLOCK]
    profiles = [entry for entry in objects if entry.class_id == ObjectClass.PROFILE_GENERIC]
    return (*wanted(objects), *clocks, *profiles[:MOST])


def readable(objects: Sequence[CosemObject]) -> Iterator[CosemObject]:
    """Yield all objects that could be part of a reading."""
    for entry in objects:
        obis = entry.obis
        if obis.f != CURRENT_VALUE:
            continue
        if entry.class_id in _REGISTERS:
            yield entry
        elif entry.class_id == ObjectClass.DATA:
            kinds = _ABSTRACT if obis.a == 0 else _OF_ELECTRICITY
            if (obis.c, obis.d) in kinds:
                yield entry


def usual_objects() -> tuple[CosemObject, ...]:
    """Return what most meters have, to be tried where the object list is refused."""
    data = (LOGICAL_DEVICE_NAME, DEVICE_ID_1, Obis(1, 0, 0, 2, 0), Obis(0, 0, 96, 14, 0))
    return (
        *(CosemObject(ObjectClass.DATA, 0, obis) for obis in data),
        CosemObject(ObjectClass.CLOCK, 0, CLOCK),
        *(
            CosemObject(ObjectClass.REGISTER, 0, Obis(ELECTRICITY, 0, c, d, e))
            for c, d, e in _USUAL
        ),
        CosemObject(
            ObjectClass.EXTENDED_REGISTER,
            0,
            Obis(ELECTRICITY, 0, C.ACTIVE_IMPORT, D.MAXIMUM_DEMAND, 0),
        ),
        CosemObject(ObjectClass.PROFILE_GENERIC, 1, LOAD_PROFILE),
    )
