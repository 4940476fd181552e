"""Properties of the decoder, for any bytes in any chunks."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise

from hypothesis import given, strategies as st

from custom_components.onemeter.meter.errors import TelegramError
from custom_components.onemeter.meter.obis import Obis
from custom_components.onemeter.meter.reading import Reading, Value
from custom_components.onemeter.meter.sml import SmlDecoder, decode_body
from custom_components.onemeter.meter.sml.framing import LIMIT
from custom_components.onemeter.meter.sml.message import ReadingDecoder
from simulator.sml import encoder as sml

SERVER_ID = sml.octets(bytes.fromhex("0a01 545354 00 00000007"))


@dataclass(frozen=True)
class Sent:
    """An encoded entry, and the register that must be read from it."""

    encoded: bytes
    code: Obis
    value: Value


def optional(elements: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    return st.just(sml.SKIPPED) | elements


FIELD_WIDTHS = st.none() | st.integers(3, 8)
TIMES = st.one_of(
    st.builds(sml.time_index, st.integers(0, 2**32 - 1)),
    st.builds(sml.timestamp, st.integers(0, 2**32 - 1)),
    st.builds(
        sml.local_timestamp,
        st.integers(0, 2**32 - 1),
        st.integers(-900, 900),
        st.sampled_from([0, 60]),
    ),
    st.builds(sml.unsigned, st.integers(0, 2**32 - 1), st.just(4)),
)
#: All six groups; octet strings of these registers are not decoded as text.
CODES = st.builds(
    Obis, st.just(1), *[st.integers(0, 255)] * 2, st.integers(3, 255), *[st.just(7)] * 2
)


@st.composite
def numbers(draw: st.DrawFn) -> tuple[bytes, Value, bytes]:
    width = draw(st.integers(1, 8))
    bits = 8 * width
    scaler = draw(st.none() | st.integers(-128, 127))
    if draw(st.booleans()):
        number = draw(st.integers(-(1 << bits - 1), (1 << bits - 1) - 1))
        encoded = sml.integer(number, width, tl_width=draw(FIELD_WIDTHS))
    else:
        number = draw(st.integers(0, (1 << bits) - 1))
        encoded = sml.unsigned(number, width, tl_width=draw(FIELD_WIDTHS))
    value: Value = Decimal(f"{number}e{scaler}") if scaler else number
    if scaler and scaler > 0:
        value = number * 10**scaler
    return encoded, value, sml.SKIPPED if scaler is None else sml.integer(scaler, 1)


VALUES = st.one_of(
    numbers(),
    st.builds(
        lambda content, width: (sml.octets(content, width), content, sml.SKIPPED),
        st.binary(min_size=1, max_size=40),
        FIELD_WIDTHS,
    ),
    st.booleans().map(lambda value: (sml.boolean(value), value, sml.SKIPPED)),
    st.just((sml.SKIPPED, None, sml.SKIPPED)),
)


@st.composite
def entries(draw: st.DrawFn) -> Sent:
    code = draw(CODES)
    encoded, value, scaler = draw(VALUES)
    return Sent(
        sml.entry(
            bytes(code),
            encoded,
            status=draw(optional(st.integers(0, 2**64 - 1).map(sml.unsigned))),
            time=draw(optional(TIMES)),
            unit=draw(optional(st.integers(0, 255).map(sml.unsigned))),
            scaler=scaler,
            signature=draw(optional(st.binary(min_size=1, max_size=20).map(sml.octets))),
        ),
        code,
        value,
    )


TELEGRAMS = st.builds(
    lambda sent, time, crc: sml.encode_telegram(
        SERVER_ID, [entry.encoded for entry in sent], sensor_time=time, crc=crc
    ),
    st.lists(entries(), max_size=5),
    optional(TIMES),
    st.sampled_from(["x25", "kermit"]),
)
NOISE = st.binary(max_size=30) | st.lists(
    st.sampled_from([b"\x1b", b"\x1b" * 4, sml.START, b"\x1a", b"\x01", b"\x00"]), max_size=12
).map(b"".join)
STREAMS = st.lists(TELEGRAMS | NOISE | st.builds(bytes.removesuffix, TELEGRAMS, NOISE), max_size=8)


def read(pieces: list[bytes]) -> tuple[list[Reading], tuple[int, ...]]:
    decoder = SmlDecoder()
    readings: list[Reading] = []
    for piece in pieces:
        readings += decoder.feed(piece)
        assert len(decoder._buffer) <= LIMIT
    decoder.finish()
    return readings, (decoder.good, decoder.damaged, decoder.other, decoder.skipped)


@given(st.lists(entries(), max_size=20))
def test_what_was_encoded_is_decoded(sent: list[Sent]) -> None:
    telegram = sml.encode_telegram(SERVER_ID, [entry.encoded for entry in sent])
    (reading,) = SmlDecoder().feed(telegram)
    assert [(register.obis, register.value) for register in reading.registers] == [
        (entry.code, entry.value) for entry in sent
    ]
    assert all(type(r.value) is type(s.value) for r, s in zip(reading.registers, sent, strict=True))


@given(STREAMS, st.data())
def test_chunks_do_not_matter(pieces: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(pieces)
    cuts = data.draw(st.lists(st.integers(0, len(stream))))
    whole = read([stream])
    assert read([stream[begin:end] for begin, end in pairwise([0, *sorted(cuts), None])]) == whole
    assert read([bytes([byte]) for byte in stream]) == whole


@given(STREAMS)
def test_good_telegrams_are_read_whatever_is_between(pieces: list[bytes]) -> None:
    readings, _ = read([*pieces, TELEGRAM, *pieces, TELEGRAM])
    assert [reading.raw for reading in readings].count(TELEGRAM) == 2


TELEGRAM = sml.encode_telegram(
    SERVER_ID,
    [
        sml.entry(
            bytes(Obis.parse(code)),
            value,
            status=status,
            time=sml.time_index(7),
            unit=sml.unsigned(30),
            scaler=sml.integer(-1),
        )
        for code, value, status in (
            ("1-0:1.8.0", sml.unsigned(12345, 8), sml.unsigned(0x1C0904, 4)),
            ("1-0:16.7.0", sml.integer(-321, 4), sml.SKIPPED),
            ("1-0:0.2.0*0", sml.octets(b"1.02"), sml.SKIPPED),
            ("129-0:96.8.0*1", sml.sequence([sml.unsigned(1), sml.time_index(9)]), sml.SKIPPED),
            ("1-0:96.5.0", sml.boolean(1), sml.SKIPPED),
        )
    ],
    sensor_time=sml.local_timestamp(1_790_000_000, 60, 60),
)
BODY = TELEGRAM[8 : -8 - TELEGRAM[-3]]


@st.composite
def mutations(draw: st.DrawFn) -> bytes:
    """Change, remove, add or repeat bytes, mostly at critical places."""
    body = bytearray(BODY)
    for _ in range(draw(st.integers(1, 4))):
        begin = draw(st.integers(0, len(body)))
        length = draw(st.integers(0, 9))
        match draw(st.sampled_from(["change", "remove", "insert", "repeat"])):
            case "change":
                body[begin : begin + length] = draw(st.binary(min_size=length, max_size=length))
            case "remove":
                del body[begin : begin + length]
            case "insert":
                body[begin:begin] = draw(st.binary(max_size=length))
            case "repeat":
                body[begin:begin] = body[begin : begin + length]
    return bytes(body)


@given(mutations() | st.binary(max_size=200))
def test_any_messages_are_read_or_rejected(body: bytes) -> None:
    with suppress(TelegramError):
        reading = decode_body(body)
        assert reading.raw == body
    decoder = SmlDecoder()
    telegram = sml.transport(body)
    for reading in decoder.feed(telegram):
        assert reading.raw == telegram
    decoder.finish()
    # The next telegram is read even after invalid messages with a valid checksum.
    assert len(decoder.feed(TELEGRAM)) == 1


@given(st.binary(max_size=3000), st.integers(1, 300))
def test_any_bytes_are_read_or_skipped(data: bytes, size: int) -> None:
    decoder = SmlDecoder()
    for begin in range(0, len(data), size):
        decoder.feed(data[begin : begin + size])
    decoder.finish()
    assert decoder.skipped == len(data)
    assert len(decoder.feed(TELEGRAM)) == 1


@given(st.lists(mutations() | st.just(BODY), min_size=2, max_size=6))
def test_memory_changes_nothing(bodies: list[bytes]) -> None:
    """A decoder with a cache of earlier telegrams gives the same readings as a new one."""
    memory = ReadingDecoder()
    for body in bodies:
        remembered: Sequence[Reading] | str
        fresh: Sequence[Reading] | str
        try:
            remembered = memory.decode(body, b"")
        except TelegramError as error:
            remembered = str(error)
        try:
            fresh = ReadingDecoder().decode(body, b"")
        except TelegramError as error:
            fresh = str(error)
        assert remembered == fresh


@given(st.lists(entries(), min_size=1, max_size=5), st.data())
def test_memory_of_a_meter_changes_nothing(sent: list[Sent], data: st.DataObject) -> None:
    """Entries with other values, in another order, new ones and missing ones."""
    memory = ReadingDecoder()
    for _ in range(5):
        now = data.draw(st.lists(st.sampled_from(sent) | entries(), max_size=6))
        telegram = sml.encode_telegram(SERVER_ID, [entry.encoded for entry in now])
        body = telegram[8 : -8 - telegram[-3]].replace(sml.ESCAPE * 2, sml.ESCAPE)
        (reading,) = memory.decode(body, telegram)
        assert [(register.obis, register.value) for register in reading.registers] == [
            (entry.code, entry.value) for entry in now
        ]
        assert [reading] == ReadingDecoder().decode(body, telegram)


def test_memory_does_not_hide_what_changes_behind_the_status_word() -> None:
    memory = ReadingDecoder()
    for unit, scaler in ((30, 0), (30, -1), (27, -1), (27, -1)):
        entry = sml.entry(
            bytes(Obis.parse("1-0:1.8.0")),
            sml.unsigned(12345, 4),
            status=sml.unsigned(0x1C0104, 4),
            unit=sml.unsigned(unit),
            scaler=sml.integer(scaler),
        )
        telegram = sml.encode_telegram(SERVER_ID, [entry])
        body = telegram[8 : -8 - telegram[-3]]
        assert memory.decode(body, telegram) == ReadingDecoder().decode(body, telegram)
