"""Lists whose values are identified by their positions only."""

from collections.abc import Iterable, Sequence
from decimal import Decimal

from ...reading import Register
from ...units import scaled
from ..apdu.data_types import STRUCTURE, Data
from .lists import POSITIONAL_LISTS, PositionalList
from .shapes import elements_of, kinds_of
from .values import Body, DecodedList, plain, registers_of, text, time_of


def read_positional(body: Body, values: Sequence[Data]) -> DecodedList | None:
    """Decode a list with a known shape; None if no list or more than one has this shape."""
    match candidates(body, values):
        case [known]:
            return _read(known, values)
    return None


def candidates(
    body: Body, values: Sequence[Data], lists: Iterable[PositionalList] = POSITIONAL_LISTS
) -> list[PositionalList]:
    """Return the known lists that fit: with the same shape, and with hints that fit the sender.

    Only the best ones are returned: those with the most codes that must match, then with the most
    hints (name, system title, tagged date-time). If they have the same meaning, only the first.
    """
    lists = [known for known in lists if len(elements_of(known)) == len(values)]
    if not lists or body.data[body.start] != STRUCTURE:
        return []
    kinds = kinds_of(body.data, body.start, values)
    name = text(values[0]) or ""
    found: dict[PositionalList, tuple[int, int]] = {}
    for known in lists:
        elements = elements_of(known)
        if (
            name.startswith(known.name)
            and body.title_prefix.startswith(known.system_title)
            and known.is_tagged in {None, body.is_tagged}
            and all(
                element.fits(kind, value)
                for element, kind, value in zip(elements, kinds, values, strict=True)
            )
        ):
            literals = sum(element.literal is not None for element in elements)
            hints = bool(known.name) + bool(known.system_title) + (known.is_tagged is not None)
            found[known] = (literals, hints)
    best = max(found.values(), default=None)
    most = [known for known, rank in found.items() if rank == best]
    meanings = {tuple((e.obis, e.scaling) for e in elements_of(known)) for known in most}
    return most[:1] if len(meanings) == 1 else most


def _read(known: PositionalList, values: Sequence[Data]) -> DecodedList:
    registers: list[Register] = []
    clock = None
    for element, value in zip(elements_of(known), values, strict=True):
        obis = element.obis
        if obis is None:
            continue
        if (time := time_of(obis, value)) is not None:
            clock = time
        elif element.scaling is not None and isinstance(value, int | Decimal):
            scaler, unit = element.scaling
            registers.append(Register(obis, scaled(value, scaler), unit))
        elif isinstance(value, int | Decimal):
            registers.append(Register(obis, plain(value)))
        else:
            registers += registers_of(obis, value, None)
    return DecodedList(registers, clock, name=text(values[0]) or "")
