"""What is remembered around gaps."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from custom_components.onemeter.history.memory import GapMemory
from custom_components.onemeter.history.samples import Sample, Trail
from custom_components.onemeter.meter import Key, Obis
from homeassistant.core import HomeAssistant

ENERGY = Obis.parse("1-0:1.8.0*255")
GAS = Obis.parse("0-1:24.2.1*255")
FAILURES = Obis.parse("0-0:96.7.0*255")
NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
INTERVAL = timedelta(minutes=5)


def take(gaps: GapMemory, totals: Iterable[tuple[Key, str | None]], time: datetime) -> None:
    for key, unit in totals:
        gaps.async_add(key, unit, Sample(time, Decimal(5)), INTERVAL)


async def test_only_totals_that_a_load_profile_holds(hass: HomeAssistant) -> None:
    gaps = GapMemory(hass, "entry", Decimal(1))
    await gaps.async_load(import_days=1)
    totals: list[tuple[Key, str | None]] = [
        (ENERGY, "kWh"),
        (GAS, "m³"),
        (FAILURES, None),
        ("F.F", "kWh"),
    ]
    take(gaps, totals, NOON)
    gaps.async_next_reading()
    take(gaps, totals, NOON + timedelta(hours=5))
    assert gaps.keys == (ENERGY, GAS)
    assert [known.gap.key for known in gaps.gaps] == 2 * [ENERGY, GAS]


async def test_others_of_earlier_versions_are_dropped(
    hass: HomeAssistant, hass_storage: dict[str, Any]
) -> None:
    gaps = GapMemory(hass, "entry", Decimal(1))
    take(gaps, [(ENERGY, "kWh")], NOON)
    take(gaps, [(ENERGY, "kWh")], NOON + timedelta(hours=5))
    await gaps.async_save()
    data = hass_storage["onemeter.gaps.entry"]["data"]
    data["trails"][str(FAILURES)] = Trail(None, [Sample(NOON, Decimal(5))]).as_dict()
    data["gaps"].append({**data["gaps"][0], "key": str(FAILURES), "unit": None})
    restored = GapMemory(hass, "entry", Decimal(1))
    await restored.async_load()
    assert restored.keys == (ENERGY,)
    assert [known.gap.key for known in restored.open()] == [ENERGY]
