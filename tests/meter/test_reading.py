"""Readings: the current value of each code among all that a telegram has."""

from datetime import datetime
from decimal import Decimal

from hypothesis import given, strategies as st
import pytest

from custom_components.onemeter.meter.iec62056.readout import parse_registers
from custom_components.onemeter.meter.obis import Obis
from custom_components.onemeter.meter.reading import (
    CurrentRegisters,
    Identity,
    Key,
    Reading,
    Register,
    Value,
    is_placeholder,
)

TOTAL = Obis.parse("1-0:1.8.0")
POWER = Obis.parse("1-0:16.7.0")
NOON = datetime.fromisoformat("2026-03-15T12:00")


def reading(*registers: Register) -> Reading:
    return Reading(Identity(), None, registers, b"")


def current(text: str, manufacturer: str | None = "TST") -> dict[Key, Register]:
    """Return the current values of a readout."""
    return Reading(
        Identity(None, manufacturer, "DEMO"), None, tuple(parse_registers(text)), b""
    ).current()


def values(text: str, manufacturer: str | None = "TST") -> dict[str, Value]:
    return {str(key): register.value for key, register in current(text, manufacturer).items()}


def test_get_returns_the_first_current_value() -> None:
    telegram = reading(
        Register(None, "text", address="1.6.0,5"),
        Register(TOTAL, "21-05-01", group=1),
        Register(TOTAL, 1),
        Register(TOTAL, 2),
    )
    assert telegram.get(TOTAL) == Register(TOTAL, 1)
    assert telegram.get(POWER) is None


# --- identity ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("identity", "unique_id", "name"),
    [
        (Identity(), None, None),
        (
            Identity("0a01545354000000000007", "TST", device_id="1TST0000000007"),
            "1TST0000000007",
            "1 TST00 0000 0007",
        ),
        (Identity("31303031"), "31303031", "31303031"),
        (Identity(" 1 tst 7 "), "1TST7", " 1 tst 7 "),
        (Identity("  "), None, "  "),
        # Two manufacturers may give the same number.
        (Identity("00000008", "TST", "DEMO"), "TST00000008", "00000008"),
        (Identity("ab 8", "TST", ""), "TSTAB8", "ab 8"),
        (Identity("00000008", "TST"), "TST00000008", "00000008"),
        # Some tell it in the number.
        (Identity("TST0008", "TST"), "TST0008", "TST0008"),
        (Identity("0654535400000008", "TST"), "0654535400000008", "0654535400000008"),
        (Identity("00000000", "TST", "DEMO"), None, "00000000"),
        (Identity(None, "TST", "DEMO"), None, None),
        (
            Identity("1TST0000000008", "TST", "DEMO", "1TST0000000008"),
            "1TST0000000008",
            "1 TST00 0000 0008",
        ),
        # as P1 ports have it
        (Identity(b"E0001 0008".hex(), "TST"), f"TST{b'E0001 0008'.hex()}", "E0001 0008"),
        (Identity("303030303038", "TST"), "TST303030303038", "303030303038"),
    ],
)
def test_identity(identity: Identity, unique_id: str | None, name: str | None) -> None:
    assert identity.unique_id == unique_id
    assert identity.name == name


@pytest.mark.parametrize(
    ("ident", "model"),
    [(r"\2T210-D", "T210-D"), (r"\@\2 X", "X"), (r"X\2", r"X\2"), ("", ""), (None, None)],
)
def test_model(ident: str | None, model: str | None) -> None:
    assert Identity(ident=ident).model == model


# --- current values -----------------------------------------------------------------------------


def test_nothing() -> None:
    assert reading().current() == {}


def test_sml_registers_are_as_they_are() -> None:
    registers = (Register(TOTAL, 1, "Wh"), Register(POWER, b"--"), Register(None, "x"))
    assert reading(*registers).current() == {TOTAL: registers[0], POWER: registers[1]}


def test_codes_and_addresses() -> None:
    assert values("1.8.0(7*kWh)C.1.0(8)ET0PE(9*kWh)0.5.1.2(x)F(1)") == {
        "1-0:1.8.0*255": 7,
        "1-0:96.1.0*255": "8",
        "ET0PE": 9,
        "0.5.1.2": "x",
        "F": "1",
    }


def test_values_without_any_address_have_no_name() -> None:
    assert values("(7*kWh)\r\n1.8.0(8*kWh)") == {"1-0:1.8.0*255": 8}


def test_the_first_with_a_unit_wins() -> None:
    assert values("32.7.0(2)\r\n32.7.0(000.7*V)\r\n32.7.0(000.8*V)") == {
        "1-0:32.7.0*255": Decimal("0.7")
    }
    assert values("32.7.0(000.7*V)\r\n32.7.0(0002)(26-03-15 12:00)") == {
        "1-0:32.7.0*255": Decimal("0.7")
    }
    assert current("32.7.0(000.7*V)\r\n32.7.0(0002)(26-03-15 12:00)").popitem()[1].time is None


def test_the_first_wins_where_none_has_a_unit() -> None:
    assert values("1.8.0(1)1.8.0(2)C.1.0(a)C.1.0(b)") == {"1-0:1.8.0*255": 1, "1-0:96.1.0*255": "a"}


def test_one_code_written_in_two_ways() -> None:
    assert values("1.8.0(1)1-0:1.8.0*255(2*kWh)") == {"1-0:1.8.0*255": 2}


def test_time_behind_the_value() -> None:
    (register,) = current("1.6.0(12.3*kW)(2603151200)").values()
    assert (register.value, register.unit, register.time) == (Decimal("12.3"), "kW", NOON)


def test_time_before_the_value() -> None:
    registers = current(
        "0-1:24.2.1(260315120000W)(00246.138*m3)\r\n"
        "0-1:24.3.0(260315120000)(08)(60)(1)(0-1:24.2.1)(m3)\r\n(00246.139)"
    )
    assert [(str(key), r.value, r.unit) for key, r in registers.items()] == [
        ("0-1:24.2.1*255", Decimal("246.138"), "m³"),
        ("0-1:24.3.0*255", Decimal("246.139"), None),
    ]
    assert all(register.time == NOON for register in registers.values())


def test_impossible_time() -> None:
    registers = current("0-1:24.2.1(632525252525S)(00000.000)\r\n1.6.0(0.0*kW)(0000000000)")
    assert all(register.time is None for register in registers.values())
    assert [register.value for register in registers.values()] == [0, 0]


def test_time_of_a_maximum_under_its_own_address() -> None:
    text = "1.6.0(12.3*kW)1.6.0,5(2603151200)2.6.0,5(2603151200)2.6.0(1*kW)3.6.0,5()3.6.0(2*kW)"
    registers = {str(key): register for key, register in current(text).items()}
    assert registers["1-0:1.6.0*255"].time == NOON
    assert registers["1-0:2.6.0*255"].time == NOON
    assert registers["1-0:3.6.0*255"].time is None
    assert registers["1-0:1.6.0*255"].value == Decimal("12.3")


def test_history_has_its_own_names() -> None:
    assert values("1.8.0(9*kWh)1.8.0*01(8)1.8.0&02(7)1.8.0*00(6)1.8.0*255(5)") == {
        "1-0:1.8.0*255": 9,
        "1-0:1.8.0*1": 8,
        "1-0:1.8.0*2": 7,
        "1-0:1.8.0*0": 6,
    }


def test_pafal_sends_the_current_value_as_that_of_period_0() -> None:
    text = "0.0.0(00000008)1.8.0*00(9)1.8.0*01(8)F.8.0*00(7)"
    assert values(text, "PAF") == {
        "1-0:0.0.0*255": "00000008",
        "1-0:1.8.0*255": 9,
        "1-0:1.8.0*1": 8,
        "1-0:15.8.0*255": 7,
    }
    assert "1-0:1.8.0*0" in values(text, None)


@pytest.mark.parametrize(
    "text",
    ["", " ", "---.-*V", "---", "___-----", "-", "--:--", "*kWh", " - *kW", "-.-", "....", "_"],
)
def test_placeholders_are_no_value(text: str) -> None:
    assert is_placeholder(text)
    assert values(f"1.7.0({text})NAME({text})") == {"1-0:1.7.0*255": None, "NAME": None}


@pytest.mark.parametrize("text", ["0", "-1", "a", "?", "00-00-00", ":::::G11", "-x-*V", "/"])
def test_what_is_no_placeholder(text: str) -> None:
    assert not is_placeholder(text)
    assert values(f"C.1.0({text})") == {"1-0:96.1.0*255": text}


def test_placeholder_with_time() -> None:
    (register,) = current("1.6.0(---.--*kW)(2603151200)").values()
    assert (register.value, register.time) == (None, NOON)


def test_tariffs_under_one_name_that_is_no_code() -> None:
    """The first value is the total, although nobody knows of what."""
    assert values("ET0PE(00123.45)(00100.10)(00023.35)") == {"ET0PE": "00123.45"}


def test_list_of_maxima() -> None:
    """The months in any order, and one of which a new meter knows no maximum."""
    text = (
        "1-0:1.6.0(260314120000W)(03.100*kW)"
        "0-0:98.1.0(4)(1-0:1.6.0)(1-0:1.6.0)"
        "(260201000000W)(260117224500W)(04.329*kW)(260401000000S)(260315120000W)(04.529*kW)"
        "(632525252525W)(632525252525W)(00.000*kW)(251001000000S)(250930080000S)(05.000*kW)"
    )
    maxima = current(text)
    assert values(text) == {
        "1-0:1.6.0*255": Decimal("3.100"),
        "1-0:1.6.0*101": Decimal("4.529"),
        "1-0:1.6.0*102": Decimal("4.329"),
        "1-0:1.6.0*103": Decimal("5.000"),
    }
    last = maxima[Obis.parse("1-0:1.6.0*101")]
    assert (last.time, last.unit) == (NOON, "kW")


def test_other_lists_of_values() -> None:
    assert values("1-0:98.1.0*126(260301000000W)(00001.5*kWh)(00002.5*kWh)") == {
        "1-0:98.1.0*126": Decimal("1.5")
    }
    assert values("0-0:98.1.0(0)(1-0:1.6.0)(1-0:1.6.0)") == {"0-0:98.1.0*255": "0"}


def test_heat_meter() -> None:
    assert values("6.8(012.34*GJ)6.26(00567,8*m3)6.8*01(010.00)") == {
        "6.8": Decimal("12.34"),
        "6.26": Decimal("567.8"),
        "6.8*01": Decimal("10.00"),
    }


# --- current values of several readings ----------------------------------------------------------

#: Lines of readouts: with and without a unit, placeholders, several values, the same code twice.
LINES = [
    "1.8.0(1.5*kWh)",
    "1.8.0(2.5*kWh)",
    "1.8.0(2.5)",
    "1.8.0(------)",
    "1.6.0(1.5*kW)(2603151200)",
    "1.6.0(2.5*kW)(2603151215)",
    "1.6.0(2.5*kW)",
    "1.6.0,5(2603151200)",
    "1.6.0,5(2603151215)",
    "1.8.0*00(3.5*kWh)",
    "32.7.0(230.1*V)",
    "32.7.0(230.2*V)",
    "32.7.0()",
    "F.F(00)",
    "X.1(1)",
    "X.1(2)",
]
SENT = {line: parse_registers(line) for line in LINES}


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["TST", "TST", "TST", "PAF"]),
            st.lists(st.sampled_from(LINES), min_size=4, max_size=4),
        ),
        max_size=12,
    )
)
def test_changed_registers_give_what_all_registers_give(
    readouts: list[tuple[str, list[str]]],
) -> None:
    """A repeated line is the same object, as decoders give it, or an equal one."""
    registers = CurrentRegisters()
    for number, (manufacturer, lines) in enumerate(readouts):
        sent = [SENT[line] if number % 4 else parse_registers(line) for line in lines]
        found = Reading(
            Identity(None, manufacturer),
            None,
            tuple(register for data_set in sent for register in data_set),
            b"",
        )
        assert list(registers.of(found).items()) == list(found.current().items())
        registers.of(found).clear()
        assert registers.of(found) == found.current()
