"""Units by the numbers that binary protocols send (IEC 62056-6-2, table of units)."""

from collections.abc import Mapping
from typing import Final

#: What is not here has no unit: 254 and 255 say so themselves, 0 is what some meters send instead.
UNITS: Final[Mapping[int, str]] = {
    5: "h",
    6: "min",
    7: "s",
    8: "°",
    9: "°C",
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
    35: "V",
    44: "Hz",
    56: "%",
}
