"""The action that adds meters to the Energy dashboard, and the option that does the same."""

from typing import Any

from freezegun.api import FrozenDateTimeFactory
import probatio
import pytest
from pytest_homeassistant_custom_component.common import MockUser

from custom_components.onemeter.const import CONF_ENERGY_ROLE, CONF_MAX_POWER, DOMAIN
from custom_components.onemeter.energy_dashboard import Role
from homeassistant.core import Context, HomeAssistant
from homeassistant.exceptions import ServiceValidationError, Unauthorized
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers.translation import async_get_translations

from ..helpers.dashboard import EXPORT, IMPORT, OTHERS, POWER, Dashboard, bidirectional
from ..helpers.published import register
from ..helpers.pushed import reading

ADDED = {
    "type": "grid",
    "stat_energy_from": IMPORT,
    "stat_energy_to": EXPORT,
    "power_config": {"stat_rate": POWER},
}


@pytest.fixture
def dashboard(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> Dashboard:
    return Dashboard(hass, freezer)


async def add(
    dashboard: Dashboard,
    role: str = "grid",
    user: MockUser | None = None,
    device_id: str | None = None,
) -> dict[str, Any]:
    """Call the action, for the meter's own device if for no other."""
    (device,) = dr.async_entries_for_config_entry(
        dr.async_get(dashboard.hass), dashboard.entry.entry_id
    )
    response: Any = await dashboard.hass.services.async_call(
        DOMAIN,
        "add_to_energy",
        {"device_id": device_id or device.id, "role": role},
        blocking=True,
        context=Context(user_id=user.id if user else None),
        return_response=True,
    )
    assert isinstance(response, dict)
    return response


async def test_action_of_an_administrator_responds_with_what_was_added(
    dashboard: Dashboard, hass_admin_user: MockUser
) -> None:
    await dashboard.enter(**OTHERS)
    await dashboard.begin(Role.NONE)
    response = await add(dashboard, user=hass_admin_user)
    (added,) = response["energy_sources"]
    assert ADDED.items() <= added.items()
    assert (await dashboard.sources())[:-1] == OTHERS["energy_sources"]
    assert dashboard.entry.options == {CONF_ENERGY_ROLE: "grid"}
    assert await add(dashboard) == {"energy_sources": []}
    assert len(await dashboard.sources()) == 3
    await dashboard.remove()
    assert (await dashboard.manager()).data == OTHERS


async def test_action_needs_an_administrator(
    dashboard: Dashboard, hass_read_only_user: MockUser
) -> None:
    await dashboard.begin(Role.NONE)
    with pytest.raises(Unauthorized):
        await add(dashboard, user=hass_read_only_user)
    assert (await dashboard.manager()).data is None


async def test_action_changes_the_role(dashboard: Dashboard) -> None:
    await dashboard.begin(Role.GRID)
    response = await add(dashboard, "device")
    assert response == {"device_consumption": [{"stat_consumption": IMPORT, "stat_rate": POWER}]}
    assert await dashboard.sources() == []
    await dashboard.restart()
    assert len(await dashboard.section("device_consumption")) == 1


async def test_action_adds_again_what_was_removed(dashboard: Dashboard) -> None:
    await dashboard.begin(Role.GRID)
    await dashboard.enter(energy_sources=[])
    response = await add(dashboard)
    assert len(response["energy_sources"]) == 1
    assert len(await dashboard.sources()) == 1


async def test_action_says_why_it_can_do_nothing(dashboard: Dashboard) -> None:
    hass = dashboard.hass

    async def reason(device_id: str | None = None) -> str | None:
        with pytest.raises(ServiceValidationError) as raised:
            await add(dashboard, device_id=device_id)
        error = raised.value
        texts = await async_get_translations(
            hass, "en", "exceptions", [str(error.translation_domain)]
        )
        key = f"component.{error.translation_domain}.exceptions.{error.translation_key}.message"
        assert "{" not in texts[key].format(**(error.translation_placeholders or {}))
        return error.translation_key

    await dashboard.begin(Role.NONE, reading(register("1-0:16.7.0*255", "100", "W")))
    assert await reason() == "no_energy_sensor"
    assert await reason("unknown") == "service_device_not_found"
    hass.config.components.remove("energy")
    assert await reason() == "energy_not_set_up"
    await hass.config_entries.async_unload(dashboard.entry.entry_id)
    assert await reason() == "service_config_entry_not_loaded"
    assert dashboard.entry.options == {CONF_ENERGY_ROLE: "none"}


async def test_action_gives_no_other_role(dashboard: Dashboard) -> None:
    await dashboard.begin(Role.NONE)
    for role in ("none", "battery"):
        with pytest.raises(probatio.Invalid):
            await add(dashboard, role)


async def test_option_is_carried_out(dashboard: Dashboard) -> None:
    hass = dashboard.hass
    await dashboard.begin(Role.NONE)
    form: Any = await hass.config_entries.options.async_init(dashboard.entry.entry_id)
    (field,) = (field for field in form["data_schema"].schema if field == CONF_ENERGY_ROLE)
    assert field.default() == "none"
    selector = form["data_schema"].schema[field]
    assert selector.config["options"] == ["grid", "grid_tariffs", "solar", "device", "none"]
    dashboard.client.said.put_nowait(bidirectional())
    with dashboard.patched():
        done = await hass.config_entries.options.async_configure(
            form["flow_id"], {CONF_MAX_POWER: 43470, CONF_ENERGY_ROLE: "grid"}
        )
        await dashboard.settle()
    assert done["type"] == "create_entry"
    (source,) = await dashboard.sources()
    assert ADDED.items() <= source.items()
