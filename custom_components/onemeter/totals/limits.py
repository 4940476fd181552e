"""What can pass a meter: how fast its totals can change, and how much power it can show."""

from collections.abc import Mapping, MutableMapping
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Final, NamedTuple

from homeassistant.components.sensor import SensorStateClass

from ..meter import Key, Register
from ..meter.obis import ABSTRACT, ELECTRICITY
from ..registers.lookup import counted, device_type, is_number, shares_of_power
from ..registers.quantities import APPARENT_POWER, POWER, REACTIVE_POWER

#: Some meters refresh a register only every 5 minutes or once an hour, ...
_REFRESHED_WITHIN: Final = timedelta(minutes=75)
#: ... and what they pass on from a meter on the M-Bus once a day.
_PASSED_ON_WITHIN: Final = timedelta(hours=25)

#: Powers of ten that lead to W, var or VA.
_POWER_UNITS: Final = {**POWER.exponents, **REACTIVE_POWER.exponents, **APPARENT_POWER.exponents}
_shares_of_power = lru_cache(4096)(shares_of_power)

_MICROSECOND: Final = timedelta(microseconds=1)
_MICROSECONDS_PER_HOUR: Final = timedelta(hours=1) // _MICROSECOND


class Rule(NamedTuple):
    """How a total changes in a sound meter."""

    #: Of the sensor.
    unit: str | None
    #: Import minus export falls, too.
    may_fall: bool
    #: In an hour, in the unit of the sensor.
    most_per_hour: Decimal
    #: That follows from *Maximum power*.
    by_max_power: bool
    #: The longest time for which a value stands although there is consumption.
    stands: timedelta
    #: It comes from another meter, by way of this one.
    is_passed_on: bool


def rule_of(key: Key, registers: Mapping[Key, Register], max_power: int) -> Rule | None:
    """Return the rule for a register that is shown as a total; None for all others.

    Takes what can pass the meter (W).
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
        stands=_REFRESHED_WITHIN if is_own else _PASSED_ON_WITHIN,
        is_passed_on=not is_own,
    )


def fits(change: Decimal, most_per_hour: Decimal, time: timedelta, slack: Decimal) -> bool:
    """Tell whether a total can change by so much in a time, and some more."""
    most = most_per_hour * (time // _MICROSECOND) + slack * _MICROSECONDS_PER_HOUR
    return abs(change) * _MICROSECONDS_PER_HOUR <= most


def needed_per_hour(change: Decimal, time: timedelta) -> Decimal:
    """Return the least that must be possible in an hour for a change in a time."""
    return abs(change) * _MICROSECONDS_PER_HOUR / max(time // _MICROSECOND, 1)


def look_up(key: Key, registers: Mapping[Key, Register], max_power: int) -> None:
    """Look up what limits a register, which takes a while the first time."""
    rule_of(key, registers, max_power)
    _shares_of_power(key)


def limit_power(registers: MutableMapping[Key, Register], max_power: int) -> None:
    """Make power unknown that cannot pass the meter (W): what it shows is damaged."""
    for key, register in registers.items():
        shares = _shares_of_power(key)
        if shares is None or register.unit not in _POWER_UNITS:
            continue
        most = shares * max_power
        if any(
            is_number(value) and abs(Decimal(value).scaleb(_POWER_UNITS[register.unit])) > most
            for value in (register.value, register.signed_value)
        ):
            registers[key] = replace(register, value=None, signed_value=None)
