"""The load profile of a period is exported in slices, between which live values go on."""

from datetime import datetime, timedelta
from decimal import Decimal

from freezegun.api import FrozenDateTimeFactory
import pytest

from custom_components.onemeter.history import reading
from custom_components.onemeter.meter.errors import MeterSilentError, RefusedError
from homeassistant.core import HomeAssistant
from tests.helpers.load_profile import START, DlmsMeter, IecMeter, ProfiledClient
from tests.helpers.polled import PolledMeter
from tests.helpers.pushed import PushedMeter

from .calls import refused, respond

ACTION = "export_profile"
END = START + timedelta(hours=6)
NOW = START + timedelta(days=40)


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "_PAUSE", 0)


async def profiled(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, simulated: IecMeter | DlmsMeter
) -> PolledMeter:
    await hass.config.async_set_time_zone("Europe/Berlin")
    freezer.move_to(NOW)
    meter = PolledMeter(hass, freezer)
    meter.client = ProfiledClient(hass, simulated)
    assert await meter.start()
    return meter


@pytest.mark.parametrize("kind", [IecMeter, DlmsMeter])
@pytest.mark.parametrize("ahead", [0, 420, 3600])
async def test_rows_of_a_period(
    hass: HomeAssistant,
    freezer: FrozenDateTimeFactory,
    kind: type[IecMeter | DlmsMeter],
    ahead: int,
) -> None:
    meter = await profiled(hass, freezer, kind(ahead=ahead))
    # A time without zone is in that of Home Assistant.
    response = await respond(meter, ACTION, start="2026-11-02 11:00:00", end=END.isoformat())
    assert (response["start"], response["end"]) == (START.isoformat(), END.isoformat())
    rows = response["rows"]
    assert len(rows) == 24
    quarter = timedelta(minutes=15)
    for number, row in enumerate(rows, 1):
        # The rows contain the season, so that full hours are right.
        end = START + number * quarter - timedelta(seconds=ahead % 3600)
        assert datetime.fromisoformat(row["end_utc"]) == end
        assert datetime.fromisoformat(row["end"]) - datetime.fromisoformat(row["start"]) == quarter
        (value,) = row["values"]
        assert value["obis"].startswith("1-0:1.")
        assert value["unit"] in {"kWh", "Wh", "kW"}
        assert Decimal(value["value"]) > 0
    assert len(meter.client.asked) > 1, "in slices"  # type: ignore[attr-defined]
    assert meter.value().startswith("21")


async def test_hour_that_comes_twice(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> None:
    meter = await profiled(hass, freezer, DlmsMeter())
    freezer.move_to("2026-10-26T00:00:00+00:00")
    response = await respond(
        meter, ACTION, start="2026-10-25 00:00:00+00:00", end="2026-10-25 03:00:00+00:00"
    )
    ends = [row["end_utc"] for row in response["rows"]]
    assert len(ends) == 12
    assert ends == sorted(set(ends))


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (START, START),
        (START, START - timedelta(hours=1)),
        (NOW + timedelta(hours=1), NOW + timedelta(hours=2)),
        (START, START + timedelta(days=32)),
        (START, None),
    ],
)
async def test_period_that_is_not_exported(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, start: datetime, end: datetime | None
) -> None:
    meter = await profiled(hass, freezer, IecMeter())
    ends = {} if end is None else {"end": end.isoformat()}
    assert await refused(meter, ACTION, start=start.isoformat(), **ends) == "profile_period"
    assert not meter.client.asked  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("error", "key"), [(RefusedError("no"), "refused"), (MeterSilentError("no"), "meter_silent")]
)
async def test_profile_that_the_meter_does_not_give(
    hass: HomeAssistant,
    freezer: FrozenDateTimeFactory,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    key: str,
) -> None:
    meter = await profiled(hass, freezer, IecMeter())

    async def refuse(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(meter.client, "read_energy_profiles", refuse)
    start = NOW - timedelta(days=1)
    assert await refused(meter, ACTION, start=start.isoformat()) == key


@pytest.mark.parametrize("kind", [IecMeter, DlmsMeter])
async def test_short_part_that_the_meter_refuses(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, kind: type[IecMeter | DlmsMeter]
) -> None:
    """It is not exported as a part without rows."""
    meter = await profiled(hass, freezer, kind(refuses=True))
    start = (NOW - timedelta(hours=1)).isoformat()
    assert await refused(meter, ACTION, start=start) == "profile_incomplete"


async def test_meter_without_load_profile(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory
) -> None:
    meter = PushedMeter(hass, freezer)
    assert await meter.start()
    assert await refused(meter, ACTION, start=START.isoformat()) == "no_load_profile"
