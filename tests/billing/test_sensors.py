"""Sensors of what is billed, in Home Assistant: states, restarts and options."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from freezegun.api import FrozenDateTimeFactory
import pytest

from custom_components.onemeter.const import (
    CONF_BALANCING_PERIOD,
    CONF_MULTIPLIER,
    CONF_PEAK_PERIOD,
    CONF_PUBLISH_INTERVAL,
    DOMAIN,
)
from custom_components.onemeter.diagnostics import async_get_config_entry_diagnostics
from custom_components.onemeter.meter import Protocol, Reading
from custom_components.onemeter.settings import Mode
from custom_components.onemeter.totals import async_start_over
from homeassistant.const import EVENT_STATE_CHANGED, STATE_UNAVAILABLE, STATE_UNKNOWN
from homeassistant.core import Event, EventStateChangedData, HomeAssistant, callback

from ..helpers.billed import BALANCING, EXPORTED, IMPORTED, NOON, BilledMeter
from ..helpers.published import register
from ..helpers.pushed import reading

BALANCE = "sensor.meter_balance_of_this_period"
MEAN = "sensor.meter_mean_power_of_this_period"
EXPECTED = "sensor.meter_expected_mean_power"
PEAK = "sensor.meter_peak_of_this_month"
LAST_PEAK = "sensor.meter_peak_of_last_month"


@pytest.fixture
async def meter(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> BilledMeter:
    await hass.config.async_set_time_zone("Europe/Warsaw")
    freezer.move_to(NOON)
    return BilledMeter(hass, freezer)


async def test_balanced_energy(meter: BilledMeter) -> None:
    await meter.begin(BALANCING)
    assert meter.states(IMPORTED, EXPORTED, BALANCE) == ["0", "0", "0"]
    await meter.send("12:05:00", 300, 100)
    assert meter.states(IMPORTED, EXPORTED, BALANCE) == ["0", "0", "0.200"]
    await meter.send("12:14:57", 10)
    written: list[tuple[datetime, str]] = []
    meter.hass.bus.async_listen(
        "state_changed",
        lambda event: (
            written.append((event.data["new_state"].last_updated, event.data["new_state"].state))
            if event.data["entity_id"] == IMPORTED
            else None
        ),
    )
    await meter.send("12:15:02", 1)
    # Written before the end of the period, without a telegram at that time.
    assert [state for _, state in written] == ["0.210"]
    assert written[0][0] < NOON + timedelta(minutes=15)
    assert meter.states(IMPORTED, EXPORTED, BALANCE) == ["0.210", "0", "0.001"]
    attributes = meter.shown(IMPORTED).attributes
    assert attributes["settled_until"] == "2026-11-23T13:15:00+01:00"
    assert attributes["missed_boundaries"] == 0
    assert not attributes["settled_late"]
    await meter.send("12:29:59", 0, 500)
    assert meter.states(IMPORTED, EXPORTED, BALANCE) == ["0.210", "0.499", "0"]


async def test_missed_boundary(meter: BilledMeter) -> None:
    await meter.begin(BALANCING)
    await meter.send("12:14:40", 300)
    await meter.send("12:15:20", 0, 500)
    assert meter.states(IMPORTED, EXPORTED, BALANCE) == ["0", "0", "-0.200"]
    await meter.send("12:29:59")
    assert meter.states(IMPORTED, EXPORTED, BALANCE) == ["0", "0.200", "0"]
    assert meter.shown(EXPORTED).attributes["missed_boundaries"] == 1
    diagnostics = await async_get_config_entry_diagnostics(meter.hass, meter.entry)
    assert diagnostics["billing"]["missed_boundaries"] == {"": 1}
    assert diagnostics["billing"]["settlements"][""]["missed"] == 1


async def test_stored_before_it_is_published(
    meter: BilledMeter, hass_storage: dict[str, Any]
) -> None:
    """Whether it is settled by the timer, by a telegram before the end, or by one behind it."""
    await meter.begin(BALANCING)
    published: list[tuple[str, str]] = []

    def compare(event: Event[EventStateChangedData]) -> None:
        if event.data["entity_id"] == IMPORTED and (state := event.data["new_state"]) is not None:
            kept = hass_storage[f"{DOMAIN}.{meter.entry.entry_id}"]["data"]["billing"]
            published.append((state.state, kept["balances"][""]["imported"]))

    meter.hass.bus.async_listen(EVENT_STATE_CHANGED, callback(compare))
    await meter.send("12:14:55", 300)
    await meter.send("12:29:59.5", 20)
    await meter.send("12:44:40")
    await meter.send("12:45:01", 1)
    numbers = [pair for pair in published if pair[0] != STATE_UNAVAILABLE]
    assert {state for state, _ in numbers} == {"0", "0.300", "0.320", "0.321"}
    assert all(state == kept for state, kept in numbers)


async def test_restart(meter: BilledMeter) -> None:
    await meter.begin(BALANCING)
    await meter.send("12:14:59", 300)
    await meter.send("12:16:00", 20)
    await meter.reload()
    assert meter.states(IMPORTED, EXPORTED, BALANCE) == ["0.300", "0", "0.020"]
    await meter.send("12:29:59", 1)
    assert meter.states(IMPORTED, EXPORTED, BALANCE) == ["0.321", "0", "0"]


async def test_other_multiplier_is_no_consumption(meter: BilledMeter) -> None:
    await meter.begin(BALANCING)
    await meter.send("12:01:00", 20)
    meter.hass.config_entries.async_update_entry(
        meter.entry, options={**BALANCING, CONF_MULTIPLIER: "40"}
    )
    await meter.reload()
    assert meter.states(BALANCE) == ["0.020"]
    await meter.send("12:02:00", 2)
    assert float(meter.shown(BALANCE).state) == 0.1


async def test_replaced_meter_is_no_consumption(meter: BilledMeter) -> None:
    await meter.begin(BALANCING)
    await meter.send("12:01:00", 20)
    await meter.hass.config_entries.async_unload(meter.entry.entry_id)
    await async_start_over(meter.hass, meter.entry.entry_id)
    meter.imported, meter.exported = 7, 900_000
    meter.client.said.put_nowait(meter.telegram())
    assert await meter.set_up()
    assert meter.states(BALANCE) == ["0.020"]
    await meter.send("12:14:59", 5)
    assert meter.states(IMPORTED, EXPORTED) == ["0.025", "0"]


async def test_other_period_does_not_touch_what_was_settled(meter: BilledMeter) -> None:
    await meter.begin(BALANCING)
    await meter.send("12:14:59", 300)
    await meter.send("12:16:00", 20)
    for period in ("60", "off", "15"):
        meter.hass.config_entries.async_update_entry(
            meter.entry, options={**BALANCING, CONF_BALANCING_PERIOD: period}
        )
        await meter.reload()
    assert meter.states(IMPORTED, EXPORTED, BALANCE) == ["0.300", "0", "0"]


async def test_tariffs_stay_apart(meter: BilledMeter) -> None:
    tariffs = [
        register("1-0:1.8.1*255", "3000", "Wh"),
        register("1-0:1.8.2*255", "2000", "Wh"),
        register("1-0:2.8.1*255", "300", "Wh"),
        register("1-0:2.8.2*255", "0", "Wh"),
    ]
    await meter.begin(BALANCING, *tariffs)
    tariffs[0] = register("1-0:1.8.1*255", "3050", "Wh")
    tariffs[3] = register("1-0:2.8.2*255", "30", "Wh")
    await meter.send("12:14:59", 50, 30, *tariffs)
    assert meter.states(IMPORTED, EXPORTED) == ["0.020", "0"]
    assert meter.states(f"{IMPORTED}_t1", f"{EXPORTED}_t2") == ["0.050", "0.030"]


async def test_no_sensors_without_the_options(meter: BilledMeter) -> None:
    await meter.begin({})
    names = [state.entity_id for state in meter.hass.states.async_all("sensor")]
    assert "sensor.meter_energy_import" in names
    assert not [name for name in names if "balance" in name or "peak" in name or "mean" in name]


async def test_peaks(meter: BilledMeter) -> None:
    await meter.begin({CONF_PEAK_PERIOD: "15", CONF_PUBLISH_INTERVAL: 1})
    assert meter.states(MEAN, EXPECTED, PEAK) == ["0", "1200", STATE_UNKNOWN]
    await meter.send("12:05:00", 250)
    assert meter.states(MEAN, EXPECTED) == ["1000", "1800"]
    await meter.send("12:15:00", 250)
    assert meter.states(MEAN, EXPECTED, PEAK) == ["0", "1200", "2000"]
    attributes = meter.shown(PEAK).attributes
    assert attributes["measured_at"] == "2026-11-23T13:15:00+01:00"
    assert attributes["missed_periods"] == 0


async def test_peaks_that_the_meter_reports_win(meter: BilledMeter) -> None:
    reported = [
        register("1-0:1.4.0*255", "1.2", "kW"),
        register("1-0:1.6.0*255", "3.4", "kW"),
    ]
    await meter.begin({CONF_PEAK_PERIOD: "15"}, *reported)
    assert meter.hass.states.get(PEAK) is None
    assert meter.hass.states.get(MEAN) is None
    assert meter.states("sensor.meter_maximum_demand_import") == ["3400"]
    assert meter.hass.states.get(EXPECTED) is not None


@pytest.mark.parametrize(
    ("time", "state"),
    [
        ("2026-10-14T18:30:00", "4329"),
        # The last quarter of an hour of the month.
        ("2026-11-01T00:00:00", "4329"),
        ("2026-10-01T00:00:00", STATE_UNKNOWN),
        # This month has not begun yet by the meter's clock, or was over already.
        ("2026-09-20T12:00:00", STATE_UNKNOWN),
        ("2026-11-20T12:00:00", STATE_UNKNOWN),
    ],
)
@pytest.mark.parametrize("options", [{}, {CONF_PEAK_PERIOD: "15"}])
async def test_peak_of_last_month_that_the_meter_reports(
    meter: BilledMeter, options: dict[str, str], time: str, state: str
) -> None:
    at = datetime.fromisoformat(time)
    await meter.begin(options, register("1-0:1.6.0*101", "4.329", "kW", time=at))
    assert meter.states(LAST_PEAK) == [state]
    expected = None if state == STATE_UNKNOWN else f"{time}+0{1 + (at.month == 10)}:00"
    assert meter.shown(LAST_PEAK).attributes.get("measured_at") == expected


async def test_hourly_list_that_names_the_hour(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory
) -> None:
    """Sent twelve seconds after the hour, with the totals of the full hour."""
    await hass.config.async_set_time_zone("Europe/Oslo")
    freezer.move_to(NOON + timedelta(seconds=12))
    meter = BilledMeter(hass, freezer)
    meter.make_entry(
        options={CONF_BALANCING_PERIOD: "60", CONF_PEAK_PERIOD: "60"},
        protocol=Protocol.DLMS.value,
        mode=Mode.PUSHED.value,
    )

    def hourly(hour: int) -> Reading:
        return replace(meter.telegram(), time=datetime(2026, 11, 23, 13 + hour))  # noqa: DTZ001

    power = reading(register("1-0:16.7.0*255", "1200", "W"))
    assert await meter.start(hourly(0))
    for hour, (imported, exported) in enumerate([(500, 100), (0, 300)], 1):
        meter.imported += imported
        meter.exported += exported
        for _ in range(29):
            await meter.say(power, after=120)
        await meter.say(hourly(hour), after=120)
    assert meter.states(IMPORTED, EXPORTED, BALANCE, PEAK) == ["0.400", "0.300", "0", "500"]
    attributes = meter.shown(IMPORTED).attributes
    assert attributes["missed_boundaries"] == 0
    assert attributes["settled_late"]
    assert attributes["settled_until"] == "2026-11-23T15:00:00+01:00"


@pytest.mark.parametrize(
    ("zone", "day", "boundary"),
    [
        # The hour from 02:00 to 03:00 does not exist, or exists twice.
        ("Europe/Warsaw", "2026-03-29", "01:00"),
        ("Europe/Warsaw", "2026-10-25", "00:00"),
        ("Europe/Warsaw", "2026-10-25", "01:00"),
        ("Asia/Kathmandu", "2026-11-23", "12:15"),
    ],
)
async def test_hours_of_the_local_clock(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, zone: str, day: str, boundary: str
) -> None:
    await hass.config.async_set_time_zone(zone)
    end = datetime.fromisoformat(f"{day}T{boundary}+00:00")
    freezer.move_to(end - timedelta(minutes=1))
    meter = BilledMeter(hass, freezer)
    await meter.begin({**BALANCING, CONF_BALANCING_PERIOD: "60"})
    meter.imported += 100
    await meter.say(meter.telegram(), after=55)
    await meter.wait(6)
    assert meter.states(IMPORTED) == ["0.100"]
    settled = datetime.fromisoformat(meter.shown(IMPORTED).attributes["settled_until"])
    assert settled == end
