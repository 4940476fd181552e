"""Objects as the command line prints them: one line of JSON each, values as text."""

from datetime import datetime

from ..dlms.apdu.data_types import Data
from ..dlms.cosem import plain_value
from ..dlms.objects import ObjectValue
from ..reading import as_text


def object_as_json(found: ObjectValue) -> dict[str, object]:
    """Return an object with its value as text, and the reason if that was refused."""
    result: dict[str, object] = {
        "obis": str(found.obis),
        "class": found.class_id,
        "version": found.version,
        "value": _text(found.value),
        "unit": found.unit,
    }
    return result if found.refusal is None else result | {"refused": found.refusal}


def _text(data: Data | datetime) -> object:
    match data:
        case list() | tuple():
            return [_text(element) for element in data]
        case datetime():
            return as_text(data)
    return as_text(plain_value(data))
