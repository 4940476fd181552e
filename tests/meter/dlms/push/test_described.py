"""Lists of any shape whose registers are sent with code, scaler and unit."""

from decimal import Decimal

import pytest

from custom_components.onemeter.meter.dlms.push.decoder import DlmsDecoder
from simulator.dlms import axdr
from simulator.dlms.cosem import scaler_unit
from simulator.dlms.hdlc import LLC_RESPONSE, POLL, UI, Frame
from simulator.dlms.obis import logical_name

WH, V = 30, 35
NAME = axdr.octets(b"XYZ_V0001")
CLOCK = axdr.octets(bytes.fromhex("07ea0c010206000000ffc400"))


def code(text: str) -> bytes:
    return axdr.octets(logical_name(text))


ENERGY, VOLTAGE = code("1-0:1.8.0*255"), code("1-0:32.7.0*255")
KILO, TENTH = scaler_unit(3, WH), scaler_unit(-1, V)
SERIAL = axdr.structure(code("0-0:96.1.0*255"), axdr.octets(b"12345678"))


def described(energy: bytes, voltage: bytes) -> tuple[bytes, ...]:
    """Return an energy and a voltage with their codes, scalers and units."""
    return (
        axdr.structure(ENERGY, energy, KILO),
        axdr.structure(VOLTAGE, voltage, TENTH),
    )


def lists(total: int, volts: int) -> dict[str, bytes]:
    """Return lists of these values, in steps of kWh and of 0.1 V."""
    energy, voltage = axdr.u32(total), axdr.u16(volts)
    both = described(energy, voltage)
    pair = ((ENERGY, energy, KILO), (VOLTAGE, voltage, TENTH))
    class_id, attribute = axdr.u16(3), axdr.i8(2)
    return {
        "in an array behind name and clock": axdr.structure(NAME, CLOCK, axdr.array(both)),
        "behind name, number and clock": axdr.structure(NAME, NAME, CLOCK, SERIAL, *both),
        "with class and attribute": axdr.array(
            axdr.structure(class_id, name, attribute, value, unit) for name, value, unit in pair
        ),
        "with capture time": axdr.structure(
            *(axdr.structure(name, value, unit, CLOCK) for name, value, unit in pair)
        ),
        "with class and attribute, unit before value": axdr.array(
            axdr.structure(class_id, name, attribute, unit, value) for name, value, unit in pair
        ),
        "unit before value": axdr.structure(
            *(axdr.structure(name, unit, value) for name, value, unit in pair)
        ),
        "value and unit in a structure": axdr.structure(
            *(axdr.structure(name, axdr.structure(value, unit)) for name, value, unit in pair)
        ),
        "scaler and unit without a structure": axdr.structure(
            axdr.structure(ENERGY, energy, axdr.i8(3), axdr.enum(WH)),
            axdr.structure(VOLTAGE, voltage, axdr.i8(-1), axdr.enum(V)),
        ),
    }


def frame(body: bytes) -> bytes:
    information = LLC_RESPONSE + b"\x0f\0\0\0\1\0" + body
    return Frame(b"\x41", b"\x03", UI | POLL, information, segmented=False).to_bytes()


@pytest.mark.parametrize("form", lists(0, 0))
def test_values_with_code_scaler_and_unit(form: str) -> None:
    decoder = DlmsDecoder()
    for total, volts in ((1234, 2301), (1235, 2299), (1236, 2300)):
        (reading,) = decoder.feed(frame(lists(total, volts)[form]))
        found = [(str(r.obis), r.value, r.unit) for r in reading.registers if r.unit]
        assert found == [
            ("1-0:1.8.0*255", total * 1000, "Wh"),
            ("1-0:32.7.0*255", Decimal(volts) / 10, "V"),
        ]
        assert reading.meter.meter_id == ("12345678" if "number" in form else None)
    assert (decoder.damaged, decoder.other) == (0, 0)


@pytest.mark.parametrize(
    "elements",
    [
        # A number without a code.
        (NAME, axdr.array(described(axdr.u32(1), axdr.u16(2))), axdr.u32(3)),
        # Two codes, or two units, in one structure.
        (axdr.structure(ENERGY, VOLTAGE, axdr.u32(1), KILO), axdr.u32(3)),
        (axdr.structure(axdr.u16(3), ENERGY, axdr.u32(1), KILO, axdr.u16(2), TENTH),),
        # No value.
        (axdr.structure(axdr.u16(3), ENERGY, KILO), axdr.u32(3)),
        # An attribute, no value.
        (axdr.structure(axdr.u16(3), ENERGY, axdr.i8(3), KILO),),
        # A time or a status as number, on either side of the value.
        (axdr.structure(ENERGY, axdr.u32(1), axdr.u32(1_765_000_000), KILO),),
        (axdr.structure(ENERGY, axdr.u32(1_765_000_000), KILO, axdr.u32(1)),),
        (axdr.structure(ENERGY, CLOCK, KILO, axdr.u32(1)),),
        (axdr.structure(ENERGY, axdr.NULL, KILO, axdr.u32(1)), SERIAL, NAME),
        (axdr.structure(ENERGY, axdr.structure(axdr.u32(1), axdr.u32(2), KILO)),),
        # Rows of a profile.
        (
            axdr.array(
                axdr.structure(CLOCK, *described(axdr.u32(row), axdr.u16(row))) for row in (1, 2)
            ),
        ),
        # The unit of another quantity, or a status in place of scaler and unit.
        (NAME, axdr.structure(axdr.structure(ENERGY, axdr.u32(1), TENTH))),
        (axdr.structure(ENERGY, axdr.u32(1), axdr.i8(2), axdr.enum(1)),),
        (axdr.structure(code("0-0:96.8.0*255"), axdr.u32(1), axdr.i8(2), axdr.enum(6)),),
        # No unit.
        (axdr.structure(axdr.u16(3), ENERGY, axdr.i8(2), axdr.u32(1)),),
    ],
)
def test_unknown_meaning(elements: tuple[bytes, ...]) -> None:
    decoder = DlmsDecoder()
    assert decoder.feed(frame(axdr.structure(*elements))) == []
    assert (decoder.damaged, decoder.other) == (0, 1)
