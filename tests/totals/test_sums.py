"""Hourly sums compared with true consumption, after failures of all kinds."""

from collections.abc import Generator
from datetime import datetime, timedelta
from decimal import Decimal
import time
from typing import Any
from unittest.mock import patch

from freezegun.api import FrozenDateTimeFactory
import pytest
from pytest_homeassistant_custom_component.common import async_fire_time_changed

from custom_components.onemeter.const import CONF_MAX_POWER, CONF_MULTIPLIER
from custom_components.onemeter.meter import Reading
from custom_components.onemeter.totals import Totals
from homeassistant.components.recorder import Recorder
from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir
from homeassistant.util import dt as dt_util
from tests.helpers.published import register
from tests.helpers.pushed import reading
from tests.helpers.recorded import NOON, OnDisk, RecordedMeter

STEADY = "custom_components.onemeter.totals.moment.steady_ns"
#: Seconds between two telegrams, so that one comes 10 s after each 5 minutes.
SPACING = 100


class House(OnDisk, RecordedMeter):
    """A meter whose total is recorded, and its true consumption."""

    def __init__(
        self, hass: HomeAssistant, freezer: FrozenDateTimeFactory, storage: dict[str, Any]
    ) -> None:
        super().__init__(hass, freezer)
        self.storage = storage
        #: What the meter shows (Wh), and what was consumed, in the grid.
        self.total = Decimal(5_000_000)
        self.used = Decimal(0)
        self.factor = 1
        self._truth: dict[datetime, Decimal] = {}

    def telegram(self, total: Decimal) -> Reading:
        return reading(
            register("1-0:1.8.0*255", str(total), "Wh"), register("1-0:16.7.0*255", "100", "W")
        )

    async def begin(self) -> None:
        """Set the entry up while the meter sends."""
        assert await self.start(self.telegram(self.total))
        self._note()

    async def end(self) -> None:
        """Unload the entry."""
        await self.hass.config_entries.async_unload(self.entry.entry_id)

    async def use(self, minutes: float, watts: int = 1000) -> None:
        """Consume for some minutes, with telegrams and statistics rows."""
        for _ in range(round(minutes * 60 / SPACING)):
            self.consume(SPACING, watts)
            self.freezer.tick(timedelta(seconds=SPACING))
            await self.tell(self.total)
            self._note()

    def consume(self, seconds: int, watts: int) -> None:
        """Consume a whole number of Wh."""
        energy = Decimal(watts * seconds // 3600)
        self.total += energy
        self.used += energy * self.factor

    async def tell(self, total: Decimal) -> None:
        """Let the meter send a total."""
        await self.say(self.telegram(total))
        async_fire_time_changed(self.hass)
        await self.settle()
        await self.make_rows()

    async def crash(self, disk: dict[str, Any]) -> None:
        """Start again with what was on the disk."""
        await self.end()
        self.restore(disk)
        await self.begin()

    def issues(self) -> list[str | None]:
        return [issue.translation_key for issue in ir.async_get(self.hass).issues.values()]

    def _note(self) -> None:
        now = dt_util.utcnow()
        self._truth[now.replace(minute=0, second=0, microsecond=0)] = self.used

    async def differences(self) -> list[float]:
        """Return the error of the sum of each hour (kWh)."""
        return [
            round((found - float(self._truth[hour])) / 1000, 3)
            for hour, found in (await self.sums_by_time("hour")).items()
        ]


@pytest.fixture
async def house(
    recorder_mock: Recorder,  # noqa: ARG001 - must come before hass
    hass: HomeAssistant,
    hass_storage: dict[str, Any],
    freezer: FrozenDateTimeFactory,
) -> House:
    freezer.move_to(NOON + timedelta(seconds=10))
    return House(hass, freezer, hass_storage)


class Pauses:
    """How long the machine was paused in total (s)."""

    seconds = 0.0

    def steady_ns(self) -> int:
        return time.monotonic_ns() - round(self.seconds * 10**9)


@pytest.fixture
def pauses() -> Generator[Pauses]:
    pauses = Pauses()
    with patch(STEADY, pauses.steady_ns, create=True):
        yield pauses


async def test_single_telegram_after_ten_idle_hours(house: House) -> None:
    await house.begin()
    await house.use(600, watts=0)
    await house.tell(house.total + 400_000)
    await house.use(130, watts=1000)
    assert await house.differences() == [0] * 12
    assert not house.issues()


@pytest.mark.parametrize(("before", "after"), [(30, 3), (33, 3), (30, 5)])
async def test_killed_after_another_multiplier(house: House, before: int, after: int) -> None:
    await house.begin()
    await house.use(before)
    with house.patched():
        options = {CONF_MULTIPLIER: "40", CONF_MAX_POWER: 400_000}
        house.hass.config_entries.async_update_entry(house.entry, options=options)
        house.factor = 40
        house.client.said.put_nowait(house.telegram(house.total))
        await house.hass.config_entries.async_reload(house.entry.entry_id)
    disk = house.disk()
    await house.use(after)
    await house.crash(disk)
    await house.use(90)
    assert await house.differences() == [0, 0]


@pytest.mark.parametrize(("before", "after"), [(30, 3), (33, 3), (30, 5)])
async def test_killed_after_a_replacement_that_was_agreed_to(
    house: House, before: int, after: int
) -> None:
    await house.begin()
    await house.use(before)
    await house.end()
    # What the repair does with what is remembered.
    for mark in house.disk()["data"]["guard"]["marks"].values():
        assert mark["start_over"] is False
    disk = house.disk()
    for mark in disk["data"]["guard"]["marks"].values():
        mark["start_over"] = True
    house.restore(disk)
    house.total = Decimal(10_000)
    await house.begin()
    disk = house.disk()
    await house.use(after)
    await house.crash(disk)
    await house.use(90)
    assert await house.differences() == [0, 0]


@pytest.mark.parametrize("consent", [False, True])
async def test_machine_that_is_paused(house: House, pauses: Pauses, *, consent: bool) -> None:
    """For five hours, in which 20 kW are drawn."""
    await house.begin()
    await house.use(30)
    house.consume(5 * 3600, 20_000)
    house.freezer.tick(timedelta(hours=5))
    pauses.seconds += 5 * 3600
    await house.use(10)
    if consent:
        await house.coordinator.async_accept_totals()
    await house.use(90)
    assert (await house.differences())[-1] == 0
    assert not house.issues()


async def test_first_total_after_a_start_without_a_clock(house: House, pauses: Pauses) -> None:
    """The clock is 40 minutes behind, and the first telegram is damaged."""
    await house.begin()
    await house.use(90)
    await house.end()
    house.freezer.tick(timedelta(minutes=-40))
    pauses.seconds -= 3600
    assert await house.start(house.telegram(Decimal(4_299_967_000)))
    await house.use(5)
    house.freezer.tick(timedelta(minutes=45))
    await house.use(5)
    await house.coordinator.async_accept_totals()
    await house.use(90)
    assert (await house.differences())[-1] == 0
    assert not house.issues()


@pytest.mark.parametrize("damaged_first", [False, True])
async def test_memory_is_lost(house: House, *, damaged_first: bool) -> None:
    await house.begin()
    await house.use(40)
    await house.end()
    house.restore({})
    house.consume(600, 1000)
    house.freezer.tick(timedelta(seconds=600))
    if damaged_first:
        assert await house.start(house.telegram(Decimal(0)))
        assert house.value() == "unknown"
        await house.use(10)
    else:
        await house.begin()
    await house.use(90)
    assert (await house.differences())[-1] == 0
    assert not house.issues()


async def test_memory_is_lost_and_the_meter_replaced(house: House) -> None:
    """The consumption is unknown, so nothing is published until the user consents."""
    await house.begin()
    await house.use(40)
    await house.end()
    house.restore({})
    house.total = Decimal(10_000)
    await house.begin()
    await house.use(10)
    assert house.value() == "unknown"
    assert house.issues() == ["totals_jumped"]
    await house.coordinator.async_accept_totals()
    # That does not count which was consumed until then, nor what came after the last row.
    house.used -= 6 * 27
    await house.use(90)
    assert (await house.differences())[-1] == pytest.approx(-0.027, abs=0.001)
    assert not house.issues()


async def test_memory_is_older_than_a_replaced_meter(house: House) -> None:
    await house.begin()
    await house.use(20)
    await house.end()
    backup = house.disk()
    await house.begin()
    await house.use(5)
    house.total = Decimal(10_000)
    await house.use(5, watts=0)
    await house.coordinator.async_accept_totals()
    await house.use(70)
    await house.crash(backup)
    await house.use(90)
    assert await house.differences() == [0, 0, 0]
    assert not house.issues()


class GasHouse(House):
    """The same with a gas meter on the M-Bus, whose total has three decimals of m³."""

    entity = "sensor.gas_meter_total"

    def telegram(self, total: Decimal) -> Reading:
        return reading(
            register("0-1:24.1.0*255", "003"),
            register("0-1:24.2.1*255", str(total / 1000), "m³"),
            register("1-0:16.7.0*255", "100", "W"),
        )


async def test_single_zero_of_a_gas_meter(house: House) -> None:
    gas = GasHouse(house.hass, house.freezer, house.storage)
    gas.total = Decimal(8_123_500)
    await gas.begin()
    await gas.use(30)
    gas.freezer.tick(timedelta(seconds=20))
    await gas.tell(Decimal(0))
    gas.freezer.tick(timedelta(seconds=SPACING - 20))
    await gas.use(90)
    assert await gas.differences() == [0, 0]


async def test_overload_for_three_hours(house: House) -> None:
    """The maximum power is set to that of the repair, and the total catches up."""
    await house.begin()
    await house.use(30)
    await house.use(15, watts=60_000)
    assert house.issues() == ["overload"]
    with house.patched():
        totals = house.coordinator.totals
        assert isinstance(totals, Totals)
        power = totals.overload
        options = {CONF_MAX_POWER: power}
        house.hass.config_entries.async_update_entry(house.entry, options=options)
        house.client.said.put_nowait(house.telegram(house.total))
        await house.hass.config_entries.async_reload(house.entry.entry_id)
    await house.use(165, watts=60_000)
    assert await house.differences() == [0, 0, 0]
    assert not house.issues()
