"""The encoder, checked against bytes written by hand from the specification of SML."""

import pytest

from simulator.sml import encoder as sml
from simulator.sml.encoder import SKIPPED, Kind

SERVER_ID = sml.octets(bytes.fromhex("0a014f4e45000000002a"))


@pytest.mark.parametrize(
    ("element", "expected"),
    [
        (sml.octets(b""), "01"),
        (sml.octets(b"\x0a\x0b"), "030a0b"),
        (sml.octets(b"\x0a", 2), "8003 0a"),
        (sml.octets(b"\x0a", 3), "808004 0a"),
        (sml.octets(bytes(14)), "0f" + 14 * "00"),
        (sml.octets(bytes(15)), "8101" + 15 * "00"),
        (sml.octets(bytes(253)), "8f0f" + 253 * "00"),
        (sml.octets(bytes(254)), "818001" + 254 * "00"),
        (sml.octets(bytes(300)), "81820f" + 300 * "00"),
        (sml.integer(0), "5200"),
        (sml.integer(-1), "52ff"),
        (sml.integer(-128), "5280"),
        (sml.integer(128), "530080"),
        (sml.integer(-32769), "55ffff7fff"),
        (sml.integer(-2, 3), "54fffffe"),
        (sml.integer(5, 8), "590000000000000005"),
        (sml.integer(5, 1, tl_width=2), "d00305"),
        (sml.unsigned(255), "62ff"),
        (sml.unsigned(256), "630100"),
        (sml.unsigned(65536), "6500010000"),
        (sml.unsigned(2**40, 6), "67010000000000"),
        (sml.unsigned(2**64 - 1), "69ffffffffffffffff"),
        (sml.boolean(1), "4201"),
        (sml.boolean(0), "4200"),
        (sml.boolean(0x80), "4280"),
        (sml.sequence([]), "70"),
        (sml.sequence([SKIPPED, sml.END]), "720100"),
        (sml.sequence([SKIPPED], 2), "f00101"),
        (sml.sequence([SKIPPED] * 15), "7f" + 15 * "01"),
        (sml.sequence([SKIPPED] * 16), "f100" + 16 * "01"),
        (sml.sequence([SKIPPED] * 256), "f18000" + 256 * "01"),
        (sml.time_index(1), "72620165 00000001"),
        (sml.timestamp(0x5F000000), "72620265 5f000000"),
        (sml.local_timestamp(1, 60, -60), "726203 73 6500000001 53003c 53ffc4"),
        (
            sml.entry(
                bytes.fromhex("0100010800ff"),
                sml.unsigned(1, 5),
                status=sml.unsigned(0x1C0104, 4),
                unit=sml.unsigned(30),
                scaler=sml.integer(-1),
            ),
            "77 070100010800ff 65001c0104 01 621e 52ff 660000000001 01",
        ),
        (sml.tree(b"\x01"), "73 0201 01 01"),
        (
            sml.tree(b"\x01", value=SKIPPED, children=[sml.tree(b"\x02")]),
            "73 0201 01 71 73 0202 01 01",
        ),
        (
            sml.attention_response(SERVER_ID, sml.octets(b"\x81")),
            "74" + SERVER_ID.hex() + "02810101",
        ),
        (
            sml.get_proc_parameter_response(SERVER_ID, [sml.octets(b"\x07")], sml.tree(b"\x07")),
            "73" + SERVER_ID.hex() + "71 0207 73 0207 01 01",
        ),
    ],
)
def test_elements(element: bytes, expected: str) -> None:
    assert element.hex() == expected.replace(" ", "")


def test_length_that_does_not_fit() -> None:
    """A length is not truncated."""
    with pytest.raises(ValueError, match="17 does not fit into a type-length field of 1 bytes"):
        sml.tl(Kind.OCTETS, 16, 1)


@pytest.mark.parametrize(
    ("crc", "expected"),
    # The check values of the CRC catalogue: X-25 0x906e (sent low byte first), Kermit 0x2189.
    [("x25", "6e90"), ("kermit", "2189")],
)
def test_checksums(crc: sml.Crc, expected: str) -> None:
    assert sml.checksum(b"123456789", crc).hex() == expected


@pytest.mark.parametrize(
    ("body", "framed"),
    [
        ("", "1a00"),
        ("00", "00000000 1b1b1b1b1a03"),
        ("1b1b1b1b", "1b1b1b1b1b1b1b1b 1b1b1b1b1a00"),
        ("1b1b1b1b1b00", "1b1b1b1b1b1b1b1b 1b000000 1b1b1b1b1a02"),
        ("1b1b1b00", "1b1b1b00 1b1b1b1b1a00"),
    ],
)
def test_transport(body: str, framed: str) -> None:
    """Escape sequences in the body are doubled; the body is padded to four bytes."""
    telegram = sml.transport(bytes.fromhex(body))
    expected = bytes.fromhex("1b1b1b1b01010101" + (framed if body else "1b1b1b1b1a00"))
    assert telegram[:-2] == expected
    assert telegram[-2:] == sml.checksum(expected)


@pytest.mark.parametrize("crc", ["x25", "kermit"])
def test_message(crc: sml.Crc) -> None:
    """A message has six elements; the checksum covers those before it."""
    close = sml.message(
        sml.CLOSE_RESPONSE,
        sml.close_response(),
        transaction_id=sml.octets(b"\x07"),
        tag_width=2,
        crc=crc,
    )
    head = bytes.fromhex("76 0207 6200 6200 72 630201 7101")
    assert close == head + b"\x63" + sml.checksum(head, crc) + b"\x00"


def test_short_message_checksum() -> None:
    """A checksum fits one byte only if its first byte is zero."""

    def close(number: int, crc_width: int) -> bytes:
        return sml.message(
            sml.CLOSE_RESPONSE,
            sml.close_response(),
            transaction_id=sml.octets(number.to_bytes(2)),
            crc_width=crc_width,
        )

    fits = [number for number in range(2000) if close(number, 2)[-3] == 0]
    assert fits
    assert close(fits[0], 1)[-3] == 0x62
    with pytest.raises(ValueError, match="does not fit into 1 byte"):
        close(fits[0] + 1, 1)


def test_telegram_by_hand() -> None:
    telegram = sml.encode_telegram(
        SERVER_ID,
        [
            sml.entry(
                bytes.fromhex("0100100700ff"),
                sml.integer(-300, 4),
                unit=sml.unsigned(27),
                scaler=sml.integer(-1),
            )
        ],
        sensor_time=sml.time_index(5),
        transaction=0x10,
    )
    messages = [
        "76 0500000010 6200 6200 72 6500000101 76 01 01 0500000001 0b0a014f4e45000000002a 01 01",
        (
            "76 0500000011 6200 6200 72 6500000701 77 01 0b0a014f4e45000000002a 01"
            "72620165 00000005 71 77 070100100700ff 01 01 621b 52ff 55fffffed4 01 01 01"
        ),
        "76 0500000012 6200 6200 72 6500000201 71 01",
    ]
    body = b"".join(
        head + b"\x63" + sml.checksum(head) + b"\x00" for head in map(bytes.fromhex, messages)
    )
    assert telegram == sml.transport(body)
