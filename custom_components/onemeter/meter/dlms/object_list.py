"""Reading the object list of a meter (IEC 62056-6-2, classes 15 and 12)."""

from typing import Final

from ..errors import AccessError, TelegramError
from ..interleaving import find_in_turns
from .apdu.axdr import decode_elements
from .apdu.results import OTHER_REASON, access_error
from .apdu.xdlms import AccessResult, descriptor, parse_result
from .cosem import CURRENT_ASSOCIATION, VALUE, CosemObject, ObjectClass, accessible_objects
from .memory import Memory
from .session import Session
from .short_names import named_objects

_OBJECT_LIST: Final = descriptor(ObjectClass.ASSOCIATION, CURRENT_ASSOCIATION, VALUE)


async def list_objects(session: Session, memory: Memory) -> tuple[CosemObject, ...] | None:
    """Read the object list; None if the meter refuses it or returns something else.

    Short names in it are written to the memory.
    """
    try:
        content = await session.get_encoded(_OBJECT_LIST)
        if content is None:
            return None
        if session.association.has_short_names:
            return await _learn_names(content, memory)
        return await objects_in(content) or None
    except AccessError, TelegramError:
        return None


async def objects_in(content: bytes) -> tuple[CosemObject, ...]:
    """Decode an object list from a get-response. Raises AccessError, TelegramError."""
    _check(content)
    found = accessible_objects(decode_elements(content, 1))
    return tuple(await find_in_turns(step for entry in found for step in (entry, None)))


async def _learn_names(content: bytes, memory: Memory) -> tuple[CosemObject, ...] | None:
    _check(content)
    found = named_objects(decode_elements(content, 1))
    named = await find_in_turns(step for entry in found for step in (entry, None))
    memory.base_names.clear()
    for base, entry in named:
        memory.base_names[descriptor(entry.class_id, entry.obis, VALUE)[:-1]] = base
    return tuple(entry for _, entry in named) or None


def _check(content: bytes) -> None:
    """Raise AccessError or TelegramError unless the result is data."""
    if content[:1] != b"\0":
        result = parse_result(content)
        raise access_error(result if isinstance(result, AccessResult) else OTHER_REASON)
