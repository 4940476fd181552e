"""Descriptions of pushed lists, without numbers and ids."""

from dataclasses import dataclass
import re
from typing import Final

from ...obis import CURRENT_VALUE
from ..apdu.data_types import Data
from .positional import candidates
from .shapes import is_code, kinds_of, shape_text, text_of
from .values import Body, obis_of, scaler_unit_of

#: The letters of a manufacturer at the beginning of a text.
_MANUFACTURER: Final = re.compile(r"[A-Z]{3}(?=[0-9_])")

#: Replacement of a value: a text, or a list for an array or a structure.
type Masked = str | list[Masked]


@dataclass(frozen=True, slots=True)
class ListDescription:
    """Description of a list, whether or not its meaning is known."""

    #: The types of its elements, see shapes.py.
    shape: str
    #: Its elements: codes, scalers and units as they are, everything else masked.
    elements: list[Masked]
    #: Titles of the known lists with this shape.
    candidates: list[str]

    @property
    def summary(self) -> str:
        """The shape with its candidates."""
        return f"{self.shape} ({' / '.join(self.candidates)})" if self.candidates else self.shape


def describe(body: Body, values: Data) -> ListDescription:
    """Describe the list in a body; ``values`` is its decoded value."""
    if not isinstance(values, tuple | list):
        return ListDescription("no list", [_masked(values)], [])
    kinds = kinds_of(body.data, body.start, values)
    known = [found.title for found in candidates(body, values)] if values else []
    return ListDescription(shape_text(kinds), [_masked(value) for value in values], known)


def _masked(value: Data) -> Masked:
    if isinstance(value, bytes | str):
        return _masked_string(value)
    if not isinstance(value, tuple | list):
        return "null" if value is None else "number"
    if (found := scaler_unit_of(value)) is not None:
        return f"scaler {found[0]}, unit {found[1]}"
    match value:
        # An element of a push object list: class, code, attribute.
        case (int(kind), bytes(code), int(attribute), _, *_) if is_code(code):
            return f"class {kind}, {obis_of(code)}, attribute {attribute}"
    return [_masked(element) for element in value]


def _masked_string(value: bytes | str) -> str:
    # Octets with another value group F may be an id.
    if isinstance(value, bytes) and is_code(value) and value[-1] == CURRENT_VALUE:
        return str(obis_of(value))
    if not (text := text_of(value)):
        return f"{len(value)} octets"
    begin = found[0] if (found := _MANUFACTURER.match(text)) else ""
    rest = re.sub(r"[^\W\d_]", "a", text[len(begin) :])
    return f"text {begin}{re.sub(r'\d', '9', rest)}"
