"""Block check characters of both kinds, and parity bits."""

from hypothesis import given, strategies as st
import pytest

from custom_components.onemeter.meter.iec62056.block import BlockCheck, CheckKind, check_character
from custom_components.onemeter.meter.parity import (
    has_parity_errors,
    with_parity,
    without_parity,
)
from simulator.iec62056 import encoder
from simulator.iec62056.encoder import Checksum, block_check

#: Blocks whose check characters differ between the two kinds.
BLOCKS = [f"1.8.0({number}*kWh)\r\n!\r\n\x03".encode() for number in (1, 2, 3)]
XOR, SUM = CheckKind.XOR, CheckKind.SUM
KINDS = {XOR: Checksum.XOR, SUM: Checksum.SUM}

TEXT = st.text(st.characters(max_codepoint=0x7F)).map(str.encode)


def check_of(block: bytes, kind: CheckKind) -> int:
    return block_check(block, KINDS[kind])[0]


def accepted(*kinds: CheckKind | None) -> tuple[list[bool], CheckKind | None]:
    """Return which blocks with these check characters are accepted; None is a wrong one."""
    check = BlockCheck()
    block = BLOCKS[0]
    wrong = check_of(block, XOR) ^ 0x55
    assert len({check_of(block, XOR), check_of(block, SUM), wrong}) == 3
    answers = [
        check.accepts(block, wrong if kind is None else check_of(block, kind)) for kind in kinds
    ]
    return answers, check.kind


@given(TEXT)
def test_check_characters(text: bytes) -> None:
    block = text + b"\x03"
    for kind in KINDS:
        assert check_character(block, kind) == check_of(block, kind)
        assert BlockCheck().accepts(block, check_of(block, kind))
    assert check_character(block, None) == check_of(block, XOR)
    rest = set(range(0x80)) - {check_of(block, XOR), check_of(block, SUM)}
    assert not any(BlockCheck().accepts(block, check) for check in rest)


@pytest.mark.parametrize(
    ("kinds", "answers", "kind"),
    [
        # The first block may have any kind, which is remembered.
        ([XOR], [True], XOR),
        ([SUM], [True], SUM),
        ([None], [False], None),
        ([None, None, SUM], [False, False, True], SUM),
        # One block of the other kind is damaged; two in a row change the kind.
        ([XOR, SUM], [True, False], XOR),
        ([XOR, SUM, SUM], [True, False, True], SUM),
        ([XOR, SUM, SUM, SUM, XOR, XOR], [True, False, True, True, False, True], XOR),
        # Any other block in between resets the change.
        ([XOR, SUM, XOR, SUM], [True, False, True, False], XOR),
        ([XOR, SUM, None, SUM], [True, False, False, False], XOR),
        ([SUM, XOR, SUM, XOR, XOR], [True, False, True, False, True], XOR),
    ],
)
def test_which_kind_it_is(
    kinds: list[CheckKind | None], answers: list[bool], kind: CheckKind | None
) -> None:
    assert accepted(*kinds) == (answers, kind)


def test_nothing_is_learned_from_a_check_character_of_both_kinds() -> None:
    block = b"@0\x03"
    assert check_of(block, XOR) == check_of(block, SUM)
    check = BlockCheck()
    assert check.accepts(block, check_of(block, XOR))
    assert check.kind is None
    # Nor does it complete a change.
    check.kind = XOR
    for _ in range(2):
        assert not check.accepts(BLOCKS[0], check_of(BLOCKS[0], SUM))
        assert check.accepts(block, check_of(block, XOR))


def test_start() -> None:
    block = BLOCKS[0]
    assert BlockCheck().accepts(block, check_of(block, XOR) ^ 0x0C, starts=(0x0C,))
    assert BlockCheck().accepts(block, check_of(block, XOR) ^ 0x0C, starts=(0, 0x0C))
    assert not BlockCheck().accepts(block, check_of(block, XOR), starts=(0x0C,))


@given(TEXT)
def test_parity(text: bytes) -> None:
    sent = encoder.with_even_parity(text)
    assert with_parity(text) == sent
    assert without_parity(sent) == without_parity(text) == text
    assert not has_parity_errors(sent)
    assert not has_parity_errors(text)


@given(TEXT, st.data())
def test_one_wrong_bit_is_wrong_parity(text: bytes, data: st.DataObject) -> None:
    # At least one character has its parity bit set, or parity cannot be recognized.
    sent = bytearray(encoder.with_even_parity(b"1" + text + b"1"))
    place = data.draw(st.integers(0, len(sent) - 1))
    sent[place] ^= 1 << data.draw(st.integers(0, 7))
    assert has_parity_errors(bytes(sent))
