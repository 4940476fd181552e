"""A meter that is billed by balanced energy and peak power."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from custom_components.onemeter.const import CONF_BALANCING_PERIOD, CONF_PUBLISH_INTERVAL
from custom_components.onemeter.meter import Reading
from homeassistant.core import State
from homeassistant.util import dt as dt_util

from .published import register
from .pushed import PushedMeter, reading

IMPORTED = "sensor.meter_balanced_import"
EXPORTED = "sensor.meter_balanced_export"

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
BALANCING = {CONF_BALANCING_PERIOD: "15", CONF_PUBLISH_INTERVAL: 1}


class BilledMeter(PushedMeter):
    """A meter with totals in both directions."""

    imported, exported = 5000, 300

    def telegram(self, *more: Any) -> Reading:
        return reading(
            register("1-0:1.8.0*255", str(self.imported), "Wh"),
            register("1-0:2.8.0*255", str(self.exported), "Wh"),
            *(more or [register("1-0:16.7.0*255", "1200", "W")]),
        )

    async def begin(self, options: Mapping[str, Any], *more: Any) -> None:
        self.make_entry(options=dict(options))
        assert await self.start(self.telegram(*more))

    async def send(self, at: str, imported: int = 0, exported: int = 0, *more: Any) -> None:
        """Send a telegram at a time of the day; the clock goes there in small steps."""
        time = datetime.fromisoformat(f"2026-11-23T{at}+00:00")
        while (left := time - dt_util.utcnow()) > timedelta():
            await self.wait(min(left.total_seconds(), 60 if left > timedelta(minutes=1) else 1))
        self.imported += imported
        self.exported += exported
        await self.say(self.telegram(*more))

    async def reload(self) -> None:
        await self.hass.config_entries.async_unload(self.entry.entry_id)
        self.client.said.put_nowait(self.telegram())
        assert await self.set_up()

    def shown(self, entity: str) -> State:
        state = self.hass.states.get(entity)
        assert state is not None
        return state

    def states(self, *entities: str) -> list[str]:
        return [self.shown(entity).state for entity in entities]
