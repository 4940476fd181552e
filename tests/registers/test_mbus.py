"""The meters on the M-Bus that registers show."""

import pytest

from custom_components.onemeter.meter import Key, Obis, Register, Value
from custom_components.onemeter.registers.mbus import MbusMeter, channel_of, mbus_meters

from ..helpers.published import register

TYPE = register("0-1:24.1.0*255", "003")
TOTAL = register("0-1:24.2.1*255", "246.138", "m³")


def found(*registers: Register) -> dict[int, MbusMeter | None]:
    named: dict[Key, Register] = {item.obis: item for item in registers if item.obis is not None}
    return mbus_meters(named)


@pytest.mark.parametrize(
    ("code", "channel"),
    [
        ("0-1:24.1.0*255", 1),
        ("0-4:24.2.9*255", 4),
        ("0-2:96.1.1*255", 2),
        ("0-2:96.1.2*255", 2),
        ("0-0:96.1.0*255", None),
        ("0-1:96.3.10*255", None),
        ("1-1:24.7.0*255", None),
    ],
)
def test_channel_of_a_register(code: str, channel: int | None) -> None:
    assert channel_of(Obis.parse(code)) == channel


def test_address_is_of_no_channel() -> None:
    assert channel_of("6.8") is None


@pytest.mark.parametrize(
    ("value", "serial_number", "manufacturer"),
    [
        # Dutch: letters and digits, as octets of text.
        ("4730303132333435363738393031323334", "G0012345678901234", None),
        # Belgian: an id by DIN 43863-5.
        ("37454d4830313030303132333435", "7 EMH01 0001 2345", "EMH"),
        ("7EMH0100012345", "7 EMH01 0001 2345", "EMH"),
        (" 12345678 ", "12345678", None),
        ("ABCDEF", "ABCDEF", None),
        (12345678, "12345678", None),
        (bytes.fromhex("7856341202"), "7856341202", None),
    ],
)
def test_serial_number(value: Value, serial_number: str, manufacturer: str | None) -> None:
    [meter] = found(TYPE, register("0-1:96.1.0*255", value)).values()
    assert meter == MbusMeter("gas", serial_number, manufacturer)


@pytest.mark.parametrize("value", [None, "", "0", "00000000", "30303030303030303030", b"\0\0"])
def test_empty_id_shows_no_meter(value: Value) -> None:
    empty = register("0-1:96.1.0*255", value)
    assert found(TYPE, empty) == {1: None}
    assert found(TYPE, empty, register("0-1:24.2.1*255", "00000000")) == {1: None}
    assert found(TYPE, empty, TOTAL) == {1: MbusMeter("gas", None, None)}


def test_second_id_is_taken_if_the_first_is_empty() -> None:
    ids = register("0-1:96.1.0*255", ""), register("0-1:96.1.1*255", "4711")
    assert found(TYPE, *ids) == {1: MbusMeter("gas", "4711", None)}


def test_id_alone_is_that_of_the_electricity_meter() -> None:
    """It has several ids itself."""
    assert found(register("0-1:96.1.0*255", "4711")) == {}


def test_total_without_unit_in_the_oldest_telegrams() -> None:
    total = register("0-1:24.3.0*255", 1)
    assert found(TYPE, total) == {1: MbusMeter("gas", None, None)}
    assert found(total) == {1: None}


def test_meter_of_unknown_type() -> None:
    assert found(TOTAL) == {1: MbusMeter(None, None, None)}
    assert found(register("0-1:24.1.0*255", "015"), TOTAL) == {1: MbusMeter(None, None, None)}


def test_channels_are_in_order() -> None:
    others = [register(f"0-{channel}:24.2.1*255", "1", "m³") for channel in (4, 2, 3)]
    assert list(found(*others, TOTAL)) == [1, 2, 3, 4]
