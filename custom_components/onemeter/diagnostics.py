"""What a user may attach to a bug report: everything but who and where they are."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict
from typing import Any

from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import CONF_PORT
from homeassistant.core import HomeAssistant
from homeassistant.helpers.redact import REDACTED

from .coordinator import OneMeterConfigEntry
from .meaning import interpret
from .meter import Reading, Register, Value
from .meter.port import redact
from .meter.sml.masking import mask

#: Registers whose content may tell one meter or customer from others, and those nobody knows.
_PRIVATE = {"identification", "message", "public_key", "register"}
#: Bytes of the shortest content that may tell meters apart.
_SHORTEST = 4
#: The number of a meter within the 14 characters of DIN 43863-5, as text and as bytes.
_NUMBER_DIGITS = 8
_NUMBER_BYTES = 4


async def async_get_config_entry_diagnostics(
    hass: HomeAssistant, entry: OneMeterConfigEntry
) -> dict[str, Any]:
    """Return what is known of an entry and its meter, without any id."""
    diagnostics: dict[str, Any] = {
        "state": entry.state.value,
        "reason": entry.error_reason_translation_key,
        "data": {**entry.data, CONF_PORT: redact(entry.data[CONF_PORT])},
        "options": dict(entry.options),
    }
    if entry.state is not ConfigEntryState.LOADED:
        return diagnostics
    coordinator = entry.runtime_data
    newest = coordinator.newest
    readings = list(coordinator.readings)
    secrets = {secret for reading in readings for secret in _secrets(reading)}
    return diagnostics | {
        "available": coordinator.last_update_success,
        "situation": coordinator.situation,
        "counters": asdict(coordinator.client.counters),
        "last_telegram": newest.received.isoformat(),
        "manufacturer": newest.meter.manufacturer,
        "withheld_totals": [str(obis) for obis in coordinator.totals.jumped],
        "registers": [_show(register) for register in readings[-1].registers],
        "telegrams": [mask(reading.raw, secrets).hex() for reading in readings],
    }


def _show(register: Register) -> dict[str, Any]:
    """Return a register without what tells the meter apart."""
    return {
        "obis": register.obis and str(register.obis),
        "value": REDACTED if _is_private(register) else _text(register.value),
        "unit": register.unit,
        "signed_value": _text(register.signed_value),
    }


def _is_private(register: Register) -> bool:
    """Tell whether a register may hold an id: text, or a number that measures nothing."""
    if register.obis is None:
        return True
    line, _ = interpret(register.obis, {register.obis: register})
    return line.key in _PRIVATE and register.unit is None


def _text(value: Value) -> str | None:
    return None if value is None else value.hex() if isinstance(value, bytes) else str(value)


def _secrets(reading: Reading) -> Iterator[bytes]:
    """Yield what tells the meter apart, in each form in which a telegram may hold it."""
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


def _forms(text: str) -> Iterator[bytes]:
    """Yield a text as it is and in either case, and the bytes that it may be the digits of."""
    yield from (form.encode() for form in (text, text.upper(), text.lower()))
    with suppress(ValueError):
        yield bytes.fromhex(text)
