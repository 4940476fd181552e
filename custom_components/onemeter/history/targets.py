"""Which total a channel of a load profile belongs to, and how its values become the total's.

Whether a channel holds the register itself, the energy of each period or its mean power is not
always what its code says: it is decided by what agrees with the live values around the gap.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from functools import partial
from typing import Final

from ..meter import Key, Obis
from ..meter.obis import CURRENT_VALUE, ELECTRICITY, D
from ..registers.quantities import (
    APPARENT_ENERGY,
    APPARENT_POWER,
    ENERGY,
    POWER,
    REACTIVE_ENERGY,
    REACTIVE_POWER,
)
from ..totals.total import Total
from .energies import as_energy
from .intervals import Channel, ChannelName
from .register_values import as_register
from .samples import Gap
from .series import ZERO, Disagreement, Kind, Series, rise

#: Values of group D of what is captured of a total: averages, time integrals, interval energy.
_CAPTURED: Final = frozenset({4, 5, 8, 9, 29})
_KILO: Final = -3
#: Units of power: the unit of the energy in an hour, and the power of ten that leads there.
_ENERGY_IN_AN_HOUR: Final = {
    unit: (energy.unit, exponent + _KILO)
    for power, energy in (
        (POWER, ENERGY),
        (REACTIVE_POWER, REACTIVE_ENERGY),
        (APPARENT_POWER, APPARENT_ENERGY),
    )
    for unit, exponent in power.exponents.items()
}


def can_be_filled(key: Key, unit: str | None) -> bool:
    """Return whether a load profile can hold a total: energy, or what M-Bus meters count.

    A counter of power failures, for example, has no unit.
    """
    return (
        unit is not None and isinstance(key, Obis) and (key.a != ELECTRICITY or key.d == D.ENERGY)
    )


def total_of(name: ChannelName, keys: Iterable[Key]) -> Key | None:
    """Return which of the known totals a channel belongs to, if to any."""
    obis = name.obis
    if obis.a != ELECTRICITY:
        return obis if obis in keys else None
    if obis.d not in _CAPTURED:
        return None
    totals = [
        key
        for key in keys
        if isinstance(key, Obis)
        and (key.a, key.c, key.d, key.f) == (obis.a, obis.c, D.ENERGY, CURRENT_VALUE)
    ]
    same = [key for key in totals if key.e == obis.e]
    if not same and obis.e == 0 and len(totals) == 1:
        # A meter with one tariff only.
        same = totals
    same.sort(key=lambda key: (key.b != obis.b, key.b))
    return same[0] if same else None


def best_series(
    gap: Gap, channels: Mapping[ChannelName, Channel], keys: Sequence[Key]
) -> Series | Disagreement | None:
    """Return what the profile says of a total in a gap; None where it does not capture it.

    Of several channels, the register itself is better than energies.
    """
    candidates = [
        channel
        for name, channel in channels.items()
        if gap.unit is not None and total_of(name, keys) == gap.key
    ]
    candidates.sort(key=lambda channel: channel.name.obis.d != D.ENERGY)
    disagreement: Disagreement | None = None
    for channel in candidates:
        found = to_register(
            channel, gap, partial(factor_of, channel.name.unit, gap.unit), _resolution(gap)
        )
        if isinstance(found, Series):
            return found
        disagreement = found
    return disagreement


def to_register(
    channel: Channel, gap: Gap, factor: Callable[[Kind], Decimal | None], resolution: Decimal
) -> Series | Disagreement:
    """Return what a channel says of the register in a gap, if it agrees with the live values.

    The factor leads from a kind's values to the sensor's unit, times hours for power; None where a
    channel of this unit cannot be of that kind. The resolution is the register's.
    """
    disagreement: Disagreement | None = None
    for kind in Kind:
        if (unit_factor := factor(kind)) is None:
            continue
        found: Series | Disagreement | None
        if kind is Kind.REGISTER:
            found = as_register(channel, gap, unit_factor, resolution)
        else:
            found = as_energy(channel, gap, kind, unit_factor, resolution)
        if isinstance(found, Series):
            return found
        disagreement = found or disagreement
    return disagreement or Disagreement(rise(gap), ZERO)


def factor_of(unit: str | None, amount_unit: str | None, kind: Kind) -> Decimal | None:
    """Return what leads from a channel's values to a total; None where a unit is of no such."""
    if kind in {Kind.REGISTER, Kind.ENERGY}:
        try:
            total = Total(Decimal(1), unit)
            is_same = total.amount_unit == amount_unit
        except KeyError:
            return None
        return total.amount if is_same else None
    energy = _ENERGY_IN_AN_HOUR.get(unit)
    return Decimal(1).scaleb(energy[1]) if energy and energy[0] == amount_unit else None


def _resolution(gap: Gap) -> Decimal:
    """Return the last digit of the register."""
    samples = (gap.first, *gap.before[-1:])
    return Decimal((0, (1,), max(int(sample.amount.as_tuple().exponent) for sample in samples)))
