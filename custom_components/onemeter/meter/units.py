"""Units and scalers of binary protocols (IEC 62056-6-2, table of units)."""

from collections.abc import Callable, Mapping
from decimal import Context, Decimal
from functools import cache
from operator import mul
from typing import Any, Final

#: Units by their number. Other numbers mean no unit: 254 and 255 by the standard, 0 in some meters.
UNITS: Final[Mapping[int, str]] = {
    1: "a",
    2: "mo",
    3: "wk",
    4: "d",
    5: "h",
    6: "min",
    7: "s",
    8: "°",
    9: "°C",
    11: "m",
    13: "m³",
    14: "m³",
    15: "m³/h",
    16: "m³/h",
    27: "W",
    28: "VA",
    29: "var",
    30: "Wh",
    31: "VAh",
    32: "varh",
    33: "A",
    34: "C",
    35: "V",
    36: "V/m",
    37: "F",
    38: "Ω",
    40: "Wb",
    41: "T",
    42: "A/m",
    43: "H",
    44: "Hz",
    45: "1/Wh",
    46: "1/varh",
    47: "1/VAh",
    48: "V²h",
    49: "A²h",
    50: "kg/s",
    51: "S",
    52: "K",
    56: "%",
    57: "Ah",
    60: "Wh/m³",
    61: "J/m³",
    70: "dBm",
    71: "dBµV",
    72: "dB",
}

#: A context of its own, so that the precision is not that of the caller: integers of 64 bits fit.
_CONTEXT: Final = Context(prec=20)


def scaled(number: Decimal | int, scaler: int) -> Decimal | int:
    """Return number * 10 ** scaler exactly: an int if number is one and scaler is not negative."""
    if isinstance(number, Decimal):
        return _CONTEXT.scaleb(number, scaler)
    multiply, factor = scaling(scaler)
    return multiply(factor, number)


@cache
def scaling(scaler: int) -> tuple[Callable[[Any, int], Decimal | int], Decimal | int]:
    """Return a multiplication, and the factor by which it scales integers as scaled() does."""
    if scaler < 0:
        return _CONTEXT.multiply, Decimal((0, (1,), scaler))
    return mul, 10**scaler
