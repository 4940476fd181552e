"""Identity of a meter that is polled or pushes, from its ids, name and system title."""

from functools import lru_cache
import re
from typing import Final

from ...identity import DEVICE_ID, identity_from_bytes
from ...reading import Identity, Value
from ..cosem import text_of
from .lists import MANUFACTURERS

#: FLAG code of a manufacturer.
_FLAG: Final = re.compile(r"[A-Z]{3}", re.ASCII)


@lru_cache(maxsize=64)
def identity_of(ids: tuple[Value, ...], name: Value, title: bytes) -> Identity:
    """Return the identity of a meter from its ids, in order of preference, name and system title.

    ``name`` is the logical device name, or the name of the list that it pushes. The other ids
    become aliases.
    """
    found = [one for value in ids if (one := _identity(value)) is not None]
    best = next((one for one in found if one.number is not None), found[0] if found else Identity())
    named = _text(name) or ""
    sources = (
        best.manufacturer or "",
        *(flag for begin, flag in MANUFACTURERS if named.startswith(begin)),
        title[:3].decode("latin-1"),
        named[:3],
        (best.meter_id or "")[:3],
    )
    letters = [text for text in sources if _FLAG.fullmatch(text)]
    numbers = [one.number for one in found if one.number is not None]
    flagged = [f"{flag}{number}" for flag in letters for number in numbers]
    return Identity(
        best.meter_id,
        letters[0] if letters else None,
        device_id=best.device_id,
        aliases=tuple(dict.fromkeys(numbers + flagged)),
    )


def _identity(value: Value) -> Identity | None:
    """Return the identity from one id; None if it is empty."""
    if (text := _text(value)) is not None:
        device_id = DEVICE_ID.fullmatch(text)
        return Identity(text, device_id and device_id[1], device_id=device_id and text)
    if isinstance(value, bytes) and value.strip(b"\0"):
        return identity_from_bytes(value)
    return None


def _text(value: Value) -> str | None:
    match value:
        case bytes():
            text = text_of(value)
            return text if isinstance(text, str) else None
        case str():
            return value.strip("\0 ") or None
        case bool() | None:
            return None
        case int():
            return str(int(value))
    return None
