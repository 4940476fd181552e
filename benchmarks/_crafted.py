"""Streams that no meter sends: crafted to be expensive to decode, or damaged at random."""

from collections.abc import Iterator, Mapping
import json
from random import Random
from typing import Final

from meter import Protocol

from benchmarks._dlms_telegrams import TELEGRAMS, Telegram
from benchmarks._readouts import household_lines, industry_lines, p1_telegram, readout
from simulator.household import Household
from simulator.iec62056.encoder import Checksum, data_block, frame_readout
from simulator.sml import encoder as sml
from simulator.sml.meter import SmlMeter, Style

type Streams = Mapping[str, bytes]

_NOON: Final = 1_790_000_000
#: The longest readout that a decoder buffers.
_SIZE: Final = 60_000
_IDENT: Final = b"/TST5CRAFTED\r\n"
_SERVER_ID: Final = sml.octets(bytes.fromhex("0a01 545354 00 00000007"))
_WH: Final = sml.unsigned(30)
#: A data notification without time, up to its body.
_NOTIFICATION: Final = b"\x0f\x40\x00\x00\x00\x00"
_OCTET: Final = b"\x11"


def _block(lines: bytes) -> bytes:
    return _IDENT + frame_readout(lines + b"!\r\n", Checksum.XOR)


def iec62056(size: int = _SIZE) -> Streams:
    """Return the most expensive streams of this size for the readout decoder."""
    values = min(size // 30, 2000)
    codes = [f"1.8.{number % 64}*{number // 64:02}" for number in range(values)]
    ends = b"!" * size
    return {
        "(": _IDENT + b"(" * size,
        "(, then STX": _IDENT + b"(" * size + b"\x02" * 1024,
        "(aaa, then STX": _IDENT + b"(" + b"a" * size + b"\x02" * 1024,
        "a), then STX": _IDENT + b"a)" * (size // 2) + b"\x02" * 1024,
        "(a, then STX": _IDENT + b"(a" * (size // 2) + b"\x02" * 1024,
        "((( with right check": _block(b"(" * size),
        "!": ends,
        "! after identification": _IDENT + ends,
        "! after data": _IDENT + b"1(1)" + ends,
        "! in a value": _IDENT + b"(" + ends,
        "!1 after data": _IDENT + b"1(1)!1" * (size // 6),
        "/": b"/" * size,
        "STX": _IDENT + b"\x02" * size,
        "ETX": _IDENT + b"\x03" * size,
        "CR": _IDENT + b"1(1)" + b"\r" * size + b"!\r\n",
        "() with right check": _block(b"()" * (size // 2)),
        "1() with right check": _block(b"1()" * (size // 3)),
        "a long address": _block(b"a" * size + b"(1)"),
        "a long number": _block(b"1.8.0(" + b"1" * size + b")"),
        "a long unit": _block(b"1.8.0(1*" + b"k" * size + b")"),
        "a long text": _block(b"1.8.0(" + b"1&" * (size // 2) + b"*kWh)"),
        "as many codes as may be": _block("".join(f"{c}(1.5*kWh)\r\n" for c in codes).encode()),
        "codes without unit": _block("".join(f"{c}(000123.4)\r\n" for c in codes).encode()),
        "codes of a heat meter": _block(b"6.8(1.5*MWh)\r\n" * values),
        "codes without checksum": _IDENT
        + data_block("".join(f"{c}(1.5*kWh)\r\n" for c in codes), Checksum.NONE),
    }


def sml_entries(count: int, first: int = 0) -> bytes:
    """Return a telegram with this number of registers and consecutive codes."""
    return sml.encode_telegram(
        _SERVER_ID,
        [
            sml.entry(
                bytes([1, 0, number >> 8 & 0xFF, 8, number & 0xFF, 255]),
                sml.unsigned(number, 4),
                unit=_WH,
                scaler=sml.integer(-1),
            )
            for number in range(first, first + count)
        ],
    )


def sml_streams() -> Streams:
    """Return the most expensive streams for the SML decoder."""
    least = b"\x77\x02\x01" + b"\x01" * 6
    nested = sml.sequence([sml.sequence([sml.sequence([sml.unsigned(1)] * 8)] * 8)] * 8)
    return {
        "380 new codes each": b"".join(sml_entries(380, 380 * number) for number in range(8)),
        "as many entries as fit": sml.encode_telegram(_SERVER_ID, [least] * 880) * 2,
        "nested lists": sml.encode_telegram(_SERVER_ID, [sml.entry(bytes(6), nested)] * 3) * 2,
        "starts": sml.START * 8000,
        "escapes": sml.ESCAPE * 16_000,
        "starts with ends": (sml.START * 9 + sml.ESCAPE + b"\x1a\x00\xab\xcd") * 500,
        "a wrong checksum": sml_entries(380)[:-1] + b"\x00",
    }


def wrapped(content: bytes) -> bytes:
    """Return a message with the TCP wrapper header."""
    return b"\x00\x01\x00\x01\x00\x66" + len(content).to_bytes(2) + content


def dlms_compact(size: int) -> bytes:
    """Return a notification with one compact array of this size in bytes."""
    return (
        _NOTIFICATION
        + b"\x13"
        + _OCTET
        + b"\x82"
        + size.to_bytes(2)
        + bytes(range(1, 9)) * (size // 8)
    )


def dlms_values(count: int) -> bytes:
    """Return a notification with one structure of this number of codes and values."""
    elements = b"".join(
        b"\x09\x06\x01\x00" + number.to_bytes(2) + b"\x00\xff\x06" + number.to_bytes(4)
        for number in range(count)
    )
    return _NOTIFICATION + b"\x02\x82" + (2 * count).to_bytes(2) + elements


def dlms_streams() -> Streams:
    """Return the most expensive streams for the DLMS decoder."""
    bits = b"\x04\x82\xff\x00" + bytes(0x1FE0)
    compact_structures = b"\x13\x02\x08" + _OCTET * 8 + b"\x82\x1f\x40" + bytes(range(1, 9)) * 1000
    compact_arrays = b"\x13\x01\x00\x02" + b"\x01\x00\x02" * 8 + _OCTET + b"\x82\x1e\x00"
    contents = {
        "a compact array of 8 kB": dlms_compact(8000),
        "a compact array of structures": _NOTIFICATION + compact_structures,
        "compact arrays in each other": _NOTIFICATION + compact_arrays + bytes(0x1E00),
        "codes and values": dlms_values(500),
        "an array of null": _NOTIFICATION + b"\x01\x82\x1f\x40" + bytes(8000),
        "an array of bits": _NOTIFICATION + bits,
        "deep nesting": _NOTIFICATION + b"\x02\x01" * 4000 + b"\x11\x01",
        "as deep as may be": _NOTIFICATION + (b"\x02\x02" * 12 + b"\x00" * 13) * 200,
        "floats": _NOTIFICATION
        + b"\x01\x82\x03\x20"
        + b"\x18\x3f\xd5\x55\x55\x55\x55\x55\x55" * 800,
    }
    streams = {title: wrapped(content) * 2 for title, content in contents.items()}
    return streams | {"flags": b"\x7e" * 30_000, "headers": b"\x7e\xa7\xff" * 10_000}


def s10(devices: int) -> str:
    """Return an S10 message with this number of devices."""
    flashes = [{"mac": f"{number:012X}", "ts": _NOON * 1000 + number} for number in range(devices)]
    return json.dumps({"dev_list": flashes})


def crafted() -> dict[Protocol, Streams]:
    """Return all crafted streams."""
    return {
        Protocol.IEC62056: iec62056(),
        Protocol.SML: sml_streams(),
        Protocol.DLMS: dlms_streams(),
    }


def mutated(count: int) -> dict[Protocol, bytes]:
    """Return streams with this number of telegrams in total, damaged at various places."""
    random = Random("mutated")
    return {
        protocol: b"".join(random_telegrams)
        for protocol, random_telegrams in {
            Protocol.SML: list(_mutated_sml(random, count // 3)),
            Protocol.IEC62056: list(_mutated_readouts(random, count // 3)),
            Protocol.DLMS: list(_mutated_notifications(random, count - 2 * (count // 3))),
        }.items()
    }


def _mutate(data: bytes, random: Random) -> bytes:
    """Change, remove, repeat or insert some bytes."""
    changed = bytearray(data)
    for _ in range(random.randrange(1, 6)):
        begin = random.randrange(len(changed) + 1)
        length = random.randrange(1, 12)
        match random.randrange(4):
            case 0:
                changed[begin : begin + length] = random.randbytes(length)
            case 1:
                del changed[begin : begin + length]
            case 2:
                changed[begin:begin] = changed[begin : begin + length] * random.randrange(1, 30)
            case _:
                changed[begin:begin] = random.randbytes(length)
    return bytes(changed)


def _mutated_sml(random: Random, count: int) -> Iterator[bytes]:
    """Yield telegrams; in every other one the damage is inside a valid transport."""
    meters = [SmlMeter(household=Household(), style=style) for style in Style]
    for number in range(count):
        telegram = random.choice(meters).telegram(_NOON + number)
        if number % 2:
            yield _mutate(telegram, random)
        else:
            yield sml.transport(_mutate(telegram[8 : -8 - telegram[-3]], random))


def _mutated_readouts(random: Random, count: int) -> Iterator[bytes]:
    """Yield readouts; every other one has a valid check character."""
    texts = [readout(household_lines(), 1200), readout(industry_lines(), 16_601), p1_telegram()]
    for number in range(count):
        text = random.choice(texts)
        if number % 2:
            yield _mutate(text, random)
        else:
            yield _block(_mutate(text.partition(b"\x02")[2][:-4] or text, random))


def _mutated_notifications(random: Random, count: int) -> Iterator[bytes]:
    """Yield telegrams; in every other one the damage is inside a valid frame."""
    made: list[Telegram] = [make(_NOON) for make in TELEGRAMS]
    for number in range(count):
        telegram = random.choice(made).data
        if number % 2:
            yield _mutate(telegram, random)
        else:
            content = telegram[telegram.find(b"\x0f") :] if b"\x0f" in telegram else telegram
            yield wrapped(_mutate(content, random))
