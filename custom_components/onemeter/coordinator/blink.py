"""Meters that blink: their impulses are counted for good."""

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
from .base import MeterData, OneMeterConfigEntry
from .pushed import PushedCoordinator


class BlinkCoordinator(PushedCoordinator):
    """Counts the impulses of a meter; its total is stored, and only then published."""

    settings: BlinkEntrySettings
    client: ImpulseClient
    totals: ImpulseTotals

    def __init__(
        self, hass: HomeAssistant, entry: OneMeterConfigEntry, settings: BlinkEntrySettings
    ) -> None:
        """Make what counts; nothing is opened yet."""
        counter = make_counter(settings, entry.options)
        self._tally = ImpulseStatistics(counter)
        super().__init__(hass, entry, settings, make_impulse_client(hass, settings, counter))

    @override
    def _make_totals(self) -> ImpulseTotals:
        return ImpulseTotals(self.hass, self.config_entry, self.settings, self._tally)

    @override
    async def _async_setup(self) -> None:
        await super()._async_setup()
        # The day ends also in the dark.
        self.config_entry.async_on_unload(
            async_track_time_change(self.hass, self._async_begin_day, hour=0, minute=0, second=0)
        )

    def counts(self, key: str) -> bool:
        """Tell whether it is the total of the impulses that is known by this key."""
        return key == str(self.totals.energy)

    async def async_calibrate(self, reading: Decimal) -> Decimal:
        """Set the total to what the meter's display shows (kWh); return by how much it was off.

        Raises HomeAssistantError where the new total cannot be written: it is published once it is.
        """
        while self._storing is not None and not self._storing.done():
            # No state may be written from now on that is from before.
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
        self._tally.async_note()
        return replace(data, registers={**data.registers, **self._tally.registers()})

    @override
    def _before_storing(self, data: MeterData) -> MeterData:
        totals: tuple[Key, ...] = (self.totals.energy, IMPULSES_TODAY)
        published = self.data.registers
        stored = {key: published[key] for key in totals if key in published}
        return replace(data, registers={**data.registers, **stored}, withheld=frozenset(stored))
