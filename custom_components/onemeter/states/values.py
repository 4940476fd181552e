"""The states of sensors, calculated exactly from registers; None if there is no valid value."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Context, Decimal

from homeassistant.const import MAX_LENGTH_STATE_STATE
from homeassistant.util import dt as dt_util

from ..coordinator.clock_watch import HOUR, MOST_HOURS, without_full_hours
from ..coordinator.meter_data import MeterData
from ..meter import Key, Obis, Register, Value
from ..meter.obis import ELECTRICITY, POWER as SIGNED_POWER, POWER_ABSOLUTE, C, D
from ..registers.lookup import is_number, state_of, timestamp_of
from ..registers.powers import POWERS
from ..registers.quantities import ENERGY, POWER, REACTIVE_ENERGY, Quantity
from ..totals import Moment, Total
from .derived_power import DerivedPower

type State = Decimal | int | str | datetime | None

#: Enough digits for any register times any transformer ratio, so nothing is rounded.
_EXACT = Context(prec=60)
_TAN_PHI_STEP = Decimal("0.001")

#: The registers of power, in either channel.
_ANY_POWER = frozenset(
    Obis(ELECTRICITY, channel, group, D.INSTANTANEOUS, tariff)
    for channel in (0, 1)
    for group in (C.ACTIVE_IMPORT, C.ACTIVE_EXPORT, C.ACTIVE_ABSOLUTE, C.ACTIVE_NET)
    for tariff in (0, 255)
)
#: Imported energy, or otherwise energy without direction.
_CONSUMED = tuple(
    Obis(ELECTRICITY, channel, group, D.ENERGY, 0)
    for group in (C.ACTIVE_IMPORT, C.ACTIVE_ABSOLUTE)
    for channel in (0, 1)
)
_IMPORT, _EXPORT = 1, 2
#: Imported active energy, and what counts as its reactive energy, in either channel.
_ENERGIES = tuple(
    tuple(
        Obis(ELECTRICITY, channel, group, D.ENERGY, 0)
        for group in (C.ACTIVE_IMPORT, C.REACTIVE_Q1, C.REACTIVE_IMPORT)
    )
    for channel in (0, 1)
)

#: A clock that is off by full hours, within this tolerance, runs in another time zone.
_NEAR = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Conversion:
    """How registers are converted to states, as the options specify."""

    #: Energy and power in the grid per unit at the meter.
    multiplier: Decimal
    #: Power gets its sign from the meter's status word.
    signed: bool


def raw_state(key: Key, data: MeterData, _: Conversion | None = None) -> Decimal | int | str | None:
    """Return a register as the meter sends it, octets as hexadecimal digits."""
    match data.registers[key].value if key in data.registers else None:
        case bool() as value:
            state: Decimal | int | str | None = str(value).lower()
        case datetime() as value:
            state = value.isoformat()
        case bytes() as value:
            state = value.hex().upper()
        case value:
            state = value
    # A truncated value, such as half a key, would be wrong: too long ones are unknown.
    return state if 0 < len(str(state)) <= MAX_LENGTH_STATE_STATE else None


def translated_state(key: Key, name: str, data: MeterData, _: Conversion) -> str | None:
    """Return the translation key of a register's state; None for a value that has none."""
    return state_of(name, data.registers[key].value) if key in data.registers else None


def point_in_time(key: Key, data: MeterData, _: Conversion) -> datetime | None:
    """Return a register that is a point in time."""
    time = timestamp_of(data.registers[key]) if key in data.registers else None
    return time if time is not None and time.tzinfo is not None else None


def local_time(key: Key, data: MeterData, _: Conversion) -> str | None:
    """Return a register that is a point in time by the meter's clock, without time zone."""
    time = timestamp_of(data.registers[key]) if key in data.registers else None
    return None if time is None else time.isoformat()


def measurement(
    key: Key, quantity: Quantity, data: MeterData, conversion: Conversion
) -> Decimal | None:
    """Return a register in the unit of its quantity; None if the meter's unit is none of it."""
    if (register := data.registers.get(key)) is None:
        return None
    value: Value = register.value
    if conversion.signed and register.signed_value is not None and key != POWER_ABSOLUTE:
        value = register.signed_value
    return _convert(key, value, register.unit, quantity, conversion)


def time_of_measurement(register: Register | None) -> str | None:
    """Return when a register was measured, if the meter sends a plausible time."""
    if register is None or register.value is None or (time := register.time) is None:
        return None
    known = time if time.tzinfo else time.replace(tzinfo=dt_util.get_default_time_zone())
    return time.isoformat() if known - dt_util.utcnow() <= MOST_HOURS * HOUR else None


def signed_power(data: MeterData, conversion: Conversion) -> Decimal | None:
    """Return the signed power of a meter that sends the direction in a status word."""
    register = data.registers.get(POWER_ABSOLUTE)
    if not conversion.signed or register is None or SIGNED_POWER in data.registers:
        return None
    return _convert(POWER_ABSOLUTE, register.signed_value, register.unit, POWER, conversion)


def net_power(phase: int, data: MeterData, conversion: Conversion) -> Decimal | None:
    """Return import minus export, of all phases (0) or of one, in one and the same telegram.

    None for a meter that sends the signed power itself.
    """
    registers = data.registers
    if phase == 0 and signed_power(data, conversion) is not None:
        return None
    for imported, exported, net in POWERS[phase]:
        if imported not in registers or exported not in registers:
            continue
        if net in registers or imported in data.apart:
            return None
        plus = measurement(imported, POWER, data, conversion)
        minus = measurement(exported, POWER, data, conversion)
        if plus is None or minus is None or min(plus, minus) < 0:
            return None
        return _EXACT.subtract(plus, minus) or Decimal(0)
    return None


def tan_phi(data: MeterData, conversion: Conversion) -> Decimal | None:
    """Return the ratio of imported reactive energy to imported active energy.

    Grid operators bill it. Inductive reactive energy (quadrant I) if the meter sends it, otherwise
    all reactive energy.
    """
    for code, *reactive_codes in _ENERGIES:
        if data.registers.keys().isdisjoint(reactive_codes):
            continue
        if not (active := measurement(code, ENERGY, data, conversion)):
            continue
        for reactive_code in reactive_codes:
            reactive = measurement(reactive_code, REACTIVE_ENERGY, data, conversion)
            if reactive is not None:
                return _EXACT.quantize(_EXACT.divide(reactive, active), _TAN_PHI_STEP)
    return None


def clock_difference(data: MeterData, _: Conversion | None = None) -> int | None:
    """Return the seconds by which the meter's clock is ahead of Home Assistant's."""
    if (clock := data.clock) is None:
        return None
    if clock.tzinfo is not None:
        return round((clock - data.received).total_seconds())
    difference = clock.replace(tzinfo=dt_util.get_default_time_zone()) - data.received
    # Many meters have no daylight saving time, and some use UTC. A difference of full hours is
    # therefore a time zone, and no error of the clock.
    if abs(rest := without_full_hours(difference)) <= _NEAR:
        difference = rest
    return round(difference.total_seconds())


class PowerFromEnergy:
    """Power derived from the totals of a meter that sends no power."""

    def __init__(self, power: DerivedPower) -> None:
        """Take the calculation."""
        self._power = power
        #: When the totals were received that were added last.
        self._read_at: tuple[Moment | None, Moment | None] = None, None

    def __call__(self, data: MeterData, _: Conversion) -> int | None:
        """Return the power in W; None if the meter sends it, or if it cannot be derived."""
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
            # Withheld totals do not change although energy is consumed.
            return None
        read_at = data.read_at.get(code), data.read_at.get(export) if export else None
        if not any(map(_is_same, read_at, self._read_at, strict=True)):
            self._read_at = read_at
            self._power.add(data.moment, imported, exported)
        return self._power.power


def _is_same(read_at: Moment | None, before: Moment | None) -> bool:
    """Return whether a register was not read again."""
    return read_at is not None and read_at is before


def _convert(
    key: Key, value: Value, unit: str | None, quantity: Quantity, conversion: Conversion
) -> Decimal | None:
    """Return a value in the unit of its quantity, with the multiplier, exactly."""
    if not is_number(value) or unit not in quantity.exponents:
        return None
    result = _EXACT.scaleb(Decimal(value), quantity.exponents[unit])
    if quantity.transformed and isinstance(key, Obis) and key.a == ELECTRICITY:
        result = _EXACT.multiply(result, conversion.multiplier)
    # Adding 0 removes a positive exponent, so that the text has none. Zero gets no decimals.
    return _EXACT.add(result, 0) if result else Decimal(0)
