"""Readings and profiles as the command line prints them: one line of JSON each, values as text."""

from collections.abc import Iterable

from ..iec62056 import Profile
from ..reading import Event, Interval, Reading, Register, as_text


def as_json(reading: Reading) -> dict[str, object]:
    """Return a reading; the values of its registers are exact decimals or text."""
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


def profile_as_json(profile: Profile) -> dict[str, object]:
    """Return a load profile or event log with all its rows."""
    header = profile.header
    period = header.capture_period
    events = [event_as_json(event) for event in profile.events]
    return {
        "object": header.object,
        "capture_period_minutes": None if period is None else int(period.total_seconds()) // 60,
        "channels": [] if period is None else _channels(header.channels),
        "rows": events or [interval_as_json(interval) for interval in profile.intervals],
    }


def interval_as_json(interval: Interval, *, with_channels: bool = False) -> dict[str, object]:
    """Return a row of a load profile; ``with_channels`` adds the registers and units."""
    result: dict[str, object] = {
        "start": interval.start.isoformat(),
        "end": interval.end.isoformat(),
        "season": interval.season,
    }
    if interval.end_utc is not None:
        result["end_utc"] = interval.end_utc.isoformat()
    result["status"] = interval.status
    if with_channels:
        result["channels"] = _channels(interval.values)
    result["values"] = [as_text(register.value) for register in interval.values]
    return result


def event_as_json(event: Event) -> dict[str, object]:
    """Return an entry of an event log."""
    return {
        "time": event.time.isoformat(),
        "season": event.season,
        "status": event.status,
        "entries": [_register(register) for register in event.entries],
    }


def _channels(registers: Iterable[Register]) -> list[dict[str, object]]:
    return [
        {
            "obis": None if register.obis is None else str(register.obis),
            "address": register.address,
            "unit": register.unit,
        }
        for register in registers
    ]
