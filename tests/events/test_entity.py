"""The event entity of a meter, through the coordinator, the store and restarts."""

from typing import Any

from freezegun.api import FrozenDateTimeFactory
import pytest

from custom_components.onemeter.const import DOMAIN
from custom_components.onemeter.meter.errors import PortLostError
from homeassistant.const import STATE_UNAVAILABLE, STATE_UNKNOWN
from homeassistant.core import Event, EventStateChangedData, HomeAssistant, callback
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.event import async_track_state_change_event

from ..helpers.published import register
from ..helpers.pushed import OTHER_METER, PushedMeter, reading

ENTITY = "event.meter_meter_event"
LOST = PortLostError("gone", port="p")


class EventMeter(PushedMeter):
    """A meter with a counter of power failures and a tariff, and what its entity has reported."""

    def __init__(self, hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> None:
        super().__init__(hass, freezer)
        self.reported: list[tuple[str, dict[str, Any]]] = []
        self._last = STATE_UNKNOWN
        async_track_state_change_event(hass, ENTITY, self._changed)

    @callback
    def _changed(self, event: Event[EventStateChangedData]) -> None:
        state = event.data["new_state"]
        if state is None or state.state in {STATE_UNKNOWN, STATE_UNAVAILABLE, self._last}:
            return
        self._last = state.state
        kept = {"event_types", "event_type", "friendly_name"}
        attributes = {key: value for key, value in state.attributes.items() if key not in kept}
        self.reported.append((state.attributes["event_type"], attributes))

    def telegram(self, failures: int, tariff: str = "0001", meter: Any = None) -> Any:
        return reading(
            register("1-0:1.8.0*255", "5000", "Wh"),
            register("0-0:96.7.21*255", failures),
            register("0-0:96.14.0*255", tariff),
            **({} if meter is None else {"meter": meter}),
        )

    async def restart(self, *said: Any) -> None:
        await self.hass.config_entries.async_unload(self.entry.entry_id)
        await self.start(*said)
        await self.settle()


FAILED = ("power_failure", {"count": 5, "previous_count": 4})


@pytest.fixture
def meter(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> EventMeter:
    return EventMeter(hass, freezer)


async def test_meter_without_events_has_no_entity(hass: HomeAssistant, meter: EventMeter) -> None:
    await meter.start()
    assert hass.states.get(ENTITY) is None
    await meter.say(meter.telegram(4), after=10)
    await meter.wait(1)
    state = hass.states.get(ENTITY)
    assert state is not None
    assert state.state == STATE_UNKNOWN, "nothing has happened"
    assert state.attributes["event_types"] == ["tariff_changed", "power_failure"]
    entity = er.async_get(hass).async_get(ENTITY)
    assert entity is not None
    assert entity.translation_key == "meter_event"


async def test_events_are_reported_at_once_and_once(meter: EventMeter) -> None:
    await meter.start(meter.telegram(4))
    await meter.say(meter.telegram(5), after=1)
    assert meter.reported == [FAILED]
    await meter.say(meter.telegram(5), meter.telegram(4), meter.telegram(5), after=1)
    await meter.say(meter.telegram(5), after=20)
    assert meter.reported == [FAILED]
    await meter.say(meter.telegram(6, "0002"), after=1)
    assert meter.reported[1:] == [
        ("tariff_changed", {"tariff": "0002", "previous_tariff": "0001"}),
        ("power_failure", {"count": 6, "previous_count": 5}),
    ]


async def test_nothing_is_reported_again_after_a_restart(meter: EventMeter) -> None:
    await meter.start(meter.telegram(4))
    await meter.say(meter.telegram(5), after=1)
    await meter.restart(meter.telegram(5))
    await meter.say(meter.telegram(5), after=20)
    assert meter.reported == [FAILED]


async def test_what_has_happened_while_home_assistant_was_stopped(meter: EventMeter) -> None:
    await meter.start(meter.telegram(4))
    await meter.restart(meter.telegram(5))
    assert meter.reported == [FAILED]


async def test_entity_is_there_before_its_registers(hass: HomeAssistant, meter: EventMeter) -> None:
    """Meters send some registers once an hour."""
    await meter.start(meter.telegram(4))
    await meter.restart(reading())
    state = hass.states.get(ENTITY)
    assert state is not None
    assert state.state == STATE_UNKNOWN


async def test_unavailable_meter(hass: HomeAssistant, meter: EventMeter) -> None:
    await meter.start(meter.telegram(4))
    await meter.say(LOST)
    state = hass.states.get(ENTITY)
    assert state is not None
    assert state.state == STATE_UNAVAILABLE
    await meter.say(meter.telegram(5), after=5)
    await meter.wait(1)
    assert meter.reported == [FAILED]


async def test_telegram_of_another_meter_is_no_event(meter: EventMeter) -> None:
    await meter.start(meter.telegram(4))
    await meter.say(meter.telegram(9, "0002", OTHER_METER), meter.telegram(4), after=1)
    assert meter.reported == []


async def test_replaced_meter_begins_anew(hass: HomeAssistant, meter: EventMeter) -> None:
    await meter.start(meter.telegram(4))
    await hass.config_entries.async_unload(meter.entry.entry_id)
    hass.config_entries.async_update_entry(meter.entry, unique_id=OTHER_METER.unique_id)
    await meter.start(meter.telegram(9, "0002", OTHER_METER))
    await meter.say(meter.telegram(9, "0002", OTHER_METER), after=20)
    assert meter.reported == []


@pytest.mark.parametrize(
    "memory", [None, 7, {"tariff": 4}, {"0-0:96.7.21*255": "four"}, {"failure_log": None}]
)
async def test_damaged_memory(
    meter: EventMeter, hass_storage: dict[str, Any], memory: object
) -> None:
    hass_storage[f"{DOMAIN}.{meter.entry.entry_id}.events"] = {
        "version": 1,
        "minor_version": 1,
        "key": f"{DOMAIN}.{meter.entry.entry_id}.events",
        "data": {"meter": meter.entry.unique_id, "memory": memory},
    }
    await meter.start(meter.telegram(4))
    await meter.say(meter.telegram(5), after=1)
    assert meter.reported == [FAILED]


@pytest.mark.parametrize("data", [[], {}, {"memory": {}}])
async def test_damaged_store(meter: EventMeter, hass_storage: dict[str, Any], data: object) -> None:
    key = f"{DOMAIN}.{meter.entry.entry_id}.events"
    hass_storage[key] = {"version": 1, "minor_version": 1, "key": key, "data": data}
    await meter.start(meter.telegram(4))
    await meter.say(meter.telegram(5), after=1)
    assert meter.reported == [FAILED]


async def test_removed_entry_leaves_nothing(
    hass: HomeAssistant, meter: EventMeter, hass_storage: dict[str, Any]
) -> None:
    await meter.start(meter.telegram(4))
    await meter.settle()
    key = f"{DOMAIN}.{meter.entry.entry_id}.events"
    assert hass_storage[key]["data"]["memory"] == {
        "0-0:96.7.21*255": 4,
        "0-0:96.14.0*255": "0001",
    }
    await hass.config_entries.async_remove(meter.entry.entry_id)
    assert key not in hass_storage


async def test_steady_meter_writes_nothing(meter: EventMeter, hass_storage: dict[str, Any]) -> None:
    await meter.start(meter.telegram(4))
    await meter.settle()
    key = f"{DOMAIN}.{meter.entry.entry_id}.events"
    del hass_storage[key]
    for _ in range(20):
        await meter.say(meter.telegram(4), after=1)
    assert key not in hass_storage
