"""Values and units in readouts (IEC 62056-21:2002, 6.3.2 items 15 to 18)."""

from collections.abc import Mapping
from functools import lru_cache
import re
from typing import Final

from ..reading import is_placeholder

#: Characters of the longest value: a P1 message of 1024 octets as hexadecimal digits.
VALUE_MAX: Final = 2100

#: A number, which may be padded with blanks, with a unit after ``*``, a percent sign, or a unit
#: without ``*``: after a blank, or behind the digits (Elster A1100, MCS). A lone W behind digits is
#: the season of a time. An exponent has the form of C's printf. The bounds on digits and units are
#: above those of all meters.
_NUMBER: Final = re.compile(
    r" *+([+-]?) *+(\d{1,24}+)(?:[.,](\d{1,24}+))?(E[+-]0\d)? *+"
    r"(?:\*([^*&]{0,16}+)|(%) *+"
    r"|(?:(?<= )|(?=[a-z]{2}))([kMG]?(?:Wh|varh|VAh|W|var|VA)) *+)?",
    re.ASCII | re.IGNORECASE,
)

#: Units in their normal spelling; the case that meters write is ignored.
_KNOWN: Final = (
    *("Wh", "kWh", "MWh", "GWh", "GJ", "varh", "kvarh", "Mvarh", "VAh", "kVAh"),
    *("W", "kW", "MW", "var", "kvar", "VA", "kVA", "V", "A", "Hz", "kHz"),
    *("min", "imp/kWh", "%"),
)
#: The normal spelling of units, by the spellings of meters in small letters.
_UNITS: Final[Mapping[str, str]] = {
    **{unit.lower(): unit for unit in _KNOWN},
    **dict.fromkeys(("°", "deg"), "°"),
    **dict.fromkeys(("°c", "deg c", "degc", "c"), "°C"),
    **dict.fromkeys(("m³", "m3", "m^3"), "m³"),
    **dict.fromkeys(("m³/h", "m3/h", "m3ph", "m3h", "m^3/h"), "m³/h"),
}
#: Units whose capital letters mean something else.
_SMALL: Final = {"h", "s"}


def split_value(text: str) -> tuple[str, str | None]:
    """Return the number in a value, in a form that Decimal accepts, and its unit.

    The number is "" if the value is none.
    """
    match = _NUMBER.fullmatch(text)
    if match is None:
        return "", None
    sign, whole, fraction, exponent, unit, percent, bare = match.groups()
    number = f"{sign}{whole}.{fraction}" if fraction else f"{sign}{whole}"
    number += exponent or ""
    return number, unit_of(unit or percent or bare or "")


def is_garbled(text: str) -> bool:
    """Return whether a text has a unit, but neither a number nor a placeholder before it.

    Some meters send several numbers with their units in one value: ``088*C&082*C``.
    """
    unit = text.rpartition("*")[2].strip(" ")
    if "*" not in text or not (unit in _SMALL or unit.lower() in _UNITS):
        return False
    return not all(_NUMBER.fullmatch(part) or is_placeholder(part) for part in text.split("&"))


@lru_cache(maxsize=256)
def unit_of(text: str) -> str | None:
    """Return a unit in its normal spelling; an unknown one as sent; None if it is empty."""
    text = text.strip(" ")
    if not text or text in _SMALL:
        return text or None
    return _UNITS.get(text.lower(), text)
