"""Coordinator for BLINK meters, whose impulses are counted."""

import asyncio
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import override

from homeassistant.core import HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.event import async_track_time_change

from ..const import DOMAIN
from ..impulses.sources import make_impulse_client
from ..impulses.totals import IMPULSES_TODAY, ImpulseStatistics, ImpulseTotals, make_counter
from ..meter import Identity, Key, Reading
from ..meter.blink.client import ImpulseClient
from ..settings import BlinkEntrySettings
from .base import OneMeterConfigEntry
from .meter_data import MeterData
from .pushed import PushedCoordinator


class BlinkCoordinator(PushedCoordinator):
    """Counts the impulses of a meter; the total is stored before it is published."""

    _counts_telegrams = False
    settings: BlinkEntrySettings
    client: ImpulseClient
    totals: ImpulseTotals

    def __init__(
        self, hass: HomeAssistant, entry: OneMeterConfigEntry, settings: BlinkEntrySettings
    ) -> None:
        """Make the counter and its client; nothing is opened yet."""
        counter = make_counter(settings, entry.options)
        self._impulses = ImpulseStatistics(counter)
        client = make_impulse_client(hass, settings, counter)
        totals = ImpulseTotals(hass, entry, settings, self._impulses)
        super().__init__(hass, entry, settings, client, totals)

    @override
    async def _async_setup(self) -> None:
        await super()._async_setup()
        # The day also ends without an impulse.
        self.config_entry.async_on_unload(
            async_track_time_change(self.hass, self._async_begin_day, hour=0, minute=0, second=0)
        )

    def counts(self, key: str) -> bool:
        """Return whether a key is that of the total of the impulses."""
        return key == str(self.totals.energy)

    async def async_calibrate(self, reading: Decimal) -> Decimal:
        """Set the total to the reading on the meter's display (kWh); return the correction.

        Raises HomeAssistantError if the new total cannot be stored; it is published once it is.
        """
        while self._storing is not None and not self._storing.done():
            # Otherwise the old total could be published after the new one.
            await asyncio.wait([self._storing])
        off = self.totals.async_calibrate(reading)
        if self._failure is None:
            self._async_take(self.client.reading())
        is_stored = await self.totals.async_store()
        if self._failure is None:
            self._async_publish()
        if not is_stored:
            raise HomeAssistantError(translation_domain=DOMAIN, translation_key="not_written")
        return off

    @callback
    def _async_begin_day(self, _: datetime) -> None:
        if self._first.done() and self._failure is None:
            self._async_take(self.client.reading())

    @override
    def _is_own(self, meter: Identity) -> bool:
        return True

    @override
    def _complete(self, reading: Reading, data: MeterData, *, partial: bool) -> MeterData:
        self._impulses.async_update()
        return replace(data, registers={**data.registers, **self._impulses.registers()})

    @override
    def _while_not_stored(self, data: MeterData) -> MeterData:
        totals: tuple[Key, ...] = (self.totals.energy, IMPULSES_TODAY)
        published = self.data.registers
        stored = {key: published[key] for key in totals if key in published}
        return replace(
            data,
            registers={**data.registers, **stored},
            withheld=frozenset(stored),
            billing=self.data.billing,
        )
