"""Manufacturers of meters by their three letters, which the FLAG Association assigns."""

from collections.abc import Mapping
from typing import Final

_NAMES: Final[Mapping[str, str]] = {
    "ABB": "ABB",
    "ACE": "Itron",
    "ADN": "Aidon",
    "AID": "Aidon",
    "APA": "Apator",
    "AUX": "AUX",
    "DNT": "Dr. Neuhaus",
    "DZG": "DZG",
    "EBZ": "eBZ",
    "EFR": "EFR",
    "ELS": "Elster",
    "EMH": "EMH metering",
    "ESY": "EasyMeter",
    "HAG": "Hager",
    "HLY": "Holley",
    "HXE": "Hexing",
    "INP": "Inepro",
    "ISK": "Iskraemeco",
    "ITE": "Itron",
    "ITR": "Itron",
    "ITZ": "Itron",
    "KAM": "Kamstrup",
    "KFM": "Kaifa",
    "KMP": "Kamstrup",
    "LGF": "Landis+Gyr",
    "LGZ": "Landis+Gyr",
    "LOG": "Logarex",
    "LUG": "Landis+Gyr",
    "MCS": "MetCom",
    "NES": "Networked Energy Services",
    "NZR": "NZR",
    "PAF": "Pafal",
    "POZ": "Pozyton",
    "SAG": "Sagemcom",
    "SIE": "Siemens",
    "ZPA": "ZPA Smart Energy",
}


def manufacturer_name(letters: str) -> str:
    """Return the name that a manufacturer is known by, or its letters where they are all we know.

    Case does not matter: meters write their third letter small to say that they answer quickly.
    """
    return _NAMES.get(letters.upper(), letters)
