"""The lists of manufacturers and grid operators that do not tell all that their numbers mean."""

from dataclasses import dataclass
import re
from typing import Final

from ..obis import Obis
from .quantities import Quantity, Scaling

LOGICAL_DEVICE_NAME: Final = Obis(0, 0, 42, 0, 0)
_SERIAL: Final = Obis(0, 0, 96, 1, 0)
_MODEL: Final = Obis(0, 0, 96, 1, 7)

_ENERGIES_AND_POWERS: Final[Scaling] = {Quantity.ENERGY: 0, Quantity.POWER: 0}
_KAMSTRUP: Final[Scaling] = {
    Quantity.ENERGY: 1,
    Quantity.POWER: 0,
    Quantity.VOLTAGE: 0,
    Quantity.CURRENT: -2,
    Quantity.POWER_FACTOR: -2,
}
_KAIFA: Final[Scaling] = {
    **_ENERGIES_AND_POWERS,
    Quantity.VOLTAGE: -1,
    Quantity.CURRENT: -3,
}
_IDIS: Final[Scaling] = {
    **_ENERGIES_AND_POWERS,
    Quantity.VOLTAGE: -1,
    Quantity.CURRENT: -2,
    Quantity.POWER_FACTOR: -3,
}

#: Codes and numbers in turns without scalers, by how the list is named: in its first element, or
#: under x-x:0.2.129.
NAMED_LISTS: Final[tuple[tuple[str, Scaling], ...]] = (
    ("Kamstrup", _KAMSTRUP),
    ("KFM", _KAIFA),
)
#: The same where the first element is the clock: Landis+Gyr E450.
CLOCK_LIST: Final = _ENERGIES_AND_POWERS
#: Descriptors without tags: grid operators of the Czech Republic.
UNTAGGED_LIST: Final = _ENERGIES_AND_POWERS
#: Lists that begin with the objects in them, of meters that cannot be told.
PUSH_LIST: Final = {**_ENERGIES_AND_POWERS, Quantity.POWER_FACTOR: -3}

#: Manufacturers (FLAG code) by how they name their lists.
MANUFACTURERS: Final = (("Kamstrup", "KAM"), ("KFM", "KFM"), ("AIDON", "ADN"))


@dataclass(frozen=True, slots=True)
class PushTable:
    """How meters scale the numbers behind the list of objects that they push."""

    scaling: Scaling
    #: The beginning of the logical device name, or of the system title.
    names: tuple[str, ...]
    #: Whether the date-time of the notification has a deviation from UTC.
    has_deviation: bool
    #: Whether the list has the name of the push set-up itself, None: either way.
    has_setup: bool | None = None
    #: Whether energies have 64 bits, None: either way.
    is_wide: bool | None = None


#: The first that fits is taken.
PUSH_TABLES: Final = (
    # Iskraemeco AM550
    PushTable(_IDIS, ("ISK",), has_deviation=True),
    # Landis+Gyr E360
    PushTable(_IDIS, ("LGZ",), has_deviation=True),
    # Landis+Gyr E570, which is connected by current transformers
    PushTable(
        {**_IDIS, Quantity.VOLTAGE: 0, Quantity.CURRENT: 0},
        ("LGZ",),
        has_deviation=False,
        is_wide=True,
    ),
    PushTable(
        {**_IDIS, Quantity.VOLTAGE: 0, Quantity.CURRENT: 0},
        ("LGZ10307",),
        has_deviation=False,
        has_setup=False,
    ),
    # Landis+Gyr E450
    PushTable({**_IDIS, Quantity.VOLTAGE: 0}, ("LGZ",), has_deviation=False, has_setup=True),
)


@dataclass(frozen=True, slots=True)
class PositionalList:
    """A list whose values are known by their places."""

    #: One letter for each element: t text, o other octets, d date-time, w unsigned integer of 16
    #: bits, u one of 32 or 64 bits, i any integer, e enumeration, b any integer of 8 bits, n null.
    shape: re.Pattern[str]
    #: What each element is; None for what is not known or means nothing.
    codes: tuple[Obis | None, ...]
    scaling: Scaling
    #: How the first element begins.
    name: str = ""
    #: Whether the date-time of the notification is tagged, None: either way.
    is_tagged: bool | None = None


def _positional(
    shape: str, codes: str, scaling: Scaling, *, name: str = "", is_tagged: bool | None = None
) -> PositionalList:
    """Make a list of short codes, ``-`` for None."""
    parsed = tuple(_NAMES[code] if code in _NAMES else _electricity(code) for code in codes.split())
    return PositionalList(re.compile(shape), parsed, scaling, name, is_tagged)


def _electricity(code: str) -> Obis:
    return Obis.parse(f"1-0:{code}")


_NAMES: Final = {
    "-": None,
    "name": LOGICAL_DEVICE_NAME,
    "serial": _SERIAL,
    "model": _MODEL,
    "clock": Obis(0, 0, 1, 0, 0),
}
_POWERS: Final = "1.7.0 2.7.0 3.7.0 4.7.0"
_TOTALS: Final = "1.8.0 2.8.0 3.8.0 4.8.0"
_CURRENTS: Final = "31.7.0 51.7.0 71.7.0"
_VOLTAGES: Final = "32.7.0 52.7.0 72.7.0"
_KAIFA_SINGLE: Final = f"- serial model {_POWERS} 31.7.0 32.7.0"
_KAIFA_THREE: Final = f"- serial model {_POWERS} {_CURRENTS} {_VOLTAGES}"

POSITIONAL_LISTS: Final = (
    # Kaifa in Norway: every 2.5 seconds, every 10 seconds, every hour, with one or three phases.
    _positional("u", "1.7.0", _KAIFA, is_tagged=True),
    _positional("tttu{6}", _KAIFA_SINGLE, _KAIFA, name="KFM"),
    _positional("tttu{10}", _KAIFA_THREE, _KAIFA, name="KFM"),
    _positional("tttu{6}du{4}", f"{_KAIFA_SINGLE} clock {_TOTALS}", _KAIFA, name="KFM"),
    _positional("tttu{10}du{4}", f"{_KAIFA_THREE} clock {_TOTALS}", _KAIFA, name="KFM"),
    # Iskraemeco AM550 in Slovenia, where each grid operator has its own.
    _positional("tbuu", "- - 1.8.0 2.8.0", _IDIS, is_tagged=False),
    _positional("ttwwu{4}", f"name - 32.7.0 31.7.0 {_POWERS}", _IDIS, name="ISK"),
    _positional("ttu{4}wuu", f"name - {_POWERS} 32.7.0 2.8.1 2.8.2", _IDIS, name="ISK"),
    _positional("tu{8}", "name 1.7.0 2.7.0 1.8.0 1.8.1 1.8.2 2.8.0 2.8.1 2.8.2", _IDIS, name="ISK"),
    _positional("ttu{4}wwuu", f"name - {_POWERS} 32.7.0 31.7.0 21.7.0 22.7.0", _IDIS, name="ISK"),
    _positional(
        "ttu{8}",
        "name - 1.8.1 1.8.2 2.8.1 2.8.2 3.8.1 3.8.2 4.8.1 4.8.2",
        _IDIS,
        name="ISK",
    ),
    _positional("ttw{6}u{4}", f"name - {_VOLTAGES} {_CURRENTS} {_POWERS}", _IDIS, name="ISK"),
    _positional(
        "tt[eb][to]u{8}",
        "name - - - 1.8.0 1.8.1 1.8.2 2.8.0 2.8.1 2.8.2 3.8.0 4.8.0",
        _IDIS,
        name="ISK",
    ),
    _positional(
        "ttu{4}w{6}u{6}",
        f"name - {_POWERS} {_VOLTAGES} {_CURRENTS} 21.7.0 41.7.0 61.7.0 22.7.0 42.7.0 62.7.0",
        _IDIS,
        name="ISK",
    ),
    # Iskraemeco AM550 in Vienna: name of the push set-up, serial number, time, date.
    _positional("ot[to][to]u{6}[to][to]", f"- serial - - {_TOTALS} 1.7.0 2.7.0 - -", _IDIS),
    # Iskraemeco AM550 in Croatia.
    _positional(
        "[tod]{3}u{12}[uw]u{6}w{6}[a-z]{5}",
        "- - - 1.8.0 1.8.1 1.8.2 2.8.0 2.8.1 2.8.2 5.8.0 6.8.0 7.8.0 8.8.0 1.7.0 2.7.0 13.7.0"
        f" 21.7.0 41.7.0 61.7.0 22.7.0 42.7.0 62.7.0 {_VOLTAGES} {_CURRENTS} - - - - -",
        _IDIS,
    ),
)
