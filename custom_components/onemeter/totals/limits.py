"""The limits of registers: how fast totals can change, and how high power can be."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Final, NamedTuple

from homeassistant.components.sensor import SensorStateClass

from ..meter import Key, Register, Value
from ..meter.obis import ABSTRACT, ELECTRICITY
from ..registers.lookup import counted, device_type, is_number, shares_of_power
from ..registers.quantities import APPARENT_POWER, POWER, REACTIVE_POWER

#: Some meters refresh a register only every 5 minutes or once an hour, ...
_REFRESHED_WITHIN: Final = timedelta(minutes=75)
#: ... and the registers of a meter on the M-Bus once a day.
_REFRESHED_WITHIN_MBUS: Final = timedelta(hours=25)

#: Powers of ten that lead to W, var or VA.
_POWER_UNITS: Final = {**POWER.exponents, **REACTIVE_POWER.exponents, **APPARENT_POWER.exponents}
_shares_of_power = lru_cache(4096)(shares_of_power)

_MICROSECOND: Final = timedelta(microseconds=1)
_MICROSECONDS_PER_HOUR: Final = timedelta(hours=1) // _MICROSECOND


class Rule(NamedTuple):
    """How the total of a meter that works correctly changes."""

    #: The sensor's unit.
    unit: str | None
    #: The total may fall, as import minus export does.
    may_fall: bool
    #: The largest change in an hour, in the sensor's unit.
    most_per_hour: Decimal
    #: most_per_hour follows from *Maximum power*.
    by_max_power: bool
    #: The longest time for which the value stays unchanged although there is consumption.
    max_unchanged: timedelta
    #: The register is that of another meter, connected to this one by M-Bus.
    is_from_mbus: bool


def rule_of(key: Key, registers: Mapping[Key, Register], max_power: int) -> Rule | None:
    """Return the rule for a register whose sensor is a total; None for all others.

    max_power is the maximum power of the meter in W.
    """
    return _rule(key, registers[key].unit, device_type(key, registers), max_power)


@lru_cache(4096)
def _rule(key: Key, unit: str | None, device_type: str, max_power: int) -> Rule | None:
    quantity = counted(key, unit, device_type)
    if quantity is None:
        return None
    most_per_hour = quantity.most_per_hour
    is_own = isinstance(key, str) or key.a == ELECTRICITY or key[:2] == (ABSTRACT, 0)
    return Rule(
        quantity.unit,
        may_fall=quantity.state_class is SensorStateClass.TOTAL,
        most_per_hour=Decimal(max_power).scaleb(-3) if most_per_hour is None else most_per_hour,
        by_max_power=most_per_hour is None,
        max_unchanged=_REFRESHED_WITHIN if is_own else _REFRESHED_WITHIN_MBUS,
        is_from_mbus=not is_own,
    )


def fits(change: Decimal, most_per_hour: Decimal, time: timedelta, slack: Decimal) -> bool:
    """Return whether a total can change by this much in a time; slack is added to the limit."""
    most = most_per_hour * (time // _MICROSECOND) + slack * _MICROSECONDS_PER_HOUR
    return abs(change) * _MICROSECONDS_PER_HOUR <= most


def needed_per_hour(change: Decimal, time: timedelta) -> Decimal:
    """Return the change per hour that corresponds to a change in a time."""
    return abs(change) * _MICROSECONDS_PER_HOUR / max(time // _MICROSECOND, 1)


def limited(key: Key, register: Register, max_power: int) -> Register:
    """Return a register without power that exceeds the maximum power (W): it is damaged."""
    shares = _shares_of_power(key)
    if shares is None or (exponent := _POWER_UNITS.get(register.unit)) is None:
        return register
    most = Decimal(shares * max_power).scaleb(-exponent)
    if _exceeds(register.value, most) or _exceeds(register.signed_value, most):
        return replace(register, value=None, signed_value=None)
    return register


def _exceeds(value: Value, most: Decimal) -> bool:
    return is_number(value) and not -most <= value <= most
