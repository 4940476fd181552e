"""The impulse constant."""

from decimal import Decimal
from fractions import Fraction

import pytest

from custom_components.onemeter.meter.blink.constant import ImpulseConstant


def test_both_units() -> None:
    assert ImpulseConstant.per_kwh(1000) == ImpulseConstant.watt_hours(1)
    assert ImpulseConstant.per_kwh(Decimal("0.01")) == ImpulseConstant.watt_hours(100_000)
    assert ImpulseConstant.per_kwh(375).energy == Fraction(1, 375)
    assert ImpulseConstant.watt_hours(Decimal("0.0010")) == ImpulseConstant.per_kwh(1_000_000)


@pytest.mark.parametrize(
    "number", [0, -1, Decimal("NaN"), Decimal("Infinity"), Decimal("0.0099"), 1_000_001]
)
def test_what_no_meter_has(number: Decimal | int) -> None:
    with pytest.raises(ValueError, match=r"not "):
        ImpulseConstant.per_kwh(number)


@pytest.mark.parametrize("number", [0, -1, Decimal("NaN"), Decimal("0.0009"), 100_001])
def test_what_no_impulse_is(number: Decimal | int) -> None:
    with pytest.raises(ValueError, match=r"not "):
        ImpulseConstant.watt_hours(number)


def test_power() -> None:
    constant = ImpulseConstant.per_kwh(1000)
    assert constant.nanoseconds_at(3600) == 10**9
    assert constant.power_of(1, 10**9) == 3600
    assert str(constant.power_of(2, 7 * 10**9)) == "1028.6"
