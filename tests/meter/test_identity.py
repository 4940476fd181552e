"""Ids of meters: what a binary id tells, and that it is the id printed on the meter."""

import pytest

from custom_components.onemeter.meter.identity import identity_from_bytes
from custom_components.onemeter.meter.reading import Identity


@pytest.mark.parametrize(
    ("sent", "device_id", "name"),
    [
        # type, medium, manufacturer, production block, number
        ("0a01 454d48 00 00c31b24", "1EMH0012786468", "1 EMH00 1278 6468"),
        ("0901 454d48 00 00000000", "1EMH0000000000", "1 EMH00 0000 0000"),
        ("0901 545354 11 05f5e0ff", "1TST1199999999", "1 TST11 9999 9999"),
        ("0a01 545354 a7 00000001", "1TSTA700000001", "1 TSTA7 0000 0001"),
        # a gateway: medium 14
        ("0a0e 545354 00 00000001", "ETST0000000001", "E TST00 0000 0001"),
    ],
)
def test_din_43863_5(sent: str, device_id: str, name: str) -> None:
    identity = identity_from_bytes(bytes.fromhex(sent))
    assert identity.device_id == device_id
    assert identity.unique_id == device_id
    assert identity.name == name
    assert identity.meter_id == sent.replace(" ", "")
    assert identity.manufacturer == device_id[1:4]


@pytest.mark.parametrize(
    ("sent", "manufacturer"),
    [
        # the older layout: manufacturer, then six bytes of its own
        ("06 545354 010203040506", "TST"),
        # a number with nine digits
        ("0a01 545354 00 05f5e100", "TST"),
        # no medium
        ("0a10 545354 00 00000001", "TST"),
        # no letters
        ("0a01 747374 00 00000001", None),
        ("06 000000 010203040506", None),
        # another type
        ("0b01 545354 00 00000001", None),
        # another length
        ("0a01 545354 00 000001", None),
        ("0a01 545354 00 0000000001", None),
    ],
)
def test_other_layouts(sent: str, manufacturer: str | None) -> None:
    identity = identity_from_bytes(bytes.fromhex(sent))
    meter_id = sent.replace(" ", "")
    assert identity == Identity(meter_id=meter_id, manufacturer=manufacturer)
    assert identity.name == meter_id
    assert identity.unique_id == meter_id.upper()


def test_ownership_number_as_text() -> None:
    identity = identity_from_bytes(b"00012345")
    assert identity == Identity(meter_id="3030303132333435")
    assert identity.name == "00012345"
    assert identity.unique_id == "3030303132333435"


@pytest.mark.parametrize("sent", [None, b""])
def test_no_id(sent: bytes | None) -> None:
    assert identity_from_bytes(sent) == Identity()
    assert identity_from_bytes(sent).unique_id is None


def test_all_zeros_is_no_id() -> None:
    """Two meters that were never given an id must not become one."""
    identity = identity_from_bytes(bytes(10))
    assert identity.meter_id == "00" * 10
    assert identity.unique_id is None
