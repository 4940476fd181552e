"""The states of sensors of what is billed: balanced energy and peak power."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Final, NamedTuple

from homeassistant.util import dt as dt_util

from ..billing.billing import BalanceValues, PeakValues
from ..billing.peaks import MonthPeak
from ..billing.sources import BALANCED_EXPORT, BALANCED_IMPORT
from ..coordinator.meter_data import MeterData
from ..meter import Key, Obis
from ..meter.obis import CURRENT_VALUE, ELECTRICITY, PAST_PERIODS, POWER as SIGNED_POWER, C, D
from ..registers.codes import measured_description
from ..registers.quantities import ENERGY, POWER
from ..registers.table import MEASURED, RegisterDescription
from ..totals.total import EXACT
from .values import Conversion, measurement, signed_power

type Attributes = Mapping[str, str | int | list[str]]
type Value = Callable[[MeterData, Conversion], Decimal | None]
type PowerFn = Callable[[MeterData, Conversion], Decimal | int | None]

_WATT: Final = Decimal(1)
_TENTH: Final = Decimal("0.1")
#: Falls back to zero when a period ends, which is no new meter.
_PERIOD_ENERGY: Final = replace(ENERGY, state_class=None)
_DEMAND, _MAXIMUM_DEMAND = (
    MEASURED[C.ACTIVE_IMPORT, group].key for group in (D.DEMAND, D.MAXIMUM_DEMAND)
)
_PEAK_LAST_MONTH: Final = "peak_last_month"
#: The maximum demand of the last billing period, from a list of those of past months.
_PAST_MAXIMUM: Final = Obis(ELECTRICITY, 0, C.ACTIVE_IMPORT, D.MAXIMUM_DEMAND, 0, PAST_PERIODS[0])
_POWER_IMPORT: Final = tuple(
    Obis(ELECTRICITY, channel, C.ACTIVE_IMPORT, D.INSTANTANEOUS, 0) for channel in (0, 1)
)


class BillingSensor(NamedTuple):
    """A sensor of what is billed."""

    key: str
    description: RegisterDescription
    scope: str
    value: Value
    attributes: Callable[[MeterData], Attributes]


def billing_sensors(data: MeterData, derived_power: PowerFn) -> Iterator[BillingSensor]:
    """Yield the sensors that the options want of a meter.

    Where a meter reports the mean power or its maximum, there is no sensor of ours, and the peak of
    last month is the meter's. derived_power returns the power (W) of a meter that does not send it.
    """
    is_last_reported = _PAST_MAXIMUM in data.registers
    if is_last_reported:
        yield _reported_last_month()
    if (billing := data.billing) is None:
        return
    for scope in billing.balances:
        yield _of_balance(BALANCED_IMPORT, scope, lambda it: it.imported)
        yield _of_balance(BALANCED_EXPORT, scope, lambda it: it.exported)
        sensor = _of_balance("period_balance", scope, lambda it: it.net)
        description = RegisterDescription("period_balance", _PERIOD_ENERGY)
        yield sensor._replace(description=description, attributes=_no_attributes)
    if billing.peak is None:
        return
    reported = _reported(data.registers)
    if _DEMAND not in reported:
        yield _of_peak("period_power", lambda it: it.mean)
    expected = partial(_expected, derived_power)
    yield BillingSensor(
        "expected_power", RegisterDescription("expected_power", POWER), "", expected, _no_attributes
    )
    if _MAXIMUM_DEMAND not in reported:
        yield _of_month("peak_this_month", lambda it: it.this_month)
    if not is_last_reported:
        yield _of_month(_PEAK_LAST_MONTH, lambda it: it.last_month)


def _no_attributes(_: MeterData) -> Attributes:
    return {}


def _of_balance(name: str, scope: str, of: Callable[[BalanceValues], Decimal]) -> BillingSensor:
    def value(data: MeterData, _: Conversion) -> Decimal | None:
        balance = _balance(data, scope)
        return None if balance is None else of(balance)

    description = RegisterDescription(name, ENERGY)
    return BillingSensor(f"{name}{scope}", description, scope, value, partial(_settled, scope))


def _balance(data: MeterData, scope: str) -> BalanceValues | None:
    return None if data.billing is None else data.billing.balances.get(scope)


def _settled(scope: str, data: MeterData) -> Attributes:
    """Return what is known about the newest settlement."""
    if (balance := _balance(data, scope)) is None or (last := balance.settlement) is None:
        return {}
    return {
        "settled_until": _local(last.end),
        "missed_boundaries": last.missed,
        "settled_late": last.is_late,
        "whole_periods": last.is_whole,
    }


def _of_peak(name: str, of: Callable[[PeakValues], Decimal | None]) -> BillingSensor:
    def value(data: MeterData, _: Conversion) -> Decimal | None:
        peak = _peak(data)
        return None if peak is None or (power := of(peak)) is None else _rounded(power, _TENTH)

    return BillingSensor(name, RegisterDescription(name, POWER), "", value, _no_attributes)


def _of_month(name: str, of: Callable[[PeakValues], MonthPeak | None]) -> BillingSensor:
    def attributes(data: MeterData) -> Attributes:
        peak = _peak(data)
        if peak is None or (month := of(peak)) is None:
            return {}
        times = [_local(end) for end in month.ends]
        single = {"measured_at": times[0]}
        several = single | {"of_days": times} if len(times) > 1 else single
        return {**several, "missed_periods": month.missed}

    sensor = _of_peak(name, lambda it: None if (month := of(it)) is None else month.power)
    return sensor._replace(attributes=attributes)


def _reported_last_month() -> BillingSensor:
    """Return the sensor of the peak that the meter reports of last month."""

    def value(data: MeterData, conversion: Conversion) -> Decimal | None:
        if _time_of_past_maximum(data) is None:
            return None
        return measurement(_PAST_MAXIMUM, POWER, data, conversion)

    def attributes(data: MeterData) -> Attributes:
        time = _time_of_past_maximum(data)
        return {} if time is None else {"measured_at": time.isoformat()}

    description = RegisterDescription(_PEAK_LAST_MONTH, POWER)
    return BillingSensor(_PEAK_LAST_MONTH, description, "", value, attributes)


def _time_of_past_maximum(data: MeterData) -> datetime | None:
    """Return when the last period's maximum ended, if that was last month."""
    register = data.registers.get(_PAST_MAXIMUM)
    if register is None or (time := register.time) is None:
        return None
    zone = dt_util.get_default_time_zone()
    local = time.astimezone(zone) if time.tzinfo else time.replace(tzinfo=zone)
    # At the end of the month, it is that of the last period in it.
    month = local.replace(tzinfo=None) - timedelta.resolution
    first = data.received.astimezone(zone).replace(day=1)
    last_month = first - timedelta(days=1)
    return local if (month.year, month.month) == (last_month.year, last_month.month) else None


def _peak(data: MeterData) -> PeakValues | None:
    return None if data.billing is None else data.billing.peak


def _expected(derived_power: PowerFn, data: MeterData, conversion: Conversion) -> Decimal | None:
    """Return the mean power of the period if the present power is imported until its end."""
    peak = _peak(data)
    if peak is None or peak.mean is None or peak.running is None:
        return None
    sent = _import_power(data, conversion)
    power = derived_power(data, conversion) if sent is None else sent
    if power is None:
        return None
    left = max((peak.running.end - peak.running.time) / peak.period, 0)
    rest = EXACT.multiply(max(Decimal(power), Decimal(0)), Decimal(left))
    return _rounded(EXACT.add(peak.mean, rest), _WATT)


def _import_power(data: MeterData, conversion: Conversion) -> Decimal | None:
    """Return the power that the meter sends (W), negative while it exports."""
    for key in (SIGNED_POWER, *_POWER_IMPORT):
        if (power := measurement(key, POWER, data, conversion)) is not None:
            return power
    return signed_power(data, conversion)


def _reported(registers: Mapping[Key, object]) -> set[str]:
    """Return the keys of the descriptions of what a meter reports of all phases and tariffs."""
    measured = (
        measured_description(key)
        for key in registers
        if isinstance(key, Obis) and key.a == ELECTRICITY and key.f == CURRENT_VALUE
    )
    return {it[0].key for it in measured if it is not None and not it[1]}


def _rounded(power: Decimal, step: Decimal) -> Decimal:
    """Return a power in multiples of a step, without zeros behind it."""
    return EXACT.add(EXACT.quantize(power, step).normalize(EXACT), 0)


def _local(time: datetime) -> str:
    return dt_util.as_local(time).isoformat()
