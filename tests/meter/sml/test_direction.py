"""The sign of power, by status word layout and register."""

import pytest

from custom_components.onemeter.meter.obis import Obis
from custom_components.onemeter.meter.sml.direction import POWER_CODES, rule_of

POWER = Obis.parse("1-0:16.7.0")
ABSOLUTE = Obis.parse("1-0:15.7.0")
L1 = Obis.parse("1-0:36.7.0")
L2 = Obis.parse("1-0:56.7.0")
L3 = Obis.parse("1-0:76.7.0")

FNN_IMPORT = 0x1C0104
FNN_EXPORT = FNN_IMPORT | 1 << 11
EDL_IMPORT = 0x182
EDL_EXPORT = EDL_IMPORT | 1 << 5


def true_number(code: Obis, number: int, bits: int, scaler: int, status: int) -> int | None:
    """Return the true number for one that was sent."""
    return rule_of(code, bits, scaler, status)(number)


@pytest.mark.parametrize("status", [FNN_IMPORT, EDL_IMPORT])
def test_importing(status: int) -> None:
    assert true_number(POWER, 425, 16, -2, status) == 425
    assert true_number(ABSOLUTE, 425, 16, -2, status) == 425
    # 507.00 W that a meter sends in an integer of 16 bits too few by one
    assert true_number(POWER, -14836, 16, -2, status) == 50700
    assert true_number(POWER, -1, 8, -2, status) == 255
    assert true_number(POWER, -(2**23), 24, -1, status) == 2**23


@pytest.mark.parametrize("status", [FNN_IMPORT, EDL_IMPORT])
@pytest.mark.parametrize(("bits", "scaler"), [(32, -2), (64, -2), (8, 0), (16, 0)])
def test_a_small_negative_power_does_not_become_a_huge_one(
    status: int, bits: int, scaler: int
) -> None:
    assert true_number(POWER, -9, bits, scaler, status) is None


@pytest.mark.parametrize("status", [FNN_EXPORT, EDL_EXPORT])
def test_exporting(status: int) -> None:
    assert true_number(POWER, 425, 16, -2, status) == -425
    assert true_number(POWER, -425, 16, -2, status) == -425
    assert true_number(ABSOLUTE, 1266, 32, -2, status) == -1266


@pytest.mark.parametrize("status", [FNN_IMPORT, FNN_EXPORT, EDL_IMPORT, EDL_EXPORT])
@pytest.mark.parametrize("code", [POWER, ABSOLUTE])
def test_zero_has_no_sign(code: Obis, status: int) -> None:
    assert true_number(code, 0, 16, -2, status) == 0


@pytest.mark.parametrize(("code", "bit"), [(L1, 12), (L2, 13), (L3, 14)])
def test_each_line_has_its_own_bit(code: Obis, bit: int) -> None:
    assert true_number(code, 100, 16, -2, FNN_IMPORT | 1 << bit) == -100
    assert true_number(code, -14836, 16, -2, FNN_IMPORT | 1 << bit) == -14836
    others = FNN_IMPORT | (0xF << 11 & ~(1 << bit))
    assert true_number(code, 100, 16, -2, others) == 100
    assert true_number(code, -14836, 16, -2, others) == 50700


@pytest.mark.parametrize("code", [L1, L2, L3])
def test_edl_status_has_no_direction_of_phases(code: Obis) -> None:
    assert true_number(code, 100, 16, -2, EDL_EXPORT) is None


def test_no_load_has_no_direction() -> None:
    without_load = FNN_EXPORT & ~(1 << 8)
    assert true_number(POWER, 3, 16, -2, without_load) is None
    assert true_number(POWER, -3, 16, -2, without_load) is None
    assert true_number(POWER, 0, 16, -2, without_load) == 0


def test_absolute_power_below_zero_is_not_explained() -> None:
    assert true_number(ABSOLUTE, -5, 16, -2, FNN_IMPORT) is None


@pytest.mark.parametrize("status", [0, 0x01, 0x20, 0x0900, 0x0805])
def test_unknown_layout_has_no_direction(status: int) -> None:
    for code in POWER_CODES:
        assert true_number(code, 100, 16, -2, status) is None
        assert true_number(code, 0, 16, -2, status) is None
        assert true_number(code, -100, 16, -2, status) is None


def test_other_registers_have_no_direction() -> None:
    for code in ("1-0:1.8.0", "1-0:1.7.0", "1-0:16.7.0*1", "1-1:16.7.0", "1-0:32.7.0"):
        for status in (FNN_EXPORT, EDL_EXPORT):
            assert true_number(Obis.parse(code), 100, 16, -2, status) is None
