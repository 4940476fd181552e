"""Which old statistics the totals of a meter can continue."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
import logging
from typing import Any, Final, NamedTuple

from sqlalchemy.exc import SQLAlchemyError

from homeassistant.components.sensor import DOMAIN as SENSOR_DOMAIN
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.translation import async_get_translations
from homeassistant.util import dt as dt_util

from ..access.numbers import async_number_text
from ..const import (
    CONF_MAX_POWER,
    CONF_MULTIPLIER,
    DEFAULT_MAX_POWER,
    DEFAULT_MULTIPLIER,
    DOMAIN,
)
from ..coordinator.base import OneMeterConfigEntry
from ..meter import Key, Register
from ..registers.lookup import describe_register
from ..totals.last_rows import convert
from ..totals.limits import Rule, fits, rule_of
from ..totals.total import EXACT, Total, is_transformed
from .old_statistics import OldStatistic, async_begins, async_old_statistics, can_continue

_LOGGER = logging.getLogger(__name__)

#: Old statistics that are offered for one total: those that ended nearest to it.
_OFFERED: Final = 5


@dataclass(frozen=True, slots=True)
class Offer:
    """An old statistic that a total can continue, amounts in the unit of the sensor."""

    key: Key
    old: OldStatistic
    #: The newest value of the old sensor.
    last: Decimal
    amount: Decimal
    unit: str | None
    #: The name of the new sensor.
    name: str
    #: The sensor's value per unit at the meter.
    factor: Decimal
    #: The power of ten that converts the old statistic to the unit of the sensor.
    exponent: int

    @property
    def choice(self) -> str:
        """The value of the offer in a form."""
        return f"{self.key} {self.old.statistic_id}"

    @callback
    def async_label(self, hass: HomeAssistant) -> str:
        """Return the text of the offer in a form: the total, and the old sensor with its end."""
        until = dt_util.as_local(self.old.seen).strftime("%Y-%m-%d %H:%M")
        unit = "" if self.unit is None else f" {self.unit}"
        amount = async_number_text(hass, self.amount)
        # Decimals of a float that mean nothing are not shown.
        last = async_number_text(hass, self.last.normalize())
        return f"{self.name}: {amount}{unit} ← {self.old.statistic_id}: {last}{unit} ({until})"


class _Counted(NamedTuple):
    """A total, with what describes it in Home Assistant."""

    key: Key
    total: Total
    rule: Rule
    factor: Decimal
    name: str
    #: When the statistic that the sensor has already starts (UTC).
    begin: datetime | None


async def async_offers(
    hass: HomeAssistant,
    unique_id: str,
    registers: Mapping[Key, Register],
    options: Mapping[str, Any],
) -> list[Offer]:
    """Return the offers for the enabled totals of a meter, those that fit best first.

    Takes the unique id of the entry, the newest registers and the options of the entry.
    """
    counted = [
        (key, total, rule)
        for key, register in registers.items()
        if (total := Total.counted(register)) is not None
        and (rule := rule_of(key, registers, options.get(CONF_MAX_POWER, DEFAULT_MAX_POWER)))
        is not None
        and not rule.may_fall
        and _is_enabled(hass, unique_id, key, registers)
    ]
    if not (counted and can_continue(hass)):
        return []
    own = {key: entity_id for key, _, _ in counted if (entity_id := _own(hass, unique_id, key))}
    try:
        old = await async_old_statistics(hass)
        begins = await async_begins(hass, set(own.values()))
    except SQLAlchemyError as err:
        _LOGGER.warning("Statistics of earlier sensors cannot be read: %s", type(err).__name__)
        return []
    if not old:
        return []
    texts = await async_get_translations(hass, hass.config.language, "entity", {DOMAIN})
    multiplier = Decimal(options.get(CONF_MULTIPLIER, DEFAULT_MULTIPLIER))
    now = dt_util.utcnow()
    return [
        offer
        for key, total, rule in counted
        for offer in _fitting(
            _Counted(
                key,
                total,
                rule,
                multiplier if is_transformed(key, total) else Decimal(1),
                _name(texts, key, registers),
                begins.get(own.get(key, "")),
            ),
            old,
            now,
        )
    ]


async def async_entry_offers(hass: HomeAssistant, entry: OneMeterConfigEntry) -> list[Offer]:
    """Return the offers for an entry whose meter was read."""
    if not can_continue(hass):
        return []
    data = entry.runtime_data.data
    registers = {key: it for key, it in data.registers.items() if key not in data.withheld}
    return await async_offers(hass, str(entry.unique_id), registers, entry.options)


def _fitting(counted: _Counted, old: Sequence[OldStatistic], now: datetime) -> list[Offer]:
    offers = (offer for it in old for offer in _offer(counted, it, now))
    return sorted(offers, key=lambda offer: offer.amount - offer.last)[:_OFFERED]


def _offer(counted: _Counted, old: OldStatistic, now: datetime) -> Iterator[Offer]:
    """Yield the offer of an old statistic, if the total can follow it."""
    key, total, rule, factor, name, begin = counted
    exponent = exact_exponent(old.unit, rule.unit, old.unit_class)
    if exponent is None:
        return
    last = EXACT.scaleb(old.newest, exponent)
    amount = EXACT.multiply(total.amount, factor)
    elapsed = now - old.start + rule.max_unchanged
    # Rows from before the old sensor would be lost.
    is_longer = begin is not None and begin < old.begin
    if old.row <= old.newest and last <= amount and not is_longer:
        rise = (amount - last) / factor
        if fits(rise, rule.most_per_hour, elapsed, Decimal(0)):
            yield Offer(key, old, last, amount, rule.unit, name, factor, exponent)


def exact_exponent(unit: str | None, other: str | None, unit_class: str | None) -> int | None:
    """Return the power of ten that converts one unit to another; None if there is none."""
    factor = convert(1.0, unit, other, unit_class)
    if factor is None:
        return None
    sign, digits, exponent = Decimal(repr(factor)).normalize().as_tuple()
    return int(exponent) if (sign, digits) == (0, (1,)) else None


@callback
def _own(hass: HomeAssistant, unique_id: str, key: Key) -> str | None:
    return er.async_get(hass).async_get_entity_id(SENSOR_DOMAIN, DOMAIN, f"{unique_id}-{key}")


@callback
def _is_enabled(
    hass: HomeAssistant, unique_id: str, key: Key, registers: Mapping[Key, Register]
) -> bool:
    entity_id = _own(hass, unique_id, key)
    if entity_id is None or (entity := er.async_get(hass).async_get(entity_id)) is None:
        return describe_register(key, registers)[0].enabled
    return not entity.disabled


def _name(texts: Mapping[str, str], key: Key, registers: Mapping[Key, Register]) -> str:
    """Return the name of a register's sensor."""
    description, scope = describe_register(key, registers)
    text = texts.get(f"component.{DOMAIN}.entity.sensor.{description.key}.name", str(key))
    return text.replace("{scope}", scope)
