"""Pushed telegrams: framings, envelopes and layouts, decoded by hand."""

from decimal import Decimal

import pytest

from simulator.dlms import (
    ClockStyle,
    Envelope,
    Expected,
    Framing,
    Keys,
    Layout,
    PushMeter,
    TimeForm,
    axdr,
)
from simulator.dlms.ciphering import protect, unprotect
from simulator.dlms.hdlc import LLC_RESPONSE, Deframer
from simulator.dlms.obis import logical_name
from simulator.dlms.wrapper import Unwrapper
from simulator.iec62056.encoder import p1_crc

NOON = 1_790_000_000
STAMP = bytes.fromhex("07ea091501100d1400ff8880")
KEYS = Keys(bytes(range(16)), bytes(range(16, 32)))


def body(meter: PushMeter) -> axdr.Data:
    message = meter.message(NOON)
    assert message[0] == 0x0F
    reader = axdr.Reader(message[5:])
    assert reader.sized() in (STAMP, b"")
    value = reader.value()
    assert not reader.rest
    return value


def elements(meter: PushMeter) -> list[axdr.Data]:
    value = body(meter)
    assert isinstance(value, list)
    return value


def unframed(framing: Framing, frames: list[bytes]) -> bytes:
    match framing:
        case Framing.HDLC | Framing.SEGMENTS | Framing.BLOCKS:
            parts = [frame for data in frames for frame in Deframer().feed(data)]
            if framing is Framing.BLOCKS:
                blocks = [part.information.removeprefix(LLC_RESPONSE) for part in parts]
                assert [block[0] for block in blocks] == [0xE0] * len(parts)
                assert [block[1] for block in blocks] == [0x40] * (len(parts) - 1) + [0xC0]
                assert [block[2:6] for block in blocks] == [
                    bytes([0, number, 0, 0]) for number in range(1, len(parts) + 1)
                ]
                return b"".join(axdr.Reader(block[6:]).sized() for block in blocks)
            assert [part.segmented for part in parts] == [True] * (len(parts) - 1) + [False]
            assert {part.control for part in parts} <= {0x03, 0x13}
            return b"".join(part.information for part in parts).removeprefix(LLC_RESPONSE)
        case Framing.MBUS | Framing.MBUS_257:
            message = b""
            for number, data in enumerate(frames):
                last = number == len(frames) - 1
                assert data[:1] == data[3:4] == b"\x68"
                assert data[1] == data[2] == (len(data) - 6) % 256
                assert data[4:9] == bytes([0x53, 0xFF, number | 0x10 * last, 0x01, 0x67])
                assert data[-2:] == bytes([sum(data[4:-2]) % 256, 0x16])
                message += data[9:-2]
            return message
        case Framing.WRAPPER:
            (wrapped,) = Unwrapper().feed(b"".join(frames))
            return wrapped.apdu
        case Framing.BARE:
            return b"".join(frames)


@pytest.mark.parametrize("framing", list(Framing))
@pytest.mark.parametrize("layout", [layout for layout in Layout if layout is not Layout.P1_HEAD])
def test_framings(framing: Framing, layout: Layout) -> None:
    meter = PushMeter(framing=framing, layout=layout)
    frames = meter.frames(NOON)
    assert unframed(framing, frames) == meter.message(NOON)
    assert meter.telegram(NOON) == b"".join(frames)


def test_length_byte_of_257() -> None:
    first, _ = PushMeter(framing=Framing.MBUS_257).frames(NOON)
    assert first[:4].hex() == "68010168"
    assert len(first) == 257 + 6
    assert len(PushMeter(framing=Framing.MBUS).frames(NOON)[0]) == 255 + 6
    # A short message fits one frame.
    short = PushMeter(framing=Framing.MBUS, layout=Layout.POSITIONAL, items=1)
    (only,) = short.frames(NOON)
    assert only[6] == 0x10


def test_addresses() -> None:
    meter = PushMeter(destination=b"\x01", source=b"\x02\x01")
    (frame,) = Deframer().feed(meter.telegram(NOON))
    assert (frame.destination, frame.source) == (b"\x01", b"\x02\x01")


@pytest.mark.parametrize("suite", [0, 1, 2])
@pytest.mark.parametrize("protection", [0x10, 0x20, 0x30])
@pytest.mark.parametrize("envelope", list(Envelope))
def test_envelopes(suite: int, protection: int, envelope: Envelope) -> None:
    keys = Keys(bytes(range(32 if suite == 2 else 16)), bytes(16))
    options = {"suite": suite, "protection": protection, "envelope": envelope}
    meter = PushMeter(
        encryption_key=keys.encryption,
        authentication_key=keys.authentication,
        **options,  # type: ignore[arg-type]
    )
    reader = axdr.Reader(meter.message(NOON))
    tag = reader.number()
    if envelope is Envelope.GENERAL_CIPHERING:
        assert tag == 0xDD
        start = reader.at
        assert len(reader.sized()) == 8
        title = reader.sized()
        assert [reader.sized() for _ in range(3)] == [b""] * 3
        head = reader.data[start : reader.at]
        assert reader.take(3).hex() == "010000"
        sealed = reader.sized()
        plain = PushMeter().message(NOON)
        counter = int.from_bytes(sealed[1:5])
        assert sealed == protect(plain, keys, title, counter, protection | suite, extra=head)
    else:
        assert tag == {Envelope.GENERAL_GLO: 0xDB, Envelope.GENERAL_DED: 0xDC}[envelope]
        title = reader.sized()
        sealed = reader.sized()
        assert unprotect(sealed, keys, title, suite).plaintext == PushMeter().message(NOON)
    assert not reader.rest
    assert title == meter.system_title
    assert sealed[0] == protection | suite
    # Counters increase with time.
    assert PushMeter(encryption_key=keys.encryption, suite=suite).message(NOON + 1) != PushMeter(
        encryption_key=keys.encryption, suite=suite
    ).message(NOON)


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        (TimeForm.STANDARD, b"\x0c" + STAMP),
        (TimeForm.TAGGED, b"\x09\x0c" + STAMP),
        (TimeForm.NONE, b"\x00"),
    ],
)
def test_forms_of_time(form: TimeForm, expected: bytes) -> None:
    message = PushMeter(time_form=form).message(NOON)
    assert message[5:].startswith(expected)


def test_list() -> None:
    found = elements(PushMeter())
    assert found[0] == [logical_name("0-0:96.1.0*255"), b"7350000000123456"]
    number = PushMeter().registers.numbers(NOON)["1-0:1.8.0*255"]
    assert [logical_name("1-0:1.8.0*255"), number, [0, 30]] in found
    with_clock = elements(PushMeter(time_form=TimeForm.NONE))
    assert with_clock == [[logical_name("0-0:1.0.0*255"), STAMP], *found]


def test_kamstrup() -> None:
    found = elements(PushMeter(layout=Layout.KAMSTRUP))
    assert found[:3] == [b"Kamstrup_V0001", logical_name("1-1:0.0.5*255"), b"7350000000123456"]
    number = PushMeter().registers.numbers(NOON)["1-0:1.8.0*255"]
    place = found.index(logical_name("1-1:1.8.0*255"))
    assert found[place + 1] == number // 10
    assert len(found) == 35
    quiet = PushMeter(layout=Layout.KAMSTRUP, always_energies=False)
    assert len(elements(quiet)) == 25
    assert len(quiet.expected(NOON - NOON % 3600)) == 16


def test_evn() -> None:
    found = elements(PushMeter(layout=Layout.EVN))
    assert (found[0], found[-1]) == (STAMP, b"7350000000123456")
    assert found[1] == logical_name("1-0:1.8.0*255")
    assert found[3] == [0, 30]
    assert len(found) == 35


@pytest.mark.parametrize("items", [1, 9, 13, 14, 18])
def test_positional(items: int) -> None:
    meter = PushMeter(layout=Layout.POSITIONAL, items=items)
    found = elements(meter)
    assert len(found) == items
    expected = {entry.code: entry.value for entry in meter.expected(NOON)}
    if items == 1:
        assert expected == {"1-0:1.7.0*255": Decimal(str(found[0]))}
        return
    assert found[:3] == [b"KFM_001", b"7350000000123456", b"MA000DM0"]
    voltage = found[8 if items in (9, 14) else 10]
    assert isinstance(voltage, int)
    assert expected["1-0:32.7.0*255"] == Decimal(voltage) / 10
    if items in (14, 18):
        assert found[-5] == STAMP
        assert expected["1-0:1.8.0*255"] == Decimal(str(found[-4]))
    with pytest.raises(ValueError, match="no list of 2"):
        PushMeter(layout=Layout.POSITIONAL, items=2).message(NOON)


def test_push_list() -> None:
    found = elements(PushMeter(layout=Layout.PUSH_LIST))
    descriptors, *values = found
    assert isinstance(descriptors, list)
    assert descriptors[0] == [40, logical_name("0-6:25.9.0*255"), 2, 0]
    assert len(values) == len(descriptors) - 1
    assert values[0] == b"LGZ0000000123456"
    assert PushMeter(layout=Layout.PUSH_LIST).meter_id(NOON) == "LGZ0000000123456"


def test_untagged() -> None:
    message = PushMeter(layout=Layout.UNTAGGED, time_form=TimeForm.NONE).message(NOON)
    assert message[5:17].hex() == "0002021601010e0202000100"
    entry = bytes.fromhex("02020003") + logical_name("1-0:1.8.0*255") + b"\x02\x06"
    number = PushMeter().registers.numbers(NOON)["1-0:1.8.0*255"]
    assert entry + number.to_bytes(4) in message


def test_text() -> None:
    meter = PushMeter(layout=Layout.P1)
    text = meter.message(NOON)
    assert text.startswith(b"/DMO5DEMO-21\r\n\r\n")
    end = text.index(b"!") + 1
    assert text[end:] == p1_crc(text[:end])
    assert meter.expected(NOON) == ()
    assert meter.meter_id(NOON) is None
    sealed = PushMeter(layout=Layout.P1, encryption_key=KEYS.encryption).message(NOON)
    assert sealed[:1] == b"\xdb"


def test_text_behind_a_head() -> None:
    meter = PushMeter(
        layout=Layout.P1_HEAD,
        framing=Framing.BARE,
        encryption_key=KEYS.encryption,
        authentication_key=KEYS.authentication,
    )
    head, _, rest = meter.telegram(NOON).partition(b"\r\n\r\n")
    assert head == b"/DMO5DEMO-21"
    assert rest[:2] == b"\x00\x82"
    sealed = rest[4:]
    assert int.from_bytes(rest[2:4]) == len(sealed)
    assert sealed[:5].hex() == "3000000000"
    text = head + b"\r\n\r\n" + unprotect(sealed, KEYS, bytes(8), 0).plaintext
    assert text == meter.text(NOON)


def test_clock_without_deviation() -> None:
    meter = PushMeter(clock_style=ClockStyle.UNSPECIFIED)
    assert meter.message(NOON)[6:18].hex() == "07ea0915010f0d1400800000"


def test_expected_values_are_exact() -> None:
    meter = PushMeter()
    voltage = meter.registers.numbers(NOON)["1-0:32.7.0*255"]
    assert Expected("1-0:32.7.0*255", Decimal(voltage) / 10, "V") in meter.expected(NOON)


def test_keys_must_fit() -> None:
    with pytest.raises(ValueError, match="keys of 16 bytes"):
        PushMeter(encryption_key=bytes(32))
    with pytest.raises(ValueError, match="always encrypted"):
        PushMeter(layout=Layout.P1_HEAD)
    assert "\\x01\\x02" not in repr(PushMeter(encryption_key=KEYS.encryption))
