"""From registers to states: exact, and None where the meter tells nothing that can be trusted."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Context, Decimal

from homeassistant.const import MAX_LENGTH_STATE_STATE
from homeassistant.util import dt as dt_util

from ..coordinator.base import MeterData
from ..meter import Key, Obis, Register, Value
from ..meter.obis import ELECTRICITY, POWER as SIGNED_POWER, POWER_ABSOLUTE, C, D
from ..registers.lookup import is_number, moment
from ..registers.quantities import ENERGY, POWER, REACTIVE_ENERGY, Quantity
from ..totals import Total
from .derived_power import DerivedPower

type State = Decimal | int | str | datetime | None

#: No register times a transformer ratio has more digits, so that nothing is ever rounded.
_EXACT = Context(prec=60)
_TAN_PHI_STEP = Decimal("0.001")

#: The registers in which a meter tells power itself, in either channel.
_ANY_POWER = frozenset(
    Obis(ELECTRICITY, channel, group, D.INSTANTANEOUS, tariff)
    for channel in (0, 1)
    for group in (C.ACTIVE_IMPORT, C.ACTIVE_EXPORT, C.ACTIVE_ABSOLUTE, C.ACTIVE_NET)
    for tariff in (0, 255)
)
#: Energy imported, or else that of which the meter does not tell the direction.
_CONSUMED = tuple(
    Obis(ELECTRICITY, channel, group, D.ENERGY, 0)
    for group in (C.ACTIVE_IMPORT, C.ACTIVE_ABSOLUTE)
    for channel in (0, 1)
)
_IMPORT, _EXPORT = 1, 2

_HOUR = timedelta(hours=1)
#: How near to full hours a clock must be wrong to count in another time than Home Assistant.
_NEAR = timedelta(minutes=5)
#: The most that the time of a meter, such as UTC, may be away from that of Home Assistant.
_MOST_HOURS = 14


@dataclass(frozen=True, slots=True)
class Reckoning:
    """How the user wants registers to be read."""

    #: Energy and power in the grid for one unit of it at the meter.
    multiplier: Decimal
    #: Whether power takes its sign from the meter's status word.
    signed: bool


def raw_state(key: Key, data: MeterData, _: Reckoning | None = None) -> Decimal | int | str | None:
    """Return a register as the meter words it, octets as hexadecimal digits."""
    match data.registers[key].value if key in data.registers else None:
        case bool() as value:
            state: Decimal | int | str | None = str(value).lower()
        case datetime() as value:
            state = value.isoformat()
        case bytes() as value:
            state = value.hex().upper()
        case value:
            state = value
    # Half a key would be a wrong key: what Home Assistant cannot hold stays unknown.
    return state if 0 < len(str(state)) <= MAX_LENGTH_STATE_STATE else None


def point_in_time(key: Key, data: MeterData, _: Reckoning) -> datetime | None:
    """Return a register that is a point in time."""
    time = moment(data.registers[key]) if key in data.registers else None
    return time if time is not None and time.tzinfo is not None else None


def local_time(key: Key, data: MeterData, _: Reckoning) -> str | None:
    """Return a register that is a point in time as the meter's clock counts."""
    time = moment(data.registers[key]) if key in data.registers else None
    return None if time is None else time.isoformat()


def measurement(
    key: Key, quantity: Quantity, data: MeterData, reckoning: Reckoning
) -> Decimal | None:
    """Return a register in the unit of its quantity; None where the meter's unit is no such."""
    if (register := data.registers.get(key)) is None:
        return None
    value: Value = register.value
    if reckoning.signed and register.signed_value is not None and key != POWER_ABSOLUTE:
        value = register.signed_value
    return _convert(key, value, register.unit, quantity, reckoning)


def time_of_measurement(register: Register | None) -> str | None:
    """Return when the value of a register was measured, where the meter sends a possible time."""
    if register is None or register.value is None or (time := register.time) is None:
        return None
    known = time if time.tzinfo else time.replace(tzinfo=dt_util.get_default_time_zone())
    return time.isoformat() if known - dt_util.utcnow() <= _MOST_HOURS * _HOUR else None


def signed_power(data: MeterData, reckoning: Reckoning) -> Decimal | None:
    """Return the power of a meter that sends its amount alone and tells the direction apart."""
    register = data.registers.get(POWER_ABSOLUTE)
    if not reckoning.signed or register is None or SIGNED_POWER in data.registers:
        return None
    return _convert(POWER_ABSOLUTE, register.signed_value, register.unit, POWER, reckoning)


def tan_phi(data: MeterData, reckoning: Reckoning) -> Decimal | None:
    """Return reactive energy imported per active energy imported, as grid operators bill it.

    Inductive reactive energy (quadrant I) where the meter keeps it apart, otherwise all of it.
    """
    for channel in (0, 1):
        code = Obis(ELECTRICITY, channel, C.ACTIVE_IMPORT, D.ENERGY, 0)
        active = measurement(code, ENERGY, data, reckoning)
        for group in (C.REACTIVE_Q1, C.REACTIVE_IMPORT):
            code = code._replace(c=group)
            reactive = measurement(code, REACTIVE_ENERGY, data, reckoning)
            if active and reactive is not None:
                return _EXACT.quantize(_EXACT.divide(reactive, active), _TAN_PHI_STEP)
    return None


def clock_difference(data: MeterData, _: Reckoning | None = None) -> int | None:
    """Return by how many seconds the meter's clock is ahead of Home Assistant's."""
    if (clock := data.clock) is None:
        return None
    if clock.tzinfo is not None:
        return round((clock - data.received).total_seconds())
    difference = clock.replace(tzinfo=dt_util.get_default_time_zone()) - data.received
    # Many meters stay in winter time, and some count in UTC, which is no fault of their clocks: one
    # that is off by full hours, give or take what clocks are wrong by, counts in another time.
    hours = round(difference / _HOUR)
    if abs(hours) <= _MOST_HOURS and abs(difference - hours * _HOUR) <= _NEAR:
        difference -= hours * _HOUR
    return round(difference.total_seconds())


class PowerFromEnergy:
    """Follows the totals of a meter that tells no power."""

    def __init__(self, power: DerivedPower) -> None:
        """Take what reckons."""
        self._power = power
        self._seen: tuple[Register | None, Register | None] = None, None

    def __call__(self, data: MeterData, _: Reckoning) -> int | None:
        """Return the power in W; None where the meter tells it itself, or the totals do not."""
        registers = data.registers
        code = next((code for code in _CONSUMED if code in registers), None)
        if code is None or not _ANY_POWER.isdisjoint(registers):
            return None
        export = code._replace(c=_EXPORT) if code.c == _IMPORT else None
        totals = registers[code], registers.get(export) if export else None
        imported, exported = map(Total.of, totals)
        if imported is None or (totals[1] is not None and exported is None):
            return None
        if code in data.withheld or export in data.withheld:
            # They stand still, although energy is consumed.
            return None
        if not any(map(_is_same, totals, self._seen, strict=True)):
            self._seen = totals
            self._power.add(data.moment, imported, exported)
        return self._power.power


def _is_same(register: Register | None, before: Register | None) -> bool:
    """Tell whether a register was not read anew, but is that of an earlier reading."""
    return register is not None and register is before


def _convert(
    key: Key, value: Value, unit: str | None, quantity: Quantity, reckoning: Reckoning
) -> Decimal | None:
    """Return a value in the unit of its quantity and as it is in the grid, exactly."""
    if not is_number(value) or unit not in quantity.exponents:
        return None
    result = _EXACT.scaleb(Decimal(value), quantity.exponents[unit])
    if quantity.transformed and isinstance(key, Obis) and key.a == ELECTRICITY:
        result = _EXACT.multiply(result, reckoning.multiplier)
    # Without an exponent in its text: adding 0 writes out zeros in front of the point, and zero
    # needs none behind it.
    return _EXACT.add(result, 0) if result else Decimal(0)
