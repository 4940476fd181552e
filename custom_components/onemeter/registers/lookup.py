"""What a register means to Home Assistant: by its code in the table, its value and its unit."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from itertools import takewhile
from typing import TypeGuard

from homeassistant.components.sensor import SensorStateClass

from ..meter import Key, Obis, Register, Value
from ..meter.obis import ABSTRACT, CURRENT_VALUE, ELECTRICITY, D
from .codes import (
    CONDUCTORS,
    description_of,
    implied_unit,
    is_counter,
    is_digits,
    is_one_of_many,
    is_past,
    measured_description,
)
from .quantities import APPARENT_POWER, BY_UNIT, LOCAL_TIME, POWER, REACTIVE_POWER, TIME, Quantity
from .table import MBUS, STATES, UNKNOWN, RegisterDescription

#: Value groups C, D and E of the device type of a meter on the M-Bus.
_DEVICE_TYPE = (24, 1, 0)
_TOTALS = (SensorStateClass.TOTAL, SensorStateClass.TOTAL_INCREASING)


def is_number(value: Value) -> TypeGuard[Decimal | int]:
    """Return whether a register's value is a number."""
    return isinstance(value, Decimal | int) and not isinstance(value, bool)


def timestamp_of(register: Register) -> datetime | None:
    """Return the point in time that is the value of a register, or its time stamp."""
    return register.value if isinstance(register.value, datetime) else register.time


def counted(key: Key, unit: str | None, device_type: str) -> Quantity | None:
    """Return the quantity of a register that is shown as a total; None for all others.

    device_type is that of the meter on the M-Bus from which the register comes.
    """
    description, _ = description_of(key, device_type)
    quantity = None if is_past(key) else description.quantity
    while quantity is not None and unit not in quantity.exponents:
        quantity = quantity.otherwise
    return quantity if quantity is not None and quantity.state_class in _TOTALS else None


def shares_of_power(key: Key) -> int | None:
    """Return how many times *Maximum power* a register may be; None if it is no power.

    That is once for one conductor, and twice for all, since a meter's own limit is not known.
    """
    if not isinstance(key, Obis) or key.a != ELECTRICITY:
        return None
    if (measured := measured_description(key)) is None:
        return None
    description, scope = measured
    if description.quantity not in (POWER, REACTIVE_POWER, APPARENT_POWER):
        return None
    return 1 if scope.startswith(CONDUCTORS[1:]) else 2


def with_implied_unit(key: Key, register: Register) -> Register:
    """Return a register with the unit and type that its code implies.

    For protocols that write registers as text: the unit of a number may be missing, and the digits
    of a counter are a number.
    """
    if register.address is None or not isinstance(key, Obis):
        return register
    value = register.value
    if isinstance(value, str):
        is_count = is_counter(key) and is_digits(value)
        return replace(register, value=int(value)) if is_count else register
    if register.unit is None and is_number(value):
        return replace(register, unit=implied_unit(key))
    return register


def describe_register(
    key: Key, registers: Mapping[Key, Register]
) -> tuple[RegisterDescription, str]:
    """Return the description of a register, and the scope that follows its name.

    If the code is not in the table, or the unit does not fit its quantity, the value and unit
    determine the description. The scope contains the code only if the name needs it.
    """
    register = registers[key]
    code = f"{key.a}-{key.b}:{key.short}" if isinstance(key, Obis) else key
    known, scope = description_of(key, device_type(key, registers))
    description = _fit(known, register)
    if description is None:
        quantity = _guess(key, register)
        diagnostic = quantity is None or quantity is TIME
        return UNKNOWN._replace(quantity=quantity, diagnostic=diagnostic), code
    is_past_value = known.quantity is not None and is_past(key)
    if is_past_value:
        past = description.quantity and replace(description.quantity, state_class=None)
        description = description._replace(quantity=past, enabled=False, grid_quality=False)
    if is_past_value or is_one_of_many(key) or _has_twin(key, registers):
        return description, f"{scope} ({code})"
    return description, scope


def may_be(description: RegisterDescription, key: Key) -> bool:
    """Return whether a register may have a description; its value decides."""
    return description_of(key, "")[0].key == description.key


def state_of(name: str, value: Value) -> str | None:
    """Return the translation key of a state of STATES; None for a value that has none."""
    match value:
        case str() if is_digits(value):
            return STATES[name].get(int(value))
        case int():
            return STATES[name].get(int(value))
    return None


def is_unlinked(key: Key, registers: Mapping[Key, Register]) -> bool:
    """Return whether a register is the total of a meter on the M-Bus, of which the kind is unknown.

    The unit, or the device type in another register, will determine it.
    """
    if not isinstance(key, Obis) or key.a != ABSTRACT or registers[key].unit is not None:
        return False
    is_total = MBUS.get((key.c, key.d, key.e), UNKNOWN) is None
    return is_total and describe_register(key, registers)[0].key == UNKNOWN.key


def is_measurement(key: Key, registers: Mapping[Key, Register]) -> bool:
    """Return whether a register is a momentary value, such as power."""
    register, device = registers[key], device_type(key, registers)
    if is_number(register.value):
        return _is_measured_number(key, register.unit, device)
    return _is_measurement(key, register, device)


@lru_cache(4096)
def _is_measured_number(key: Key, unit: str | None, device_type: str) -> bool:
    return _is_measurement(key, Register(None, 0, unit), device_type)


def _is_measurement(key: Key, register: Register, device_type: str) -> bool:
    known, _ = description_of(key, device_type)
    description = _fit(known, register)
    if description is not None and known.quantity is not None and is_past(key):
        return False
    quantity = _guess(key, register) if description is None else description.quantity
    return quantity is not None and quantity.state_class is SensorStateClass.MEASUREMENT


def device_type(key: Key, registers: Mapping[Key, Register]) -> str:
    """Return the device type of the meter on the M-Bus from which a register comes, or ""."""
    if isinstance(key, str) or key.a != ABSTRACT:
        return ""
    register = registers.get(Obis(ABSTRACT, key.b, *_DEVICE_TYPE))
    return "" if register is None else str(register.value)


def _has_twin(key: Key, registers: Mapping[Key, Register]) -> bool:
    """Return whether another register has the same name and needs no code in it.

    That is the same register of a lower channel, another one of the same meter on the M-Bus, or the
    one of the current billing period.
    """
    if isinstance(key, str):
        return "*" in key
    if is_past(key) and key._replace(f=CURRENT_VALUE) in registers:
        return True
    if (groups := (key.c, key.d, key.e)) in MBUS:
        return any(
            (key.a, key.b, *others, key.f) in registers
            for others in takewhile(groups.__ne__, MBUS)
            if MBUS[others] == MBUS[groups]
        )
    return any((key.a, channel, *key[2:]) in registers for channel in range(key.b))


def _fit(description: RegisterDescription, register: Register) -> RegisterDescription | None:
    """Return a description with the quantity of a register's value; None if it does not fit."""
    if description is UNKNOWN:
        return None
    quantity: Quantity | None = description.quantity
    while quantity is not None:
        if _is(register, quantity, diagnostic=description.diagnostic):
            return description._replace(quantity=quantity)
        quantity = quantity.otherwise
    return description._replace(quantity=_by_unit(register)) if description.diagnostic else None


def _is(register: Register, quantity: Quantity, *, diagnostic: bool) -> bool:
    """Return whether a register's value, if it has one, is of a quantity."""
    value = register.value
    if value is None:
        return True
    if quantity is TIME or quantity is LOCAL_TIME:
        time = timestamp_of(register)
        return time is not None and (time.tzinfo is not None) is (quantity is TIME)
    # A measurement may temporarily be no number; a diagnostic text is always a text.
    return register.unit in quantity.exponents if is_number(value) else not diagnostic


def _by_unit(register: Register) -> Quantity | None:
    """Return the quantity of a register's unit, without state class."""
    if register.unit is None or not is_number(register.value):
        return None
    unit = register.unit
    quantity = BY_UNIT.get(unit) or Quantity(unit, {unit: 0})
    return replace(quantity, state_class=None, precision=None)


def _guess(key: Key, register: Register) -> Quantity | None:
    """Return the quantity of a register that is not in the table, from its value and unit."""
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
