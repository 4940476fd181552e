"""Numbers that users enter as they are printed on a meter, or as its display shows them."""

from decimal import Decimal
import re
from typing import Final

#: No display has as many digits, nor as many decimals: the energy of impulses has nine at most.
_END: Final = Decimal(10**12)
_DECIMALS: Final = 9


#: Groups of thousands, with any separator but the decimal mark.
_GROUPS: Final = re.compile(r"\d{1,3}(?:[.,']\d{3})+", re.ASCII)
_PLAIN: Final = re.compile(r"(?=\.?\d)\d{0,21}(?:\.\d{1,21})?", re.ASCII)


def exact_number(text: str) -> Decimal:
    """Return a number of any country, with the digits that were entered.

    The last of two different separators is the decimal mark, and so is one that stands alone:
    ``12.345,6`` is 12345.6, ``12,345`` is 12.345, and ``1.234.567`` is 1234567. Blanks and
    apostrophes separate thousands.

    Raises ValueError for what is no such number, or is negative.
    """
    digits = "".join(text.split()).replace("’", "'")
    mark = max(digits.rfind("."), digits.rfind(","))
    mark_is_decimal = mark >= 0 and digits.count(digits[mark]) == 1
    whole, decimals = (digits[:mark], digits[mark + 1 :]) if mark_is_decimal else (digits, "")
    if _GROUPS.fullmatch(whole) and len({*whole} & {*".,'"}) == 1:
        whole = re.sub(r"[.,']", "", whole)
    number = f"{whole}.{decimals}" if mark_is_decimal else whole
    if not _PLAIN.fullmatch(number):
        raise ValueError(f"not a number: {len(text)} characters")
    return Decimal(number)


def exact_reading(text: str) -> Decimal:
    """Return what a meter's display shows, with the digits that were entered.

    Raises ValueError for what is no number, is negative, or has more than twelve digits
    before or nine after the decimal point.
    """
    reading = exact_number(text)
    if reading >= _END or _decimals(reading) > _DECIMALS:
        raise ValueError(
            f"not a meter reading in kWh: up to {_END.adjusted()} digits and "
            f"{_DECIMALS} decimals are possible"
        )
    return reading


def _decimals(number: Decimal) -> int:
    return -int(number.as_tuple().exponent)
