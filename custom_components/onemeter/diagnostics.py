"""Diagnostics for bug reports, without secrets and without ids of the meter."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
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
from .meter import Key, Protocol, Reading, Register, Value
from .meter.blink.counter import ImpulseCounter
from .meter.dlms.client import DlmsClient
from .meter.dlms.push.client import DlmsPushClient
from .meter.dlms.security.protection import protection_of, suite_of
from .meter.errors import UnknownListError
from .meter.iec62056.masking import mask_readout
from .meter.redaction import redact
from .meter.sml.masking import mask
from .registers.lookup import describe_register
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
#: Registers that may identify a meter or a customer, and unknown ones.
_PRIVATE = {"identification", "message", "public_key", "register"}
#: Shorter values do not identify a meter (bytes).
_SHORTEST = 4
#: The number of a meter within the 14 characters of DIN 43863-5, as text and as bytes.
_NUMBER_DIGITS = 8
_NUMBER_BYTES = 4


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
        "registers": [_show(register) for register in readings[-1].registers],
        "telegrams": [telegram.hex() for telegram in _masked(settings.protocol, readings)],
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
            if len(address) >= _SHORTEST and address.lstrip("0") in meter_id:
                secrets.add(CONF_ADDRESS)
    if CONF_PORT in shown:
        shown[CONF_PORT] = redact(shown[CONF_PORT])
    return {key: REDACTED if key in secrets else value for key, value in shown.items()}


def _masked(protocol: Protocol, readings: list[Reading]) -> Iterator[bytes]:
    """Yield the telegrams of readings, with the meter's ids masked."""
    if protocol is Protocol.SML:
        secrets = {secret for reading in readings for secret in _secrets(reading)}
        yield from (mask(reading.raw, secrets) for reading in readings)
        return
    if protocol is Protocol.BLINK:
        return
    if protocol is Protocol.DLMS:
        # Ids, system titles and counters have too many forms there to be masked.
        return
    texts = {text for reading in readings for text in _secret_texts(reading)}
    for reading in readings:
        yield mask_readout(reading.raw, {text.encode() for text in texts})


def _show(register: Register) -> dict[str, Any]:
    """Return a register; its value is masked if it may identify the meter."""
    return {
        "obis": register.obis and str(register.obis),
        "address": register.address,
        "value": REDACTED if _is_private(register) else _text(register.value),
        "unit": register.unit,
        "signed_value": _text(register.signed_value),
    }


def _is_private(register: Register) -> bool:
    """Return whether a register may contain an id: a text, or a number without unit."""
    key = register.obis or register.address
    if key is None:
        return True
    line, _ = describe_register(key, {key: register})
    return line.key in _PRIVATE and register.unit is None


def _text(value: Value) -> str | None:
    return None if value is None else value.hex() if isinstance(value, bytes) else str(value)


def _secrets(reading: Reading) -> Iterator[bytes]:
    """Yield the ids of the meter, in each form that a telegram may contain."""
    for text in (reading.meter.meter_id, reading.meter.device_id, reading.meter.name):
        if text is not None:
            yield from _forms(text)
    if (device_id := reading.meter.device_id) is not None:
        number = device_id[-_NUMBER_DIGITS:]
        yield number.encode()
        yield int(number).to_bytes(_NUMBER_BYTES)
    for register in reading.registers:
        if _is_private(register):
            match register.value:
                case bytes() as value if len(value) >= _SHORTEST:
                    yield value
                    yield from _forms(value.hex())
                case str() as value if len(value) >= _SHORTEST:
                    yield from _forms(value)
                case int() as value if value >= 1 << 8 * (_SHORTEST - 1):
                    yield value.to_bytes((value.bit_length() + 7) // 8)
                    yield str(value).encode()


def _secret_texts(reading: Reading) -> Iterator[str]:
    """Yield the ids of the meter, in each form that a readout may contain."""
    texts = [reading.meter.meter_id, reading.meter.device_id, reading.meter.name]
    texts += [_text(register.value) for register in reading.registers if _is_private(register)]
    for text in texts:
        if text is not None and len(text) >= _SHORTEST:
            yield from (text, text.upper(), text.lower())
            # Meters pad their numbers with zeros in some registers only.
            if len(number := text.lstrip("0 ")) >= _SHORTEST:
                yield number


def _forms(text: str) -> Iterator[bytes]:
    """Yield a text in each case, and its bytes if it consists of hexadecimal digits."""
    yield from (form.encode() for form in (text, text.upper(), text.lower()))
    with suppress(ValueError):
        yield bytes.fromhex(text)
