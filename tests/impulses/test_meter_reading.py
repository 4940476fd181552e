"""Numbers that users enter, in the notations of their countries."""

from decimal import Decimal

from hypothesis import given, strategies as st
import pytest

from custom_components.onemeter.impulses.meter_reading import exact_number, exact_reading


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("12.345,6", "12345.6"),
        ("12,345.6", "12345.6"),
        ("1.234.567,89", "1234567.89"),
        ("1.234.567", "1234567"),
        ("1'234.5", "1234.5"),
        ("1’234", "1234"),
        ("12 345,6", "12345.6"),
        ("12,345", "12.345"),
        ("10.000", "10.000"),
        ("0012.50", "12.50"),
        (",5", "0.5"),
    ],
)
def test_last_separator_is_the_decimal_mark(text: str, number: str) -> None:
    assert exact_number(text).as_tuple() == Decimal(number).as_tuple()


@pytest.mark.parametrize(
    "text",
    ["", " ", ".", "5,", "-1", "+1", "1e3", "1_0", "nan", "1,23,4.5", "1.2.3", "1.23,4"],
)
def test_anything_else_is_rejected(text: str) -> None:
    with pytest.raises(ValueError, match="not a number"):
        exact_number(text)
    with pytest.raises(ValueError, match="not a number"):
        exact_reading(text)


@given(
    st.integers(0, 10**12 - 1),
    st.text("0123456789", min_size=1, max_size=9),
    st.sampled_from([(".", ","), (",", "."), ("'", "."), ("\u202f", ","), (" ", "."), ("", ".")]),
)
def test_grouped_numbers_are_read_exactly(
    whole: int, decimals: str, separators: tuple[str, str]
) -> None:
    thousands, mark = separators
    text = f"{whole:,}".replace(",", thousands) + mark + decimals
    number = Decimal(f"{whole}.{decimals}")
    assert exact_number(text).as_tuple() == number.as_tuple()
    assert exact_reading(text).as_tuple() == number.as_tuple()


@pytest.mark.parametrize("text", ["1000000000000", "0.0000000001"])
def test_reading_that_no_display_shows_is_rejected(text: str) -> None:
    with pytest.raises(ValueError, match="up to 12 digits and 9 decimals"):
        exact_reading(text)
