"""Values and units as meters write them (IEC 62056-21:2002, 6.3.2 items 15 to 18)."""

from collections.abc import Mapping
from decimal import Decimal
import re
from typing import Final

#: A number, blank-padded or not, with a unit behind ``*``, a percent sign, or a unit after a blank.
NUMBER: Final = re.compile(
    r" *([+-]?) *(\d+)(?:[.,](\d+))? *"
    r"(?:\* *([^*&]*?) *|(%) *| ([kMG]?(?:Wh|varh|VAh|W|var|VA)) *)?",
    re.ASCII | re.IGNORECASE,
)

#: Units whose spelling is theirs, whatever the case that a meter writes them in.
_KNOWN: Final = (
    *("Wh", "kWh", "MWh", "GWh", "GJ", "varh", "kvarh", "Mvarh", "VAh", "kVAh"),
    *("W", "kW", "MW", "var", "kvar", "VA", "kVA", "V", "A", "Hz", "kHz"),
    *("min", "imp/kWh", "%"),
)
#: One spelling for each unit, by all that meters write for it, in small letters.
_UNITS: Final[Mapping[str, str]] = {
    **{unit.lower(): unit for unit in _KNOWN},
    **dict.fromkeys(("°", "deg"), "°"),
    **dict.fromkeys(("°c", "deg c", "degc", "c"), "°C"),
    **dict.fromkeys(("m³", "m3", "m^3"), "m³"),
    **dict.fromkeys(("m³/h", "m3/h", "m3ph", "m3h", "m^3/h"), "m³/h"),
}
#: Units whose capital letter would mean something else.
_SMALL: Final = {"h", "s"}


def unit_of(text: str) -> str | None:
    """Return a unit in its one spelling; as sent where it is none of the known ones."""
    if not text or text in _SMALL:
        return text or None
    return _UNITS.get(text.lower(), text)


def number_of(sign: str, whole: str, fraction: str | None) -> Decimal:
    """Return the number of these digits, all of which are kept."""
    return Decimal(f"{sign}{whole}.{fraction}" if fraction else f"{sign}{whole}")
