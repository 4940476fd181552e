"""What a flow shows of the meter that it has found."""

from collections.abc import Mapping
from contextlib import suppress
from decimal import Decimal, InvalidOperation
from itertools import chain, count
from typing import Any, Final

from homeassistant.const import CONF_PORT
from homeassistant.core import HomeAssistant

from ..access.clients import writes_units
from ..const import CONF_IMPULSES_PER_KWH, CONF_READING, CONF_WH_PER_IMPULSE, DOMAIN
from ..meter import Identity, Obis, Protocol, Reading
from ..meter.flag import manufacturer_name
from ..meter.port import redact
from ..registers.lookup import is_number, with_implied_unit
from .impulse_probe import ImpulseProbe
from .schemas import HIGHEST_MULTIPLIER, MULTIPLIER_STEP

#: What is there in place of a value that the meter does not tell.
NOTHING: Final = "–"

#: What meters are called whose manufacturer is not known.
_NAMELESS: Final = {
    Protocol.SML: "SML meter",
    Protocol.IEC62056: "IEC 62056-21 meter",
    Protocol.DLMS: "DLMS meter",
    Protocol.BLINK: "BLINK meter",
}
#: What is shown of the registers: placeholder -> OBIS codes, the first that the meter has.
_SHOWN: Final[Mapping[str, tuple[str, ...]]] = {
    "energy_import": ("1.8.0",),
    "energy_export": ("2.8.0",),
    "power": ("16.7.0", "1.7.0", "15.7.0"),
}
#: Groups E of 0.4.E with the numerators and denominators of transformer ratios: of current,
#: voltage, and both (IEC 62056-61).
_CURRENT_RATIO: Final = (2, 5)
_VOLTAGE_RATIO: Final = (3, 6)
_OVERALL_RATIO: Final = (4, 7)


def title(hass: HomeAssistant, identity: Identity, protocol: str) -> str:
    """Name a meter by who made it, and count where that is not enough.

    Without its id, since Home Assistant writes titles and what it makes of them into its log.
    """
    if identity.manufacturer is None:
        name = _NAMELESS[Protocol(protocol)]
    else:
        name = manufacturer_name(identity.manufacturer)
    taken = {entry.title for entry in hass.config_entries.async_entries(DOMAIN)}
    numbered = (f"{name} {number}" for number in count(2))
    return next(title for title in chain([name], numbered) if title not in taken)


def found(reading: Reading, data: Mapping[str, Any]) -> dict[str, str]:
    """Return what the confirmation says of the first reading of a meter with this entry data."""
    meter = reading.meter
    as_told = writes_units(data)
    ratio = transformer_ratio(reading)
    return {
        "manufacturer": manufacturer_name(meter.manufacturer or NOTHING),
        "id": meter.name or NOTHING,
        "count": str(len(reading.registers)),
        **{name: _amount(reading, codes, as_told=as_told) for name, codes in _SHOWN.items()},
        **({} if ratio is None else {"ratio": f"{ratio:f}"}),
    }


def found_impulses(
    reading: Reading, data: Mapping[str, Any], probe: ImpulseProbe
) -> dict[str, str]:
    """Return what the confirmation says of the flashes that were counted for this entry data."""
    if (energy := data.get(CONF_WH_PER_IMPULSE)) is None:
        constant = f"{data[CONF_IMPULSES_PER_KWH]} imp/kWh"
    else:
        constant = f"{energy} Wh/imp"
    return {
        "port": redact(data[CONF_PORT]),
        "constant": constant,
        "seconds": str(probe.longest),
        "impulses": str(probe.impulses),
        "rejected": str(probe.rejected),
        "power": _amount(reading, ("1.7.0", "2.7.0"), as_told=True),
        "reading": f"{data[CONF_READING]} kWh" if CONF_READING in data else NOTHING,
    }


def _amount(reading: Reading, codes: tuple[str, ...], *, as_told: bool) -> str:
    """Return the first of these registers that holds a number, with its unit, energy in kWh."""
    for code in codes:
        for told in reading.registers:
            if told.obis is None or told.obis.short != code:
                continue
            register = told if as_told else with_implied_unit(told.obis, told)
            value = register.value if register.signed_value is None else register.signed_value
            if is_number(value):
                if register.unit == "Wh":
                    return f"{Decimal(value).scaleb(-3):f} kWh"
                return f"{Decimal(value):f} {register.unit or ''}".rstrip()
    return NOTHING


def transformer_ratio(reading: Reading) -> Decimal | None:
    """Return the ratio of the transformers that a meter knows to be before it, if any.

    It is for the user to tell whether the registers have it in them already.
    """
    ratio = _ratio(reading, _OVERALL_RATIO)
    if ratio == 1:
        ratio = _ratio(reading, _CURRENT_RATIO) * _ratio(reading, _VOLTAGE_RATIO)
    ratio = ratio.quantize(MULTIPLIER_STEP).normalize()
    return ratio if ratio != 1 and 0 < ratio <= HIGHEST_MULTIPLIER else None


def _ratio(reading: Reading, groups: tuple[int, int]) -> Decimal:
    """Return a ratio of a meter's transformers; 1 where it does not tell any."""
    numerator, denominator = (_factor(reading, group) for group in groups)
    return numerator / denominator if numerator and denominator else Decimal(1)


def _factor(reading: Reading, group: int) -> Decimal:
    """Return the number that a meter tells in 0.4.E; 1 where it tells none."""
    for channel in (0, 1):
        register = reading.get(Obis(1, channel, 0, 4, group))
        if register is not None:
            # Without a unit it may have been taken for an id, which is text.
            with suppress(InvalidOperation):
                return Decimal(str(register.value))
    return Decimal(1)
