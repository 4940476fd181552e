"""The target of an action: a device, an entity, an area or a label."""

from collections.abc import Sequence
from datetime import datetime, timedelta, tzinfo
from typing import Any, override

from freezegun.api import FrozenDateTimeFactory
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.onemeter.const import DOMAIN
from custom_components.onemeter.history import reading
from custom_components.onemeter.meter import Identity, Interval, MeterError
from custom_components.onemeter.meter.errors import MeterSilentError
from homeassistant.config_entries import ConfigEntryDisabler
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers import (
    area_registry as ar,
    device_registry as dr,
    label_registry as lr,
)
from homeassistant.util import dt as dt_util
from tests.helpers.blinking import BlinkingMeter
from tests.helpers.polled import PolledMeter, ScriptedPolledClient
from tests.helpers.pushed import METER, OTHER_METER, PushedMeter, energy

POWER = "sensor.meter_power"
_THIRD = Identity("87654321", "DMO", None, "1DMO0087654321")


async def respond(hass: HomeAssistant, action: str, target: dict[str, Any], **data: Any) -> Any:
    """Call an action with a target, and return its response."""
    return await hass.services.async_call(
        DOMAIN, action, data, blocking=True, return_response=True, target=target
    )


async def refused(hass: HomeAssistant, action: str, target: dict[str, Any], **data: Any) -> str:
    """Call an action that is refused, and return the translation key of the text."""
    with pytest.raises(ServiceValidationError) as error:
        await respond(hass, action, target, **data)
    return str(error.value.translation_key)


def device_of(meter: PushedMeter) -> str:
    devices = dr.async_entries_for_config_entry(dr.async_get(meter.hass), meter.entry.entry_id)
    return devices[0].id


async def begin_other(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> PushedMeter:
    """Return a second meter that is read."""
    meter = PushedMeter(hass, freezer)
    meter.make_entry(OTHER_METER.unique_id, port="socket://meter.local:4444")
    assert await meter.start(energy("7000", meter=OTHER_METER))
    return meter


@pytest.fixture
async def meter(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> PushedMeter:
    meter = PushedMeter(hass, freezer)
    assert await meter.start()
    return meter


async def test_whatever_contains_the_meter_is_a_target(
    hass: HomeAssistant, meter: PushedMeter
) -> None:
    cellar = ar.async_get(hass).async_create("Cellar")
    label = lr.async_get(hass).async_create("Grid")
    devices = dr.async_get(hass)
    other = MockConfigEntry(domain="other")
    other.add_to_hass(hass)
    boiler = devices.async_get_or_create(config_entry_id=other.entry_id, identifiers={("x", "y")})
    for device_id in (boiler.id, device_of(meter)):
        devices.async_update_device(device_id, area_id=cellar.id, labels={label.label_id})
    for target in (
        {"device_id": device_of(meter)},
        {"device_id": [device_of(meter)], "entity_id": POWER},
        {"entity_id": POWER},
        {"area_id": cellar.id},
        {"label_id": [label.label_id]},
    ):
        response = await respond(hass, "get_telegram", target)
        assert response["protocol"] == "sml"
    no_meter = {"device_id": boiler.id}
    assert await refused(hass, "get_telegram", no_meter) == "service_device_wrong_domain"


async def test_target_without_meter(hass: HomeAssistant, meter: PushedMeter) -> None:
    attic = ar.async_get(hass).async_create("Attic")
    for target in ({"area_id": attic.id}, {"entity_id": "sun.sun"}, {"entity_id": "all"}):
        assert await refused(hass, "get_telegram", target) == "no_meter"
    unknown = {"device_id": "unknown"}
    assert await refused(hass, "get_telegram", unknown) == "service_device_not_found"
    await hass.config_entries.async_unload(meter.entry.entry_id)
    target = {"entity_id": POWER}
    assert await refused(hass, "get_telegram", target) == "service_config_entry_not_loaded"


async def test_disabled_meter_beside_another(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, meter: PushedMeter
) -> None:
    cellar = ar.async_get(hass).async_create("Cellar")
    other = await begin_other(hass, freezer)
    for device_id in (device_of(meter), device_of(other)):
        dr.async_get(hass).async_update_device(device_id, area_id=cellar.id)
    area = {"area_id": cellar.id}
    assert await refused(hass, "get_telegram", area) == "several_meters"
    disable = hass.config_entries.async_set_disabled_by
    await disable(other.entry.entry_id, ConfigEntryDisabler.USER)
    assert (await respond(hass, "get_telegram", area))["protocol"] == "sml"
    # Not where it is chosen by itself.
    chosen = {"device_id": [device_of(meter), device_of(other)]}
    assert await refused(hass, "get_telegram", chosen) == "service_config_entry_not_loaded"
    await disable(meter.entry.entry_id, ConfigEntryDisabler.USER)
    assert await refused(hass, "get_telegram", area) == "service_config_entry_not_loaded"


async def test_one_meter_where_the_response_is_that_of_one(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, meter: PushedMeter
) -> None:
    target = {"device_id": [device_of(meter), device_of(await begin_other(hass, freezer))]}
    assert await refused(hass, "get_telegram", target) == "several_meters"
    assert await refused(hass, "read_registers", target, registers="1.8.0") == "several_meters"
    assert await refused(hass, "add_to_energy", target, role="grid") == "several_meters"


class _ProfileClient(ScriptedPolledClient):
    """A client of a meter whose load profile is empty, or which cannot be read."""

    asked = 0
    error: MeterError | None = None

    @override
    async def read_profile(
        self,
        start: datetime,
        end: datetime,
        zone: tzinfo | None = None,
    ) -> Sequence[Interval]:
        self.asked += 1
        if self.error is not None:
            raise self.error
        return []


class Profiles:
    """Two meters whose load profiles are read, and their target."""

    def __init__(self) -> None:
        self.clients: list[_ProfileClient] = []
        self.devices: list[str] = []
        self.start = (dt_util.utcnow() - timedelta(hours=3)).isoformat()

    @property
    def target(self) -> dict[str, Any]:
        return {"device_id": self.devices}


@pytest.fixture
async def profiles(
    recorder_mock: None,  # noqa: ARG001 - before Home Assistant
    hass: HomeAssistant,
    freezer: FrozenDateTimeFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> Profiles:
    monkeypatch.setattr(reading, "_PAUSE", 0)
    hass.config.language = "de"
    profiles = Profiles()
    for identity in (METER, _THIRD):
        meter = PolledMeter(hass, freezer)
        client = meter.client = _ProfileClient()
        meter.make_entry(identity.unique_id)
        client.usual = energy("5000", meter=identity)
        assert await meter.set_up()
        hass.config_entries.async_update_entry(meter.entry, title=f"Meter {identity.name}")
        profiles.clients.append(client)
        profiles.devices.append(device_of(meter))
    return profiles


async def test_history_of_several_meters(hass: HomeAssistant, profiles: Profiles) -> None:
    response = await respond(hass, "import_history", profiles.target, start=profiles.start)
    assert all(client.asked for client in profiles.clients)
    assert response["dry_run"] is True
    assert response["failed"] == []
    assert await refused(hass, "undo_history_import", profiles.target) == "nothing_to_undo"


async def test_next_meter_is_filled_after_one_has_failed(
    hass: HomeAssistant, profiles: Profiles
) -> None:
    first, second = profiles.clients
    first.error = MeterSilentError("silent")
    response = await respond(hass, "import_history", profiles.target, start=profiles.start)
    assert second.asked
    (failed,) = response["failed"]
    assert failed["meter"] == "Meter 1 DMO00 1234 5678"
    assert "Prüfe, ob der Lesekopf" in failed["error"]
    # No response would show it.
    data = {"start": profiles.start, **profiles.target}
    with pytest.raises(HomeAssistantError) as error:
        await hass.services.async_call(DOMAIN, "import_history", data, blocking=True)
    assert error.value.translation_key == "meters_failed"
    assert error.value.translation_placeholders == {
        "done": "1",
        "count": "2",
        "failed": f"{failed['meter']} ({failed['error']})",
    }


async def test_all_of_several_meters_have_failed(hass: HomeAssistant, profiles: Profiles) -> None:
    for client in profiles.clients:
        client.error = MeterSilentError("silent")
    with pytest.raises(HomeAssistantError) as error:
        await respond(hass, "import_history", profiles.target, start=profiles.start)
    assert all(client.asked for client in profiles.clients)
    placeholders = error.value.translation_placeholders
    assert placeholders is not None
    assert placeholders["done"] == "0"
    assert placeholders["failed"].count("Meter ") == 2


async def test_meters_without_profile_beside_others(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, profiles: Profiles
) -> None:
    other = await begin_other(hass, freezer)
    cellar = ar.async_get(hass).async_create("Cellar")
    for device_id in (*profiles.devices, device_of(other)):
        dr.async_get(hass).async_update_device(device_id, area_id=cellar.id)
    unloaded = hass.config_entries.async_entries(DOMAIN)[0]
    await hass.config_entries.async_unload(unloaded.entry_id)
    area = {"area_id": cellar.id}
    response = await respond(hass, "import_history", area, start=profiles.start)
    assert profiles.clients[1].asked
    assert [failed["meter"] for failed in response["failed"]] == [unloaded.title, "Meter"]
    assert "Lastgang" in response["failed"][1]["error"]
    assert await refused(hass, "undo_history_import", area) == "nothing_to_undo"
    target = {"device_id": device_of(other)}
    assert await refused(hass, "import_history", target, start=profiles.start) == "no_load_profile"
    assert await refused(hass, "undo_history_import", target) == "no_load_profile"


async def test_reading_of_a_device_is_that_of_its_total(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory
) -> None:
    meter = BlinkingMeter(hass, freezer)
    await meter.show(0, after=0)
    await meter.set_up()
    (device,) = dr.async_entries_for_config_entry(dr.async_get(hass), meter.entry.entry_id)
    response = await respond(hass, "set_meter_reading", {"device_id": device.id}, reading="5")
    assert response == {"sensor.meter_energy_import": {"off_by": "5.000"}}
    assert meter.value() == "5.000"
    with pytest.raises(HomeAssistantError):
        await respond(hass, "set_meter_reading", {"entity_id": POWER}, reading="6")
