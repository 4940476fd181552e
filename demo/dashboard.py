"""Meters in Home Assistant: added as a user adds them, and shown in the Energy dashboard."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

from .api import Api, ApiError

DOMAIN: Final = "onemeter"

#: OBIS codes of what the Energy dashboard shows. Power with its direction is the meter's own, or
#: derived from the amount and the status word.
IMPORT: Final = "1-0:1.8.0*255"
EXPORT: Final = "1-0:2.8.0*255"
POWER: Final = ("1-0:16.7.0*255", "power", "1-0:1.7.0*255")

#: How the ids begin that are made up for meters that tell none.
_GENERATED: Final = "generated-"

_POLL_SECONDS: Final = 0.5
_POLLS: Final = 120


class MeterError(Exception):
    """There is no meter at the port, or it cannot be read; the text says why."""


async def find_entry(api: Api, meter_id: str = "") -> str | None:
    """Return the entry of a meter that has been added; without an id that of any."""
    for entity in await api.call("config/entity_registry/list"):
        if entity["platform"] == DOMAIN and entity["unique_id"].startswith(meter_id):
            entry_id: str = entity["config_entry_id"]
            return entry_id
    return None


async def add_meter(
    api: Api,
    port: str,
    protocol: str = "sml",
    entered: Mapping[str, Mapping[str, Any]] | None = None,
) -> str:
    """Add the meter at a port through the integration's own dialog; return its entry.

    What is entered besides, or chosen from a menu, is given by step.
    Raises MeterError with the words with which the dialog refuses.
    """
    step = await api.begin_flow(DOMAIN)
    forms: dict[str, Mapping[str, Any]] = {
        "user": {"port": port, "protocol": protocol, "line": {}},
        "iec62056": {"expert": {}},
        **(entered or {}),
    }
    while step["type"] in {"form", "menu"} and not step.get("errors"):
        # What was found needs no more than a click.
        step = await api.continue_flow(step["flow_id"], dict(forms.get(step["step_id"], {})))
    if step["type"] == "create_entry":
        entry_id: str = step["result"]["entry_id"]
        return entry_id
    if step["type"] == "abort":
        problem = f"abort.{step['reason']}"
    else:
        problem = f"error.{next(iter(step['errors'].values()))}"
    raise MeterError(await _words(api, problem, step.get("description_placeholders") or {}))


async def rename(api: Api, entry_id: str, name: str) -> None:
    """Give a meter the name that it has in this house."""
    await api.call("config_entries/update", entry_id=entry_id, title=name)
    for device in await api.call("config/device_registry/list"):
        if entry_id in device["config_entries"]:
            await api.call(
                "config/device_registry/update", device_id=device["id"], name_by_user=name
            )


async def set_options(api: Api, entry_id: str, options: Mapping[str, Any]) -> None:
    """Choose options of a meter in the integration's own dialog, the others as it offers them."""
    if options:
        step = await api.begin_options_flow(entry_id)
        await api.continue_options_flow(step["flow_id"], dict(options))


async def _words(api: Api, problem: str, placeholders: dict[str, str]) -> str:
    translations = await api.call(
        "frontend/get_translations", language="en", category="config", integration=[DOMAIN]
    )
    key = f"component.{DOMAIN}.config.{problem}"
    text: str = translations["resources"].get(key, problem)
    for name, value in placeholders.items():
        text = text.replace(f"{{{name}}}", value)
    return text


async def sensors(api: Api, entry_id: str) -> dict[str, str]:
    """Return the enabled sensors of a meter by their keys, once those of its energy are there.

    Raises MeterError when they do not come.
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
        "The meter has been added, but it shows no energy. Home Assistant's log says why."
    )


async def show_energy(
    api: Api,
    grid: dict[str, str],
    roof: dict[str, str] | None = None,
    flat: dict[str, str] | None = None,
    pump: dict[str, str] | None = None,
) -> None:
    """Configure the Energy dashboard, unless somebody has done so.

    Takes the sensors of the grid's meter, of that of the panels, and of those of the flat and of
    the heat pump, which are at the grid by themselves. What the heat pump uses is told by its
    meter, too.
    """
    with suppress(ApiError):  # there are no preferences yet
        if (await api.call("energy/get_prefs"))["energy_sources"]:
            return
    sources = [_at_the_grid("Grid", grid)]
    if roof is not None:
        sources.append(
            {
                "type": "solar",
                "name": "Roof",
                "stat_energy_from": roof[IMPORT],
                "stat_rate": power_of(roof),
            }
        )
    if flat is not None:
        sources.append(_at_the_grid("Flat", flat))
    devices = []
    if pump is not None:
        sources.append(_at_the_grid("Heat pump", pump))
        devices.append(
            {
                "stat_consumption": pump[IMPORT],
                "stat_rate": power_of(pump),
                "name": "Heat pump",
            }
        )
    await api.call("energy/save_prefs", energy_sources=sources, device_consumption=devices)


def _at_the_grid(name: str, meter: dict[str, str]) -> dict[str, Any]:
    """Return what the Energy dashboard shows of a meter at the grid."""
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
    """Return the sensor of a meter's power, where it has one."""
    return next((meter[key] for key in POWER if key in meter), None)
