"""OBIS codes, which identify what a meter measures (IEC 62056-61)."""

import re
from typing import Final, NamedTuple, Self, override

_FULL = re.compile(
    r"(?P<a>\d{1,3})-(?P<b>\d{1,3}):(?P<c>\d{1,3})\.(?P<d>\d{1,3})\.(?P<e>\d{1,3})"
    r"(?:[*&](?P<f>\d{1,3}))?",
    re.ASCII,
)
_GROUP_MAX = 255

#: Value group A, the medium (IEC 62056-61, clause 5.1).
ABSTRACT: Final = 0
ELECTRICITY: Final = 1
#: Value group F of the current value; others are billing periods.
CURRENT_VALUE: Final = 255
#: Value group F of past billing periods, counted back from the last one (IEC 62056-61, annex A).
PAST_PERIODS: Final = range(101, 126)
#: Value group C of L1, L2 and L3 is that of all phases plus once, twice, three times this.
PHASE_STEP: Final = 20


class C:
    """Value group C of electricity: the quantity (IEC 62056-61, clause 5.3.2).

    Import is +A, +R and +VA of the standard; the quadrants are those of reactive energy.
    """

    ACTIVE_IMPORT: Final = 1
    ACTIVE_EXPORT: Final = 2
    REACTIVE_IMPORT: Final = 3
    REACTIVE_EXPORT: Final = 4
    REACTIVE_Q1: Final = 5
    REACTIVE_Q2: Final = 6
    REACTIVE_Q3: Final = 7
    REACTIVE_Q4: Final = 8
    APPARENT_IMPORT: Final = 9
    APPARENT_EXPORT: Final = 10
    CURRENT: Final = 11
    VOLTAGE: Final = 12
    POWER_FACTOR: Final = 13
    FREQUENCY: Final = 14
    #: Sum of import and export.
    ACTIVE_ABSOLUTE: Final = 15
    #: Import minus export.
    ACTIVE_NET: Final = 16
    #: Active quantities of one quadrant.
    ACTIVE_Q1: Final = 17
    ACTIVE_Q2: Final = 18
    ACTIVE_Q3: Final = 19
    ACTIVE_Q4: Final = 20
    #: Angles between voltages and currents, named by value group E.
    ANGLE: Final = 81
    NEUTRAL_CURRENT: Final = 91
    NEUTRAL_VOLTAGE: Final = 92
    #: Service entries such as ids and status words, also of abstract objects.
    SERVICE: Final = 96
    ERROR: Final = 97
    LIST: Final = 98
    PROFILE: Final = 99


class D:
    """Value group D of electricity: the processing of the quantity (IEC 62056-61, clause 5.4.2)."""

    CUMULATED_DEMAND: Final = 2
    #: Average of the current demand period, and of the last one.
    DEMAND: Final = 4
    LAST_DEMAND: Final = 5
    MAXIMUM_DEMAND: Final = 6
    INSTANTANEOUS: Final = 7
    #: Time integral 1: the energy since the meter was installed.
    ENERGY: Final = 8
    #: Time integral 2: the energy since the billing period began.
    PERIOD_ENERGY: Final = 9
    #: A total in old meters of Kamstrup.
    KAMSTRUP_ENERGY: Final = 20
    #: Numbers of times that a voltage was too low, and too high.
    SAGS: Final = 32
    SWELLS: Final = 36


class Obis(NamedTuple):
    """One OBIS code, written A-B:C.D.E*F (IEC 62056-61, clause 4).

    Each value group is an integer from 0 to 255; F is 255 for the current value and the number
    of the billing period otherwise. Codes are equal, ordered and hashed by their six groups.
    """

    #: Medium; 129 are manufacturer-specific objects of old SML meters.
    a: int
    #: Channel.
    b: int
    #: Physical quantity: C for electricity.
    c: int
    #: Processing of the quantity: D for electricity.
    d: int
    #: Tariff; 0 is the total.
    e: int
    #: Billing period; 255 is the current one.
    f: int = CURRENT_VALUE

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse a complete code such as ``1-0:1.8.0*255``; F defaults to 255.

        Raises ValueError for anything else, also for a group above 255.
        """
        match = _FULL.fullmatch(text)
        if match is None:
            raise ValueError(f"not an OBIS code: {text!r}")
        groups = [CURRENT_VALUE if group is None else int(group) for group in match.groups()]
        if max(groups) > _GROUP_MAX:
            raise ValueError(f"value group above {_GROUP_MAX} in OBIS code {text!r}")
        return cls(*groups)

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Return the code of the six bytes in which binary protocols send it."""
        return cls(*data)

    @property
    def short(self) -> str:
        """The code as displays show it: ``1.8.0``, or ``1.8.0*1`` of a billing period."""
        text = f"{self.c}.{self.d}.{self.e}"
        return text if self.f == CURRENT_VALUE else f"{text}*{self.f}"

    @override
    def __str__(self) -> str:
        """Return the complete code, all six groups without leading zeros."""
        return f"{self.a}-{self.b}:{self.c}.{self.d}.{self.e}*{self.f}"


#: Codes that several modules need.
ENERGY_IMPORT: Final = Obis(ELECTRICITY, 0, C.ACTIVE_IMPORT, D.ENERGY, 0)
ENERGY_EXPORT: Final = Obis(ELECTRICITY, 0, C.ACTIVE_EXPORT, D.ENERGY, 0)
POWER_IMPORT: Final = Obis(ELECTRICITY, 0, C.ACTIVE_IMPORT, D.INSTANTANEOUS, 0)
POWER_EXPORT: Final = Obis(ELECTRICITY, 0, C.ACTIVE_EXPORT, D.INSTANTANEOUS, 0)
POWER_ABSOLUTE: Final = Obis(ELECTRICITY, 0, C.ACTIVE_ABSOLUTE, D.INSTANTANEOUS, 0)
POWER: Final = Obis(ELECTRICITY, 0, C.ACTIVE_NET, D.INSTANTANEOUS, 0)
LOGICAL_DEVICE_NAME: Final = Obis(ABSTRACT, 0, 42, 0, 0)
#: Ids of the meter.
DEVICE_ID_1: Final = Obis(ABSTRACT, 0, C.SERVICE, 1, 0)
DEVICE_ID_2: Final = Obis(ABSTRACT, 0, C.SERVICE, 1, 1)
