"""Frames of programming mode, at any offset and in any chunks."""

import itertools

from hypothesis import given, strategies as st
import pytest

from custom_components.onemeter.meter.iec62056.block import BlockCheck, CheckKind
from custom_components.onemeter.meter.iec62056.programming import (
    LIMIT,
    Command,
    Frame,
    FrameKind,
    FrameReader,
    encode_command,
    error_in,
)
from simulator.iec62056.encoder import Checksum, answer, command, with_even_parity

ACK, NAK = Frame(FrameKind.ACK), Frame(FrameKind.NAK)
DAMAGED = Frame(FrameKind.DAMAGED)
VALUE = "1.8.0(000123.4*kWh)"
ANSWER = answer(VALUE, Checksum.XOR)
READ = Frame(FrameKind.ANSWER, "", VALUE)
SEED = command("P0", "(777777)", Checksum.XOR)
BREAK = command("B0", None, Checksum.XOR)
CHUNKS = (None, 1, 2, 3, 7)


def read(data: bytes, chunk: int | None = None, check: BlockCheck | None = None) -> list[Frame]:
    reader = FrameReader(check or BlockCheck())
    frames: list[Frame] = []
    for piece in itertools.batched(data, chunk or len(data) or 1, strict=False):
        frames += reader.feed(bytes(piece))
        assert len(reader._text) <= LIMIT
    return frames


def expect(data: bytes, *frames: Frame) -> None:
    for chunk in CHUNKS:
        assert read(data, chunk) == list(frames), chunk


# --- commands -------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [None, CheckKind.XOR, CheckKind.SUM])
def test_commands(kind: CheckKind | None) -> None:
    checksum = Checksum.SUM if kind is CheckKind.SUM else Checksum.XOR
    assert encode_command(Command.READ, "1.8.0()", kind) == command("R1", "1.8.0()", checksum)
    assert encode_command(Command.PASSWORD, "(1)", kind) == command("P1", "(1)", checksum)
    assert encode_command(Command.BREAK, None, kind) == command("B0", None, checksum)


def test_break_as_the_standard_prints_it() -> None:
    assert encode_command(Command.BREAK) == b"\x01B0\x03q"


def test_no_command_writes() -> None:
    assert {command.value for command in Command} == {"P0", "P1", "R1", "R2", "R5", "R6", "B0"}


# --- answers --------------------------------------------------------------------------------------


def test_nothing() -> None:
    expect(b"")


@pytest.mark.parametrize("checksum", [Checksum.XOR, Checksum.SUM])
def test_answers(checksum: Checksum) -> None:
    expect(answer(VALUE, checksum), READ)
    expect(answer(VALUE, checksum, last=False), Frame(FrameKind.ANSWER, "", VALUE, is_partial=True))
    expect(answer("", checksum), Frame(FrameKind.ANSWER))
    expect(command("P0", "(7)", checksum), Frame(FrameKind.COMMAND, "P0", "(7)"))
    expect(command("P0", "", checksum), Frame(FrameKind.COMMAND, "P0"))
    expect(command("B0", None, checksum), Frame(FrameKind.COMMAND, "B0"))


def test_several_in_one_burst() -> None:
    data = b"\x06" + ANSWER + b"\x15" + SEED + ANSWER + BREAK + b"\x06\x06"
    seed, end = Frame(FrameKind.COMMAND, "P0", "(777777)"), Frame(FrameKind.COMMAND, "B0")
    frames = (ACK, READ, NAK, seed, READ, end, ACK, ACK)
    expect(data, *frames)
    expect(with_even_parity(data), *frames)
    expect(b"\xff\x00x" + data.replace(BREAK, b"\r\n" + BREAK + b"\x7f"), *frames)


def test_the_frame_comes_with_its_last_byte() -> None:
    reader = FrameReader(BlockCheck())
    assert not list(reader.feed(ANSWER[:-1]))
    assert list(reader.feed(ANSWER[-1:])) == [READ]


@pytest.mark.parametrize("wanted", [1, 2, 3, 4, 6, 0x15, 0x0D, *map(ord, "!/(")])
def test_the_check_character_may_be_any(wanted: int) -> None:
    for filler in itertools.product("@0Aa+ ", map(chr, range(0x20, 0x7F))):
        data = f"1.8.0({''.join(filler)})"
        if (frame := answer(data, Checksum.XOR))[-1] == wanted:
            expect(frame + ANSWER, Frame(FrameKind.ANSWER, "", data), READ)
            return
    pytest.fail("no such frame")


def test_ack_and_nak_within_a_frame_are_damage() -> None:
    expect(ANSWER.replace(b"0001", b"\x06001"), DAMAGED)
    expect(ANSWER.replace(b"0001", b"\x15001") + b"\x06", DAMAGED, ACK)


def test_wrong_check_character() -> None:
    for place in range(1, len(ANSWER)):
        for bit in range(7):
            damaged = bytearray(ANSWER)
            damaged[place] ^= 1 << bit
            check = BlockCheck()
            read(ANSWER, check=check)
            assert READ not in read(bytes(damaged), check=check)
            assert read(bytes(damaged) + ANSWER * 2)[-1] == READ


@pytest.mark.parametrize("data", [ANSWER, SEED])
def test_wrong_parity(data: bytes) -> None:
    sent = with_even_parity(data)
    for place in range(len(sent)):
        damaged = bytearray(sent)
        damaged[place] ^= 0x80
        assert read(bytes(damaged)) == [DAMAGED], place


@pytest.mark.parametrize("control", [0, *range(5, 10), 0x0B, 0x1B, 0x7F])
def test_control_characters_are_damage(control: int) -> None:
    for data in (
        answer(VALUE.replace("1.8", f"1{chr(control)}8"), Checksum.XOR),
        answer(VALUE + chr(control), Checksum.SUM),
        command("P0", f"(77{chr(control)}777)", Checksum.XOR),
    ):
        assert read(data) == [DAMAGED]


@pytest.mark.parametrize("chunk", CHUNKS)
def test_two_bits_that_the_check_character_does_not_show(chunk: int | None) -> None:
    for first, second in itertools.combinations(range(1, len(ANSWER)), 2):
        damaged = bytearray(with_even_parity(ANSWER))
        damaged[first] ^= 0x04
        damaged[second] ^= 0x04
        assert READ not in read(bytes(damaged), chunk)
        assert all(frame.kind is not FrameKind.ANSWER for frame in read(bytes(damaged), chunk))


def test_frame_that_another_one_cuts_off() -> None:
    for end in range(1, len(ANSWER) - 2):
        expect(ANSWER[:end] + ANSWER, READ)
    for end in range(1, len(SEED) - 2):
        expect(SEED[:end] + SEED, Frame(FrameKind.COMMAND, "P0", "(777777)"))
        expect(ANSWER[:end] + BREAK, Frame(FrameKind.COMMAND, "B0"))


def test_answer_that_has_not_ended() -> None:
    for data, rest in (
        (b"", ""),
        (b"x", ""),
        (SEED[:-1], ""),
        (b"\x02", ""),
        (ANSWER[:6], "1.8.0"),
        (ANSWER[:-1], VALUE),
        (ANSWER, ""),
        (ANSWER + ANSWER[:4], "1.8"),
    ):
        reader = FrameReader(BlockCheck())
        list(reader.feed(data))
        assert reader.rest == rest


@pytest.mark.parametrize("chunk", [None, 1000, LIMIT])
def test_frame_without_end(chunk: int | None) -> None:
    longest = LIMIT + 1 - len(answer("", Checksum.XOR))
    for length in (longest - 1, longest, longest + 1, longest + 2):
        frame = answer("7" * length, Checksum.XOR)
        frames = read(frame + ANSWER, chunk)
        assert len(frames) == 1 + (length <= longest)
        assert frames[-1] == READ


@given(
    st.lists(
        st.sampled_from([ANSWER, SEED, BREAK, b"\x06", b"\x15", b"\x02", b"\x01", b"\x03", b"\x04"])
        | st.binary(max_size=6)
        | st.builds(
            lambda frame, end: frame[:end], st.sampled_from([ANSWER, SEED]), st.integers(0, 12)
        )
    ).map(b"".join),
    st.lists(st.integers(0, 100)),
)
def test_any_bytes_in_any_chunks(data: bytes, cuts: list[int]) -> None:
    whole = read(data)
    assert read(data, 1) == whole
    reader = FrameReader(BlockCheck())
    places = [0, *sorted(cuts), len(data)]
    frames = [f for begin, end in itertools.pairwise(places) for f in reader.feed(data[begin:end])]
    if places[-2] <= len(data):
        assert frames == whole
    # Whatever kind of check character these bytes have taught, valid frames follow soon.
    assert READ in list(reader.feed(b"\x03\x00" + ANSWER * 3))


# --- errors in answers ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "error"),
    [
        ("(ER01)", "ER01"),
        ("(ERROR)", "ERROR"),
        ("1.8.0(ERROR)", "ERROR"),
        ("(ERR12)", "ERR12"),
        ("( ER05 )", "ER05"),
        ("()", ""),
        ("1.8.0()", ""),
        ("1.8.0( )", ""),
        ("", ""),
        ("1.8.0", ""),
        ("(000123.4*kWh)", None),
        ("1.8.0(000123.4*kWh)", None),
        ("C.1.0(HERR01)", None),
        ("1.6.0()(2603151234)", None),
    ],
)
def test_error_in_an_answer(data: str, error: str | None) -> None:
    assert error_in(data) == error
