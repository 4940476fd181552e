"""Looking up what a reading's registers mean, before the reading is taken.

A meter may have hundreds of codes, and taking a reading has no pauses.
"""

import asyncio
from itertools import batched
from typing import Final

from ..events.sources import source_of
from ..impulses.totals import ImpulseTotals
from ..meter import Key, Register
from ..registers.lookup import is_measurement, with_implied_unit
from ..totals import Totals

#: Codes that are looked up without a pause for other tasks.
CODES_AT_ONCE: Final = 64


async def async_look_up(
    registers: dict[Key, Register], totals: Totals | ImpulseTotals, *, has_units: bool
) -> None:
    """Look up registers for the first time, with pauses for other tasks.

    Without has_units, a number without unit gets the one that its code implies.
    """
    for keys in batched(tuple(registers), CODES_AT_ONCE, strict=False):
        await asyncio.sleep(0)
        for key in keys:
            if not has_units:
                registers[key] = with_implied_unit(key, registers[key])
            if isinstance(totals, Totals):
                totals.async_examine(key, registers)
            is_measurement(key, registers)
            source_of(key)
    await asyncio.sleep(0)
