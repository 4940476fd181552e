"""Which of a meter's objects make a reading, and which codes there usually are."""

from collections.abc import Iterator, Sequence
from typing import Final

from ..obis import Obis
from .cosem import CosemObject, ObjectClass

METER_ID: Final = Obis(0, 0, 96, 1, 0, 255)
LOGICAL_DEVICE_NAME: Final = Obis(0, 0, 42, 0, 0, 255)
CLOCK: Final = Obis(0, 0, 1, 0, 0, 255)
LOAD_PROFILE: Final = Obis(1, 0, 99, 1, 0, 255)

_REGISTERS: Final = frozenset(
    {ObjectClass.REGISTER, ObjectClass.EXTENDED_REGISTER, ObjectClass.DEMAND_REGISTER}
)
_CURRENT: Final = 255
#: Data objects by value groups C and D: ids, firmware, status words, tariff, errors.
_ABSTRACT: Final = frozenset({(42, 0), (96, 1), (96, 5), (96, 7), (96, 14), (97, 97), (0, 2)})
_ELECTRICITY: Final = frozenset({(0, 0), (0, 2), (96, 5), (97, 97)})
#: More registers are not read: nobody has so many current values.
_MOST: Final = 400

#: What meters usually have, for those that do not tell: energies with tariffs, powers, voltages,
#: currents, power factor, frequency, maximum demands.
_USUAL: Final = (
    *((c, 8, e) for c in (1, 2) for e in range(5)),
    *((c, 8, 0) for c in (3, 4, 5, 6, 7, 8, 9, 15, 16)),
    *((c, 7, 0) for c in (1, 2, 3, 4, 9, 13, 14, 15, 16)),
    *((20 * phase + c, 7, 0) for phase in (1, 2, 3) for c in (1, 2, 11, 12, 13)),
)


def wanted(objects: Sequence[CosemObject]) -> tuple[CosemObject, ...]:
    """Return the objects of a reading: registers with current values, and some data."""
    return tuple(_wanted(objects))[:_MOST]


def needed(objects: Sequence[CosemObject]) -> tuple[CosemObject, ...]:
    """Return the objects of a reading, the clock, and the profiles."""
    clocks = [entry for entry in objects if entry.obis == CLOCK]
    profiles = [entry for entry in objects if entry.class_id == ObjectClass.PROFILE_GENERIC]
    return (*wanted(objects), *clocks, *profiles[:_MOST])


def _wanted(objects: Sequence[CosemObject]) -> Iterator[CosemObject]:
    for entry in objects:
        obis = entry.obis
        if obis.f != _CURRENT:
            continue
        if entry.class_id in _REGISTERS:
            yield entry
        elif entry.class_id == ObjectClass.DATA:
            kinds = _ABSTRACT if obis.a == 0 else _ELECTRICITY
            if (obis.c, obis.d) in kinds:
                yield entry


def usual_objects() -> tuple[CosemObject, ...]:
    """Return what most meters have, to be tried where the object list is refused."""
    data = (LOGICAL_DEVICE_NAME, METER_ID, Obis(1, 0, 0, 2, 0), Obis(0, 0, 96, 14, 0))
    return (
        *(CosemObject(ObjectClass.DATA, 0, obis) for obis in data),
        CosemObject(ObjectClass.CLOCK, 0, CLOCK),
        *(CosemObject(ObjectClass.REGISTER, 0, Obis(1, 0, c, d, e)) for c, d, e in _USUAL),
        CosemObject(ObjectClass.EXTENDED_REGISTER, 0, Obis(1, 0, 1, 6, 0)),
        CosemObject(ObjectClass.PROFILE_GENERIC, 1, LOAD_PROFILE),
    )
