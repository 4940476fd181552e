"""The decoder: from the bytes of a line to readings, counters and errors."""

from collections.abc import Iterable
from decimal import Decimal
from itertools import pairwise
import time
from unittest.mock import patch

from hypothesis import example, given, strategies as st
import pytest

from custom_components.onemeter.meter.errors import ChecksumError
from custom_components.onemeter.meter.iec62056 import Iec62056Decoder, readout
from custom_components.onemeter.meter.iec62056.framing import LIMIT
from custom_components.onemeter.meter.iec62056.masking import mask_readout
from custom_components.onemeter.meter.reading import Identity, Reading
from simulator.iec62056.encoder import Checksum, data_block, data_blocks, p1_crc, with_even_parity

IDENT = b"/TST5DEMO-21\r\n"
LINES = "0.0.0(00000008)\r\n1.8.0(000123.4*kWh)\r\n"
READOUT = IDENT + data_block(LINES, Checksum.XOR)
PLAIN = IDENT + data_block(LINES, Checksum.NONE)
P1 = b"/TST5\\2DEMO\r\n\r\n0-0:96.1.1(3031)\r\n1-0:1.8.0(000123.4*kWh)\r\n!"
P1 += p1_crc(P1)
BARE = data_block(LINES, Checksum.NONE)
METER = Identity("00000008", "TST", "DEMO-21")


def read(
    pieces: Iterable[bytes], *, is_guarded: bool = False
) -> tuple[list[Reading], Iec62056Decoder]:
    """Decode a complete stream."""
    decoder = Iec62056Decoder(is_guarded=is_guarded)
    readings: list[Reading] = []
    for piece in pieces:
        readings += decoder.feed(piece)
    readings += decoder.finish()
    assert decoder.good == len(readings)
    return readings, decoder


def counts(decoder: Iec62056Decoder) -> tuple[int, int, int]:
    return decoder.good, decoder.damaged, decoder.other


# --- readings and counts -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "readout", [READOUT, PLAIN, with_even_parity(PLAIN)], ids=["block", "plain", "parity"]
)
def test_reading(readout: bytes) -> None:
    (reading,), decoder = read([readout])
    assert reading.meter == METER
    assert [register.value for register in reading.registers] == ["00000008", Decimal("123.4")]
    assert reading.raw.strip() in readout
    assert counts(decoder) == (1, 0, 0)
    assert decoder.error is None


@pytest.mark.parametrize("chunk", [1, 7, 1000])
def test_identification_with_a_second_slash(chunk: int) -> None:
    text = P1[: P1.index(b"!") + 1].replace(b"5\\2", b"5/")
    stream = (text + p1_crc(text)) * 3
    readings, decoder = read([stream[at : at + chunk] for at in range(0, len(stream), chunk)])
    assert [reading.meter.ident for reading in readings] == ["/DEMO"] * 3
    assert counts(decoder) == (3, 0, 0)


def test_what_is_damaged_is_counted_and_explained() -> None:
    _, decoder = read([READOUT, READOUT.replace(b"123", b"124"), READOUT, READOUT[:-20]])
    assert counts(decoder) == (2, 2, 0)
    assert not isinstance(decoder.error, ChecksumError)
    _, decoder = read([READOUT, READOUT.replace(b"123", b"124")])
    assert isinstance(decoder.error, ChecksumError)


def test_readout_without_data_is_damaged() -> None:
    _, decoder = read([IDENT + data_block("", Checksum.XOR)])
    assert counts(decoder) == (0, 1, 0)


def test_another_stream_may_follow_the_end() -> None:
    decoder = Iec62056Decoder()
    assert not decoder.feed(READOUT[:30])
    assert not decoder.finish()
    assert len(decoder.feed(READOUT)) == 1
    assert not decoder.finish()
    assert counts(decoder) == (1, 1, 0)


@pytest.mark.parametrize(
    ("data", "is_complete"),
    [
        (b"", False),
        (IDENT, False),
        (READOUT[:-20], False),
        (READOUT[:-2], True),
        (READOUT[:-4], True),
        (READOUT, False),
        (PLAIN, True),
        (PLAIN.strip(), True),
        (IDENT + b"0.2.0(!", False),
        (IDENT + b"0.2.0(!)\r\n", False),
        (IDENT + b"1.8.0(7)\r\n!\r\n1.8.0(", False),
    ],
)
def test_whether_only_what_some_meters_leave_out_is_missing(
    data: bytes, *, is_complete: bool
) -> None:
    decoder = Iec62056Decoder()
    decoder.feed(data)
    assert decoder.is_complete is is_complete


def test_nothing() -> None:
    assert counts(read([b""])[1]) == (0, 0, 0)
    assert counts(read([b"\x00\xff\xfe/?!\r\n"])[1]) == (0, 0, 0)


@pytest.mark.parametrize(
    "data",
    [BARE[:-3], b"8.0(7)\r\n!7EF1\r\n", b"1.8.0(7)\r\n!\r\n\x03\x55", b"\x018.0(7)\r\n!\r\n"],
)
def test_data_of_which_nothing_can_be_read_are_a_damaged_telegram(data: bytes) -> None:
    assert counts(read([data])[1]) == (0, 1, 0)
    assert counts(read([data, READOUT])[1]) == (1, 0, 0)


# --- data without identification and STX --------------------------------------------------------


def test_bare_data_are_a_reading() -> None:
    (reading,), decoder = read([BARE])
    assert reading.meter == Identity("00000008")
    assert counts(decoder) == (1, 0, 0)


def test_bare_data_again_and_again() -> None:
    readings, decoder = read([BARE] * 4)
    assert [reading.registers for reading in readings] == [readings[0].registers] * 4
    assert counts(decoder) == (4, 0, 0)


@pytest.mark.parametrize("readout", [READOUT, PLAIN, P1], ids=["block", "plain", "p1"])
def test_the_rest_of_a_telegram_is_no_reading(readout: bytes) -> None:
    """After telegrams with identification, one without is the end of a damaged one."""
    for damaged in ([], [readout[:-20]]):
        readings, decoder = read([BARE, *damaged, readout, BARE, readout])
        assert len(readings) == 2
        assert all(reading.meter.manufacturer == "TST" for reading in readings)
        assert counts(decoder) == (2, len(damaged), 0)
        assert decoder.skipped >= 2 * (len(BARE) - 2)


def test_a_broken_identification_costs_no_more_than_its_telegram() -> None:
    readings, decoder = read([PLAIN, PLAIN.replace(b"/TST", b"/T\x00T"), PLAIN])
    assert [reading.meter for reading in readings] == [METER] * 2
    assert counts(decoder) == (2, 0, 0)


# --- the guard of telegrams without checksum ----------------------------------------------------


def test_the_first_telegram_without_checksum_is_held_back() -> None:
    readings, decoder = read([PLAIN] * 3, is_guarded=True)
    assert [reading.meter for reading in readings] == [METER] * 2
    assert counts(decoder) == (2, 0, 1)


def test_each_of_another_meter_is_held_back() -> None:
    other = PLAIN.replace(b"DEMO", b"DEMQ")
    third = PLAIN.replace(b"0008", b"0009")
    readings, decoder = read([PLAIN, PLAIN, other, PLAIN, third, third], is_guarded=True)
    assert [reading.meter.meter_id for reading in readings] == ["00000008"] * 2 + ["00000009"]
    assert counts(decoder) == (3, 0, 3)


def test_two_lists_in_turns() -> None:
    other = PLAIN.replace(b"1.8.0", b"2.8.0")
    readings, decoder = read([PLAIN, other] * 3, is_guarded=True)
    assert len(readings) == 4
    assert counts(decoder) == (4, 0, 2)


@pytest.mark.parametrize(
    "total",
    [
        "1.8.0(00023.4*kWh)",
        "1.8.0(0001123.4*kWh)",
        "1.8.0(000123.45*kWh)",
        "1.8.0(00123.45*kWh)",
        "1.8.0(000123.4*kXh)",
        "1.8.0(+00123.4*kWh)",
        "1.8.1(000123.4*kWh)",
        "1.8.0(000123.4*kWh)\r\n1.8.0(000123.4*kWh)",
        "3.8.0(000123.4*kWh)",
        "0.2.0(1)",
    ],
)
def test_totals_that_look_different_are_held_back(total: str) -> None:
    damaged = PLAIN.replace(b"1.8.0(000123.4*kWh)", total.encode())
    assert damaged != PLAIN
    readings, decoder = read([PLAIN, PLAIN, damaged, PLAIN, PLAIN], is_guarded=True)
    assert [reading.raw for reading in readings] == [PLAIN.strip()] * 3
    assert counts(decoder) == (3, 0, 2)


def test_totals_may_become_longer() -> None:
    """From 999.9 to 1000.0 in meters that do not pad them with zeros."""
    short, long = (PLAIN.replace(b"000123.4", value) for value in (b"999.9", b"1000.0"))
    readings, decoder = read([short, short, long, long], is_guarded=True)
    assert [reading.registers[1].value for reading in readings] == [Decimal("999.9"), 1000]
    assert counts(decoder) == (2, 0, 2)


def test_other_values_change_their_length_as_they_like() -> None:
    telegrams = [
        PLAIN.replace(b"!", f"16.7.0({value}*kW)\r\n0.2.0({value})\r\n!".encode())
        for value in ("1", "-12.5", "100.25")
    ]
    readings, _ = read([telegrams[0], *telegrams], is_guarded=True)
    assert len(readings) == 3


def test_telegrams_with_checksum_need_no_other() -> None:
    readings, decoder = read([P1], is_guarded=True)
    assert len(readings) == 1
    assert counts(decoder) == (1, 0, 0)


def test_data_without_identification_are_never_trusted() -> None:
    _, decoder = read([BARE] * 4, is_guarded=True)
    assert counts(decoder) == (0, 0, 4)


def test_the_rest_of_a_telegram_does_not_make_the_next_one_another() -> None:
    readings, decoder = read([BARE, PLAIN, PLAIN, BARE, PLAIN], is_guarded=True)
    assert len(readings) == 2
    assert counts(decoder) == (2, 0, 2)


# --- any stream -----------------------------------------------------------------------------------

SUM_READOUT = IDENT + data_block(LINES, Checksum.SUM)
TELEGRAMS = st.sampled_from([READOUT, SUM_READOUT, PLAIN, P1, BARE, READOUT[len(IDENT) :]])
MARKS = [
    b"/",
    b"!",
    b"\x02",
    b"\x03",
    b"(",
    b")",
    b"\r\n",
    b"\r",
    b"/TST5X\r\n",
    b"1.8.0(7)",
    b"\xff",
]
NOISE = st.binary(max_size=30) | st.lists(st.sampled_from(MARKS), max_size=12).map(b"".join)
STREAMS = st.lists(
    st.one_of(
        TELEGRAMS,
        TELEGRAMS.map(with_even_parity),
        NOISE,
        st.builds(lambda telegram, end: telegram[:end], TELEGRAMS, st.integers(0, 60)),
        st.builds(lambda telegram, begin: telegram[begin:], TELEGRAMS, st.integers(0, 60)),
        st.builds(
            lambda telegram, place, mark: telegram[:place] + mark + telegram[place + 1 :],
            TELEGRAMS,
            st.integers(0, 70),
            st.sampled_from(MARKS),
        ),
    ),
    max_size=8,
)


def outcome(pieces: Iterable[bytes], *, is_guarded: bool) -> tuple[object, ...]:
    """Return everything that must not depend on chunks."""
    readings, decoder = read(pieces, is_guarded=is_guarded)
    return readings, counts(decoder), decoder.skipped, str(decoder.error)


@given(STREAMS, st.booleans(), st.data())
def test_chunks_do_not_matter(pieces: list[bytes], is_guarded: bool, data: st.DataObject) -> None:
    stream = b"".join(pieces)
    cuts = data.draw(st.lists(st.integers(0, len(stream))))
    whole = outcome([stream], is_guarded=is_guarded)
    places = [0, *sorted(cuts), len(stream)]
    chunks = [stream[begin:end] for begin, end in pairwise(places)]
    assert outcome(chunks, is_guarded=is_guarded) == whole
    assert outcome([bytes([byte]) for byte in stream], is_guarded=is_guarded) == whole


@given(STREAMS)
@example([b"/AAA\x00\r\x02\x03\x03"])
def test_every_byte_is_in_a_reading_or_skipped(pieces: list[bytes]) -> None:
    readings, decoder = read(pieces)
    size = sum(len(reading.raw) for reading in readings) + decoder.skipped
    # Valid telegrams that give no reading are the rest.
    assert (sum(map(len, pieces)) > size) is (decoder.other > 0)


@given(STREAMS, st.sampled_from([READOUT, SUM_READOUT, P1]))
def test_good_telegrams_are_read_whatever_was_before(pieces: list[bytes], telegram: bytes) -> None:
    """The first telegram may teach the kind of checksum, or end a damaged one."""
    decoder = Iec62056Decoder()
    for piece in pieces:
        decoder.feed(piece)
    readings = [reading for _ in range(3) for reading in decoder.feed(telegram)]
    readings += decoder.finish()
    assert [reading.raw for reading in readings].count(telegram.strip()) >= 2


@given(st.lists(st.binary(max_size=2000), max_size=4))
def test_any_bytes(pieces: list[bytes]) -> None:
    decoder = Iec62056Decoder()
    for piece in pieces:
        decoder.feed(piece)
        assert len(decoder._framer._raw) == len(decoder._framer._text) <= LIMIT
    decoder.finish()
    assert not decoder._framer._raw


@pytest.mark.parametrize("character", [*b"\x00 !()*./0A\r\n\x02\x03\xff"])
def test_a_flood_of_one_character(character: int) -> None:
    started = time.process_time()
    decoder = Iec62056Decoder()
    for _ in range(3):
        decoder.feed(bytes([character]) * LIMIT)
    decoder.feed(IDENT + b"\x02" + bytes([character]) * LIMIT)
    decoder.finish()
    (reading,) = decoder.feed(READOUT)
    assert reading.meter == METER
    # The time is linear.
    assert time.process_time() - started < 2


@pytest.mark.parametrize(
    "value", [" " * 30_000 + "x", "1" * 60_000, "1*" + " " * 30_000 + "x", "-" * 60_000]
)
@pytest.mark.parametrize("checksum", [Checksum.XOR, Checksum.NONE])
def test_a_long_value(value: str, checksum: Checksum) -> None:
    started = time.process_time()
    (reading,), _ = read([IDENT + data_block(f"1.8.0({value})\r\n", checksum)])
    assert len(reading.current()) == 1
    assert time.process_time() - started < 0.5


def test_brackets_within_a_value_without_checksum() -> None:
    telegram = IDENT + (LINES + "0.2.0((ER11))\r\n!\r\n").encode()
    (reading, _), _ = read([telegram * 2])
    assert reading.registers[-1].value == "(ER11)"


BLOCKS = data_blocks(LINES, 1, Checksum.XOR)


@pytest.mark.parametrize("chunk", [1, 5, 1000])
@pytest.mark.parametrize("kind", [Checksum.XOR, Checksum.SUM])
def test_readout_of_several_blocks(chunk: int, kind: Checksum) -> None:
    sent = (IDENT + data_blocks(LINES, 1, kind)) * 2
    readings, decoder = read([sent[at : at + chunk] for at in range(0, len(sent), chunk)])
    assert counts(decoder) == (2, 0, 0)
    for reading in readings:
        assert reading.meter == METER
        assert [register.address for register in reading.registers] == ["0.0.0", "1.8.0"]
        assert reading.raw == sent[: len(sent) // 2]


def test_damaged_block_of_several() -> None:
    _, decoder = read([IDENT + BLOCKS.replace(b"123", b"124"), READOUT])
    assert counts(decoder) == (1, 1, 0)
    assert decoder.skipped == len(IDENT + BLOCKS)


def test_block_without_end_mark() -> None:
    """It is a readout when another one begins or nothing follows."""
    block = IDENT + BLOCKS[: BLOCKS.index(b"\x03") + 2]
    readings, decoder = read([block, READOUT, block])
    assert counts(decoder) == (3, 0, 0)
    assert [len(reading.registers) for reading in readings] == [1, 2, 1]


def test_blocks_without_end() -> None:
    begin, end = BLOCKS.index(b"\x03") + 2, LIMIT // 10
    sent = IDENT + BLOCKS[:begin] * end + READOUT
    readings, decoder = read([sent])
    assert decoder.damaged == 1
    assert sum(len(reading.raw) for reading in readings) + decoder.skipped == len(sent)
    assert max(len(reading.raw) for reading in readings) <= LIMIT
    assert readings[-1].meter == METER


def test_masked_readout_of_several_blocks() -> None:
    masked = mask_readout(IDENT + BLOCKS, [b"00000008", b"123"])
    (reading,), _ = read([masked])
    assert [str(register.value) for register in reading.registers] == ["00000000", "0.4"]


# --- lines of earlier readouts --------------------------------------------------------------------

#: Lines that are sent again, changed, with and without an address, a unit, a number, and damaged.
REPEATED = st.sampled_from(
    [
        "0.0.0(12345678)",
        "0.9.1(161320)",
        "0.9.1(161321)",
        "0.9.2(260921)",
        "1.8.0(000123.4*kWh)",
        "1.8.0(000123.5*kWh)",
        "1.8.0*01(000120.1)",
        "1.8.0*01(000120.1)2.8.0(0.1*kWh)",
        "(000119.1)",
        "  (000118.1)(000117.1)",
        "1.6.0(1.5*kW)(2609201815)",
        "1.6.0(1.5*kW",
        ")(2609201815)",
        "0.2.1(088*C&082*C)",
        "6.8(1.5*MWh)",
        "x" * 300 + "(1)",
        "F.F()",
        "",
        "no data set",
    ]
)


@given(
    st.lists(
        st.tuples(st.lists(REPEATED, min_size=1, max_size=8), st.sampled_from(Checksum)), max_size=8
    )
)
def test_lines_of_earlier_readouts_change_nothing(
    readouts: list[tuple[list[str], Checksum]],
) -> None:
    decoder, forgetful = Iec62056Decoder(), Iec62056Decoder()
    with patch.object(readout, "_LINES_MAX", 10):
        for lines, checksum in readouts:
            data = b"/TST5DEMO-21\r\n" + data_block("\r\n".join([*lines, ""]), checksum)
            forgetful._lines.clear()
            found, wanted = ([*each.feed(data), *each.finish()] for each in (decoder, forgetful))
            assert found == wanted
            assert decoder.damaged == forgetful.damaged


def test_registers_of_a_repeated_line_are_the_same() -> None:
    decoder = Iec62056Decoder()
    lines = ["1.8.0(1.5*kWh)", "1.6.0(1.5*kW)(2609201815)"]
    first, second = (
        reading
        for time in ("161320", "161321")
        for reading in decoder.feed(
            b"/TST5DEMO-21\r\n"
            + data_block("\r\n".join([*lines, f"0.9.1({time})", ""]), Checksum.XOR)
        )
    )
    same = [a is b for a, b in zip(first.registers, second.registers, strict=True)]
    assert same == [True, True, True, False]
