"""Readings that users enter as a meter's display shows them."""

from decimal import Decimal, InvalidOperation
from typing import Final

import probatio

#: No display has as many digits, nor as many decimals: the energy of impulses has nine at most.
_END: Final = 10**12
_DECIMALS: Final = 9


def exact_reading(text: str) -> Decimal:
    """Return what a meter's display shows, with the digits that were entered.

    Raises probatio.Invalid for what is no number, is negative, or has more than twelve digits
    before or nine after the decimal point.
    """
    try:
        reading = Decimal(text.strip().replace(",", "."))
    except InvalidOperation:
        reading = Decimal("NaN")
    if not reading.is_finite() or not 0 <= reading < _END or _decimals(reading) > _DECIMALS:
        raise probatio.Invalid(
            f"not a meter reading in kWh: up to {len(str(_END)) - 1} digits and "
            f"{_DECIMALS} decimals are possible"
        )
    return reading


def _decimals(number: Decimal) -> int:
    return -int(number.as_tuple().exponent)
