"""Shapes of lists: the types of their elements, which distinguish lists without codes.

Types, as in the strings of lists.py: ``t`` text (octets or a string), ``oN`` N other octets,
``o`` any octets, text or not, ``C`` a code as octets, ``d`` date-time, ``w`` and ``h`` unsigned and
signed 16 bits, ``u`` and ``i`` the same with 32 bits, ``U`` unsigned 32 or 64 bits, ``I`` signed 64
bits, ``b`` 8 bits, ``e`` enumeration, ``B`` Boolean, ``z`` bits, ``f`` floating point, ``n`` null,
``a`` array, ``S`` {scaler, unit}, ``{...}`` structure. ``|`` separates alternatives.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
import itertools
import re
from typing import Final

from ...obis import Obis
from ..apdu import data_types
from ..apdu.axdr import decode
from ..apdu.data_types import OCTET_STRING, STRUCTURE, Data
from ..apdu.lengths import decode_length
from ..apdu.times import LENGTH as TIME_LENGTH
from ..cosem import OBIS_LENGTH
from .lists import PositionalList

#: Value groups A of codes (IEC 62056-61, table 1); octets above are text or a number.
_MEDIA: Final = range(16)
_LETTERS: Final = {
    data_types.NULL: "n",
    data_types.ARRAY: "a",
    data_types.BOOLEAN: "B",
    data_types.BIT_STRING: "z",
    data_types.DOUBLE_LONG: "i",
    data_types.DOUBLE_LONG_UNSIGNED: "u",
    data_types.INTEGER: "b",
    data_types.LONG: "h",
    data_types.UNSIGNED: "b",
    data_types.LONG_UNSIGNED: "w",
    data_types.COMPACT_ARRAY: "a",
    data_types.LONG64: "I",
    data_types.LONG64_UNSIGNED: "U",
    data_types.ENUMERATED: "e",
    data_types.FLOAT32: "f",
    data_types.FLOAT64: "f",
    data_types.DATE_TIME: "d",
}
_TEXTS: Final = frozenset({data_types.VISIBLE_STRING, data_types.UTF8_STRING})
_ELEMENT: Final = re.compile(
    r"(?P<types>[^:]+)"
    r"(?::(?P<code>[\d.:-]+)(?:\((?P<scaler>-?\d+),(?P<unit>[^)]*)\))?)?"
)


@dataclass(frozen=True, slots=True)
class Element:
    """One element of a positional list."""

    types: tuple[str, ...]
    #: Code of the value; None if it is ignored.
    obis: Obis | None
    #: Scaler and unit; None if it measures nothing.
    scaling: tuple[int, str | None] | None
    #: The code that the element must be; None: it is a value.
    literal: bytes | None = None

    def fits(self, kind: str, value: Data) -> bool:
        """Return whether a value of this type fits the element."""
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
    """Parse the elements of a list. Raises ValueError."""
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
    """Return whether a value is a code as octets."""
    return type(value) is bytes and len(value) == OBIS_LENGTH and value[0] in _MEDIA


def kinds_of(data: bytes, position: int, values: Sequence[Data]) -> list[str]:
    """Return the types of the elements of the array or structure at ``position``.

    ``values`` are the decoded elements.
    """
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
    """Return printable ASCII octets or text, without trailing NULs; empty for anything else."""
    if isinstance(value, bytes):
        octets = value.rstrip(b"\0")
        value = octets.decode("ascii") if octets.isascii() else ""
    text = value.rstrip("\0")
    return text if text.isprintable() else ""


def shape_text(kinds: Sequence[str]) -> str:
    """Return types as text, with repetitions as a count: ``t w6 u4 w3 t``."""
    parts: list[str] = []
    for kind, group in itertools.groupby(kinds):
        count = len(list(group))
        is_countable = count > 1 and not kind[-1].isdigit()
        parts += [f"{kind}{count}"] if is_countable else [kind] * count
    return " ".join(parts)
