"""A decoder that remembers layouts gives the same readings as one that knows none."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import product
from unittest.mock import patch

from hypothesis import given, strategies as st
import pytest

from custom_components.onemeter.meter.errors import TelegramError
from custom_components.onemeter.meter.obis import Obis
from custom_components.onemeter.meter.reading import Reading
from custom_components.onemeter.meter.sml import message
from custom_components.onemeter.meter.sml.message import ReadingDecoder
from simulator.household import Household
from simulator.sml import encoder as sml
from simulator.sml.meter import SmlMeter, Style

MORNING = 1_790_000_000
HOUSEHOLDS = {
    "with solar panels": Household(),
    "without": Household(1, solar=False),
    "only solar panels": Household(2, appliances=False),
    "heat pump": Household(3, heat_pump=True),
}
METERS = {
    f"{kind}, {style}{', locked' if locked else ''}": SmlMeter(
        household=household, style=style, locked=locked, restart=MORNING + 3000
    )
    for (kind, household), style, locked in product(HOUSEHOLDS.items(), Style, (False, True))
}
POWER = bytes(Obis.parse("1-0:16.7.0"))
TOTAL = bytes(Obis.parse("1-0:1.8.0"))
EXPORT = 0x1C0904
IMPORT = 0x1C0104


def body_of(telegram: bytes) -> bytes:
    """Return the messages of a telegram."""
    return telegram[8 : -8 - telegram[-3]].replace(sml.ESCAPE * 2, sml.ESCAPE)


def bodies_of(meter: SmlMeter, times: Iterable[int]) -> Iterator[bytes]:
    """Yield the messages of a meter at some seconds after a morning."""
    return (body_of(meter.telegram(MORNING + time)) for time in times)


def of_all_kinds() -> bytes:
    """Return messages with a value of each type, of each width, and times in all places."""
    numbers = [
        sml.entry(
            bytes([1, 0, 99, width, 0, 255]),
            kind(100 + width, width),
            unit=sml.unsigned(30),
            scaler=sml.integer(scaler),
            time=sml.time_index(width),
        )
        for width, (kind, scaler) in product(range(1, 9), ((sml.unsigned, -1), (sml.integer, 2)))
    ]
    others = [
        sml.entry(TOTAL, sml.unsigned(7, 3), status=sml.unsigned(EXPORT, 4)),
        sml.entry(TOTAL[:4] + b"\x01\xff", sml.unsigned(7, 3), status=sml.unsigned(IMPORT, 4)),
        sml.entry(POWER, sml.integer(321, 4), unit=sml.unsigned(27), scaler=sml.integer(-1)),
        sml.entry(POWER, sml.integer(-321, 2), unit=sml.unsigned(27), scaler=sml.integer(-1)),
        sml.entry(bytes(Obis.parse("1-0:0.2.0*0")), sml.octets(b"1.02")),
        sml.entry(bytes(Obis.parse("1-0:96.1.0")), sml.octets(b"1.02")),
        sml.entry(bytes(Obis.parse("1-0:96.5.0")), sml.boolean(1)),
        sml.entry(bytes(Obis.parse("1-0:96.5.1")), sml.SKIPPED, signature=sml.octets(b"signed")),
        sml.entry(bytes(Obis.parse("129-0:96.8.0*1")), sml.timestamp(MORNING)),
        sml.entry(b"short", sml.sequence([sml.unsigned(1), sml.time_index(9)])),
    ]
    first = sml.get_list_response(
        sml.octets(b"\x0a\x01TST\x00\x00\x00\x00\x07"), numbers, sensor_time=sml.time_index(5)
    )
    second = sml.get_list_response(
        sml.octets(b"\x0a\x01TST\x00\x00\x00\x00\x08"),
        others,
        sensor_time=sml.local_timestamp(MORNING, 60, 60),
    )
    return b"".join(
        (
            sml.message(sml.OPEN_RESPONSE, sml.open_response(sml.octets(b"id"))),
            sml.message(sml.GET_LIST_RESPONSE, first),
            sml.message(sml.GET_LIST_RESPONSE, second),
            sml.message(sml.CLOSE_RESPONSE, sml.close_response()),
        )
    )


def outcome(decoder: ReadingDecoder, body: bytes) -> Sequence[Reading] | str:
    """Return the readings of messages, or the text of the error."""
    try:
        return decoder.decode(body, b"telegram")
    except TelegramError as error:
        return str(error)


def same(memory: ReadingDecoder, body: bytes) -> Sequence[Reading] | str:
    """Return what a decoder with a memory reads, which must be what a new one reads."""
    found = outcome(memory, body)
    assert found == outcome(ReadingDecoder(), body)
    if not isinstance(found, str):
        values = [r.value for reading in found for r in reading.registers]
        fresh = ReadingDecoder().decode(body, b"telegram")
        assert [str(value) for value in values] == [
            str(r.value) for reading in fresh for r in reading.registers
        ]
    return found


@pytest.mark.parametrize("meter", METERS.values(), ids=METERS.keys())
def test_a_simulated_meter(meter: SmlMeter) -> None:
    """Each telegram but the first is read by the layout of the first."""
    bodies = list(bodies_of(meter, range(0, 36_000, 400)))
    fresh = [ReadingDecoder().decode(body, body) for body in bodies]
    memory = ReadingDecoder()
    readings = [memory.decode(bodies[0], bodies[0])]
    with patch.object(message, "read_entry", side_effect=AssertionError):
        readings += [memory.decode(body, body) for body in bodies[1:]]
    assert readings == fresh
    assert len({str(reading[0].registers) for reading in readings}) > 1


def test_the_direction_changes_while_the_number_does_not() -> None:
    memory = ReadingDecoder()
    signed = []
    for status in (IMPORT, EXPORT, EXPORT, IMPORT):
        entries = [
            sml.entry(POWER, sml.integer(321, 4), unit=sml.unsigned(27)),
            sml.entry(TOTAL, sml.unsigned(7, 4), status=sml.unsigned(status, 4)),
        ]
        (reading,) = memory.decode(body_of(sml.encode_telegram(sml.octets(b"id"), entries)), b"")
        signed.append(reading.registers[0].signed_value)
        assert reading.status_word == status
    assert signed == [321, -321, -321, 321]


@pytest.mark.parametrize(
    "body",
    [
        next(bodies_of(SmlMeter(household=Household(), style=Style.FNN), [0])),
        next(bodies_of(SmlMeter(household=Household(), style=Style.EDL), [0])),
        of_all_kinds(),
    ],
    ids=["FNN", "EDL", "all kinds"],
)
def test_any_byte_changes_in_place(body: bytes) -> None:
    """Lengths, types, codes, units, scalers, ids, status words, times, and contents."""
    memory = ReadingDecoder()
    before = same(memory, body)
    for position in range(len(body)):
        for difference in (0x01, 0x10, 0x80, 0xFF):
            changed = bytearray(body)
            changed[position] ^= difference
            same(memory, bytes(changed))
        # The value before the change is read again.
        assert memory.decode(body, b"telegram") == before


LISTS = [of_all_kinds()]
for simulated in list(METERS.values())[:6]:
    LISTS += bodies_of(simulated, (0, 1, 2, 43_200))


@st.composite
def interleaved(draw: st.DrawFn) -> list[bytes]:
    """Return messages of several meters in any order, some of them damaged."""
    found = []
    for body in draw(st.lists(st.sampled_from(LISTS), min_size=2, max_size=12)):
        changed = bytearray(body)
        for _ in range(draw(st.sampled_from([0, 0, 0, 1, 2]))):
            begin = draw(st.integers(0, len(changed)))
            match draw(st.sampled_from(["change", "remove", "insert"])):
                case "change":
                    content = draw(st.binary(min_size=1, max_size=4))
                    changed[begin : begin + len(content)] = content
                case "remove":
                    del changed[begin : begin + draw(st.integers(1, 9))]
                case "insert":
                    changed[begin:begin] = draw(st.binary(max_size=9))
        found.append(bytes(changed))
    return found


@given(interleaved())
def test_interleaved_and_damaged_layouts(bodies: list[bytes]) -> None:
    memory = ReadingDecoder()
    for body in bodies:
        same(memory, body)


def long_list(numbers: Iterable[int]) -> bytes:
    """Return messages with many registers."""
    return body_of(
        sml.encode_telegram(
            sml.octets(b"id"),
            [
                sml.entry(bytes([1, 0, index // 256, 8, index % 256, 255]), sml.unsigned(number, 2))
                for index, number in enumerate(numbers)
            ],
        )
    )


@pytest.mark.parametrize("slices", [0, 1, 2, 3])
def test_decoding_that_was_given_up_leaves_nothing_behind(slices: int) -> None:
    """The next telegram has the values before it in some registers."""
    memory = ReadingDecoder()
    same(memory, long_list([1] * 300))
    given_up = memory.decode_in_slices(long_list([2] * 300), b"")
    with suppress(StopIteration):
        for _ in range(slices):
            next(given_up)
    given_up.close()
    same(memory, long_list([1] * 150 + [3] * 150))


def test_more_layouts_than_are_remembered() -> None:
    memory = ReadingDecoder()
    for _ in range(3):
        for registers in range(1, 8):
            same(memory, long_list(range(registers)))


def test_layouts_in_turn_are_all_remembered() -> None:
    memory = ReadingDecoder()
    for registers in (1, 2, 3):
        same(memory, long_list(range(registers)))
    with patch.object(message, "read_entry", side_effect=AssertionError):
        for registers in (1, 3, 2, 1, 2):
            memory.decode(long_list([7] * registers), b"")
