"""All objects of a meter with their values, for diagnosis on the command line."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from ..obis import Obis
from .apdu.data_types import Data
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

#: Classes whose attribute 2 is not read: a long buffer, or a list.
_NOT_READ: Final = frozenset(
    {
        ObjectClass.PROFILE_GENERIC,
        ObjectClass.ASSOCIATION_BY_SHORT_NAMES,
        ObjectClass.ASSOCIATION,
    }
)

#: Refusal of a register whose number means nothing by itself.
_NO_SCALER: Final = "the meter does not return its scaler"


@dataclass(frozen=True, slots=True)
class ObjectValue:
    """An object with its attribute 2, which is the value in most classes."""

    obis: Obis
    class_id: int
    version: int
    #: Scaled if it is a register; None if it was not read.
    value: Data | datetime = None
    unit: str | None = None
    #: Reason of the meter's refusal.
    refusal: str | None = None


async def read_objects(
    session: Session, reader: Reader, memory: Memory, *, invert_deviation: bool
) -> Sequence[ObjectValue]:
    """Read all objects of the meter."""
    objects = await reader.discover()
    attributes = {
        entry: descriptor(entry.class_id, entry.obis, VALUE)
        for entry in objects
        if entry.class_id not in _NOT_READ
    }
    results = await session.get_all(list(attributes.values()))
    await reader.learn_scalers(objects, results)

    def value_of(entry: CosemObject) -> ObjectValue:
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
            # A number without scaler and unit has no meaning.
            return ObjectValue(obis, class_id, version, refusal=_NO_SCALER)
        if scaler_unit is None:
            return ObjectValue(obis, class_id, version, result)
        value = register_value(result, scaler_unit)
        return ObjectValue(obis, class_id, version, value, scaler_unit.unit)

    return [value_of(entry) for entry in objects]
