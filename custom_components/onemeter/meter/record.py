"""Records: classes of values that do not change."""

from dataclasses import dataclass, field
from typing import dataclass_transform


@dataclass_transform(eq_default=True, frozen_default=True, field_specifiers=(field,))
def record[T](cls: type[T]) -> type[T]:
    """Make a class a dataclass with slots that type checkers take for a frozen one.

    For what decoders make of each telegram: making a register that is also frozen at run time takes
    four times as long, which is half the time of decoding.
    """
    return dataclass(slots=True, unsafe_hash=True)(cls)
