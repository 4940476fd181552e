"""Carrying out what the user has consented to, before the sensors of an entry are added."""

from datetime import timedelta
from decimal import Decimal
from functools import partial
import logging
from typing import Final

from sqlalchemy.exc import SQLAlchemyError

from homeassistant.components.recorder import get_instance
from homeassistant.components.sensor import DOMAIN as SENSOR_DOMAIN
from homeassistant.core import CoreState, HomeAssistant, callback, split_entity_id
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.start import async_at_started
from homeassistant.util import dt as dt_util

from ..const import CONF_TAKE_OVER, DOMAIN
from ..coordinator.base import OneMeterConfigEntry
from ..history.importer import async_importer
from ..history.recorder_task import UnsupportedSchemaError, async_in_recorder
from ..history.samples import Sample
from ..totals.total import EXACT
from .joining import NotJoinedError, Row, join
from .offers import Offer, async_entry_offers

_LOGGER = logging.getLogger(__name__)

_INSTANT: Final = timedelta.resolution


async def async_take_over(hass: HomeAssistant, entry: OneMeterConfigEntry) -> None:
    """Give sensors the entity ids, and with them the statistics, that the user has chosen.

    The options hold that until it is done. What does not fit any more is not done.
    """
    if not (consented := entry.options.get(CONF_TAKE_OVER)):
        return
    if hass.state is not CoreState.running:
        # The recorder does nothing before.
        entry.async_on_unload(async_at_started(hass, partial(_async_reload, entry=entry)))
        return
    offers = {
        str(offer.key): offer
        for offer in await async_entry_offers(hass, entry)
        if consented.get(str(offer.key)) == offer.old.statistic_id
    }
    for key, statistic_id in consented.items():
        if key not in offers:
            _LOGGER.warning("%s does not fit %s any more", statistic_id, key)
            continue
        try:
            await _async_take_over_one(hass, entry, offers[key])
        except SQLAlchemyError, LookupError, NotJoinedError, UnsupportedSchemaError, ValueError:
            _LOGGER.exception("The statistics of %s cannot be continued", statistic_id)
    options = {key: value for key, value in entry.options.items() if key != CONF_TAKE_OVER}
    hass.config_entries.async_update_entry(entry, options=options)


async def _async_reload(hass: HomeAssistant, entry: OneMeterConfigEntry) -> None:
    hass.config_entries.async_schedule_reload(entry.entry_id)


async def _async_take_over_one(
    hass: HomeAssistant, entry: OneMeterConfigEntry, offer: Offer
) -> None:
    entities = er.async_get(hass)
    old_id = offer.old.statistic_id
    if entities.async_get(old_id) is not None:
        # Nothing provides it any more.
        entities.async_remove(old_id)
    unique_id = f"{entry.unique_id}-{offer.key}"
    own_id = entities.async_get_entity_id(SENSOR_DOMAIN, DOMAIN, unique_id)
    if own_id is None:
        own_id = entities.async_get_or_create(
            SENSOR_DOMAIN,
            DOMAIN,
            unique_id,
            config_entry=entry,
            suggested_object_id=split_entity_id(old_id)[1],
        ).entity_id
    first = await async_in_recorder(
        hass, partial(join, recorder=get_instance(hass), old_id=old_id, own_id=own_id)
    )
    if own_id != old_id:
        entities.async_update_entity(own_id, new_entity_id=old_id)
    _LOGGER.info(
        "%s, %s, continues the statistics of %s, %s", offer.key, offer.amount, old_id, offer.last
    )
    _async_remember_gap(hass, entry, offer, first)


@callback
def _async_remember_gap(
    hass: HomeAssistant, entry: OneMeterConfigEntry, offer: Offer, first: Row | None
) -> None:
    """Note the time between both sensors as a gap, if it is known when it began."""
    importer = async_importer(hass, entry.entry_id)
    if importer is None or not offer.old.is_timed:
        return
    after = None
    if first is not None:
        amount = EXACT.scaleb(Decimal(repr(first.state)), offer.exponent) / offer.factor
        after = Sample(dt_util.utc_from_timestamp(first.end) - _INSTANT, amount)
    last = Sample(offer.old.seen, offer.last / offer.factor)
    importer.async_add_gap(offer.key, last, after)
