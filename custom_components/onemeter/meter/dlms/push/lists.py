"""Known lists that lack codes, scalers or units, by grid operator and manufacturer.

Positional lists are written as one string per list, with one word per element. A word is the type
of the element (see shapes.py) and its meaning: ``u:1.8.0(0,Wh)`` is an unsigned integer of 32 bits
with 1-0:1.8.0 in steps of 10**0 Wh. An element without a code is ignored. ``C:`` is an element that
must be this code.
"""

from dataclasses import dataclass
from typing import Final

from .obis_units import Quantity, Scaling

# --- Alternating codes and values, without scalers ------------------------------------------------

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

#: By the beginning of the list's name, in its first element or under x-x:0.2.129.
NAMED_LISTS: Final[tuple[tuple[str, Scaling], ...]] = (
    ("Kamstrup", _KAMSTRUP),
    ("KFM", _KAIFA),
)
#: The same for lists that begin with the clock: Landis+Gyr E450 in Styria.
CLOCK_LIST: Final = _ENERGIES_AND_POWERS
#: Kamstrup in Bornholm, Jutland (N1) and Sweden sends the same list with voltages in steps of
#: 0.01 V, which only their size reveals (Kamstrup 5512-2584, chapter 5: the receiver must know how
#: the meter is configured).
FINE_VOLTAGES: Final = "Kamstrup"
FINE_VOLTAGE_SCALER: Final = -2
#: Volts beyond those of any household connection.
VOLTAGE_MAX: Final = 1000
#: Descriptors without tags: grid operators of the Czech Republic.
UNTAGGED_LIST: Final = _ENERGIES_AND_POWERS

#: FLAG codes of manufacturers, by the beginning of their lists' names.
MANUFACTURERS: Final = (("Kamstrup", "KAM"), ("KFM", "KFM"), ("AIDON", "ADN"))

# --- Values behind a push object list -------------------------------------------------------------

#: Scaling of unknown meters.
PUSH_LIST: Final = {**_ENERGIES_AND_POWERS, Quantity.POWER_FACTOR: -3}
_IDIS: Final[Scaling] = {**PUSH_LIST, Quantity.VOLTAGE: -1, Quantity.CURRENT: -2}
_E450: Final[Scaling] = {**_IDIS, Quantity.VOLTAGE: 0, Quantity.FREQUENCY: 0, Quantity.ANGLE: 0}
_E570: Final[Scaling] = {**PUSH_LIST, Quantity.VOLTAGE: 0, Quantity.CURRENT: 0}


@dataclass(frozen=True, slots=True)
class PushTable:
    """Scaling of the values behind a push object list, and the meters that use it."""

    scaling: Scaling
    #: Beginnings of the logical device name, or of the system title; empty: both are unknown.
    names: tuple[str, ...]
    #: Whether the date-time of the notification has a deviation from UTC.
    has_deviation: bool
    #: Whether the list contains attribute 1 of the push setup; None: either.
    has_own_code: bool | None = None
    #: Whether energies have 64 bits; None: either, or there are none.
    is_wide: bool | None = None
    #: Value groups B of the push setups in the list, 0-B:25.9.0; empty: any.
    setups: frozenset[int] = frozenset()


#: The first one that fits is used.
PUSH_TABLES: Final = (
    # Iskraemeco AM550
    PushTable(_IDIS, ("ISK",), has_deviation=True),
    # Landis+Gyr E360
    PushTable(_IDIS, ("LGZ",), has_deviation=True),
    # One of the two above
    PushTable(_IDIS, (), has_deviation=True, setups=frozenset({6})),
    # Landis+Gyr E570, a meter for current transformers
    PushTable(_E570, ("LGZ",), has_deviation=False, is_wide=True),
    PushTable(_E570, ("LGZ10307",), has_deviation=False, has_own_code=False),
    # Landis+Gyr E450
    PushTable(_E450, ("LGZ",), has_deviation=False, has_own_code=True),
    PushTable(
        _E450,
        (),
        has_deviation=False,
        has_own_code=True,
        is_wide=False,
        setups=frozenset({8, 9, 11}),
    ),
)

# --- Values identified by their positions ---------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PositionalList:
    """A list whose values are identified by their positions."""

    #: Grid operator or country, and meter.
    title: str
    #: One word per element: type, code, scaler and unit.
    elements: str
    #: Source of the meaning.
    source: str
    #: Beginning of the first element.
    name: str = ""
    #: Beginning of the sender's system title.
    system_title: str = ""
    #: Whether the date-time of the notification is tagged; None: either.
    is_tagged: bool | None = None


_IMPORT: Final = "u:1.8.0(0,Wh) u:1.8.1(0,Wh) u:1.8.2(0,Wh)"
_EXPORT: Final = "u:2.8.0(0,Wh) u:2.8.1(0,Wh) u:2.8.2(0,Wh)"
_TOTALS: Final = "u:1.8.0(0,Wh) u:2.8.0(0,Wh) u:3.8.0(0,varh) u:4.8.0(0,varh)"
_ACTIVE_POWERS: Final = "u:1.7.0(0,W) u:2.7.0(0,W)"
_POWERS: Final = f"{_ACTIVE_POWERS} u:3.7.0(0,var) u:4.7.0(0,var)"
_PHASE_POWERS: Final = (
    "u:21.7.0(0,W) u:41.7.0(0,W) u:61.7.0(0,W) u:22.7.0(0,W) u:42.7.0(0,W) u:62.7.0(0,W)"
)
_SERIAL: Final = "t:0-0:96.1.0"

_E450_VOLTS: Final = "w:32.7.0(0,V) w:52.7.0(0,V) w:72.7.0(0,V)"
_AMPERES: Final = "w:31.7.0(-2,A) w:51.7.0(-2,A) w:71.7.0(-2,A)"
_VOLTS: Final = "w:32.7.0(-1,V) w:52.7.0(-1,V) w:72.7.0(-1,V)"
_ANGLES: Final = "w:81.7.40(0,°) w:81.7.51(0,°) w:81.7.62(0,°)"

_CARINTHIA: Final = f"C:0-6:25.9.0 t:0-0:96.1.1 o4 o5 {_TOTALS} {_ACTIVE_POWERS}"

_KAIFA_HEAD: Final = f"t {_SERIAL} t:0-0:96.1.7 {_POWERS}"
_KAIFA_SINGLE: Final = f"{_KAIFA_HEAD} u:31.7.0(-3,A) u:32.7.0(-1,V)"
_KAIFA_THREE: Final = (
    f"{_KAIFA_HEAD} u:31.7.0(-3,A) u:51.7.0(-3,A) u:71.7.0(-3,A)"
    " u:32.7.0(-1,V) u:52.7.0(-1,V) u:72.7.0(-1,V)"
)
_KAIFA_TOTALS: Final = "d:0-0:1.0.0 U:1.8.0(0,Wh) U:2.8.0(0,Wh) U:3.8.0(0,varh) U:4.8.0(0,varh)"
_KAIFA_SOURCE: Final = "AMS HAN interface of Kaifa (Norway); UtilitechAS/amsreader-firmware#242"

_NAME: Final = "t:0-0:42.0.0"
_SLOVENIA: Final = "Slovenia, Iskraemeco AM550"
_SLOVENIA_SOURCE: Final = "UtilitechAS/amsreader-firmware#615, #869, #956"
_CROATIA: Final = f"{_VOLTS} {_AMPERES} u a a a B"
_CROATIA_SOURCE: Final = "UtilitechAS/amsreader-firmware#1072"

POSITIONAL_LISTS: Final = (
    PositionalList(
        "Wiener Netze: AM550, IM150, IM350, E450",
        f"d:0-0:1.0.0 {_TOTALS} {_POWERS}",
        "Oesterreichs Energie, customer interfaces, variant 3",
    ),
    PositionalList(
        "Netz Burgenland: Landis+Gyr E450",
        f"{_E450_VOLTS} {_AMPERES} {_ACTIVE_POWERS} u:1.8.0(0,Wh) u:2.8.0(0,Wh)"
        f" {_ANGLES} {_SERIAL}",
        "Oesterreichs Energie, customer interfaces, variant 6",
    ),
    PositionalList(
        "Netz Burgenland: Landis+Gyr E450, without angles",
        f"{_E450_VOLTS} {_AMPERES} {_ACTIVE_POWERS} u:1.8.0(0,Wh) u:2.8.0(0,Wh) {_SERIAL}",
        "arendst/Tasmota#23027",
    ),
    PositionalList(
        "Netz Burgenland: Kaifa MA309",
        f"d:0-0:1.0.0 {_NAME} u:1.8.0(0,Wh) u:2.8.0(0,Wh) {_ACTIVE_POWERS}"
        " u:3.8.0(0,varh) u:4.8.0(0,varh)",
        "Oesterreichs Energie, customer interfaces, variant 5",
    ),
    PositionalList(
        "KNG-Kärnten: AM550, IM150, IM350",
        # The last two are messages, which are mostly empty.
        f"{_CARINTHIA} o o",
        "Oesterreichs Energie, customer interfaces, variant 1",
    ),
    PositionalList("Wels Strom: IM350", _CARINTHIA, "Wels Strom, IMx50 (December 2019)"),
    # Kaifa: every 2.5 seconds, every 10 seconds, every hour, with one or three phases.
    PositionalList("Norway, Kaifa: power", "u:1.7.0(0,W)", _KAIFA_SOURCE, is_tagged=True),
    PositionalList("Norway, Kaifa: one phase", _KAIFA_SINGLE, _KAIFA_SOURCE, name="KFM"),
    PositionalList("Norway, Kaifa: three phases", _KAIFA_THREE, _KAIFA_SOURCE, name="KFM"),
    PositionalList(
        "Norway, Kaifa: one phase, hourly",
        f"{_KAIFA_SINGLE} {_KAIFA_TOTALS}",
        _KAIFA_SOURCE,
        name="KFM",
    ),
    PositionalList(
        "Norway, Kaifa: three phases, hourly",
        f"{_KAIFA_THREE} {_KAIFA_TOTALS}",
        _KAIFA_SOURCE,
        name="KFM",
    ),
    # Each grid operator of Slovenia has a list of its own.
    PositionalList(
        f"{_SLOVENIA}: number and totals",
        "t b u:1.8.0(0,Wh) u:2.8.0(0,Wh)",
        _SLOVENIA_SOURCE,
        is_tagged=False,
    ),
    PositionalList(
        f"{_SLOVENIA}: one phase",
        f"{_NAME} t w:32.7.0(-1,V) w:31.7.0(-2,A) {_POWERS}",
        _SLOVENIA_SOURCE,
        name="ISK",
    ),
    PositionalList(
        f"{_SLOVENIA}: one phase, export by tariff",
        f"{_NAME} t {_POWERS} w:32.7.0(-1,V) u:2.8.1(0,Wh) u:2.8.2(0,Wh)",
        _SLOVENIA_SOURCE,
        name="ISK",
    ),
    PositionalList(
        f"{_SLOVENIA}: powers and totals",
        f"{_NAME} {_ACTIVE_POWERS} {_IMPORT} {_EXPORT}",
        _SLOVENIA_SOURCE,
        name="ISK",
    ),
    PositionalList(
        f"{_SLOVENIA}: one phase, its power",
        f"{_NAME} t {_POWERS} w:32.7.0(-1,V) w:31.7.0(-2,A) u:21.7.0(0,W) u:22.7.0(0,W)",
        _SLOVENIA_SOURCE,
        name="ISK",
    ),
    PositionalList(
        f"{_SLOVENIA}: totals by tariff",
        f"{_NAME} t u:1.8.1(0,Wh) u:1.8.2(0,Wh) u:2.8.1(0,Wh) u:2.8.2(0,Wh)"
        " u:3.8.1(0,varh) u:3.8.2(0,varh) u:4.8.1(0,varh) u:4.8.2(0,varh)",
        _SLOVENIA_SOURCE,
        name="ISK",
    ),
    PositionalList(
        f"{_SLOVENIA}: three phases",
        f"{_NAME} t {_VOLTS} {_AMPERES} {_POWERS}",
        _SLOVENIA_SOURCE,
        name="ISK",
    ),
    # The relay (0-0:96.3.10) is an enumeration in Ljubljana and a Boolean in Celje, where the
    # number may also be empty.
    PositionalList(
        f"{_SLOVENIA}: relay, tariff, totals",
        f"{_NAME} t|o0 e|b|B o {_IMPORT} {_EXPORT} u:3.8.0(0,varh) u:4.8.0(0,varh)",
        f"{_SLOVENIA_SOURCE}; athombv/node-dsmr-parser",
        name="ISK",
    ),
    PositionalList(
        f"{_SLOVENIA}: three phases, their powers",
        f"{_NAME} t {_POWERS} {_VOLTS} {_AMPERES} {_PHASE_POWERS}",
        _SLOVENIA_SOURCE,
        name="ISK",
    ),
    PositionalList(
        "HEP, Croatia: Iskraemeco IE.5, AM550",
        f"{_SERIAL} o4 o5 {_IMPORT} {_EXPORT} u:5.8.0(0,varh) u:6.8.0(0,varh) u:7.8.0(0,varh)"
        f" u:8.8.0(0,varh) {_ACTIVE_POWERS} w:13.7.0(-3,) {_PHASE_POWERS} {_CROATIA}",
        _CROATIA_SOURCE,
    ),
    PositionalList(
        "HEP, Croatia: Iskraemeco AM550, without reactive energies",
        f"{_SERIAL} o4 o5 {_IMPORT} {_EXPORT} {_ACTIVE_POWERS} {_PHASE_POWERS} {_CROATIA}",
        _CROATIA_SOURCE,
    ),
    PositionalList(
        "Romande Energie, SIE Lausanne: Iskraemeco AM550",
        # The source doubts the order of the powers, and the second voltage.
        f"{_IMPORT} {_EXPORT} o0 d:0-0:1.0.0 u:2.7.0(0,W) u:1.7.0(0,W)"
        f" {_AMPERES} w:32.7.0(-1,V) w:72.7.0(-1,V)",
        "UtilitechAS/amsreader-firmware#1001",
    ),
)
