"""What the command line prints."""

from datetime import UTC, datetime
from decimal import Decimal
import json

import pytest

from custom_components.onemeter.meter.cli.json_lines import (
    as_json,
    event_as_json,
    interval_as_json,
)
from custom_components.onemeter.meter.obis import Obis
from custom_components.onemeter.meter.reading import (
    Event,
    Identity,
    Interval,
    Reading,
    Register,
    Value,
)

TOTAL = Obis.parse("1-0:1.8.0")
NOON = datetime.fromisoformat("2026-03-15T12:00")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, None),
        ("", ""),
        ("00123", "00123"),
        (Decimal("0.0001"), "0.0001"),
        (Decimal("1E+3"), "1000"),
        (Decimal("1E-12"), "0.000000000001"),
        (Decimal("-12.3400"), "-12.3400"),
        (Decimal("12345678901234567890.5"), "12345678901234567890.5"),
        (-7, "-7"),
        (True, "true"),
        (b"\x01\xff", "0x01ff"),
        (b"", "0x"),
        (NOON, "2026-03-15T12:00:00"),
    ],
)
def test_value(value: Value, text: str | None) -> None:
    reading = Reading(Identity(), None, (Register(TOTAL, value),), b"")
    assert as_json(reading)["registers"] == [
        {"obis": "1-0:1.8.0*255", "value": text, "unit": None, "group": 0}
    ]


def test_reading() -> None:
    registers = (
        Register(TOTAL, Decimal("7.0"), "kWh", address="1.8.0"),
        Register(None, "x", address="F", group=1),
        Register(TOTAL, 5, "W", signed_value=-5),
    )
    reading = Reading(Identity("8", "TST", "DEMO"), NOON, registers, b"")
    assert json.loads(json.dumps(as_json(reading))) == {
        "meter_id": "8",
        "manufacturer": "TST",
        "ident": "DEMO",
        "time": "2026-03-15T12:00:00",
        "registers": [
            {
                "obis": "1-0:1.8.0*255",
                "address": "1.8.0",
                "value": "7.0",
                "unit": "kWh",
                "group": 0,
            },
            {"obis": None, "address": "F", "value": "x", "unit": None, "group": 1},
            {
                "obis": "1-0:1.8.0*255",
                "value": "5",
                "unit": "W",
                "group": 0,
                "signed_value": "-5",
            },
        ],
    }


def test_interval() -> None:
    values = (Register(TOTAL, Decimal("0.50"), "kWh"), Register(TOTAL, None))
    interval = Interval(NOON.replace(hour=11), NOON, "summer", None, "80", values)
    assert interval_as_json(interval) == {
        "start": "2026-03-15T11:00:00",
        "end": "2026-03-15T12:00:00",
        "season": "summer",
        "status": "80",
        "values": ["0.50", None],
    }
    in_utc = Interval(NOON, NOON, None, datetime(2026, 3, 15, 11, tzinfo=UTC), "", ())
    assert interval_as_json(in_utc)["end_utc"] == "2026-03-15T11:00:00+00:00"


def test_event() -> None:
    event = Event(NOON, "winter", "00", (Register(TOTAL, Decimal(4), address="1.8.0"),))
    assert event_as_json(event) == {
        "time": "2026-03-15T12:00:00",
        "season": "winter",
        "status": "00",
        "entries": [
            {"obis": "1-0:1.8.0*255", "address": "1.8.0", "value": "4", "unit": None, "group": 0}
        ],
    }


def test_interval_with_channels() -> None:
    values = (Register(TOTAL, Decimal(1), "kWh", address="1.8"), Register(None, "a", address="X"))
    row = interval_as_json(Interval(NOON, NOON, None, None, "", values), with_channels=True)
    assert row["channels"] == [
        {"obis": "1-0:1.8.0*255", "address": "1.8", "unit": "kWh"},
        {"obis": None, "address": "X", "unit": None},
    ]
    assert row["values"] == ["1", "a"]
