"""Values and units as meters write them (IEC 62056-21:2002, 6.3.2 items 15 to 18)."""

from collections.abc import Mapping
from functools import lru_cache
import re
from typing import Final

from ..reading import is_placeholder

#: Characters of the longest value, a text of 1024 octets as hexadecimal digits.
VALUE_MAX: Final = 2100

#: A number, blank-padded or not, with a unit behind ``*``, a percent sign, or a unit after a blank.
#: No meter has more digits, nor units so long.
_NUMBER: Final = re.compile(
    r" *+([+-]?) *+(\d{1,24}+)(?:[.,](\d{1,24}+))? *+"
    r"(?:\*([^*&]{0,16}+)|(%) *+|(?<= )([kMG]?(?:Wh|varh|VAh|W|var|VA)) *+)?",
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


def split_value(text: str) -> tuple[str, str | None]:
    """Return the number that a value is, as Decimal reads it, and its unit; "" if it is none."""
    match = _NUMBER.fullmatch(text)
    if match is None:
        return "", None
    sign, whole, fraction, unit, percent, spaced = match.groups()
    number = f"{sign}{whole}.{fraction}" if fraction else f"{sign}{whole}"
    return number, unit_of(unit or percent or spaced or "")


def is_garbled(text: str) -> bool:
    """Tell whether a text ends in a unit, and what is before it is no number nor in place of one.

    Some meters write several numbers with their units into one value: ``088*C&082*C``.
    """
    unit = text.rpartition("*")[2].strip(" ")
    if "*" not in text or not (unit in _SMALL or unit.lower() in _UNITS):
        return False
    return not all(_NUMBER.fullmatch(part) or is_placeholder(part) for part in text.split("&"))


@lru_cache(maxsize=256)
def unit_of(text: str) -> str | None:
    """Return a unit in its one spelling; as sent where it is none of the known ones."""
    text = text.strip(" ")
    if not text or text in _SMALL:
        return text or None
    return _UNITS.get(text.lower(), text)
