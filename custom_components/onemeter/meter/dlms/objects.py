"""All objects of a meter with their values, for whoever wants to look into it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from ..obis import Obis
from .apdu.axdr import Data
from .apdu.results import access_text
from .apdu.xdlms import AccessResult, descriptor
from .cosem import (
    SCALER_UNIT,
    VALUE,
    CosemObject,
    ObjectClass,
    number_of,
    register_value,
    time_of,
)
from .memory import Memory
from .registers import Reader
from .session import Session

#: Classes whose second attribute is too long to be looked at, or no value.
_NOT_READ: Final = frozenset(
    {
        ObjectClass.PROFILE_GENERIC,
        ObjectClass.ASSOCIATION_BY_SHORT_NAMES,
        ObjectClass.ASSOCIATION,
    }
)

#: Of a register whose number means nothing by itself.
_NO_SCALER: Final = "the meter does not tell its scaler"


@dataclass(frozen=True, slots=True)
class ObjectValue:
    """An object, and what its second attribute holds: in most classes the value."""

    obis: Obis
    class_id: int
    version: int
    #: Scaled where it is a register; None where it was not read.
    value: Data | datetime = None
    unit: str | None = None
    #: Why the meter does not give the value away.
    refusal: str | None = None


async def read_objects(
    session: Session, reader: Reader, memory: Memory, *, invert_deviation: bool
) -> Sequence[ObjectValue]:
    """Read all that the meter has."""
    objects = await reader.discover()
    attributes = {
        entry: descriptor(entry.class_id, entry.obis, VALUE)
        for entry in objects
        if entry.class_id not in _NOT_READ
    }
    results = await session.get_all(list(attributes.values()))
    await reader.learn_scalers(objects, results)

    def look(entry: CosemObject) -> ObjectValue:
        obis, class_id, version = entry.obis, entry.class_id, entry.version
        attribute = attributes.get(entry)
        if attribute is None or attribute not in results:
            return ObjectValue(obis, class_id, version)
        result = results[attribute]
        if isinstance(result, AccessResult):
            return ObjectValue(obis, class_id, version, refusal=access_text(result))
        if class_id == ObjectClass.CLOCK:
            time = time_of(result, invert=invert_deviation)
            return ObjectValue(obis, class_id, version, result if time is None else time)
        scaler_unit = memory.scalers.get(obis) if class_id in SCALER_UNIT else None
        if scaler_unit is None and class_id in SCALER_UNIT and number_of(result) is not None:
            # Without its scaler a number may mean anything.
            return ObjectValue(obis, class_id, version, refusal=_NO_SCALER)
        if scaler_unit is None:
            return ObjectValue(obis, class_id, version, result)
        value = register_value(result, scaler_unit)
        return ObjectValue(obis, class_id, version, value, scaler_unit.unit)

    return [look(entry) for entry in objects]
