"""A meter has one identity, pushed or polled, and keeps those of earlier versions as aliases."""

import pytest

from custom_components.onemeter.meter import Identity, Value
from custom_components.onemeter.meter.dlms.apdu import axdr
from custom_components.onemeter.meter.dlms.push.identity import identity_of
from custom_components.onemeter.meter.dlms.push.notification import decode_notification
from custom_components.onemeter.meter.obis import Obis

DIN = bytes.fromhex("0a01454d480000c31401")
DEVICE_ID = "1EMH0012784641"
NAME = b"EMH0000012784641"
TITLE = b"EMH\x67\0\0\1\2"


def encoded(value: Value) -> bytes:
    if isinstance(value, int):
        return axdr.double_long_unsigned(value)
    assert isinstance(value, bytes)
    return axdr.octet_string(value)


def pushed(number: Value, name: Value, title: bytes) -> Identity:
    """Return the identity that is read in a push list."""
    told = {"0-0:96.1.0": number, "0-0:42.0.0": name}
    objects = [(1, code, value) for code, value in told.items() if value is not None]
    objects.append((3, "1-0:1.7.0", 100))
    descriptors = axdr.array(
        *(
            axdr.structure(
                axdr.long_unsigned(kind),
                axdr.octet_string(bytes(Obis.parse(code))),
                axdr.integer(2),
                axdr.long_unsigned(0),
            )
            for kind, code, _ in objects
        )
    )
    body = axdr.structure(descriptors, *(encoded(value) for _, _, value in objects))
    apdu = b"\x0f\0\0\0\1\0" + body
    reading = decode_notification(apdu, title)
    assert reading is not None
    return reading.meter


@pytest.mark.parametrize(
    ("told", "unique_id", "manufacturer", "known"),
    [
        # Text, as most meters have it.
        ((b"12345678", b"DMO0000012345678", b""), "DMO12345678", "DMO", ["12345678"]),
        ((b"12345678\0\0", None, b"XYZ\0\0\0\0\1"), "XYZ12345678", "XYZ", ["12345678"]),
        ((b"ISK84605887", b"ISK1020784605887", b""), "ISK84605887", "ISK", ["ISK1020784605887"]),
        ((None, NAME, b""), "EMH0000012784641", "EMH", []),
        ((None, None, TITLE), None, "EMH", []),
        ((12345, None, b""), "12345", None, []),
        ((b"00000000", NAME, TITLE), "EMH0000012784641", "EMH", []),
        # The id of DIN 43863-5, as text and as octets.
        ((DEVICE_ID.encode(), None, b""), DEVICE_ID, "EMH", [f"EMH{DEVICE_ID}"]),
        ((DEVICE_ID.encode(), NAME, TITLE), DEVICE_ID, "EMH", [f"EMH{DEVICE_ID}", NAME.decode()]),
        ((DIN, None, b""), DEVICE_ID, "EMH", []),
        ((DIN, NAME, TITLE), DEVICE_ID, "EMH", [NAME.decode()]),
        # Other octets.
        ((b"\x01\x02\xfe", None, b""), "0102FE", None, []),
        ((b"\x01\x02\xfe", NAME, TITLE), "EMH0102FE", "EMH", [NAME.decode(), "0102FE"]),
        ((b"\0\0\0", NAME, TITLE), "EMH0000012784641", "EMH", []),
        # Title and name of two manufacturers.
        ((b"77", b"DMO77", TITLE), "EMH77", "EMH", ["77", "EMHDMO77"]),
    ],
)
def test_one_identity(
    told: tuple[Value, Value, bytes],
    unique_id: str | None,
    manufacturer: str | None,
    known: list[str],
) -> None:
    number, name, title = told
    polled = identity_of((number, name), name, title)
    assert polled.unique_id == unique_id
    assert polled.manufacturer == manufacturer
    for meter in (polled, pushed(number, name, title)):
        assert meter == polled
        assert all(map(meter.is_known_as, [*known, unique_id]))
        assert not meter.is_known_as("DMO99999999")
        assert not meter.is_known_as(None) or unique_id is None


def test_known_without_its_manufacturer() -> None:
    """Without system title and manufacturer, a meter is still recognised by its number."""
    bare = identity_of((b"12345678",), None, b"")
    assert bare.manufacturer is None
    assert bare.is_known_as("KAM12345678")
    assert not bare.is_known_as("KAM12345679")
    full = identity_of((b"12345678",), None, b"KAM\0\0\0\0\1")
    assert full.is_known_as("12345678")
    assert not full.is_known_as("ISK12345678")


def test_names_of_lists_have_their_manufacturer() -> None:
    for name, letters in (("Kamstrup_V0001", "KAM"), ("KFM_001", "KFM"), ("AIDON_H0001", "ADN")):
        assert identity_of(("7",), name, b"").unique_id == f"{letters}7"
