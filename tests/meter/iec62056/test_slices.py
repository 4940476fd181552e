"""Long readouts: decoded in slices, with limits for all elements."""

from collections.abc import Iterable
import dataclasses
from decimal import Decimal
from unittest.mock import patch

from hypothesis import given, strategies as st
import pytest

from custom_components.onemeter.meter.errors import TelegramError
from custom_components.onemeter.meter.iec62056 import Iec62056Decoder, data_sets, readout
from custom_components.onemeter.meter.iec62056.codes import ADDRESS_MAX, parse_address
from custom_components.onemeter.meter.iec62056.data_sets import parse_data_sets
from custom_components.onemeter.meter.iec62056.profile import decode_profile
from custom_components.onemeter.meter.iec62056.readout import parse_registers
from custom_components.onemeter.meter.iec62056.values import VALUE_MAX
from custom_components.onemeter.meter.reading import Reading
from simulator.iec62056.encoder import Checksum, data_block

IDENT = b"/TST5DEMO-21\r\n"
TEXTS = st.text(alphabet="()\r\n !*.18ak", max_size=60)
#: Characters per slice.
SLICES = (1, 2, 3, 7, 20)
VALUES_MAX = 2000


def block(lines: Iterable[str], checksum: Checksum = Checksum.XOR) -> bytes:
    return IDENT + data_block("".join(lines), checksum)


def lines(count: int) -> list[str]:
    return [f"1.8.{number % 64}*{number // 64}(000123.4*kWh)\r\n" for number in range(count)]


def read(data: bytes) -> Reading:
    decoder = Iec62056Decoder()
    (reading,) = [*decoder.feed(data), *decoder.finish()]
    return reading


# --- slices ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("checksum", [Checksum.XOR, Checksum.NONE, Checksum.SUM])
@pytest.mark.parametrize("count", [616, VALUES_MAX])
def test_a_long_readout_is_decoded_in_slices(count: int, checksum: Checksum) -> None:
    data = block(lines(count), checksum)
    most = 0
    add = readout._Parsed.add

    def look(parsed: readout._Parsed, text: str, known: readout.Lines, **how: bool) -> None:
        nonlocal most
        most = max(most, text.count("("))
        add(parsed, text, known, **how)

    decoder = Iec62056Decoder(is_guarded=True)
    with patch.object(readout._Parsed, "add", look):
        found = [*decoder.feed_in_slices(data * 2), *decoder.finish_in_slices()]
    # Without checksum, the first readout of a meter is held back.
    assert sum(item is not None for item in found) == (1 if checksum is Checksum.NONE else 2)
    assert found.count(None) > 2 * count / most
    assert most <= 64
    reading = next(item for item in found if item is not None)
    assert [register.value for register in reading.registers] == [Decimal("123.4")] * count


def test_steps_on_a_complete_readout_are_done_in_slices() -> None:
    current = [f"1.8.{number}(000123.4*kWh)\r\n" for number in range(64)]
    for data in (
        block(current + [line.replace("*kWh", "") for line in lines(VALUES_MAX - 64)]),
        block(["6.8(1.5*MWh)\r\n", *lines(VALUES_MAX - 1)]),
    ):
        with patch.object(readout, "replace", wraps=dataclasses.replace) as replace:
            done = most = 0
            for _ in Iec62056Decoder().feed_in_slices(data):
                most = max(most, replace.call_count - done)
                done = replace.call_count
            assert done >= VALUES_MAX - 64
            assert most <= 256


@given(TEXTS)
def test_slices_do_not_matter(text: str) -> None:
    with patch.object(data_sets, "_SLICE", 10**9):
        whole = parse_registers(text), list(parse_data_sets(text)), readout_of(text)
    for size in SLICES:
        with patch.object(data_sets, "_SLICE", size):
            sliced = parse_registers(text), list(parse_data_sets(text)), readout_of(text)
        assert sliced == whole


def readout_of(text: str) -> object:
    decoder = Iec62056Decoder()
    data = f"/TST5DEMO\r\n{text}!\r\n".encode()
    return [*decoder.feed(data), *decoder.finish()], decoder.damaged


# --- limits ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("checksum", [Checksum.XOR, Checksum.NONE])
def test_more_values_than_any_meter_has(checksum: Checksum) -> None:
    assert len(read(block(["1.8.0", *["(1.5)"] * VALUES_MAX, "\r\n"], checksum)).registers) == 2000
    decoder = Iec62056Decoder()
    assert not decoder.feed(
        block(["1.8.0", *["(1.5)"] * (VALUES_MAX + 1), "\r\n"], checksum) + b"/"
    )
    assert decoder.damaged == 1
    assert isinstance(decoder.error, TelegramError)


@pytest.mark.parametrize("length", [ADDRESS_MAX, ADDRESS_MAX + 1, 60_000])
def test_a_long_address(length: int) -> None:
    address = "x" * length
    text = f"1.8.0(1.5*kWh)\r\n{address}(2.5*kWh)(3.5*kWh)\r\n2.8.0(4.5*kWh)\r\n"
    found = [(register.address, register.value) for register in parse_registers(text)]
    known = [("1.8.0", Decimal("1.5")), ("2.8.0", Decimal("4.5"))]
    if length <= ADDRESS_MAX:
        known[1:1] = [(address, Decimal("2.5")), (address, Decimal("3.5"))]
    assert found == known
    assert [name for name, _, _ in parse_data_sets(text)] == [name for name, _ in known]
    assert len(read(block([text])).current()) == len(set(known)) - (length <= ADDRESS_MAX)
    # Blanks around it do not count.
    assert parse_registers(f"{' ' * 100}1.8.0{' ' * 100}(1.5*kWh)")[0].address == "1.8.0"


@pytest.mark.parametrize("length", [VALUE_MAX, VALUE_MAX + 1, 60_000])
def test_a_long_value_is_unknown(length: int) -> None:
    text = f"0.2.0({'x' * length})\r\n1.8.0(1.5*kWh)\r\n"
    first, second = parse_registers(text)
    assert first.address == "0.2.0"
    assert first.value == ("x" * length if length <= VALUE_MAX else None)
    assert second.value == Decimal("1.5")


def test_numbers_and_units_that_are_none() -> None:
    for value in ("1" * 24, "1" * 24 + "." + "1" * 24, "1" * 24 + "*kWh"):
        assert isinstance(parse_registers(f"1.8.0({value})")[0].value, Decimal), value
    for value in (
        "1" * 25,
        "1." + "1" * 25,
        "1" * 25 + "*kWh",
        "1*" + "k" * 17,
        "1 " * 30 + "*kWh",
    ):
        for text in (value, f" {value}", value.replace(".", ",")):
            assert parse_registers(f"1.8.0({text})")[0].value == text.strip()


def test_a_long_id_is_none() -> None:
    for length in (ADDRESS_MAX, ADDRESS_MAX + 1):
        reading = read(block([f"0.0.0({'7' * length})\r\n96.1.1(42)\r\n"]))
        assert reading.meter.meter_id == ("7" * length if length <= ADDRESS_MAX else "42")


def test_codes_of_a_profile() -> None:
    rows = "(0.5)\r\n(0.6)\r\n"
    header = "P.01(260921000000)(00)(15)(1)"
    assert len(decode_profile(f"{header}(1.5)(kW){rows}").intervals) == 2
    for code, unit in (("x" * 65, "kW"), ("1.5", "k" * 65)):
        with pytest.raises(TelegramError):
            decode_profile(f"{header}({code})({unit}){rows}")


def test_long_addresses_are_not_remembered() -> None:
    assert parse_address("1.8.0" + " " * 60) is None
    assert parse_address("1.8.0" + " " * 10_000) is None
