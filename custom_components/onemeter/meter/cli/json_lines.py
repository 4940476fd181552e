"""Readings and profiles as the command line prints them: one line of JSON each, values as text."""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal

from ..reading import Event, Interval, Reading, Register, Value


def as_json(reading: Reading) -> dict[str, object]:
    """Return a reading as the command line prints it; values are exact decimals or text."""
    result: dict[str, object] = {
        "meter_id": reading.meter.meter_id,
        "manufacturer": reading.meter.manufacturer,
        "ident": reading.meter.ident,
    }
    if reading.time is not None:
        result["time"] = reading.time.isoformat()
    result["registers"] = [_register(register) for register in reading.registers]
    return result


def _register(register: Register) -> dict[str, object]:
    result: dict[str, object] = {"obis": None if register.obis is None else str(register.obis)}
    if register.address is not None:
        result["address"] = register.address
    result |= {"value": as_text(register.value), "unit": register.unit, "group": register.group}
    if register.signed_value is not None:
        result["signed_value"] = as_text(register.signed_value)
    return result


def as_text(value: Value) -> str | None:
    """Return a value as the command line prints it."""
    match value:
        case bool():
            return str(value).lower()
        case Decimal():
            return f"{value:f}"
        case bytes():
            return f"0x{value.hex()}"
        case datetime():
            return value.isoformat()
        case int():
            return str(value)
        case _:
            return value


def interval_as_json(interval: Interval) -> dict[str, object]:
    """Return a row of a load profile as the command line prints it."""
    result: dict[str, object] = {
        "start": interval.start.isoformat(),
        "end": interval.end.isoformat(),
        "season": interval.season,
    }
    if interval.end_utc is not None:
        result["end_utc"] = interval.end_utc.isoformat()
    values = [as_text(register.value) for register in interval.values]
    return result | {"status": interval.status, "values": values}


def event_as_json(event: Event) -> dict[str, object]:
    """Return an entry of an event log as the command line prints it."""
    return {
        "time": event.time.isoformat(),
        "season": event.season,
        "status": event.status,
        "entries": [_register(register) for register in event.entries],
    }


def channels_as_json(channels: Iterable[Register]) -> list[dict[str, object]]:
    """Return what a profile captures as the command line prints it."""
    return [
        {
            "obis": None if channel.obis is None else str(channel.obis),
            "address": channel.address,
            "unit": channel.unit,
        }
        for channel in channels
    ]
