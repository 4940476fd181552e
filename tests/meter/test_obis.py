from hypothesis import given, strategies as st
import pytest

from custom_components.onemeter.meter.obis import Obis

groups = st.integers(0, 255)
codes = st.builds(Obis, groups, groups, groups, groups, groups, groups)


@given(codes)
def test_text_and_bytes_give_the_same_code(code: Obis) -> None:
    assert Obis.parse(str(code)) == code
    assert Obis.from_bytes(bytes(code)) == code


@given(st.text() | st.from_regex(r"\d{0,4}-\d{1,4}:\d{1,4}\.\d{1,4}\.\d{1,4}([*&]\d{0,4})?"))
def test_any_text_is_a_code_or_an_error(text: str) -> None:
    try:
        code = Obis.parse(text)
    except ValueError:
        return
    assert all(0 <= group <= 255 for group in code)
    assert Obis.parse(str(code)) == code


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("1-0:1.8.0*255", Obis(1, 0, 1, 8, 0)),
        ("1-0:1.8.0", Obis(1, 0, 1, 8, 0)),
        ("1-0:1.8.0*01", Obis(1, 0, 1, 8, 0, 1)),
        ("1-0:1.8.0&12", Obis(1, 0, 1, 8, 0, 12)),
        ("129-129:199.130.3*255", Obis(129, 129, 199, 130, 3)),
    ],
)
def test_parse(text: str, code: Obis) -> None:
    assert Obis.parse(text) == code


@pytest.mark.parametrize(
    "text",
    ["", "1.8.0", "1-0:1.8", "1-0:1.8.0*", "1-0:256.8.0", "1-0:1.8.0 ", "1-0:1.8.٣", "C.1.0"],
)
def test_not_a_code(text: str) -> None:
    with pytest.raises(ValueError, match="OBIS code"):
        Obis.parse(text)


@pytest.mark.parametrize(
    ("code", "full", "short"),
    [
        (Obis(1, 0, 1, 8, 0), "1-0:1.8.0*255", "1.8.0"),
        (Obis(1, 0, 1, 8, 2, 7), "1-0:1.8.2*7", "1.8.2*7"),
        (Obis(0, 0, 96, 1, 0), "0-0:96.1.0*255", "96.1.0"),
    ],
)
def test_text(code: Obis, full: str, short: str) -> None:
    assert str(code) == full
    assert code.short == short


def test_order_is_that_of_the_groups() -> None:
    ordered = [
        Obis(0, 9, 9, 9, 9),
        Obis(1, 0, 1, 8, 0, 0),
        Obis(1, 0, 1, 8, 0),
        Obis(1, 0, 2, 8, 0),
    ]
    random_order = [ordered[2], ordered[0], ordered[3], ordered[1]]
    assert sorted(random_order) == ordered
