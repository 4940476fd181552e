"""Meters in Home Assistant: added through the config flow, shown in the Energy dashboard."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any, Final

from .api import Api, ApiError

DOMAIN: Final = "onemeter"

#: Keys of the sensors in the Energy dashboard. Signed power is a register of the meter or derived
#: from unsigned power and the status word.
IMPORT: Final = "1-0:1.8.0*255"
EXPORT: Final = "1-0:2.8.0*255"
POWER: Final = ("1-0:16.7.0*255", "power", "net_power", "1-0:1.7.0*255")

#: Prefix of the generated unique ids of meters without an id.
_GENERATED: Final = "generated-"

#: What the config flow calls a protocol that is to be found out, and those of meters that can be
#: added without further details.
DETECT: Final = "detect"
PROTOCOLS: Final = (DETECT, "sml", "iec62056", "dlms")

#: The demo fills the Energy dashboard itself, with several meters and their names.
NO_ROLE: Final = {"energy_role": "none"}

_POLL_SECONDS: Final = 0.5
_POLLS: Final = 120
#: How often a load profile that cannot be read is requested.
_ATTEMPTS: Final = 3


class MeterError(Exception):
    """There is no meter at the port, or it cannot be read."""


async def find_entry(api: Api, meter_id: str = "") -> str | None:
    """Return the entry of a meter if it has been added; without an id, that of any meter."""
    for entity in await api.call("config/entity_registry/list"):
        if entity["platform"] == DOMAIN and entity["unique_id"].startswith(meter_id):
            entry_id: str = entity["config_entry_id"]
            return entry_id
    return None


async def add_meter(
    api: Api,
    port: str,
    protocol: str = DETECT,
    entered: Mapping[str, Mapping[str, Any]] | None = None,
    confirmed: Mapping[str, Any] = NO_ROLE,
) -> str:
    """Add the meter at a port through the config flow; return its entry.

    ``entered`` has the input of further forms and menus by step, and what is added to that of the
    first one; ``confirmed`` that of the form with the meter that was found. Raises MeterError with
    the text that the config flow shows.
    """
    step = await api.begin_flow(DOMAIN)
    entered = entered or {}
    forms: dict[str, Mapping[str, Any]] = {
        "iec62056": {"expert": {}},
        "dlms": {"next_step_id": "dlms_find_out"},
        "dlms_address": {"expert": {}},
        **entered,
        "user": {"port": port, "protocol": protocol, "line": {}, **entered.get("user", {})},
    }
    while step["type"] in {"form", "menu"} and not step.get("errors"):
        default = confirmed if step["step_id"].startswith("confirm") else {}
        step = await api.continue_flow(step["flow_id"], dict(forms.get(step["step_id"], default)))
    if step["type"] == "create_entry":
        entry_id: str = step["result"]["entry_id"]
        return entry_id
    kind, key = "abort", step.get("reason", "")
    if step["type"] != "abort":
        kind, key = "error", next(iter(step["errors"].values()))
    placeholders = step.get("description_placeholders") or {}
    raise MeterError(await _translated(api, f"{kind}.{key}", placeholders))


async def rename(api: Api, entry_id: str, name: str) -> None:
    """Rename the entry of a meter and its devices."""
    await api.call("config_entries/update", entry_id=entry_id, title=name)
    for device in await api.call("config/device_registry/list"):
        if entry_id in device["config_entries"]:
            await api.call(
                "config/device_registry/update", device_id=device["id"], name_by_user=name
            )


async def import_history(api: Api, entry_id: str, start: datetime) -> None:
    """Import the energy from a time on from the load profile of a meter.

    Where that fails, OneMeter tries it again later.
    """
    [device_id] = [
        device["id"]
        for device in await api.call("config/device_registry/list")
        if entry_id in device["config_entries"]
    ]
    data = {"device_id": device_id, "start": start.isoformat(), "dry_run": False}
    for _ in range(_ATTEMPTS):
        # What was read stays read.
        with suppress(ApiError):
            if (await api.act("import_history", data))["statistics"]:
                return


async def set_options(api: Api, entry_id: str, options: Mapping[str, Any]) -> None:
    """Set some options of a meter through the options flow; the others are the defaults."""
    if options:
        step = await api.begin_options_flow(entry_id)
        await api.continue_options_flow(step["flow_id"], dict(options))


async def _translated(api: Api, path: str, placeholders: dict[str, str]) -> str:
    translations = await api.call(
        "frontend/get_translations", language="en", category="config", integration=[DOMAIN]
    )
    key = f"component.{DOMAIN}.config.{path}"
    text: str = translations["resources"].get(key, path)
    for name, value in placeholders.items():
        text = text.replace(f"{{{name}}}", value)
    return text


async def sensors(api: Api, entry_id: str) -> dict[str, str]:
    """Return the enabled sensors of a meter by their keys, as soon as there is one of its energy.

    MeterError if there is none in time.
    """
    for _ in range(_POLLS):
        found = {
            entity["unique_id"].removeprefix(_GENERATED).partition("-")[2]: entity["entity_id"]
            for entity in await api.call("config/entity_registry/list")
            if entity["config_entry_id"] == entry_id and entity["disabled_by"] is None
        }
        if IMPORT in found or EXPORT in found:
            return found
        await asyncio.sleep(_POLL_SECONDS)
    raise MeterError(
        "The meter was added, but has no energy sensor. See the log of Home Assistant."
    )


async def show_energy(
    api: Api,
    grid: dict[str, str],
    roof: dict[str, str],
    flat: dict[str, str],
    pump: dict[str, str],
) -> None:
    """Configure the Energy dashboard, unless it is configured already.

    Takes the sensors of the meters. Flat and heat pump have their own grid connections; the heat
    pump is also shown as a device.
    """
    with suppress(ApiError):  # there are no preferences yet
        if (await api.call("energy/get_prefs"))["energy_sources"]:
            return
    sources = [
        _at_the_grid("Grid", grid),
        {
            "type": "solar",
            "name": "Roof",
            "stat_energy_from": roof[IMPORT],
            "stat_rate": power_of(roof),
        },
        _at_the_grid("Flat", flat),
        _at_the_grid("Heat pump", pump),
    ]
    device = {
        "stat_consumption": pump[IMPORT],
        "stat_rate": power_of(pump),
        "name": "Heat pump",
    }
    await api.call("energy/save_prefs", energy_sources=sources, device_consumption=[device])


def _at_the_grid(name: str, meter: dict[str, str]) -> dict[str, Any]:
    """Return the Energy dashboard's source for a grid meter."""
    source: dict[str, Any] = {
        "type": "grid",
        "name": name,
        "stat_energy_from": meter.get(IMPORT),
        "stat_energy_to": meter.get(EXPORT),
        "cost_adjustment_day": 0,
    }
    if (power := power_of(meter)) is not None:
        source["power_config"] = {"stat_rate": power}
    return source


def power_of(meter: dict[str, str]) -> str | None:
    """Return the power sensor of a meter, if it has one."""
    return next((meter[key] for key in POWER if key in meter), None)
