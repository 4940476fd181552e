"""Elements of SML: all types and widths, lists, invalid elements."""

from contextlib import suppress

from hypothesis import given, strategies as st
import pytest

from custom_components.onemeter.meter.errors import TelegramError
from custom_components.onemeter.meter.sml.elements import (
    Element,
    enter_list,
    field_at,
    read,
    read_nested,
    skip,
)
from simulator.sml import encoder as sml

WIDTHS = st.integers(1, 8)
FIELD_WIDTHS = st.none() | st.integers(4, 8)


@given(st.data(), WIDTHS, FIELD_WIDTHS)
def test_integers(data: st.DataObject, width: int, field_width: int | None) -> None:
    bits = 8 * width
    signed = data.draw(st.integers(-(1 << bits - 1), (1 << bits - 1) - 1))
    unsigned = data.draw(st.integers(0, (1 << bits) - 1))
    for value, sent in (
        (signed, sml.integer(signed, width, tl_width=field_width)),
        (unsigned, sml.unsigned(unsigned, width, tl_width=field_width)),
    ):
        assert read(sent, 0) == (value, len(sent))
        assert read_nested(sent, 0) == (value, len(sent))
        assert skip(sent, 0) == len(sent)


@given(st.binary(min_size=1, max_size=400), FIELD_WIDTHS)
def test_octets(content: bytes, field_width: int | None) -> None:
    sent = sml.octets(content, field_width)
    assert read(sent, 0) == (content, len(sent))
    assert skip(sent, 0) == len(sent)


def test_left_out_is_not_empty() -> None:
    assert read(sml.SKIPPED, 0) == (None, 1)
    assert read(sml.octets(b"", 2), 0) == (b"", 2)


@pytest.mark.parametrize(("sent", "value"), [(0, False), (1, True), (0xFF, True)])
def test_booleans(sent: int, value: bool) -> None:
    assert read(sml.boolean(sent), 0) == (value, 2)
    assert isinstance(read(sml.boolean(sent), 0)[0], bool)


@pytest.mark.parametrize("length", [0, 1, 15, 16, 17, 255, 256, 4095, 4096])
def test_lists_of_any_length(length: int) -> None:
    sent = sml.sequence([sml.SKIPPED] * length) + b"rest"
    end = len(sent) - 4
    assert skip(sent, 0) == end
    assert read_nested(sent, 0) == ((None,) * length, end)


@pytest.mark.parametrize("width", [None, 2, 8])
def test_entering_a_list(width: int | None) -> None:
    sent = sml.sequence([sml.SKIPPED] * 7, width)
    assert enter_list(sent, 0, 7) == len(sent) - 7
    for other in (6, 8):
        with pytest.raises(TelegramError):
            enter_list(sent, 0, other)


ELEMENTS = st.recursive(
    st.none()
    | st.integers(-(2**63), 2**63 - 1).map(lambda number: (sml.integer(number), number))
    | st.integers(0, 2**64 - 1).map(lambda number: (sml.unsigned(number), number))
    | st.binary(min_size=1).map(lambda content: (sml.octets(content), content)),
    lambda items: st.lists(items, max_size=20).map(
        lambda pairs: (
            sml.sequence([pair[0] if pair else sml.SKIPPED for pair in pairs]),
            tuple(pair[1] if pair else None for pair in pairs),
        )
    ),
    max_leaves=40,
)


def depth(element: Element) -> int:
    return 1 + max(map(depth, element), default=0) if isinstance(element, tuple) else 0


@given(st.lists(ELEMENTS, max_size=5))
def test_nested(pairs: list[tuple[bytes, Element] | None]) -> None:
    sent = b"".join(pair[0] if pair else sml.SKIPPED for pair in pairs)
    assert skip(sent, 0, len(pairs)) == len(sent)
    position = 0
    for pair in pairs:
        encoded, value = pair or (sml.SKIPPED, None)
        if depth(value) <= 4:
            assert read_nested(sent, position) == (value, position + len(encoded))
        else:
            with pytest.raises(TelegramError):
                read_nested(sent, position)
        position += len(encoded)


def test_lists_without_end_are_no_problem() -> None:
    deep = b"\x71" * 8000
    with pytest.raises(TelegramError):
        read_nested(deep, 0)
    with pytest.raises(IndexError):
        skip(deep, 0)
    assert skip(deep + sml.SKIPPED, 0) == 8001
    with pytest.raises(IndexError):
        skip(sml.tl(sml.Kind.LIST, 2**32 - 1), 0)


@pytest.mark.parametrize(
    "field",
    [
        "00",  # the end of a message is not an element
        "11",  # reserved types
        "25ffffffff",
        "32ff",
        "41",  # a Boolean without or with too much content
        "43ffff",
        "50",
        "51",  # integers without or with too much content
        "5affffffffffffffffff",
        "60",
        "61",
        "6affffffffffffffffff",
        "8000",  # shorter than the field itself
        "8001",
        "8112ff",  # a type in a later byte of the field
        "808080808080808000",  # a field without end
    ],
)
def test_no_elements(field: str) -> None:
    sent = bytes.fromhex(field) + bytes(20)
    for function in (read, skip, read_nested, field_at):
        with pytest.raises(TelegramError):
            function(sent, 0)


def test_list_is_no_single_value() -> None:
    for sent in (sml.sequence([sml.SKIPPED]), sml.sequence([sml.SKIPPED], 2)):
        with pytest.raises(TelegramError):
            read(sent, 0)
    with pytest.raises(TelegramError):
        enter_list(sml.octets(b"123456"), 0, 7)


@given(st.binary(max_size=60), st.integers(1, 5))
def test_anything_is_read_or_rejected(data: bytes, count: int) -> None:
    for function in (read, read_nested, field_at):
        with suppress(TelegramError, IndexError):
            function(data, 0)
    with suppress(TelegramError, IndexError):
        skip(data, 0, count)


@given(st.binary(max_size=60))
def test_all_ways_of_reading_end_at_the_same_place(data: bytes) -> None:
    try:
        _, end = read_nested(data, 0)
    except TelegramError, IndexError:
        return
    assert skip(data, 0) == end
