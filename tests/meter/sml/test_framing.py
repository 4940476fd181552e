"""The transport protocol: starts, ends, escapes and checksums, at any offset and in any chunks."""

from collections.abc import Callable, Iterable, Sequence
import itertools

import pytest

from custom_components.onemeter.meter.errors import TelegramError
from custom_components.onemeter.meter.slices import Sliced
from custom_components.onemeter.meter.sml import framing
from custom_components.onemeter.meter.sml.framing import LIMIT, SmlFramer
from simulator.sml import encoder as sml
from simulator.sml.encoder import ESCAPE, START, transport

#: An end without fill bytes, with any checksum.
FALSE_END = ESCAPE + b"\x1a\x00\xab\xcd"


def body(number: int) -> bytes:
    """Return a body of 24 bytes that is different for each number."""
    return f"the telegram number {number:04}".encode()


def telegram(number: int) -> bytes:
    return transport(body(number))


def sliced(decode: Callable[[bytes, bytes], bytes | None]) -> SmlFramer[bytes]:
    """Return a framer with this decoder, which takes two slices."""

    def in_slices(messages: bytes, telegram: bytes) -> Sliced[Sequence[bytes]]:
        yield
        result = decode(messages, telegram)
        return [] if result is None else [result]

    return SmlFramer(in_slices)


def framer() -> SmlFramer[bytes]:
    return sliced(lambda messages, _: messages)


def frame(data: bytes, chunk: int | None = None) -> tuple[list[bytes], SmlFramer[bytes]]:
    """Frame a complete stream."""
    stream = framer()
    found: list[bytes] = []
    for piece in itertools.batched(data, chunk or len(data) or 1, strict=False):
        found += stream.feed(bytes(piece))
        assert len(stream._buffer) <= LIMIT
    stream.finish()
    return found, stream


def expect(data: bytes, bodies: Iterable[bytes], *, damaged: int, skipped: int) -> None:
    """Check the telegrams of a stream in chunks of any size."""
    bodies = list(bodies)
    for chunk in (None, 1, 2, 3, 5, 7, 8, 16, 64):
        found, stream = frame(data, chunk)
        assert found == bodies, chunk
        assert (stream.good, stream.damaged, stream.skipped) == (len(bodies), damaged, skipped)


def test_nothing() -> None:
    expect(b"", [], damaged=0, skipped=0)


@pytest.mark.parametrize("crc", ["x25", "kermit"])
@pytest.mark.parametrize("fill", range(4))
def test_telegram(crc: sml.Crc, fill: int) -> None:
    content = body(1) + bytes(range(1, 5 - fill))
    expect(transport(content, crc=crc), [content], damaged=0, skipped=0)


def test_telegrams_of_both_checksums_in_one_stream() -> None:
    data = telegram(1) + transport(body(2), crc="kermit") + telegram(3)
    expect(data, map(body, (1, 2, 3)), damaged=0, skipped=0)


def test_the_result_comes_with_the_last_byte() -> None:
    stream = framer()
    data = telegram(1)
    assert not stream.feed(data[:-1])
    assert list(stream.feed(data[-1:])) == [body(1)]


def test_the_telegram_as_received_is_handed_on() -> None:
    stream = sliced(lambda _, received: received)
    data = transport(ESCAPE + body(1))
    assert list(stream.feed(b"noise" + data + b"noise")) == [data]


@pytest.mark.parametrize(
    "content",
    [
        ESCAPE + b"\x01\x02\x03",
        b"\x01" + ESCAPE,
        b"\x01" + ESCAPE + b"\x01",
        ESCAPE * 2,
        ESCAPE * 3 + b"\x1b",
        b"\x1b" * 7 + b"\x1a",
        b"\x01" + b"\x1b" * 9 + b"\x01",
        b"\x1b\x1b\x1b",
        START,
        START + body(1),
        b"\x00" + START,
        ESCAPE + b"\x1a\x00\x12\x34",
        FALSE_END,
        telegram(2),
        b"\x07" + telegram(2) + telegram(3),
    ],
    ids=lambda content: content.hex()[:24],
)
def test_escapes_in_the_content(content: bytes) -> None:
    # A message ends with 00, so there is no 1b before the end.
    content += b"\x63\x00"
    data = transport(content)
    expect(telegram(1) + data + telegram(4), [body(1), content, body(4)], damaged=0, skipped=0)


@pytest.mark.parametrize("length", range(1, 14))
def test_escape_bytes_before_a_start(length: int) -> None:
    noise = b"\x1b" * length
    expect(noise + telegram(1), [body(1)], damaged=0, skipped=length)
    expect(telegram(1) + noise + telegram(2), map(body, (1, 2)), damaged=0, skipped=length)


@pytest.mark.parametrize("cut", range(8, len(telegram(1))))
def test_telegram_cut_off_by_the_next(cut: int) -> None:
    expect(telegram(1)[:cut] + telegram(2), [body(2)], damaged=1, skipped=cut)


@pytest.mark.parametrize("length", range(1, 14))
@pytest.mark.parametrize("cut", [8, 9, 20, len(telegram(1)) - 8, len(telegram(1)) - 3])
def test_telegram_cut_off_by_escape_bytes_and_the_next(cut: int, length: int) -> None:
    data = telegram(1)[:cut] + b"\x1b" * length + telegram(2)
    expect(data + telegram(3), map(body, (2, 3)), damaged=1, skipped=cut + length)


def test_two_starts_swallowed() -> None:
    part = telegram(1)[:20] + ESCAPE
    expect(part * 2 + telegram(2), [body(2)], damaged=1, skipped=2 * len(part))


def test_swallowed_telegram_with_a_start_in_its_content() -> None:
    content = b"\x07" + START * 3 + b"\x07"
    part = telegram(1)[:20] + ESCAPE
    data = part * 20 + transport(content)
    expect(data + telegram(3), [content, body(3)], damaged=1, skipped=20 * len(part))


@pytest.mark.parametrize("cut", range(1, len(telegram(1))))
def test_stream_begins_in_the_middle(cut: int) -> None:
    expect(telegram(1)[cut:] + telegram(2), [body(2)], damaged=0, skipped=len(telegram(1)) - cut)


@pytest.mark.parametrize("cut", range(8, len(telegram(1))))
def test_stream_ends_in_the_middle(cut: int) -> None:
    expect(telegram(1) + telegram(2)[:cut], [body(1)], damaged=1, skipped=cut)


@pytest.mark.parametrize("cut", range(1, 8))
def test_part_of_a_start_is_no_telegram(cut: int) -> None:
    expect(telegram(1) + START[:cut], [body(1)], damaged=0, skipped=cut)


@pytest.mark.parametrize("place", range(len(telegram(1))))
def test_any_flipped_bit_rejects_this_telegram_only(place: int) -> None:
    for bit in range(8):
        broken = bytearray(telegram(1))
        broken[place] ^= 1 << bit
        found, stream = frame(bytes(broken) + telegram(2))
        assert found == [body(2)]
        assert stream.skipped == len(broken)
        assert stream.damaged == (place >= len(START))


@pytest.mark.parametrize("place", range(len(telegram(1))))
def test_any_lost_byte_rejects_this_telegram_only(place: int) -> None:
    broken = bytearray(telegram(1))
    del broken[place]
    found, _ = frame(telegram(0) + bytes(broken) + telegram(2))
    assert found == [body(0), body(2)]


@pytest.mark.parametrize("mark", ["00", "02", "1b", "19", "1b1b", "1b1b1b", "010101", "1b010101"])
def test_unknown_escape(mark: str) -> None:
    broken = START + b"abcd" + ESCAPE + bytes.fromhex(mark) + b"efgh"
    expect(broken + telegram(1), [body(1)], damaged=1, skipped=len(broken))


def test_start_in_the_place_of_a_checksum() -> None:
    for cut in range(4):
        broken = START + b"abcd" + FALSE_END[: 5 + cut]
        expect(broken + telegram(1), [body(1)], damaged=1, skipped=len(broken))


def test_false_end() -> None:
    broken = START + b"abcd" + FALSE_END
    expect(broken * 3 + telegram(1), [body(1)], damaged=3, skipped=3 * len(broken))


@pytest.mark.parametrize("fill", [5, 0x1B, 0xFF])
def test_too_many_fill_bytes(fill: int) -> None:
    content = START + bytes(300) + ESCAPE + bytes([0x1A, fill])
    expect(content + sml.checksum(content), [], damaged=1, skipped=len(content) + 2)


def test_a_right_checksum_makes_up_for_odd_fill_bytes() -> None:
    for content, fill in ((b"abcd", 1), (b"abcde", 0), (b"abcdef", 3), (b"abcd" + bytes(4), 4)):
        data = START + content + ESCAPE + bytes([0x1A, fill])
        expect(data + sml.checksum(data), [content[: len(content) - fill]], damaged=0, skipped=0)


def test_longest_telegram() -> None:
    longest = transport(b"\x01" * (LIMIT - 16))
    assert len(longest) == LIMIT
    data = b"\x1b" + longest + longest + telegram(1)
    expect(data, [longest[8:-8]] * 2 + [body(1)], damaged=0, skipped=1)


def test_overlong_telegram() -> None:
    overlong = transport(b"\x01" * (LIMIT - 12))
    expect(overlong + telegram(1), [body(1)], damaged=1, skipped=len(overlong))


def test_telegram_without_end() -> None:
    endless = START + b"\x55" * 3 * LIMIT
    expect(endless + telegram(1), [body(1)], damaged=1, skipped=len(endless))


@pytest.mark.parametrize("before", [LIMIT - 60, LIMIT - 45, LIMIT - 20, *range(LIMIT - 14, LIMIT)])
@pytest.mark.parametrize("escapes", [4, 5, 6, 7, 8])
def test_overlong_telegram_that_swallowed_a_start(before: int, escapes: int) -> None:
    endless = START + b"\x55" * (before - len(START)) + b"\x1b" * escapes
    for chunk in (None, 1, 7, 64):
        found, stream = frame(endless + telegram(1) + telegram(2), chunk)
        assert found == [body(1), body(2)]
        assert stream.damaged == 1
        assert stream.skipped == len(endless)


@pytest.mark.parametrize("pattern", ["1b", "1b01", "01", "00", "1b1b1b1b01"])
def test_endless_noise(pattern: str) -> None:
    noise = bytes.fromhex(pattern) * 2 * LIMIT
    expect(noise + b"\xff" + telegram(1), [body(1)], damaged=0, skipped=len(noise) + 1)


def test_one_chunk_of_a_megabyte() -> None:
    data = b"".join(telegram(number) + b"~" * number for number in range(1000)) * 2
    assert len(data) > 1_000_000
    found, stream = frame(data)
    assert len(found) == stream.good == 2000


def test_crafted_starts_do_not_keep_the_framer_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a limit, each end would be tried with every start before it."""
    tried = 0

    def count(_: bytes) -> bool:
        nonlocal tried
        tried += 1
        return False

    monkeypatch.setattr(framing, "ends_with_x25", count)
    found, stream = frame(START + (ESCAPE + START) * 600 + FALSE_END)
    assert not found
    assert stream.damaged == 1
    assert 1 < tried < 10


def test_rejected_by_the_decoder() -> None:
    def decode(messages: bytes, _: bytes) -> bytes:
        if messages == body(1):
            raise TelegramError("no good")
        return messages

    stream = sliced(decode)
    assert list(stream.feed(telegram(1) + telegram(2))) == [body(2)]
    assert (stream.good, stream.damaged, stream.skipped) == (1, 1, len(telegram(1)))


def test_nothing_to_report() -> None:
    stream = sliced(lambda messages, _: messages if messages != body(1) else None)
    assert list(stream.feed(telegram(1) + telegram(2))) == [body(2)]
    assert (stream.good, stream.other, stream.damaged, stream.skipped) == (1, 1, 0, 0)


def test_another_stream_after_the_end_of_one() -> None:
    stream = framer()
    stream.feed(telegram(1)[:-4])
    stream.finish()
    assert stream.damaged == 1
    # The end of the telegram that was cut off is skipped.
    assert list(stream.feed(telegram(1)[-4:] + telegram(2))) == [body(2)]
    stream.finish()
    assert (stream.good, stream.damaged, stream.skipped) == (1, 1, len(telegram(1)))
