"""The placeholders that describe a meter which a flow has found, and its title."""

from collections.abc import Mapping
from contextlib import suppress
from decimal import Decimal, InvalidOperation
from itertools import chain, count
from typing import Final

from homeassistant.core import HomeAssistant

from ..access.nameless import async_nameless
from ..access.numbers import async_number_text
from ..const import DOMAIN
from ..meter import Identity, Obis, Protocol, Reading
from ..meter.flag import manufacturer_name
from ..meter.redaction import redact
from ..registers.lookup import is_number, with_implied_unit
from ..settings import EntrySettings
from .impulse_probe import ImpulseProbe
from .schemas import HIGHEST_MULTIPLIER, MULTIPLIER_STEP

#: Shown in place of a value that the meter does not send.
NOTHING: Final = "–"

#: The digits of an id that a proposed name ends with.
_SHOWN_DIGITS: Final = 4
#: Placeholder -> OBIS codes, of which the first is shown that the meter has.
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


async def async_proposed_name(hass: HomeAssistant, identity: Identity, protocol: Protocol) -> str:
    """Return the manufacturer's name, with what distinguishes it from other entries.

    That is the end of the meter's id, and a number where that is not enough. The whole id is not
    used, since Home Assistant writes titles into its log.
    """
    if identity.manufacturer is None:
        name = await async_nameless(hass, protocol)
    else:
        name = manufacturer_name(identity.manufacturer)
    taken = {entry.title for entry in hass.config_entries.async_entries(DOMAIN)}
    digits = "".join(filter(str.isalnum, identity.name or ""))[-_SHOWN_DIGITS:]
    by_id = [f"{name} …{digits}"] if digits else []
    numbered = (f"{name} {number}" for number in count(2))
    return next(title for title in chain([name], by_id, numbered) if title not in taken)


def measures(reading: Reading) -> bool:
    """Return whether a reading holds any measured value, besides ids and the like."""
    return any(is_number(register.value) and register.unit for register in reading.registers)


def found(
    hass: HomeAssistant, reading: Reading, settings: EntrySettings, nameless: str
) -> dict[str, str]:
    """Return the placeholders that describe the first reading of a meter with these settings.

    nameless is what to show instead of an unknown model.
    """
    meter = reading.meter
    ratio = transformer_ratio(reading)
    return {
        "manufacturer": manufacturer_name(meter.manufacturer or NOTHING),
        "model": meter.model or nameless,
        "id": meter.name or NOTHING,
        "count": str(len(reading.registers)),
        **{name: _amount(hass, reading, codes, settings) for name, codes in _SHOWN.items()},
        **({} if ratio is None else {"ratio": async_number_text(hass, ratio)}),
    }


def found_impulses(hass: HomeAssistant, reading: Reading, probe: ImpulseProbe) -> dict[str, str]:
    """Return the placeholders that describe the flashes that were counted."""
    settings = probe.settings
    constants = ((settings.wh_per_impulse, "Wh/imp"), (settings.impulses_per_kwh, "imp/kWh"))
    constant = next(
        f"{async_number_text(hass, value)} {unit}" for value, unit in constants if value is not None
    )
    shown = settings.reading
    return {
        "port": redact(settings.source_id),
        "constant": constant,
        "seconds": str(probe.longest),
        "impulses": str(probe.impulses),
        "rejected": str(probe.rejected),
        "power": _amount(hass, reading, ("1.7.0", "2.7.0"), settings),
        "reading": NOTHING if shown is None else f"{async_number_text(hass, shown)} kWh",
    }


def _amount(
    hass: HomeAssistant, reading: Reading, codes: tuple[str, ...], settings: EntrySettings
) -> str:
    """Return the first of these registers that holds a number, with its unit, energy in kWh."""
    for code in codes:
        for sent in reading.registers:
            if sent.obis is None or sent.obis.short != code:
                continue
            register = sent if settings.writes_units else with_implied_unit(sent.obis, sent)
            value = register.value if register.signed_value is None else register.signed_value
            if is_number(value):
                if register.unit == "Wh":
                    return f"{async_number_text(hass, Decimal(value).scaleb(-3))} kWh"
                return f"{async_number_text(hass, Decimal(value))} {register.unit or ''}".rstrip()
    return NOTHING


def transformer_ratio(reading: Reading) -> Decimal | None:
    """Return the ratio of the transformers in front of a meter, if it sends one.

    Only the user knows whether the registers include it already.
    """
    ratio = _ratio(reading, _OVERALL_RATIO)
    if ratio == 1:
        ratio = _ratio(reading, _CURRENT_RATIO) * _ratio(reading, _VOLTAGE_RATIO)
    ratio = ratio.quantize(MULTIPLIER_STEP).normalize()
    return ratio if ratio != 1 and 0 < ratio <= HIGHEST_MULTIPLIER else None


def _ratio(reading: Reading, groups: tuple[int, int]) -> Decimal:
    """Return a ratio of a meter's transformers; 1 where it sends none."""
    numerator, denominator = (_factor(reading, group) for group in groups)
    return numerator / denominator if numerator and denominator else Decimal(1)


def _factor(reading: Reading, group: int) -> Decimal:
    """Return the number that a meter sends in 0.4.E; 1 where it sends none."""
    for channel in (0, 1):
        register = reading.get(Obis(1, channel, 0, 4, group))
        if register is not None:
            # Without a unit it may have been taken for an id, which is text.
            with suppress(InvalidOperation):
                return Decimal(str(register.value))
    return Decimal(1)
