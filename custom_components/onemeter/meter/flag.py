"""Manufacturers of meters by their three letters, assigned by the FLAG Association."""

from collections.abc import Mapping
from typing import Final

_NAMES: Final[Mapping[str, str]] = {
    "ABB": "ABB",
    "ACE": "Itron",
    "ADN": "Aidon",
    "AEL": "Kohler",
    "AID": "Aidon",
    "AMT": "Aquametro",
    "APA": "Apator",
    "AUX": "AUX",
    "CTA": "ZIV",
    "DME": "Diehl Metering",
    "DNT": "Dr. Neuhaus",
    "DZG": "DZG",
    "EBZ": "eBZ",
    "EDM": "EDMI",
    "EFE": "Engelmann",
    "EFR": "EFR",
    "EGM": "Elgama",
    "EKT": "Energomera",
    "ELS": "Elster",
    "ELV": "Elvaco",
    "EMH": "EMH metering",
    "EMU": "EMU",
    "ENE": "Enexis",
    "ESY": "EasyMeter",
    "FLO": "Flonidan",
    "FLU": "Fluvius",
    "HAG": "Hager",
    "HLY": "Holley",
    "HXE": "Hexing",
    "HYD": "Diehl Metering",
    "INP": "Inepro",
    "ISK": "Iskraemeco",
    "ITE": "Itron",
    "ITR": "Itron",
    "ITZ": "Itron",
    "KAM": "Kamstrup",
    "KFM": "Kaifa",
    "KHL": "Kohler",
    "KMP": "Kamstrup",
    "LGF": "Landis+Gyr",
    "LGZ": "Landis+Gyr",
    "LOG": "Logarex",
    "LUG": "Landis+Gyr",
    "LUN": "Luna",
    "MAK": "Makel",
    "MCS": "MetCom",
    "NES": "Networked Energy Services",
    "NZR": "NZR",
    "ORB": "Orbis",
    "PAF": "Pafal",
    "POZ": "Pozyton",
    "QDS": "Qundis",
    "SAG": "Sagemcom",
    "SEN": "Sensus",
    "SIE": "Siemens",
    "SLB": "Schlumberger",
    "SNT": "Sontex",
    "TCH": "Techem",
    "ZIV": "ZIV",
    "ZPA": "ZPA Smart Energy",
    "ZRI": "Zenner",
    "ZRM": "Minol",
}


def manufacturer_name(letters: str) -> str:
    """Return the name of a manufacturer, or its letters if the name is not known.

    Case is ignored: a small third letter only announces a short reaction time.
    """
    return _NAMES.get(letters.upper(), letters)
