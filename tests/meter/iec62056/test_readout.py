"""The data sets of a readout, in all forms that meters send."""

from datetime import UTC, datetime
from decimal import Decimal

from hypothesis import given, strategies as st
import pytest

from custom_components.onemeter.meter.errors import TelegramError
from custom_components.onemeter.meter.iec62056.data_sets import parse_data_sets
from custom_components.onemeter.meter.iec62056.identification import Identification
from custom_components.onemeter.meter.iec62056.readout import (
    decode_readout,
    parse_registers,
)
from custom_components.onemeter.meter.reading import Identity, Reading
from custom_components.onemeter.meter.slices import do_at_once

#: Code, address, value, unit, index in the data set.
type Row = tuple[str | None, str, Decimal | str, str | None, int]


def rows(text: str) -> list[Row]:
    found: list[Row] = []
    for register in parse_registers(text):
        assert register.address is not None
        assert isinstance(register.value, Decimal | str)
        code = None if register.obis is None else str(register.obis)
        found.append((code, register.address, register.value, register.unit, register.group))
    return found


def values(text: str) -> list[Decimal | str]:
    return [row[2] for row in rows(text)]


def units(text: str) -> list[str | None]:
    return [row[3] for row in rows(text)]


def decode(data: str, ident: str | None = "/TST5DEMO", *, checked: bool = True) -> Reading:
    identification = None if ident is None else Identification.parse(ident.encode())
    return do_at_once(decode_readout(data, identification, b"", checked=checked))


# --- data sets -----------------------------------------------------------------------------------


def test_one_line() -> None:
    assert rows("1.8.0(000123.4*kWh)\r\n") == [
        ("1-0:1.8.0*255", "1.8.0", Decimal("123.4"), "kWh", 0)
    ]


def test_several_values_in_a_data_set() -> None:
    assert rows("1.6.1(12.30*kW)(2603151234)(-1.50)\r\n") == [
        ("1-0:1.6.1*255", "1.6.1", Decimal("12.30"), "kW", 0),
        ("1-0:1.6.1*255", "1.6.1", "2603151234", None, 1),
        ("1-0:1.6.1*255", "1.6.1", Decimal("-1.50"), None, 2),
    ]


def test_several_data_sets_in_a_line() -> None:
    assert rows("1.8.1(1*kWh)1.8.2(2*kWh)(3*kWh)1.8.3(4*kWh)\r\n1.8.4(5*kWh)") == [
        ("1-0:1.8.1*255", "1.8.1", Decimal(1), "kWh", 0),
        ("1-0:1.8.2*255", "1.8.2", Decimal(2), "kWh", 0),
        ("1-0:1.8.2*255", "1.8.2", Decimal(3), "kWh", 1),
        ("1-0:1.8.3*255", "1.8.3", Decimal(4), "kWh", 0),
        ("1-0:1.8.4*255", "1.8.4", Decimal(5), "kWh", 0),
    ]


@pytest.mark.parametrize("line_end", ["\r\n", "\n", "\r", "\r\n\r\n"])
def test_a_data_set_goes_on_in_the_next_line(line_end: str) -> None:
    text = line_end.join(["0-1:24.3.0(260315120000)(08)(60)(1)(0-1:24.2.1)(m3)", "(00012.345)", ""])
    assert rows(text)[4:] == [
        ("0-1:24.3.0*255", "0-1:24.3.0", "0-1:24.2.1", None, 4),
        ("0-1:24.3.0*255", "0-1:24.3.0", "m3", None, 5),
        ("0-1:24.3.0*255", "0-1:24.3.0", Decimal("12.345"), None, 6),
    ]


def test_twenty_values_in_a_data_set() -> None:
    line = "1-0:98.1.0*126(260301000000W)" + "".join(f"({n:06}.5*kWh)" for n in range(20))
    found = rows(line)
    assert [row[4] for row in found] == list(range(21))
    assert [row[2] for row in found[1:]] == [Decimal(f"{n}.5") for n in range(20)]


def test_repeated_values() -> None:
    assert values("0.2.0(1.25)(1.25)\r\n1.8.0(7*kWh)(7*kWh)") == ["1.25", Decimal("1.25"), 7, 7]


def test_duplicates_stay_in_their_order() -> None:
    text = "32.7.0(000.7*V)\r\n32.7.0(0002)(26-03-15 12:34)\r\n32.7.0(000.8*V)\r\n"
    assert rows(text) == [
        ("1-0:32.7.0*255", "32.7.0", Decimal("0.7"), "V", 0),
        ("1-0:32.7.0*255", "32.7.0", Decimal(2), None, 0),
        ("1-0:32.7.0*255", "32.7.0", "26-03-15 12:34", None, 1),
        ("1-0:32.7.0*255", "32.7.0", Decimal("0.8"), "V", 0),
    ]


def test_blanks_around_addresses() -> None:
    assert [row[:2] for row in rows("  1.8.0 (7*kWh)  2.8.0(8*kWh)")] == [
        ("1-0:1.8.0*255", "1.8.0"),
        ("1-0:2.8.0*255", "2.8.0"),
    ]


def test_values_before_the_first_address() -> None:
    assert rows("(7*kWh)(8)\r\n") == [(None, "", Decimal(7), "kWh", 0), (None, "", "8", None, 1)]


@pytest.mark.parametrize("size", [0, 500, 600])
def test_brackets_within_a_value(size: int) -> None:
    line = "0.2.0((ER11))(a (b) c)(5)\r\n"
    text = "1.8.0(7*kWh)\r\n" + "x" * size + "\r\n" + line * 40
    assert values(text) == [7, *["(ER11)", "a (b) c", "5"] * 40]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", []),
        ("no data set\r\n", []),
        ("1.8.0(7*kWh", []),
        ("1.8.0(7*kWh\r\n2.8.0(8*kWh)", [("2.8.0", 0, "8*kWh")]),
        ("7*kWh)\r\n2.8.0(8*kWh)", [("2.8.0", 0, "8*kWh")]),
        ("1.8.0((7*kWh)", [("", 0, "7*kWh")]),
        ("1.8.0(7*kWh))2.8.0(8*kWh)", [("1.8.0", 0, "7*kWh"), ("2.8.0", 0, "8*kWh")]),
        ("1.8.0\r\n(7*kWh)", [("", 0, "7*kWh")]),
        ("1.8.0)(7*kWh)", [("", 0, "7*kWh")]),
        ("()()", [("", 0, ""), ("", 1, "")]),
    ],
)
def test_brackets_that_do_not_fit(text: str, found: list[tuple[str, int, str]]) -> None:
    read = list(parse_data_sets(text))
    if text == "1.8.0((7*kWh))":
        # The address is part of a value without end.
        assert [value for _, _, value in read] == ["7*kWh"]
    else:
        assert read == found
    assert [(r.address, r.group) for r in parse_registers(text)] == [row[:2] for row in read]


# --- numbers and units ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [
        # with a unit: at any address
        ("C.7.0(0008*h)", Decimal(8)),
        ("0.3.0(5000*imp/kWh)", Decimal(5000)),
        ("C.6.1(98%)", Decimal(98)),
        ("NAME(1*V)", Decimal(1)),
        ("0.2.0(0000000 kWh)", Decimal(0)),
        # without a unit: electricity only
        ("1.8.0(00123)", Decimal(123)),
        ("13.7(0.98)", Decimal("0.98")),
        ("F.8.0*00(00123)", Decimal(123)),
        ("1-0:32.7.0*255(230)", Decimal(230)),
        # everything else is text, as sent
        ("C.7.0(0008)", "0008"),
        ("C.1.0(00000008)", "00000008"),
        ("0.0.0(00000008)", "00000008"),
        ("0.9.1(123456)", "123456"),
        ("0.1.0(12)", "12"),
        ("F.F(00000000)", "00000000"),
        ("P.01(00000000)", "00000000"),
        ("L.1(00000000)", "00000000"),
        ("97.97.0(00)", "00"),
        ("0-0:1.8.0(7)", "7"),
        ("0-1:24.2.1(7)", "7"),
        ("7-0:3.0.0(7)", "7"),
        ("NAME(7)", "7"),
        ("1.6.0,5(7)", "7"),
        ("F(7)", "7"),
        ("96.5.5(001C0104)", "001C0104"),
        ("1.8.0(12:34)", "12:34"),
        ("1.8.0()", ""),
        ("1.8.0(  )", ""),
        ("0.2.0( 1.00-DEMO )", "1.00-DEMO"),
        ("0.2.2(:::::G11)", ":::::G11"),
        ("1.7.0(---.-*kW)", "---.-*kW"),
        ("1.7.0(---)", "---"),
        ("1.7.0(___-----)", "___-----"),
        ("1.7.0(*kW)", "*kW"),
        ("9.4(088*C&082*C)", "088*C&082*C"),
        ("0.2.0(/SX330)", "/SX330"),
        ("0.2.0(!)", "!"),
    ],
)
def test_number_or_text(text: str, value: Decimal | str) -> None:
    assert values(text) == [value]


def test_later_values_are_numbers_with_a_unit_or_decimals() -> None:
    assert values("1.6.0(1*kW)(2)(2.5)(3*A)(04,50)(2603151234)(7%)") == [
        *(Decimal(1), "2", Decimal("2.5"), Decimal(3), Decimal("4.50"), "2603151234", Decimal(7))
    ]
    assert values("0.2.0(1.25)(1.25)") == ["1.25", Decimal("1.25")]


def test_digits_are_kept() -> None:
    assert [str(value) for value in values("1.8.0(000012.3400*kWh)(+001.0*kW)(-0,50*A)")] == [
        *("12.3400", "1.0", "-0.50")
    ]


def test_history_without_unit_has_that_of_the_current_value() -> None:
    text = (
        "1.8.0(5*kWh)\r\n1.8.0*01(4)\r\n1.8.0&02(3)(2603010000)\r\n1.8.0*03(2*Wh)\r\n1.8.0*255(1)\r\n"
        "1.8.1*01(7)\r\n1-0:1.8.0*04(9)\r\n1-1:1.8.0*05(8)\r\n1.8.0.255(6)"
    )
    assert units(text) == ["kWh", "kWh", "kWh", None, "Wh", None, None, "kWh", None, None]


def test_history_before_the_current_value() -> None:
    assert units("2.8.0*01(4)\r\n2.8.0(5)\r\n2.8.0(5*kWh)\r\n2.8.0(5*Wh)") == [
        *("kWh", None, "kWh", "Wh")
    ]


def test_later_values_give_and_take_no_unit() -> None:
    assert units("1.6.0(X)(5*kW)\r\n1.6.0*01(4.0)(3.0)") == [None, "kW", None, None]


def test_empty_places_of_history_stay_apart() -> None:
    text = "1.8.0(5*kWh)\r\n1.8.0*00(0)\r\n1.8.0*00()\r\n"
    assert [row[0] for row in rows(text)] == ["1-0:1.8.0*255", "1-0:1.8.0*0", "1-0:1.8.0*0"]


def test_heat_meter() -> None:
    """Its codes without medium are those of heat, beside other codes."""
    text = (
        "0.0(00000008)6.8(012.34*GJ)6.26(00567,8*m3)6.8*01(010.00)9.4(088*C&082*C)\r\n0-1:96.1.0(5)"
    )
    assert rows(text) == [
        (None, "0.0", "00000008", None, 0),
        (None, "6.8", Decimal("12.34"), "GJ", 0),
        (None, "6.26", Decimal("567.8"), "m³", 0),
        (None, "6.8*01", Decimal("10.00"), "GJ", 0),
        (None, "9.4", "088*C&082*C", None, 0),
        ("0-1:96.1.0*255", "0-1:96.1.0", "5", None, 0),
    ]


def test_meter_with_codes_that_only_look_like_heat() -> None:
    assert rows("6.8.0(7*kvarh)\r\n1-0:6.8(7*kvarh)")[0][0] == "1-0:6.8.0*255"


# --- times ---------------------------------------------------------------------------------------


def test_times() -> None:
    text = "1.6.1(1*kW)(2603151234)\r\n0-1:24.2.1(260315120000S)(1*m3)\r\nC.2.1(2260315123456)"
    noon = datetime.fromisoformat("2026-03-15T12:00")
    assert [register.time for register in parse_registers(text)] == [
        None,
        noon.replace(minute=34),
        noon,
        None,
        datetime(2026, 3, 15, 12, 34, 56, tzinfo=UTC),
    ]


@pytest.mark.parametrize("code", ["C.1.0", "0.0.0", "0.0", "1-0:96.1.0*255", "0-0:96.1.1"])
def test_ids_are_no_times(code: str) -> None:
    assert [register.time for register in parse_registers(f"{code}(2603151234)")] == [None]


# --- the reading --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "meter_id"),
    [
        ("1.8.0(7*kWh)", None),
        ("0.0.0(00000008)", "00000008"),
        ("0.0.0()\r\nC.1.0()\r\n1-0:96.1.1(8)", "8"),
        ("0.0.0(1)\r\nC.1.0(2)\r\nC.1.1(3)", "2"),
        ("0.0.1(1)\r\n0-0:96.1.255*255(2)\r\n1-0:0.0.0*255(3)", "3"),
        ("0.0.1(1)\r\n0-0:96.1.255*255(2)", "2"),
        ("0.0.1( 1 2 )", "1 2"),
        ("0.0.0(00000008MW)", "00000008MW"),
        ("C.1.0(8 kW)", "8 kW"),
        ("0.0.0(1)\r\n0.0.0(2)", "1"),
        ("0-0:96.1.1(4B384547303034)", "4B384547303034"),
        # not of other media, of the past, or after another value
        ("0-1:96.1.0(1)\r\n7-0:0.0.0(2)", None),
        ("0-1:96.1.0(1)\r\n0-0:96.1.1(2)", "2"),
        ("C.1.0*01(1)", None),
        ("C.1.0()(1)", None),
        # heat meters
        ("6.8(1*GJ)0.0(00000008)9.21(5)", "00000008"),
    ],
)
def test_id(data: str, meter_id: str | None) -> None:
    data += "\r\n1.8.0(7*kWh)\r\n!\r\n"
    assert decode(data).meter == Identity(meter_id, "TST", "DEMO")
    assert decode(data, None).meter == Identity(meter_id)


@pytest.mark.parametrize(
    ("data", "time"),
    [
        ("0.9.1(123456)\r\n0.9.2(260315)", "2026-03-15T12:34:56"),
        ("0.9.2(26-03-15)\r\n0.9.1(12:34:56)", "2026-03-15T12:34:56"),
        ("1-0:0.9.2*255(1260315)\r\n1-0:0.9.1*255(1123456)", "2026-03-15T12:34:56"),
        ("0-0:1.0.0(260315123456W)", "2026-03-15T12:34:56"),
        ("0.9.4(26-03-15 12:34:56)", "2026-03-15T12:34:56"),
        ("0.9.1(123456)", None),
        ("0.9.2(260315)", None),
        ("0.9.1(999999)\r\n0.9.2(999999)", None),
        ("0.9.1(--:--)\r\n0.9.2(34-0115)", None),
        ("0.9.1(12*h)\r\n0.9.2(260315)", None),
        ("1.8.0(1)(260315123456)", None),
        ("1.6.0(260315123456)", None),
    ],
)
def test_clock(data: str, time: str | None) -> None:
    reading = decode(f"{data}\r\n!\r\n")
    assert reading.time == (None if time is None else datetime.fromisoformat(time))


@pytest.mark.parametrize(
    "data",
    [
        "1.8.0(7*kWh)",
        "1.8.0(7*kWh)!",
        "1.8.0(7*kWh)\r\n!\r\n",
        "1.8.0(7*kWh)\r\n!\r\n2.8.0(8*kWh)\r\n",
        "1.8.0(7*kWh)!2.8.0(8*kWh)!",
        "1.8.0(7*kWh)\r\n!!\r\n",
    ],
)
def test_data_end_at_the_first_exclamation_mark(data: str) -> None:
    assert len(decode(data).registers) == 1


@pytest.mark.parametrize(
    "data", ["0.2.0(!)1.8.0(7)!2.8.0(8)", "0.2.0(a!b\r\n1.8.0(7)\r\n!2.8.0(8)"]
)
def test_exclamation_marks_in_values_end_nothing(data: str) -> None:
    assert [register.address for register in decode(data).registers][-1] == "1.8.0"


@pytest.mark.parametrize("data", ["", "!", "\r\n!\r\n", "no data set!", "!1.8.0(7*kWh)"])
def test_no_data(data: str) -> None:
    for checked in (True, False):
        with pytest.raises(TelegramError):
            decode(data, checked=checked)


# --- data without checksum ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        "1.8.0(7*kWh)\r\n!\r\n",
        "\r\n\r\n1.8.0(7*kWh)\r\n\r\n!",
        "0.2.0(/SX330)(!)\r\n!",
        "\x00\x7f\r\n1.8.0(7*kWh)\r\n!",
        "\r\n\x06050\r\n1.8.0(7*kWh)\r\n!",
        "050\r\n1.8.0(7*kWh)\r\n!",
        "1.8.0(7*kWh)  \r\n  \r\n 2.8.0(8*kWh) !\r\n",
        "1.8.0(7*kWh)\r\n  !  \r\n",
        "1.7.0(---.-*kW)9.4(088*C&082*C)(*kWh)(12X*kXh)!",
    ],
)
def test_well_formed(data: str) -> None:
    registers = decode(data, checked=False).registers
    assert registers[0].address in {"1.8.0", "0.2.0", "1.7.0"}


@pytest.mark.parametrize(
    "data",
    [
        "1.8.0(7*kWh\r\n!",
        "1.8.07*kWh)\r\n!",
        "1.8.0(7*kWh)\r\n2.8.0\r\n!",
        "1.8.0(7*kWh)x\r\n!",
        "1.8.0((7*kWh)\r\n!",
        "1.8.0(7*kWh))\r\n!",
        "1.8.0(7\x00*kWh)\r\n!",
        "1.8.0(7*kW\x7f)\r\n!",
        "1.8\x00.0(7*kWh)\r\n!",
        "1.8.0(7*kWh)\x00\r\n!",
        "1.8.0(7*kWh)\r\n!x\r\n",
        "1.8.0(7*kWh)!2.8.0(8*kWh)",
        # garbled numbers
        "1.8.0(0000X1.23*kWh)\r\n!",
        "1.8.0(7*kWh)\r\n2.8.0(1)(4.5.6*V)\r\n!",
        "9.4(088*C&08Z*C)\r\n!",
    ],
)
def test_not_well_formed(data: str) -> None:
    with pytest.raises(TelegramError):
        decode(data, checked=False)


def test_behind_a_checksum_only_the_meter_can_be_wrong() -> None:
    data = "1.8.0(0000X1.23*kWh)\r\nwhat else\r\n2.8.0(8*kWh))\r\n!x"
    assert [register.value for register in decode(data).registers] == ["0000X1.23*kWh", 8]


# --- any data set -------------------------------------------------------------------------------

TEXT = st.text(st.sampled_from([chr(code) for code in range(0x20, 0x7F) if chr(code) not in "()"]))
ADDRESSES = st.sampled_from(["1.8.0", "1.8.0*01", "C.1.0", "0-1:24.2.1", "1.6.0,5", "F.F", "a b"])
NUMBERS = st.builds("{}{}{}".format, st.sampled_from(["", "0", " ", "-"]), st.integers(0), TEXT)


@given(
    st.lists(st.tuples(ADDRESSES, st.lists(TEXT | NUMBERS, min_size=1, max_size=4))),
    st.sampled_from(["", "\r\n", "\n"]),
)
def test_any_data_sets(data_sets: list[tuple[str, list[str]]], line_end: str) -> None:
    text = "".join(f"{address}({')('.join(values)}){line_end}" for address, values in data_sets)
    sent = [
        (address, group, value)
        for address, values in data_sets
        for group, value in enumerate(values)
    ]
    assert list(parse_data_sets(text)) == sent
    registers = parse_registers(text)
    assert [(r.address, r.group) for r in registers] == [(a, g) for a, g, _ in sent]
    for register, (_, _, value) in zip(registers, sent, strict=True):
        assert isinstance(register.value, Decimal) or register.value == value.strip()
    try:
        reading = decode(text + "!", checked=False)
    except TelegramError:
        return
    assert reading.registers == tuple(registers) == decode(text + "!").registers


@pytest.mark.parametrize(
    "line",
    [
        "0-1:24.2.1(260315120000W)(00123.456*m3)",
        "0-1:24.3.0(260315120000)(00)(60)(1)(0-1:24.2.1)(m3)\r\n(00123.456)",
        "0-1:24.2.1(00123.456*m3)(260315120000W)",
    ],
)
def test_time_of_another_meter(line: str) -> None:
    """A meter reads the meters at its M-Bus only now and then."""
    reading = decode(f"1-0:1.8.0(7*kWh)\r\n{line}\r\n")
    [register] = [r for r in reading.current().values() if r.unit != "kWh"]
    assert register.value == Decimal("123.456")
    assert register.time == datetime.fromisoformat("2026-03-15T12:00:00")
