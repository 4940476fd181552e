"""Expensive decoding is done in short time slices, and is bounded."""

import asyncio
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime, timedelta
import gc
from time import thread_time_ns
from unittest.mock import patch
from zoneinfo import ZoneInfo

from hypothesis import given, strategies as st
import pytest

from custom_components.onemeter.meter import Reading
from custom_components.onemeter.meter.dlms.apdu import axdr, lengths
from custom_components.onemeter.meter.dlms.apdu.xdlms import parse_results
from custom_components.onemeter.meter.dlms.link import assembly
from custom_components.onemeter.meter.dlms.link.assembly import Assembler
from custom_components.onemeter.meter.dlms.object_list import objects_in
from custom_components.onemeter.meter.dlms.push.decoder import DlmsDecoder
from custom_components.onemeter.meter.errors import TelegramError
from simulator.dlms import DlmsMeter, Framing, Layout, Profile, PushMeter

from ...helpers.dlms_meters import client_at, plugged_in

TIME = 1_795_831_200
BERLIN = ZoneInfo("Europe/Berlin")
#: Of CPU time in a slice: more than the 2 ms of scripts/benchmark callbacks, for busy machines.
LIMIT_NS = 5_000_000
#: Runs, of which the fastest counts: the machine may be busy.
RUNS = 5
NOTIFICATION = b"\x0f\x00\x00\x00\x01\x00"
BYTE = b"\x11"


def codes(count: int) -> bytes:
    """Return a structure of ``count`` codes and values."""
    elements = b"".join(
        b"\x09\x06\x01\x00" + number.to_bytes(2) + b"\x00\xff\x06" + number.to_bytes(4)
        for number in range(count)
    )
    return b"\x02\x82" + (2 * count).to_bytes(2) + elements


#: Arrays of 16 MB in two bytes; structures, and arrays, in which each byte counts several times.
BOMBS = {
    "a compact array of 8 kB": b"\x13" + BYTE + b"\x82\x1f\x40" + bytes(8000),
    "arrays of null": b"\x13\x01\xff\xff\x01\xff\xff\x00\x82\x1f\x40" + bytes(8000),
    "structures of null": b"\x13\x02\x08" + b"\x00" * 7 + BYTE + b"\x82\x1f\x40" + bytes(8000),
    "empty structures": b"\x13\x02\x02\x02\x00" + BYTE + b"\x82\x1f\x40" + bytes(8000),
    "arrays in arrays": b"\x13\x01\x00\x02" + b"\x01\x00\x02" * 8 + BYTE + b"\x82\x1e\x00"
    + bytes(0x1E00),
    "an array of null-data": b"\x01\x82\x1f\x40" + bytes(8000),
    "single-precision numbers": b"\x01\x82\x03\x20" + b"\x17\x00\x00\x00\x01" * 800,
    "more codes than any meter has": codes(500),
    "structures in structures": b"\x02\x01" * 4000 + b"\x11\x01",
}  # fmt: skip


def wrapped(content: bytes) -> bytes:
    """Return a message in the wrapper of DLMS over TCP."""
    return b"\x00\x01\x00\x01\x00\x66" + len(content).to_bytes(2) + content


STREAMS = {title: wrapped(NOTIFICATION + body) for title, body in BOMBS.items()} | {
    "as many values as may be": wrapped(NOTIFICATION + codes(199)),
    "bits": wrapped(NOTIFICATION + b"\x04\x82\xff\x00" + bytes(0x1FE0)),
    "bytes": wrapped(NOTIFICATION + b"\x09\x82\xf0\x00" + bytes(0xF000)),
    "flags": b"\x7e" * 30_000,
    "starts of HDLC": b"\x7e\xa7\xff" * 10_000,
    "starts of M-Bus": b"\x68\xff\xff\x68\x53" * 6000,
    "half starts of M-Bus": b"\x68" * 60_000,
    "starts of wrappers": b"\x00\x01\x00\x01\x00\x01\xff\xff\x0f" * 6000,
    "starts of ciphered messages": b"\xdb\x08" * 20_000,
    "head lines": b"/ABC5\r\n" * 8000,
    "zeros": bytes(60_000),
    "a wrapper of 64 kB that is cut off": b"\x00\x01\x00\x01\x00\x66\xff\xff\x0f" + bytes(60_000),
}


@contextmanager
def no_garbage_collection() -> Generator[None]:
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def longest_slice(data: bytes) -> int:
    """Return the CPU time of the longest slice in which a stream is decoded (ns)."""
    decoder = DlmsDecoder()
    longest = 0
    for steps in (decoder.feed_in_slices(data), decoder.finish_in_slices()):
        end = False
        while not end:
            begun = thread_time_ns()
            end = next(steps, steps) is steps
            longest = max(longest, thread_time_ns() - begun)
    return longest


@pytest.mark.parametrize("title", STREAMS)
def test_slices_are_short(title: str) -> None:
    with no_garbage_collection():
        assert min(longest_slice(STREAMS[title]) for _ in range(RUNS)) < LIMIT_NS


@pytest.mark.parametrize("layout", [Layout.LIST, Layout.PUSH_LIST, Layout.POSITIONAL])
def test_telegrams_are_decoded_in_short_slices(layout: Layout) -> None:
    data = PushMeter(layout=layout).telegram(TIME)
    with no_garbage_collection():
        assert min(longest_slice(data) for _ in range(RUNS)) < LIMIT_NS


@pytest.mark.parametrize("title", BOMBS)
def test_more_values_than_any_meter_sends_are_damage(title: str) -> None:
    decoder = DlmsDecoder()
    assert list(decoder.feed(wrapped(NOTIFICATION + BOMBS[title]))) == []
    assert (decoder.good, decoder.damaged) == (0, 1)


# --- where slices end -----------------------------------------------------------------------------


def decoded(data: bytes) -> tuple[list[Reading], int, int]:
    decoder = DlmsDecoder()
    readings = [*decoder.feed(data), *decoder.finish()]
    return readings, decoder.damaged, decoder.other


@pytest.mark.parametrize("framing", Framing)
def test_slices_do_not_matter(framing: Framing) -> None:
    telegram = PushMeter(framing=framing).telegram(TIME)
    for before in (b"", b"\x68\x7e\x00\x01/AB\xdb\x08" * 3, b"\x68\x0a\x0a\x7e\xa0"):
        data = before + telegram + b"\x68" + telegram[: len(telegram) // 2]
        whole = decoded(data)
        for size in (1, 2, 3, 5, 8, 64):
            with patch.object(assembly, "_SCANNED", size), patch.object(assembly, "_TRIES", 1):
                assert decoded(data) == whole


@given(
    st.lists(st.sampled_from([b"\x7e", b"\xa0", b"\x68", b"\0", b"\1", b"/A", b"\xdb\x08", b"7"]))
)
def test_slices_do_not_matter_to_what_is_damaged(parts: list[bytes]) -> None:
    def damaged() -> int:
        assembler = Assembler()
        for _ in (*assembler.feed(b"".join(parts)), *assembler.finish()):
            pass
        return assembler.damaged

    whole = damaged()
    for size in (1, 3):
        with patch.object(assembly, "_SCANNED", size):
            assert damaged() == whole


# --- what polled meters answer --------------------------------------------------------------------


@pytest.mark.parametrize("title", BOMBS)
def test_values_have_bounds(title: str) -> None:
    with pytest.raises(TelegramError):
        axdr.decode(BOMBS[title], 0, 400)


def test_long_lists_are_decoded_element_by_element() -> None:
    count = 5000
    numbers = axdr.array(*map(axdr.long_unsigned, range(count)))
    with pytest.raises(TelegramError):
        axdr.decode(numbers)
    assert list(axdr.decode_elements(numbers)) == list(range(count))
    compact = b"\x13\x12" + lengths.encode_length(2 * count)
    compact += b"".join(number.to_bytes(2) for number in range(count))
    assert list(axdr.decode_elements(compact)) == list(range(count))
    for broken in (numbers[:-1], compact[:-1], axdr.long_unsigned(1), b"", b"\x01"):
        with pytest.raises(TelegramError):
            list(axdr.decode_elements(broken))
    # Each of the elements has bounds of its own.
    with pytest.raises(TelegramError):
        list(axdr.decode_elements(axdr.array(BOMBS["an array of null-data"])))


def test_several_attributes_share_a_bound() -> None:
    column = axdr.structure(
        axdr.long_unsigned(3), axdr.octet_string(bytes(6)), axdr.integer(2), axdr.long_unsigned(0)
    )
    columns = axdr.array(*[column] * 100)
    found, order = parse_results(b"\x02\x00" + columns + b"\x00\x16\x01", 2)
    assert isinstance(found, list)
    assert (len(found), order) == (100, 1)
    with pytest.raises(TelegramError):
        parse_results(b"\x03" + (b"\x00" + columns) * 3, 3)


def object_list(count: int) -> bytes:
    """Return the answer with an object list."""
    rights = axdr.structure(axdr.array(), axdr.array())
    return b"\x00" + axdr.array(
        *(
            axdr.structure(
                axdr.long_unsigned(3),
                b"\x11\x00",
                axdr.octet_string(bytes((1, 0, *number.to_bytes(2), 0, 255))),
                rights,
            )
            for number in range(count)
        )
    )


def test_object_lists_have_an_end() -> None:
    assert len(asyncio.run(objects_in(object_list(4000)))) == 4000
    with pytest.raises(TelegramError):
        asyncio.run(objects_in(object_list(4001)))


_IS_COUNTED: ContextVar[bool] = ContextVar("_IS_COUNTED", default=False)


@contextmanager
def counting_callbacks() -> Generator[list[asyncio.Handle]]:
    """Collect the callbacks of the event loop that belong to this task."""
    taken: list[asyncio.Handle] = []
    run = asyncio.Handle._run

    def counted(handle: asyncio.Handle) -> None:
        run(handle)
        if handle._context.get(_IS_COUNTED):  # type: ignore[attr-defined]
            taken.append(handle)

    with patch.object(asyncio.Handle, "_run", counted):
        yield taken


async def test_long_profiles_and_object_lists_let_others_have_their_turn() -> None:
    meter = DlmsMeter(clock=lambda: TIME, profile=Profile(days=10), max_information=1024)
    end = datetime(2026, 11, 27, 10)  # noqa: DTZ001
    async with plugged_in(meter) as line:
        client = client_at(line)

        async def read() -> int:
            _IS_COUNTED.set(True)
            await client.read()
            return len(await client.read_profile(end - timedelta(days=8), end, BERLIN))

        with counting_callbacks() as taken:
            rows = await asyncio.create_task(read())
    assert rows == 8 * 96
    # In one go, each block of rows would be one callback.
    assert len(taken) > 2 * rows
