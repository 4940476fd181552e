"""The shape of a list: the types of its elements, by which lists without codes are told apart.

Types, as in the strings of lists.py: ``t`` text (octets or a string), ``oN`` N other octets,
``o`` any octets, text or not, ``C`` a code as octets, ``d`` date-time, ``w`` and ``h`` 16 bits
without and with sign, ``u`` and ``i`` 32 bits, ``U`` 32 or 64 bits without sign, ``I`` 64 bits with
sign, ``b`` 8 bits, ``e`` enumeration, ``B`` Boolean, ``z`` bits, ``f`` floating point, ``n`` null,
``a`` array, ``S`` {scaler, unit}, ``{...}`` structure. ``|`` is between types that both may be.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
import itertools
import re
from typing import Final

from ...obis import Obis
from ..apdu.axdr import ARRAY, OCTET_STRING, STRUCTURE, Data, decode, decode_length
from ..apdu.times import LENGTH as TIME_LENGTH
from ..cosem import OBIS_LENGTH
from .lists import PositionalList

#: Media that meters have codes of (IEC 62056-61, table 1); what is above is text or a number.
_MEDIA: Final = range(16)
_LETTERS: Final = {
    0x00: "n",
    ARRAY: "a",
    0x03: "B",
    0x04: "z",
    0x05: "i",
    0x06: "u",
    0x0F: "b",
    0x10: "h",
    0x11: "b",
    0x12: "w",
    0x13: "a",
    0x14: "I",
    0x15: "U",
    0x16: "e",
    0x17: "f",
    0x18: "f",
    0x19: "d",
}
_TEXTS: Final = frozenset({0x0A, 0x0C})
_ELEMENT: Final = re.compile(
    r"(?P<types>[^:]+)"
    r"(?::(?P<code>[\d.:-]+)(?:\((?P<scaler>-?\d+),(?P<unit>[^)]*)\))?)?"
)


@dataclass(frozen=True, slots=True)
class Element:
    """What stands at one place of a list."""

    types: tuple[str, ...]
    #: What it is; None where nothing is read.
    obis: Obis | None
    #: Power of ten and unit; None for what measures nothing.
    scaling: tuple[int, str | None] | None
    #: The code that must stand there.
    literal: bytes | None = None

    def fits(self, kind: str, value: Data) -> bool:
        """Tell whether a value of this type may stand here."""
        if self.literal is not None:
            return value == self.literal
        size = len(value) if isinstance(value, str | bytes) else None
        return any(
            one == kind
            or (one == "U" and kind == "u")
            or (size is not None and one in {"o", f"o{size}"})
            for one in self.types
        )


@lru_cache
def elements_of(known: PositionalList) -> tuple[Element, ...]:
    """Return the elements of a list."""
    return tuple(map(_element, known.elements.split()))


def _element(text: str) -> Element:
    found = _ELEMENT.fullmatch(text)
    if found is None:
        raise ValueError(f"not an element of a list: {text!r}")
    types = tuple(found["types"].split("|"))
    if found["code"] is None:
        return Element(types, None, None)
    full = found["code"] if ":" in found["code"] else f"1-0:{found['code']}"
    obis = Obis.parse(full)
    if types == ("C",):
        return Element(types, None, None, bytes(obis))
    scaling = None if found["scaler"] is None else (int(found["scaler"]), found["unit"] or None)
    return Element(types, obis, scaling)


def is_code(value: Data) -> bool:
    """Tell whether octets are the code of an object."""
    return type(value) is bytes and len(value) == OBIS_LENGTH and value[0] in _MEDIA


def kinds_of(data: bytes, position: int, values: Sequence[Data]) -> list[str]:
    """Return the type of each element of the array or structure that begins at a place."""
    count, position = decode_length(data, position + 1)
    kinds: list[str] = []
    for value in values[:count]:
        kind, position = _kind(data, position, value)
        kinds.append(kind)
    return kinds


def _kind(data: bytes, position: int, value: Data) -> tuple[str, int]:
    tag = data[position]
    end = decode(data, position)[1]
    if tag == STRUCTURE and isinstance(value, tuple):
        inner = kinds_of(data, position, value)
        return "S" if inner == ["b", "e"] else f"{{{shape_text(inner)}}}", end
    if tag == OCTET_STRING or tag in _TEXTS:
        return _string_kind(value), end
    return _LETTERS.get(tag, "?"), end


def _string_kind(value: Data) -> str:
    if not isinstance(value, str | bytes):
        return "?"
    if is_code(value):
        return "C"
    if text_of(value):
        return "t"
    if isinstance(value, bytes) and len(value) == TIME_LENGTH:
        return "d"
    return f"o{len(value)}"


def text_of(value: str | bytes) -> str:
    """Return what is printable text, without NULs behind; empty where it is none."""
    if isinstance(value, bytes):
        octets = value.rstrip(b"\0")
        value = octets.decode("ascii") if octets.isascii() else ""
    text = value.rstrip("\0")
    return text if text.isprintable() else ""


def shape_text(kinds: Sequence[str]) -> str:
    """Return types as text, those that repeat with their number: ``t w6 u4 w3 t``."""
    parts: list[str] = []
    for kind, group in itertools.groupby(kinds):
        count = len(list(group))
        is_countable = count > 1 and not kind[-1].isdigit()
        parts += [f"{kind}{count}"] if is_countable else [kind] * count
    return " ".join(parts)
