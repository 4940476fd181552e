"""The messages of a telegram, construct by construct."""

from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal, localcontext

import pytest

from custom_components.onemeter.meter.errors import TelegramError
from custom_components.onemeter.meter.obis import Obis
from custom_components.onemeter.meter.reading import Identity, Reading, Register, Value
from custom_components.onemeter.meter.sml import SmlDecoder, decode_body
from custom_components.onemeter.meter.sml.message import ReadingDecoder
from simulator.sml import encoder as sml

SERVER_ID = bytes.fromhex("0a01 545354 00 00000007")
TOTAL = Obis.parse("1-0:1.8.0")
POWER = Obis.parse("1-0:16.7.0")

WH = sml.unsigned(30)
W = sml.unsigned(27)


def entry(code: str, value: bytes, **fields: bytes) -> bytes:
    return sml.entry(bytes(Obis.parse(code)), value, **fields)


def messages(*bodies: tuple[int, bytes], tag_width: int = 4) -> bytes:
    """Encode messages between an open and a close."""
    server_id = sml.octets(SERVER_ID)
    return b"".join(
        sml.message(tag, body, tag_width=tag_width)
        for tag, body in (
            (sml.OPEN_RESPONSE, sml.open_response(server_id)),
            *bodies,
            (sml.CLOSE_RESPONSE, sml.close_response()),
        )
    )


def get_list(entries: Iterable[bytes], *, sensor_time: bytes = sml.SKIPPED) -> tuple[int, bytes]:
    body = sml.get_list_response(sml.octets(SERVER_ID), entries, sensor_time=sensor_time)
    return sml.GET_LIST_RESPONSE, body


def list_of(
    server_id: bytes | None, *entries: bytes, sensor_time: bytes = sml.SKIPPED
) -> tuple[int, bytes]:
    """Encode a list with this server id."""
    sent = sml.SKIPPED if server_id is None else sml.octets(server_id)
    body = sml.get_list_response(sent, entries, sensor_time=sensor_time)
    return sml.GET_LIST_RESPONSE, body


def registers(*entries: bytes) -> tuple[Register, ...]:
    return decode_body(messages(get_list(entries))).registers


def value_of(value: bytes, *, code: str = "1-0:1.8.0", **fields: bytes) -> Value:
    (register,) = registers(entry(code, value, **fields))
    return register.value


def test_a_reading() -> None:
    total = entry("1-0:1.8.0", sml.unsigned(12345, 8), unit=WH, scaler=sml.integer(-1))
    data = messages(get_list([total, entry("1-0:16.7.0*255", sml.integer(-5), unit=W)]))
    telegram = sml.transport(data)
    (reading,) = SmlDecoder().feed(telegram)
    assert reading == Reading(
        meter=Identity(
            meter_id="0a015453540000000007", manufacturer="TST", device_id="1TST0000000007"
        ),
        time=None,
        registers=(Register(TOTAL, Decimal("1234.5"), "Wh"), Register(POWER, -5, "W")),
        raw=telegram,
    )
    assert decode_body(data).registers == reading.registers
    assert decode_body(data).raw == data


# --- values -------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", range(1, 9))
def test_integers_of_all_widths(width: int) -> None:
    largest, smallest = (1 << 8 * width - 1) - 1, -(1 << 8 * width - 1)
    for number in (largest, smallest, -1, 0):
        assert value_of(sml.integer(number, width)) == number
        assert value_of(sml.integer(number, width, tl_width=3)) == number
    for number in (2 * largest + 1, 0):
        assert value_of(sml.unsigned(number, width)) == number


@pytest.mark.parametrize(
    ("number", "scaler", "value"),
    [
        (6074471, -1, "607447.1"),
        (6074470, -1, "607447.0"),
        (-5, -5, "-0.00005"),
        (2**56 * 10 - 1, -1, "72057594037927935.9"),
        (2**64 - 1, -3, "18446744073709551.615"),
        (2**64 - 1, -128, "1.8446744073709551615E-109"),
        (0, -2, "0.00"),
    ],
)
def test_negative_scalers_keep_all_digits(number: int, scaler: int, value: str) -> None:
    sent = sml.unsigned(number, 8) if number >= 0 else sml.integer(number)
    with localcontext(prec=3):  # independent of the caller's decimal context
        decoded = value_of(sent, scaler=sml.integer(scaler))
    assert isinstance(decoded, Decimal)
    assert str(decoded) == str(Decimal(value))


@pytest.mark.parametrize(
    ("number", "scaler", "value"),
    [(13391, 3, 13391000), (-7, 1, -70), (1, 127, 10**127), (5, 0, 5), (0, 9, 0)],
)
def test_other_scalers_give_integers(number: int, scaler: int, value: int) -> None:
    decoded = value_of(sml.integer(number), scaler=sml.integer(scaler))
    assert decoded == value
    assert isinstance(decoded, int)


def test_missing_scaler_is_zero() -> None:
    assert value_of(sml.unsigned(4242)) == 4242


@pytest.mark.parametrize("scaler", [sml.integer(128), sml.integer(-129), sml.unsigned(2**63)])
def test_scaler_out_of_range(scaler: bytes) -> None:
    with pytest.raises(TelegramError):
        value_of(sml.unsigned(1), scaler=scaler)


def test_booleans() -> None:
    assert value_of(sml.boolean(0)) is False
    assert value_of(sml.boolean(1)) is True
    assert value_of(sml.boolean(0x80), scaler=sml.integer(3)) is True


def test_missing_value_keeps_its_register() -> None:
    total = Register(TOTAL, 1, "Wh")
    assert registers(
        entry("1-0:16.7.0", sml.SKIPPED, unit=W), entry("1-0:1.8.0", sml.unsigned(1), unit=WH)
    ) == (Register(POWER, None, "W"), total)


@pytest.mark.parametrize(
    ("code", "octets", "value"),
    [
        ("1-0:96.50.1*1", b"TST", "TST"),
        ("1-0:96.50.1*4", b"P1.2.12", "P1.2.12"),
        ("129-129:199.130.3", b"HAGER", "HAGER"),
        ("1-0:0.2.0*0", b"03.00", "03.00"),
        ("1-0:0.0.0", b"1 TST00 0000 0007", "1 TST00 0000 0007"),
        ("0-0:96.1.255", b"0000116917", "0000116917"),
        # not printable, or empty
        ("1-0:0.0.0", b"TST\x00", b"TST\x00"),
        ("1-0:0.0.0", b"T\xc3\x9cV", b"T\xc3\x9cV"),
        ("1-0:0.0.0", b"", b""),
        # other registers are octets, even if they look like text
        ("1-0:96.50.2*1", b"B", b"B"),
        ("1-0:0.2.0", b"03.00", b"03.00"),
        ("129-129:199.130.5", b"KEY", b"KEY"),
        ("1-0:16.7.0", b"none", b"none"),
    ],
)
def test_octets(code: str, octets: bytes, value: str | bytes) -> None:
    sent = sml.octets(octets, None if octets else 2)
    assert value_of(sent, code=code) == value
    assert value_of(sent, code=code, scaler=sml.integer(-1)) == value


@pytest.mark.parametrize("length", [14, 15, 16, 253, 254, 255, 256, 5000])
def test_octets_of_any_length(length: int) -> None:
    assert value_of(sml.octets(b"\x1b" * length)) == b"\x1b" * length


@pytest.mark.parametrize(
    ("time", "seconds"),
    [
        (sml.time_index(1982288), 1982288),
        (sml.timestamp(1729848098), 1729848098),
        (sml.local_timestamp(1729848098, 60, 60), 1729848098),
    ],
)
def test_value_that_is_a_time(time: bytes, seconds: int) -> None:
    assert value_of(sml.sequence([sml.unsigned(1), time])) == seconds
    assert value_of(time) == seconds


@pytest.mark.parametrize(
    "sent",
    [
        sml.sequence([]),
        sml.sequence([sml.unsigned(2), sml.sequence([sml.SKIPPED])]),
        sml.sequence([sml.unsigned(9), sml.unsigned(1)]),
        sml.sequence([sml.unsigned(1), sml.SKIPPED]),
    ],
)
def test_value_that_is_another_list_is_unknown(sent: bytes) -> None:
    first, second = registers(entry("1-0:1.8.0", sent, unit=WH), entry("1-0:16.7.0", b"\x52\x07"))
    assert first == Register(TOTAL, None, "Wh")
    assert second.value == 7


# --- the other fields of an entry ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "unit"),
    [
        (8, "°"),
        (9, "°C"),
        (13, "m³"),
        (14, "m³"),
        (27, "W"),
        (28, "VA"),
        (29, "var"),
        (30, "Wh"),
        (31, "VAh"),
        (32, "varh"),
        (33, "A"),
        (35, "V"),
        (44, "Hz"),
        (0, None),
        (254, None),
        (255, None),
        (70000, None),
    ],
)
def test_units(number: int, unit: str | None) -> None:
    (register,) = registers(entry("1-0:1.8.0", sml.unsigned(1), unit=sml.unsigned(number)))
    assert register.unit == unit


@pytest.mark.parametrize(
    "time",
    [
        sml.time_index(5),
        sml.timestamp(5),
        sml.local_timestamp(5, 60, 0),
        sml.unsigned(5, 4),
        sml.sequence([sml.unsigned(1), sml.unsigned(5, 3)]),
        sml.sequence([sml.unsigned(1), sml.unsigned(5, 1)]),
    ],
)
def test_times_of_values_are_stepped_over(time: bytes) -> None:
    assert value_of(sml.unsigned(7), time=time) == 7


def test_signatures_are_stepped_over() -> None:
    first, second = registers(
        entry("1-0:1.8.0", sml.unsigned(7), signature=sml.octets(bytes(48))),
        entry("1-0:16.7.0", sml.unsigned(8)),
    )
    assert (first.value, second.value) == (7, 8)


@pytest.mark.parametrize("length", [0, 1, 5, 7, 20])
def test_name_that_is_no_obis_code(length: int) -> None:
    name = sml.octets(bytes(length), None if length else 2)
    first, second = registers(
        sml.sequence([name, *[sml.SKIPPED] * 4, sml.unsigned(7), sml.SKIPPED]),
        entry("1-0:16.7.0", sml.unsigned(8)),
    )
    assert first == Register(None, 7)
    assert second.obis == POWER


@pytest.mark.parametrize("length", [0, 1, 15, 16, 17, 31, 32, 33, 255, 256, 400])
def test_lists_of_any_length(length: int) -> None:
    found = registers(*(entry(f"1-0:{n >> 8}.8.{n & 255}", sml.unsigned(n)) for n in range(length)))
    assert [register.value for register in found] == list(range(length))
    assert len({register.obis for register in found}) == length


def test_duplicates_stay_in_order() -> None:
    found = registers(*(entry("1-0:1.8.0", sml.unsigned(n)) for n in (3, 1, 2)))
    assert [register.value for register in found] == [3, 1, 2]


def test_name_of_a_register_inside_of_a_value() -> None:
    inner = entry("1-0:1.8.0", sml.unsigned(999))
    first, second = registers(
        entry("1-0:96.50.2*1", sml.octets(inner)), entry("1-0:1.8.0", sml.unsigned(5))
    )
    assert (first.value, second.value) == (inner, 5)


# --- direction ----------------------------------------------------------------------------------

FNN_EXPORT = sml.unsigned(0x1C0904, 4)
EDL_IMPORT = sml.unsigned(0x82, 1)


def signed_values(*entries: bytes) -> list[Value]:
    return [register.signed_value for register in registers(*entries)]


def test_sign_from_the_status_word() -> None:
    total = entry("1-0:1.8.0", sml.unsigned(1), status=FNN_EXPORT)
    power = entry("1-0:16.7.0", sml.integer(425), scaler=sml.integer(-1))
    assert signed_values(total, power) == [None, Decimal("-42.5")]
    assert signed_values(power, total) == [Decimal("-42.5"), None]
    assert registers(power, total)[0].value == Decimal("42.5")


def test_sign_that_is_right_is_confirmed() -> None:
    total = entry("1-0:1.8.0", sml.unsigned(1), status=EDL_IMPORT)
    assert signed_values(total, entry("1-0:16.7.0", sml.integer(425)))[1] == 425
    assert signed_values(total, entry("1-0:16.7.0", sml.integer(0)))[1] == 0


@pytest.mark.parametrize("field_width", [1, 4])
def test_unsigned_number_sent_as_signed(field_width: int) -> None:
    total = entry("1-0:1.8.0", sml.unsigned(1), status=sml.unsigned(0x1C0104, 4))
    value = sml.integer(-14836, 2, tl_width=field_width)
    power = entry("1-0:36.7.0", value, scaler=sml.integer(-2))
    assert registers(total, power)[1].value == Decimal("-148.36")
    assert signed_values(total, power)[1] == Decimal("507.00")


def test_no_status_word_no_sign() -> None:
    power = entry("1-0:16.7.0", sml.integer(425), status=FNN_EXPORT)
    assert signed_values(entry("1-0:1.8.0", sml.unsigned(1)), power) == [None, None]
    assert signed_values(power) == [None]


def test_order_in_which_registers_give_the_status_word() -> None:
    exporting = [
        entry(code, sml.unsigned(1), status=FNN_EXPORT)
        for code in ("1-0:1.8.0", "1-0:2.8.0", "1-0:1.8.1")
    ]
    importing = [
        entry(code, sml.unsigned(1), status=EDL_IMPORT)
        for code in ("1-0:1.8.0", "1-0:2.8.0", "1-0:1.8.1")
    ]
    power = entry("1-0:16.7.0", sml.integer(425))
    assert signed_values(importing[2], importing[1], exporting[0], power)[-1] == -425
    assert signed_values(importing[2], exporting[1], power)[-1] == -425
    assert signed_values(exporting[2], power)[-1] == -425
    # registers without status word, of the past or of another channel are ignored
    for code in ("1-0:1.8.0", "1-0:1.8.0*1", "1-1:1.8.0"):
        status = sml.SKIPPED if code == "1-0:1.8.0" else EDL_IMPORT
        other = entry(code, sml.unsigned(1), status=status)
        assert signed_values(other, exporting[1], power)[-1] == -425


def test_status_that_is_no_integer_is_ignored() -> None:
    total = entry("1-0:1.8.0", sml.unsigned(1), status=sml.octets(b"\x1c\x09\x04"))
    assert signed_values(total, entry("1-0:16.7.0", sml.integer(425))) == [None, None]


# --- the meter and its clock --------------------------------------------------------------------


def test_no_server_id() -> None:
    """The server id in the open message may be that of a gateway."""
    body = sml.get_list_response(sml.SKIPPED, [entry("1-0:1.8.0", sml.unsigned(1))])
    reading = decode_body(messages((sml.GET_LIST_RESPONSE, body)))
    assert reading.meter == Identity()
    assert len(reading.registers) == 1


@pytest.mark.parametrize(
    ("sensor_time", "time"),
    [
        (sml.timestamp(1_790_000_000), "2026-09-21T14:13:20+00:00"),
        (sml.local_timestamp(1_790_000_000, 60, 60), "2026-09-21T16:13:20+02:00"),
        (sml.local_timestamp(1_790_000_000, -570, 0), "2026-09-21T04:43:20-09:30"),
        # seconds of operation, in both forms
        (sml.time_index(1_790_000_000), None),
        (sml.unsigned(1_790_000_000, 4), None),
        (sml.SKIPPED, None),
        # clocks that were never set or are defective
        (sml.timestamp(0), None),
        (sml.timestamp(950_000_000), None),
        (sml.local_timestamp(100_000, 60, 0), None),
        (sml.sequence([sml.unsigned(2), sml.unsigned(2**64 - 1)]), None),
        (sml.local_timestamp(1_790_000_000, 2000, 0), None),
        (sml.local_timestamp(1_790_000_000, -1400, -60), None),
        # no times
        (sml.sequence([sml.unsigned(2), sml.SKIPPED]), None),
        (sml.sequence([sml.unsigned(4), sml.unsigned(1_790_000_000)]), None),
        (sml.sequence([]), None),
        (sml.octets(b"today"), None),
    ],
)
def test_clock(sensor_time: bytes, time: str | None) -> None:
    reading = decode_body(messages(get_list([], sensor_time=sensor_time)))
    assert (reading.time and reading.time.isoformat()) == time
    assert reading.time is None or isinstance(reading.time, datetime)


# --- messages -----------------------------------------------------------------------------------


@pytest.mark.parametrize("tag_width", [2, 3, 4, 8])
def test_tags_of_any_width(tag_width: int) -> None:
    body = get_list([entry("1-0:1.8.0", sml.unsigned(1))])
    assert len(decode_body(messages(body, tag_width=tag_width)).registers) == 1


def test_checksums_of_messages_are_stepped_over() -> None:
    data = bytearray(messages(get_list([entry("1-0:1.8.0", sml.unsigned(1))])))
    data[-2] ^= 0xFF
    assert len(decode_body(bytes(data)).registers) == 1
    one_byte = data[:-4] + sml.unsigned(7, 1) + sml.END
    assert len(decode_body(bytes(one_byte)).registers) == 1


def test_all_lists_of_a_file_make_one_reading() -> None:
    reading = decode_body(
        messages(
            get_list([entry("1-0:16.7.0", sml.integer(425))], sensor_time=sml.time_index(5)),
            get_list(
                [entry("1-0:1.8.0", sml.unsigned(1), status=FNN_EXPORT)],
                sensor_time=sml.timestamp(1_790_000_000),
            ),
            get_list([], sensor_time=sml.timestamp(1_790_000_001)),
        )
    )
    assert [register.obis for register in reading.registers] == [POWER, TOTAL]
    assert reading.registers[0].signed_value == -425
    assert reading.time is not None
    assert reading.time.timestamp() == 1_790_000_000
    assert reading.meter.device_id == "1TST0000000007"


def test_other_messages_are_stepped_over() -> None:
    server_id = sml.octets(SERVER_ID)
    total = entry("1-0:1.8.0", sml.unsigned(1))
    others = [
        (sml.ATTENTION_RESPONSE, sml.attention_response(server_id, sml.octets(b"\x81\x81\xc7"))),
        (
            sml.GET_PROC_PARAMETER_RESPONSE,
            sml.get_proc_parameter_response(
                server_id,
                [sml.octets(b"123456")],
                sml.tree(b"123456", children=[sml.tree(b"654321", value=sml.sequence([total]))]),
            ),
        ),
        # unknown, and deeply nested
        (0x4711, b"\x71" * 3000 + sml.SKIPPED),
        (0x0701 + 1, sml.SKIPPED),
        (0x10701, get_list([total])[1]),
    ]
    reading = decode_body(messages(*others, get_list([total]), *others))
    assert [register.value for register in reading.registers] == [1]


def test_messages_without_a_list_of_registers() -> None:
    with pytest.raises(TelegramError):
        decode_body(messages())
    with pytest.raises(TelegramError):
        decode_body(b"")
    decoder = SmlDecoder()
    assert not decoder.feed(sml.transport(messages()) + sml.transport(b""))
    assert (decoder.good, decoder.other, decoder.damaged, decoder.skipped) == (0, 2, 0, 0)


def test_list_without_registers_is_a_reading() -> None:
    assert decode_body(messages(get_list([]))).registers == ()


TOTAL_ENTRY = entry("1-0:1.8.0", sml.unsigned(1, 8))


@pytest.mark.parametrize(
    "broken",
    [
        # one element too few or too many
        sml.sequence([sml.octets(bytes(6)), *[sml.SKIPPED] * 5]),
        sml.sequence([sml.octets(bytes(6)), *[sml.SKIPPED] * 7]),
        # the wrong type
        sml.sequence([sml.SKIPPED, *[sml.SKIPPED] * 6]),
        sml.sequence([sml.unsigned(7), *[sml.SKIPPED] * 6]),
        entry("1-0:1.8.0", sml.unsigned(1), unit=sml.octets(b"Wh")),
        entry("1-0:1.8.0", sml.unsigned(1), scaler=sml.octets(b"-1")),
        entry("1-0:1.8.0", sml.unsigned(1), unit=sml.sequence([])),
        entry("1-0:1.8.0", sml.unsigned(1), status=sml.sequence([])),
        sml.unsigned(1),
        # the end of a message in the middle of one
        sml.END,
        # a value deeper than any
        entry("1-0:1.8.0", b"\x71" * 100 + sml.SKIPPED),
    ],
)
def test_entry_that_is_none(broken: bytes) -> None:
    with pytest.raises(TelegramError):
        registers(TOTAL_ENTRY, broken, TOTAL_ENTRY)


def test_list_that_is_none() -> None:
    for entries in (sml.octets(b"123456"), sml.SKIPPED):
        fields = [sml.SKIPPED, sml.octets(SERVER_ID), *[sml.SKIPPED] * 2, entries]
        body = sml.sequence([*fields, *[sml.SKIPPED] * 2])
        with pytest.raises(TelegramError):
            decode_body(messages((sml.GET_LIST_RESPONSE, body)))


def test_messages_cut_off_anywhere() -> None:
    """An error, or a reading if only messages after the list are missing."""
    data = messages(get_list([TOTAL_ENTRY, TOTAL_ENTRY]))
    close = sml.message(sml.CLOSE_RESPONSE, sml.close_response())
    for length in range(len(data)):
        if length == len(data) - len(close):
            assert len(decode_body(data[:length]).registers) == 2
        else:
            with pytest.raises(TelegramError) as error:
                decode_body(data[:length])
            assert "TST" not in str(error.value)  # nor any other sent value
            assert SERVER_ID.hex() not in str(error.value)


@pytest.mark.parametrize("fill", [b"\x00", bytes(4)])
def test_fill_bytes_around_the_messages(fill: bytes) -> None:
    data = [sml.message(sml.OPEN_RESPONSE, sml.open_response(sml.octets(SERVER_ID)))]
    data += [messages(get_list([TOTAL_ENTRY]))]
    assert len(decode_body(fill.join([b"", *data, b""])).registers) == 1


@pytest.mark.parametrize("rest", [b"\x01", b"\x76"])
def test_bytes_behind_the_messages(rest: bytes) -> None:
    with pytest.raises(TelegramError):
        decode_body(messages(get_list([TOTAL_ENTRY])) + rest)


# --- several meters -----------------------------------------------------------------------------

OTHER_ID = SERVER_ID[:-1] + b"\x08"


def test_lists_of_two_meters_are_two_readings() -> None:
    times = [sml.timestamp(1_790_000_000 + number) for number in range(3)]
    telegram = sml.transport(
        messages(
            list_of(SERVER_ID, entry("1-0:1.8.0", sml.unsigned(1), unit=WH), sensor_time=times[0]),
            list_of(OTHER_ID, entry("1-0:1.8.0", sml.unsigned(2), unit=WH), sensor_time=times[1]),
            list_of(SERVER_ID, entry("1-0:2.8.0", sml.unsigned(3), unit=WH), sensor_time=times[2]),
        )
    )
    decoder = SmlDecoder()
    for _ in range(3):
        first, second = decoder.feed(telegram)
        assert first.meter.device_id == "1TST0000000007"
        assert second.meter.device_id == "1TST0000000008"
        assert [register.value for register in first.registers] == [1, 3]
        assert [register.value for register in second.registers] == [2]
        assert (first.time, second.time) == tuple(
            datetime.fromtimestamp(1_790_000_000 + number, UTC) for number in range(2)
        )
        # Otherwise each would get the id of the other one.
        assert first.raw == second.raw == b""
    assert (decoder.good, decoder.damaged, decoder.other) == (3, 0, 0)


def test_the_status_of_one_meter_does_not_apply_to_another() -> None:
    export = sml.unsigned(0x0800_0904, 4)
    first, second = ReadingDecoder().decode(
        messages(
            list_of(SERVER_ID, entry("1-0:1.8.0", sml.unsigned(1), unit=WH, status=export)),
            list_of(OTHER_ID, entry("1-0:16.7.0", sml.unsigned(100, 4), unit=W)),
        ),
        b"",
    )
    assert first.registers == (Register(TOTAL, 1, "Wh"),)
    assert second.registers == (Register(POWER, 100, "W"),)


@pytest.mark.parametrize("ids", [(None, SERVER_ID), (SERVER_ID, None), (b"", SERVER_ID)])
def test_a_list_without_id_is_of_the_meter_that_is_named(ids: tuple[bytes | None, ...]) -> None:
    lists = [
        list_of(server_id, entry("1-0:1.8.0", sml.unsigned(number)))
        for number, server_id in enumerate(ids)
    ]
    (reading,) = ReadingDecoder().decode(messages(*lists), b"telegram")
    assert [register.value for register in reading.registers] == [0, 1]
    assert reading.meter.device_id == "1TST0000000007"
    assert reading.raw == b"telegram"


def test_an_id_that_is_none() -> None:
    with pytest.raises(TelegramError):
        decode_body(messages(list_of(bytes(33), entry("1-0:1.8.0", sml.unsigned(1)))))


# --- slices -------------------------------------------------------------------------------------


def test_long_lists_are_decoded_in_slices() -> None:
    """A slice has at most 64 registers, whether they are new or have changed."""
    decoder = SmlDecoder()
    for first, slices in ((0, 2 * (380 // 64)), (1, 380 // 64), (1, 0)):
        entries = [
            sml.entry(
                bytes([1, 0, number // 256, 8, number % 256, 255]), sml.unsigned(first + number, 2)
            )
            for number in range(380)
        ]
        found = list(decoder.feed_in_slices(sml.transport(messages(get_list(entries)))))
        assert found.count(None) >= slices
        assert found[-1] is not None
        assert [register.value for register in found[-1].registers] == list(
            range(first, first + 380)
        )
