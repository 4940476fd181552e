"""Diagnostics for bug reports, without secrets and without ids of the meter."""

from collections.abc import Iterable
from dataclasses import asdict, fields
from typing import Any

from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import CONF_ADDRESS, CONF_PORT
from homeassistant.core import HomeAssistant
from homeassistant.helpers.redact import REDACTED

from .const import CONF_IMPULSES, CONF_PHYSICAL_DEVICE, CONF_SOURCE_ID
from .coordinator.base import OneMeterConfigEntry, OneMeterCoordinator
from .coordinator.blink import BlinkCoordinator
from .coordinator.polled import PolledCoordinator
from .meter import Key, Protocol
from .meter.blink.counter import ImpulseCounter
from .meter.dlms.client import DlmsClient
from .meter.dlms.push.client import DlmsPushClient
from .meter.dlms.security.protection import protection_of, suite_of
from .meter.errors import UnknownListError
from .meter.redaction import redact
from .registers.masking import SHORTEST, masked_register, masked_telegrams
from .settings import (
    AnySettings,
    BlinkEntrySettings,
    DlmsEntrySettings,
    HassSource,
    Iec62056EntrySettings,
    Mode,
    from_entry,
    second_source,
)
from .states.values import clock_difference
from .totals import Totals

#: Physical device addresses from this number on contain the meter's number.
_NUMBERED = 1000


async def async_get_config_entry_diagnostics(
    hass: HomeAssistant, entry: OneMeterConfigEntry
) -> dict[str, Any]:
    """Return the diagnostics of an entry and its meter, without any id."""
    settings = from_entry(entry.data)
    options = dict(entry.options)
    if (source := second_source(options)) is not None:
        options[CONF_IMPULSES] = _redacted(source, "")
    diagnostics: dict[str, Any] = {
        "state": entry.state.value,
        "reason": entry.error_reason_translation_key,
        "mode": Mode.POLLED if settings.is_polled else Mode.PUSHED,
        "data": _redacted(settings, str(entry.unique_id)),
        "options": options,
    }
    if entry.state is not ConfigEntryState.LOADED:
        if entry.error_reason_translation_key == UnknownListError.translation_key:
            placeholders = entry.error_reason_translation_placeholders or {}
            diagnostics["unknown_list"] = placeholders.get("shape")
        return diagnostics
    coordinator = entry.runtime_data
    newest = coordinator.newest
    readings = list(coordinator.readings)
    if isinstance(coordinator, PolledCoordinator):
        diagnostics["poll_interval"] = coordinator.interval.total_seconds()
        diagnostics["readout_duration"] = coordinator.client.duration
        if isinstance(coordinator.client, DlmsClient):
            diagnostics["association"] = _association(coordinator.client)
    if settings.protocol is Protocol.DLMS:
        is_judged = (kept := coordinator.authenticity) is not None and kept.judge.is_required
        diagnostics["authentication"] = "authenticated" if is_judged else "not authenticated"
    if isinstance(coordinator.client, DlmsPushClient):
        diagnostics["unknown_lists"] = list(map(asdict, coordinator.client.unknown_lists))
    if isinstance(coordinator, BlinkCoordinator):
        diagnostics["impulses"] = _impulses(coordinator.client.counter)
    if (cross_check := coordinator.cross_check) is not None:
        diagnostics["second_source"] = {
            "situation": cross_check.translation_key,
            **_impulses(cross_check.counter),
        }
    return diagnostics | {
        "available": coordinator.last_update_success,
        "situation": coordinator.translation_key,
        "counters": asdict(coordinator.client.counters),
        "last_telegram": newest.received.isoformat(),
        "clock_difference": clock_difference(newest),
        "manufacturer": newest.meter.manufacturer,
        "billing": coordinator.billing.diagnostics(),
        "withheld_totals": [str(key) for key in _jumped(coordinator)],
        "registers": [masked_register(register) for register in readings[-1].registers],
        "telegrams": [telegram.hex() for telegram in masked_telegrams(settings.protocol, readings)],
    }


def _jumped(coordinator: OneMeterCoordinator) -> Iterable[Key]:
    totals = coordinator.totals
    return totals.jumped if isinstance(totals, Totals) else ()


def _association(client: DlmsClient) -> dict[str, Any]:
    """Return the association parameters of a DLMS meter, and what was found out about it."""
    settings, memory = client.settings, client.memory
    return {
        "transport": memory.transport,
        "client": settings.client,
        "address_length": memory.address and len(memory.address),
        "authentication": settings.authentication,
        "protection": protection_of(settings),
        "suite": suite_of(settings),
        "has_encryption_key": settings.keys.encryption is not None,
        "has_authentication_key": settings.keys.authentication is not None,
        "objects": len(memory.objects or ()),
        "refused": len(memory.refused),
        "list_size": memory.list_size,
    }


def _impulses(counter: ImpulseCounter) -> dict[str, Any]:
    """Return the counts of a counter."""
    return {
        "counted": counter.impulses,
        "rejected": counter.rejected,
        "missed_estimate": counter.missed,
        "edges": counter.edges,
    }


def _redacted(settings: AnySettings, meter_id: str) -> dict[str, Any]:
    """Return the entry data of settings without secrets and without ids of the meter."""
    shown = settings.to_entry()
    secrets = {field.name for field in fields(settings) if not field.repr}
    match settings:
        case BlinkEntrySettings(source=HassSource.MQTT):
            secrets.add(CONF_SOURCE_ID)
        case DlmsEntrySettings(physical_device=int(number)) if number >= _NUMBERED:
            secrets.add(CONF_PHYSICAL_DEVICE)
    match settings:
        # The device address is often the meter's number or the end of it.
        case Iec62056EntrySettings(address=address) | DlmsEntrySettings(address=address):
            if len(address) >= SHORTEST and address.lstrip("0") in meter_id:
                secrets.add(CONF_ADDRESS)
    if CONF_PORT in shown:
        shown[CONF_PORT] = redact(shown[CONF_PORT])
    return {key: REDACTED if key in secrets else value for key, value in shown.items()}
