"""The SML meter, read by the library's decoder."""

from decimal import Decimal

from custom_components.onemeter.meter import Obis, Reading
from custom_components.onemeter.meter.sml import SmlDecoder
from simulator.household import INSTALLED_DAY, SECONDS_PER_DAY, Household
from simulator.sml.meter import SmlMeter, Style

NIGHT = (INSTALLED_DAY + 1057) * SECONDS_PER_DAY
NOON = NIGHT + 12 * 3600


def read(meter: SmlMeter, time: int) -> Reading:
    (reading,) = SmlDecoder().feed(meter.telegram(time))
    return reading


def values(reading: Reading) -> dict[str, object]:
    return {register.obis.short: register.value for register in reading.registers if register.obis}


def test_modern_meter() -> None:
    meter = SmlMeter(household=Household())
    reading = read(meter, NOON)
    assert reading.meter.name == meter.name == "1 DMO00 1234 5678"
    read_values = values(reading)
    powers = [read_values[f"{code}.7.0"] for code in (36, 56, 76)]
    assert powers == [Decimal(power) / 10 for power in meter.household.power(NOON)]
    assert read_values["16.7.0"] == Decimal(sum(meter.household.power(NOON))) / 10
    totals = meter.totals(NOON)
    assert read_values["1.8.0"] == Decimal(totals.imported) / 10
    assert read_values["2.8.0"] == Decimal(totals.exported) / 10
    assert set(read_values) >= {
        *("96.50.1*1", "96.1.0", "0.2.0*0", "14.7.0"),
        *("32.7.0", "52.7.0", "72.7.0", "31.7.0", "51.7.0", "71.7.0"),
        *("81.7.1", "81.7.2", "81.7.4", "81.7.15", "81.7.26"),
    }


def test_status_agrees_with_the_sign_of_power() -> None:
    meter = SmlMeter(household=Household())
    for time in range(NIGHT, NIGHT + SECONDS_PER_DAY, 1800):
        reading = read(meter, time)
        for code in (16, 36, 56, 76):
            power = reading.get(Obis(1, 0, code, 7, 0))
            assert power is not None
            assert power.signed_value == power.value


def test_old_meter_has_direction_in_its_status_only() -> None:
    meter = SmlMeter(household=Household(), style=Style.EDL)
    powers = [read(meter, time).get(Obis(1, 0, 15, 7, 0)) for time in (NIGHT, NOON)]
    for power, time in zip(powers, (NIGHT, NOON), strict=True):
        assert power is not None
        true_power = Decimal(sum(meter.household.power(time))) / 10
        assert power.value == abs(true_power)
        assert power.signed_value == true_power
    assert read(meter, NIGHT).meter.name == meter.name


def test_locked_meter_sends_whole_kilowatt_hours_only() -> None:
    read_values = values(read(SmlMeter(household=Household(), locked=True), NOON))
    assert read_values["1.8.0"] == SmlMeter(household=Household()).totals(NOON)[0] // 10_000 * 1000
    assert not any(".7.0" in name for name in read_values)


def test_replaced_meter_begins_again() -> None:
    meter = SmlMeter(household=Household(), restart=NOON)
    assert meter.totals(NOON - 1).imported > 10_000_000
    assert meter.totals(NOON) == (0, 0)
    assert meter.totals(NOON + SECONDS_PER_DAY).imported > 0
