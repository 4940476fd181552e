"""What a register means to Home Assistant, by the table, its value and its unit."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import TypeGuard

from homeassistant.components.sensor import SensorStateClass

from ..meter import Key, Obis, Register, Value
from ..meter.obis import ABSTRACT, CURRENT_VALUE, ELECTRICITY, PHASE_STEP, C, D
from .quantities import (
    APPARENT_POWER,
    BY_UNIT,
    COUNT,
    LOCAL_TIME,
    POWER,
    REACTIVE_POWER,
    TIME,
    Quantity,
)
from .table import (
    DESCRIPTIVE,
    GERMAN,
    HEAT_METER,
    IMPULSES,
    MANY,
    MBUS,
    MBUS_MEDIA,
    MEASURED,
    OTHER_MEDIA,
    SPECIAL,
    UNKNOWN,
    Line,
)

_TARIFFS = range(1, 64)
_CONDUCTORS = ("", " L1", " L2", " L3", " N")
_NEUTRAL = 4
#: Groups C of the neutral conductor: its current and voltage.
_OF_NEUTRAL = (C.NEUTRAL_CURRENT, C.NEUTRAL_VOLTAGE)
#: Group D that has the same quantity, for the groups D of which each group C has one.
_LIKE = {
    **dict.fromkeys((D.CUMULATED_DEMAND, D.DEMAND, D.LAST_DEMAND), D.INSTANTANEOUS),
    **dict.fromkeys((D.MAXIMUM_DEMAND, D.INSTANTANEOUS), D.INSTANTANEOUS),
    **dict.fromkeys((D.ENERGY, D.PERIOD_ENERGY, D.KAMSTRUP_ENERGY), D.ENERGY),
}

_DEVICE_TYPE = (24, 1, 0)
_TOTALS = (SensorStateClass.TOTAL, SensorStateClass.TOTAL_INCREASING)
#: Group D of the oldest P1 telegrams, which have the unit of an M-Bus meter in a value of its own.
_UNIT_APART = 3


def is_number(value: Value) -> TypeGuard[Decimal | int]:
    """Tell whether a register's value can be reckoned with."""
    return isinstance(value, Decimal | int) and not isinstance(value, bool)


def moment(register: Register) -> datetime | None:
    """Return the point in time that a register tells, in its value or beside it."""
    return register.value if isinstance(register.value, datetime) else register.time


def counted(key: Key, unit: str | None, device_type: str) -> Quantity | None:
    """Return the quantity of a register that is shown as a total; None for all others.

    The type is that of the device on the M-Bus that a register comes from.
    """
    line, _ = _look_up(key, device_type)
    quantity = None if _is_past(key) else line.quantity
    while quantity is not None and unit not in quantity.exponents:
        quantity = quantity.otherwise
    return quantity if quantity is not None and quantity.state_class in _TOTALS else None


def shares_of_power(key: Key) -> int | None:
    """Return how many times *Maximum power* a register may hold; None where it is no power.

    That is once for one conductor, which no meter tells by its own limit, and twice for all.
    """
    if not isinstance(key, Obis) or key.a != ELECTRICITY:
        return None
    if (measured := _look_up_measured(key)) is None:
        return None
    line, scope = measured
    if line.quantity not in (POWER, REACTIVE_POWER, APPARENT_POWER):
        return None
    return 1 if scope.startswith(_CONDUCTORS[1:]) else 2


def with_implied_unit(key: Key, register: Register) -> Register:
    """Return a register with what its code tells of it and the meter does not write.

    That is the unit of a number, in protocols that write registers as text, and that the digits
    of a counter are a number.
    """
    if register.address is None or not isinstance(key, Obis):
        return register
    value = register.value
    if isinstance(value, str):
        counts = _look_up(key, "")[0].quantity is COUNT
        return replace(register, value=int(value)) if counts and _is_digits(value) else register
    if register.unit is None and is_number(value):
        return replace(register, unit=_implied_unit(key))
    return register


def describe_register(key: Key, registers: Mapping[Key, Register]) -> tuple[Line, str]:
    """Return what a register means to Home Assistant, and the scope that follows its name.

    A name that the table does not know, or whose unit is none of the line's quantity, is taken for
    what its value and unit tell. The whole code is in the scope only where the name needs it.
    """
    register = registers[key]
    code = f"{key.a}-{key.b}:{key.short}" if isinstance(key, Obis) else key
    known, scope = _look_up(key, device_type(key, registers))
    line = _fit(known, register)
    if line is None:
        quantity = _guess(key, register)
        untold = quantity is None or quantity is TIME
        return UNKNOWN._replace(quantity=quantity, diagnostic=untold), code
    is_past = known.quantity is not None and _is_past(key)
    if is_past:
        past = line.quantity and replace(line.quantity, state_class=None)
        line = line._replace(quantity=past, enabled=False)
    if is_past or _is_one_of_many(key) or _has_twin(key, registers):
        return line, f"{scope} ({code})"
    return line, scope


def may_be(line: Line, key: Key) -> bool:
    """Tell whether a code or address is one of a line, which then depends on the value, too."""
    return _look_up(key, "")[0].key == line.key


def is_unlinked(key: Key, registers: Mapping[Key, Register]) -> bool:
    """Tell whether a register is to show what a meter on the M-Bus counts, and there is none yet.

    Only the unit, or the type of the device, says what it will be.
    """
    if not isinstance(key, Obis) or key.a != ABSTRACT or registers[key].unit is not None:
        return False
    is_total = MBUS.get((key.c, key.d, key.e), UNKNOWN) is None
    return is_total and describe_register(key, registers)[0].key == UNKNOWN.key


def is_measurement(key: Key, registers: Mapping[Key, Register]) -> bool:
    """Tell whether a register shows how something is at the moment, as power does."""
    register, device = registers[key], device_type(key, registers)
    if is_number(register.value):
        return _is_measured_number(key, register.unit, device)
    return _is_measurement(key, register, device)


@lru_cache(4096)
def _is_measured_number(key: Key, unit: str | None, device_type: str) -> bool:
    return _is_measurement(key, Register(None, 0, unit), device_type)


def _is_measurement(key: Key, register: Register, device_type: str) -> bool:
    known, _ = _look_up(key, device_type)
    line = _fit(known, register)
    if line is not None and known.quantity is not None and _is_past(key):
        return False
    quantity = _guess(key, register) if line is None else line.quantity
    return quantity is not None and quantity.state_class is SensorStateClass.MEASUREMENT


def device_type(key: Key, registers: Mapping[Key, Register]) -> str:
    """Return the type of the device on the M-Bus that a register comes from, as it is told."""
    if isinstance(key, str) or key.a != ABSTRACT:
        return ""
    told = registers.get(Obis(ABSTRACT, key.b, *_DEVICE_TYPE))
    return "" if told is None else str(told.value)


@lru_cache(4096)
def _look_up(key: Key, device_type: str) -> tuple[Line, str]:
    """Return the line of a code or address, and what tells it from others of that line."""
    if isinstance(key, str):
        return IMPULSES.get(key) or HEAT_METER.get(key.partition("*")[0], UNKNOWN), ""
    a, b, c, d, e, _ = key
    if a == ELECTRICITY and (measured := _look_up_measured(key)):
        return measured
    if a == ELECTRICITY or (a, b) == (ABSTRACT, 0):
        if descriptive := DESCRIPTIVE.get((c, d, e)):
            return descriptive
        line = MANY.get((c, d))
    elif a == ABSTRACT and (c, d, e) in MBUS:
        return MBUS[c, d, e] or _mbus_total(key, device_type), f" (M-Bus {b})"
    else:
        line = OTHER_MEDIA.get((a, c)) if (d, e) == (0, 0) else None
    return line or GERMAN.get(key, UNKNOWN), ""


@lru_cache(4096)
def _look_up_measured(obis: Obis) -> tuple[Line, str] | None:
    """Return the line of what is measured, and the conductor and tariff as a name shows them."""
    if special := SPECIAL.get((obis.c, obis.d, obis.e)):
        return special
    group, phase = _group_and_phase(obis.c)
    if phase is None or (line := MEASURED.get((group, obis.d))) is None or not _is_usual(obis):
        return None
    tariff = f" T{obis.e}" if obis.e in _TARIFFS else ""
    return line, f"{_CONDUCTORS[phase]}{tariff}"


def _group_and_phase(c: int) -> tuple[int, int | None]:
    """Return the group C of all phases, and the index of the conductor; None where C has none."""
    phase, offset = divmod(c - 1, PHASE_STEP)
    return offset + 1, phase if phase < _NEUTRAL or c in _OF_NEUTRAL else None


def _is_usual(obis: Obis) -> bool:
    """Tell whether group E is a tariff, or none for momentary values."""
    if obis.d == D.INSTANTANEOUS:
        return obis.e in (0, 255)
    return obis.e == 0 or obis.e in _TARIFFS


def _mbus_total(obis: Obis, device_type: str) -> Line:
    """Return what a meter on the M-Bus counts, by its type of device."""
    line = MBUS_MEDIA.get(int(device_type), UNKNOWN) if _is_digits(device_type) else UNKNOWN
    if (quantity := line.quantity) and obis.d == _UNIT_APART and "m³" in quantity.exponents:
        bare = replace(quantity, exponents={**quantity.exponents, None: 0})
        return line._replace(quantity=bare)
    return line


def _implied_unit(obis: Obis) -> str | None:
    """Return the unit of a number that a meter writes without one."""
    group, phase = _group_and_phase(obis.c)
    like = _LIKE.get(obis.d)
    if obis.a != ELECTRICITY or phase is None or like is None or not _is_usual(obis):
        return None
    line = MEASURED.get((group, like))
    return line.quantity.implied if line and line.quantity else None


def _is_past(key: Key) -> bool:
    """Tell whether a register is that of a past billing period."""
    return key.f != CURRENT_VALUE if isinstance(key, Obis) else "*" in key


def _is_one_of_many(key: Key) -> bool:
    """Tell whether the name of a register is that of others too."""
    return (
        isinstance(key, Obis)
        and (key.a == ELECTRICITY or (key.a, key.b) == (ABSTRACT, 0))
        and (key.c, key.d) in MANY
        and (key.c, key.d, key.e) not in DESCRIPTIVE
    )


def _has_twin(key: Key, registers: Mapping[Key, Register]) -> bool:
    """Tell whether a register has the name of another one that needs no more than that.

    That is the same register of a lower channel, or of the current billing period.
    """
    if isinstance(key, str):
        return "*" in key
    if _is_past(key) and key._replace(f=CURRENT_VALUE) in registers:
        return True
    return (key.c, key.d, key.e) not in MBUS and any(
        (key.a, channel, *key[2:]) in registers for channel in range(key.b)
    )


def _fit(line: Line, register: Register) -> Line | None:
    """Return a line with the quantity that a register's value is; None where it is no such."""
    if line is UNKNOWN:
        return None
    quantity: Quantity | None = line.quantity
    while quantity is not None:
        if _is(register, quantity, diagnostic=line.diagnostic):
            return line._replace(quantity=quantity)
        quantity = quantity.otherwise
    return line._replace(quantity=_by_unit(register)) if line.diagnostic else None


def _is(register: Register, quantity: Quantity, *, diagnostic: bool) -> bool:
    """Tell whether a register's value is, as far as it is there, one of this quantity."""
    value = register.value
    if value is None:
        return True
    if quantity is TIME or quantity is LOCAL_TIME:
        time = moment(register)
        return time is not None and (time.tzinfo is not None) is (quantity is TIME)
    # A measurement may be no number for a while; what a meter tells of itself is a text for good.
    return register.unit in quantity.exponents if is_number(value) else not diagnostic


def _by_unit(register: Register) -> Quantity | None:
    """Return what the value and unit of a register tell for sure."""
    if register.unit is None or not is_number(register.value):
        return None
    unit = register.unit
    quantity = BY_UNIT.get(unit) or Quantity(unit, {unit: 0})
    return replace(quantity, state_class=None, precision=None)


def _guess(key: Key, register: Register) -> Quantity | None:
    """Return what the value and unit of a register that is not in the table tell for sure."""
    if isinstance(register.value, datetime) and register.value.tzinfo is not None:
        return TIME
    quantity = _by_unit(register)
    if quantity is None or not isinstance(key, Obis):
        return quantity
    if (key.a, key.d, key.f) != (ELECTRICITY, D.INSTANTANEOUS, CURRENT_VALUE):
        return quantity
    usual = BY_UNIT.get(register.unit)
    state_class = usual.state_class if usual else SensorStateClass.MEASUREMENT
    if state_class is SensorStateClass.TOTAL_INCREASING:
        return quantity
    return replace(quantity, state_class=state_class)


def _is_digits(text: str) -> bool:
    return text.isascii() and text.isdigit()
