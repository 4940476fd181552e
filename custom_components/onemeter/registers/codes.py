"""The description of a code or address in the table, without regard to the register's value."""

from dataclasses import replace
from functools import lru_cache

from ..meter import Key, Obis
from ..meter.obis import ABSTRACT, CURRENT_VALUE, ELECTRICITY, PHASE_STEP, C, D
from .quantities import COUNT
from .table import (
    CALCULATED,
    DESCRIPTIVE,
    GERMAN,
    HEAT_METER,
    IMPULSES,
    MANY,
    MBUS,
    MBUS_MEDIA,
    MBUS_TOTAL,
    MEASURED,
    MEASURED_BY_PHASE,
    OTHER_MEDIA,
    SPECIAL,
    UNKNOWN,
    RegisterDescription,
)

_TARIFFS = range(1, 64)
#: The scopes of conductors: all phases, each phase, and neutral.
CONDUCTORS = ("", " L1", " L2", " L3", " N")
_NEUTRAL = 4
#: Groups C of the neutral conductor: its current and voltage.
_OF_NEUTRAL = (C.NEUTRAL_CURRENT, C.NEUTRAL_VOLTAGE)
#: For the groups D that every group C has: the group D in MEASURED with the same quantity.
_SAME_QUANTITY = {
    **dict.fromkeys((D.CUMULATED_DEMAND, D.DEMAND, D.LAST_DEMAND), D.INSTANTANEOUS),
    **dict.fromkeys((D.MAXIMUM_DEMAND, D.INSTANTANEOUS), D.INSTANTANEOUS),
    **dict.fromkeys((D.ENERGY, D.PERIOD_ENERGY, D.KAMSTRUP_ENERGY), D.ENERGY),
}
#: Group D in the oldest P1 telegrams, which send the unit of an M-Bus meter as a separate value.
_SEPARATE_UNIT = 3


@lru_cache(4096)
def description_of(key: Key, device_type: str) -> tuple[RegisterDescription, str]:
    """Return the description of a code or address, and the scope that follows its name.

    device_type is that of the meter on the M-Bus from which the register comes.
    """
    if isinstance(key, str):
        own = IMPULSES.get(key) or CALCULATED.get(key)
        return own or HEAT_METER.get(key.partition("*")[0], UNKNOWN), ""
    a, b, c, d, e, _ = key
    if a == ELECTRICITY and (measured := measured_description(key)):
        return measured
    if a == ELECTRICITY or (a, b) == (ABSTRACT, 0):
        if descriptive := DESCRIPTIVE.get((c, d, e)):
            return descriptive
        description = MANY.get((c, d))
    elif a == ABSTRACT and (c, d, e) in MBUS:
        return MBUS[c, d, e] or _mbus_total(key, device_type), ""
    else:
        description = OTHER_MEDIA.get((a, c)) if (d, e) == (0, 0) else None
    return description or GERMAN.get(key, UNKNOWN), ""


@lru_cache(4096)
def measured_description(obis: Obis) -> tuple[RegisterDescription, str] | None:
    """Return the description of a measurement, and its conductor and tariff as scope."""
    if special := SPECIAL.get((obis.c, obis.d, obis.e)):
        return special
    group, phase = _group_and_phase(obis.c)
    found = MEASURED.get((group, obis.d))
    if phase is None or found is None or not _is_usual(obis):
        return None
    if phase:
        found = MEASURED_BY_PHASE.get((group, obis.d), found)
    tariff = f" T{obis.e}" if obis.e in _TARIFFS else ""
    return found, f"{CONDUCTORS[phase]}{tariff}"


def implied_unit(obis: Obis) -> str | None:
    """Return the unit of a number that a meter sends without one."""
    group, phase = _group_and_phase(obis.c)
    d = _SAME_QUANTITY.get(obis.d)
    if obis.a != ELECTRICITY or phase is None or d is None or not _is_usual(obis):
        return None
    description = MEASURED.get((group, d))
    return description.quantity.implied if description and description.quantity else None


def is_counter(key: Key) -> bool:
    """Return whether a register counts events."""
    return description_of(key, "")[0].quantity is COUNT


def is_past(key: Key) -> bool:
    """Return whether a register is that of a past billing period."""
    return key.f != CURRENT_VALUE if isinstance(key, Obis) else "*" in key


def is_grid_quality(key: Key) -> bool:
    """Return whether a sensor belongs to the option *Grid quality sensors*."""
    return description_of(key, "")[0].grid_quality and not is_past(key)


def is_one_of_many(key: Key) -> bool:
    """Return whether other registers have the same name."""
    return (
        isinstance(key, Obis)
        and (key.a == ELECTRICITY or (key.a, key.b) == (ABSTRACT, 0))
        and (key.c, key.d) in MANY
        and (key.c, key.d, key.e) not in DESCRIPTIVE
    )


def is_digits(text: str) -> bool:
    """Return whether a text consists of ASCII digits."""
    return text.isascii() and text.isdigit()


def _group_and_phase(c: int) -> tuple[int, int | None]:
    """Return the group C of all phases, and the index of the conductor; None if there is none."""
    phase, offset = divmod(c - 1, PHASE_STEP)
    return offset + 1, phase if phase < _NEUTRAL or c in _OF_NEUTRAL else None


def _is_usual(obis: Obis) -> bool:
    """Return whether group E is a tariff or the total; momentary values have no tariff."""
    if obis.d == D.INSTANTANEOUS:
        return obis.e in (0, 255)
    return obis.e == 0 or obis.e in _TARIFFS


def _mbus_total(obis: Obis, device_type: str) -> RegisterDescription:
    """Return the description of the total of a meter on the M-Bus."""
    quantity = MBUS_MEDIA.get(int(device_type)) if is_digits(device_type) else None
    if quantity is None:
        return UNKNOWN
    if obis.d == _SEPARATE_UNIT and "m³" in quantity.exponents:
        quantity = replace(quantity, exponents={**quantity.exponents, None: 0})
    return RegisterDescription(MBUS_TOTAL, quantity)
