"""Values and units in all formats of meters."""

from decimal import Decimal

import pytest

from custom_components.onemeter.meter.iec62056.values import is_garbled, split_value, unit_of


@pytest.mark.parametrize(
    ("text", "number", "unit"),
    [
        ("000123.456*kWh", "123.456", "kWh"),
        ("0000000*kWh", "0", "kWh"),
        ("00012345", "12345", None),
        ("0.0", "0.0", None),
        # trailing zeros are kept
        ("0012.3400*kWh", "12.3400", "kWh"),
        # decimal comma
        ("000007,4*kWh", "7.4", "kWh"),
        # padded with blanks, on either side and around the star
        (" 001.67*kW", "1.67", "kW"),
        ("    1.67 *kW ", "1.67", "kW"),
        ("1.67* kW", "1.67", "kW"),
        # signs, also before or after blanks
        ("+1.00", "1.00", None),
        ("-000.82*kW", "-0.82", "kW"),
        ("-  0.82*kW", "-0.82", "kW"),
        ("  -0.82*kW", "-0.82", "kW"),
        ("+ 12*V", "12", "V"),
        ("-0*W", "-0", "W"),
        # the unit without star
        ("55.5%", "55.5", "%"),
        ("55.5 % ", "55.5", "%"),
        ("55.5*%", "55.5", "%"),
        ("0000000 kWh", "0", "kWh"),
        ("1.5 KVARH", "1.5", "kvarh"),
        ("0021325.5kWh", "21325.5", "kWh"),
        ("-4.20kW ", "-4.20", "kW"),
        ("12VA", "12", "VA"),
        # an exponent
        ("1.234567E+05*kWh", "123456.7", "kWh"),
        ("-5.0E-01*kW", "-0.50", "kW"),
        ("0.000000e+00 kWh", "0.000000", "kWh"),
        # a star and no unit
        ("12.3*", "12.3", None),
        ("12.3* ", "12.3", None),
        # unknown units are kept
        ("12*P/S", "12", "P/S"),
        ("12*k", "12", "k"),
        ("1*kWh 5", "1", "kWh 5"),
        # more digits than a float has
        ("12345678901234567890.123456789", "12345678901234567890.123456789", None),
    ],
)
def test_number(text: str, number: str, unit: str | None) -> None:
    found, found_unit = split_value(text)
    assert Decimal(found).as_tuple() == Decimal(number).as_tuple()
    assert found_unit == unit


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "-", "+", "*", "*kWh", ".", ",", "-.-", "%", " kWh", "kWh"),
        *("---.-*V", "(---)", "___-----", "--*kWh", "----", "?"),
        *("1.2.3", "1..2", "1.", ".5", "1,2,3", "1 2", "1-2", "--1", "+-1", "1-", "1e3", "0x1F"),
        *("1E3*kWh", "1E+3*W", "1E+12*W", "E+00*W", "1.5E+00.1*W"),
        *("12:34:56", "21-05-01", "088*C&082*C", "1*kWh*kWh", "12.3&", "0000X1.23*kWh"),
        *(
            "1.5 V",
            "1.5V",
            "1.03A",
            "170214081346W",
            "170214081346S",
            "1.5kWh;10:30",
            "1.5kWhx",
            "55.5% x",
            "1.5%%",
            "5 %kWh",
            "\x001.5*kWh",
            "1.5\n",
            "\u0661*kWh",
            "²",
        ),
        *("001C0104x", "3FC", "A1", "inf", "nan", "1_000"),
    ],
)
def test_no_number(text: str) -> None:
    assert split_value(text) == ("", None)


@pytest.mark.parametrize(
    "unit",
    [
        *("Wh", "kWh", "MWh", "GWh", "GJ", "varh", "kvarh", "Mvarh", "VAh", "kVAh", "W", "kW"),
        *("MW", "var", "kvar", "VA", "kVA", "V", "A", "Hz", "kHz", "min", "imp/kWh", "%"),
    ],
)
def test_units_in_any_case(unit: str) -> None:
    for written in (unit, unit.upper(), unit.lower(), unit.swapcase(), f" {unit} "):
        assert unit_of(written) == unit


@pytest.mark.parametrize(
    ("written", "unit"),
    [
        *((written, "°") for written in ("deg", "Deg", "DEG", "°")),
        *((written, "°C") for written in ("C", "c", "deg C", "Deg C", "degC", "°C", "°c")),
        *((written, "m³") for written in ("m3", "M3", "m^3", "m³")),
        *((written, "m³/h") for written in ("m3/h", "m3ph", "M3PH", "m3h", "m³/h")),
        ("kVArh", "kvarh"),
        ("Imp/kWh", "imp/kWh"),
        # The meaning of upper and lower case is unknown for these.
        *((unit, unit) for unit in ("h", "H", "s", "S", "k", "K", "m", "M", "l", "P/S", "K/kWh")),
        ("", None),
        (" ", None),
    ],
)
def test_units_in_other_spellings(written: str, unit: str | None) -> None:
    assert unit_of(written) == unit


@pytest.mark.parametrize(
    "text",
    [
        *("0000X1.23*kWh", "0000 1.23*KWH", "00001.2.3*kWh", "x*V", "12a.5* A ", "(12.5*A"),
        *("088*C&08Z*C", "12.5-*m3", "1*kWh*kWh", "4X*h", "\x0012*kW"),
    ],
)
def test_garbled_numbers(text: str) -> None:
    assert is_garbled(text)


@pytest.mark.parametrize(
    "text",
    [
        *("00001.23*kWh", "1.23* kWh", "---.-*V", "*kWh", " *kWh", "__._*kW", "088*C&082*C"),
        *("1.23", "1X3", "", "*", "a*b", "12X*kXh", "0-0:96.7.19*255", "1*2*3", "--*C&082*C"),
    ],
)
def test_no_garbled_numbers(text: str) -> None:
    assert not is_garbled(text)
