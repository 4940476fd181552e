"""Objects and the values of their attributes."""

from datetime import UTC, datetime
from decimal import Decimal

from hypothesis import given, strategies as st
import pytest

from custom_components.onemeter.meter import Obis
from custom_components.onemeter.meter.dlms.apdu.data_types import BitString, Data, Enumerated
from custom_components.onemeter.meter.dlms.cosem import (
    CosemObject,
    ScalerUnit,
    accessible_objects,
    parse_scaler_unit,
    plain_value,
    register_value,
    time_of,
)
from custom_components.onemeter.meter.dlms.object_selection import default_objects, objects_to_read
from custom_components.onemeter.meter.errors import TelegramError
from custom_components.onemeter.meter.units import scaled

TOTAL = bytes((1, 0, 1, 8, 0, 255))


@given(st.integers(-(2**63), 2**64 - 1), st.integers(-20, 20))
def test_scaling_is_exact(number: int, scaler: int) -> None:
    value = scaled(number, scaler)
    assert isinstance(value, int) == (scaler >= 0)
    assert Decimal(value).as_tuple().exponent == min(scaler, 0)
    with_all_digits = Decimal((number < 0, tuple(map(int, str(abs(number)))), scaler))
    assert with_all_digits == value


def test_scaler_and_unit() -> None:
    assert parse_scaler_unit((-1, Enumerated(35))) == ScalerUnit(-1, "V")
    assert parse_scaler_unit((0, Enumerated(255))) == ScalerUnit(0, None)
    assert parse_scaler_unit(None) is None
    assert parse_scaler_unit((100, Enumerated(35))) is None


def test_register_values() -> None:
    assert str(register_value(2301, ScalerUnit(-1, "V"))) == "230.1"
    assert register_value(7, ScalerUnit(3, "Wh")) == 7000
    assert register_value(Decimal("1.5"), ScalerUnit(0, "A")) == Decimal("1.5")
    assert register_value(None, ScalerUnit(0, "A")) is None


def test_plain_values() -> None:
    assert plain_value(b"12345678\0\0") == "12345678"
    assert plain_value(b"\x01\xff") == b"\x01\xff"
    assert type(plain_value(Enumerated(3))) is int
    assert type(plain_value(BitString("01"))) is str
    assert plain_value(True) is True
    assert plain_value([1]) is None


def test_object_list() -> None:
    rights: Data = ([(1, Enumerated(1), None), (2, Enumerated(1), None)], [])
    hidden: Data = ([(1, Enumerated(1), None), (2, Enumerated(0), None)], [])
    found = [*accessible_objects([(3, 0, TOTAL, rights), (1, 0, TOTAL, hidden), (8, 0, TOTAL)])]
    obis = Obis.parse("1-0:1.8.0")
    assert found == [CosemObject(3, 0, obis), None, CosemObject(8, 0, obis)]
    broken: list[list[Data]] = [[None], [1], [(3, 0, b"short", rights)], [(3, 0, TOTAL)] * 4001]
    for data in broken:
        with pytest.raises(TelegramError):
            list(accessible_objects(data))


def test_what_is_read_of_many_objects() -> None:
    objects = [
        CosemObject(3, 0, Obis.parse("1-0:1.8.0")),
        CosemObject(3, 0, Obis.parse("1-0:1.8.0*12")),
        CosemObject(7, 1, Obis.parse("1-0:99.1.0")),
        CosemObject(1, 0, Obis.parse("0-0:96.1.0")),
        CosemObject(1, 0, Obis.parse("0-0:43.1.0")),
    ]
    assert [str(entry.obis) for entry in objects_to_read(objects)] == [
        "1-0:1.8.0*255",
        "0-0:96.1.0*255",
    ]
    assert len(objects_to_read(default_objects())) == len(set(objects_to_read(default_objects())))


def test_times() -> None:
    moment = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
    assert time_of(int(moment.timestamp())) == moment
    assert time_of(bytes.fromhex("07ea0301070c000000000000")) == moment
    for data in (None, True, b"short", "text", 0):
        assert time_of(data) is None
