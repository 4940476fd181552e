"""Readouts in a stream: their limits, their checksums, and other bytes around them."""

from collections.abc import Callable, Sequence
import itertools

import pytest

from custom_components.onemeter.meter.errors import ChecksumError, TelegramError
from custom_components.onemeter.meter.iec62056.block import BlockCheck, CheckKind
from custom_components.onemeter.meter.iec62056.framing import LIMIT, ReadoutFramer
from custom_components.onemeter.meter.iec62056.telegram import Telegram
from simulator.iec62056 import encoder
from simulator.iec62056.encoder import Checksum, data_block, p1_crc, with_even_parity
from simulator.sml.encoder import checksum as sml_checksum

IDENT = b"/TST5DEMO-21\r\n"
LINES = "0.0.0(00000008)\r\n1.8.0(000123.4*kWh)\r\n"
BLOCK = data_block(LINES, Checksum.XOR)
READOUT = IDENT + BLOCK
SUM_READOUT = IDENT + data_block(LINES, Checksum.SUM)
#: A readout without identification.
PLAIN = IDENT + data_block(LINES, Checksum.NONE)
WITHOUT_STX = IDENT + BLOCK.removeprefix(encoder.STX)
P1 = b"/TST5\\2DEMO\r\n\r\n1-0:1.8.0(000123.4*kWh)\r\n!"
P1 += p1_crc(P1)

CHUNKS = (None, 1, 2, 3, 5, 7, 16, 64)


def frame(
    data: bytes, chunk: int | None = None, check: BlockCheck | None = None
) -> tuple[list[Telegram], list[TelegramError], ReadoutFramer]:
    """Frame a complete stream."""
    framer = ReadoutFramer(check or BlockCheck())
    outcomes: list[Telegram | TelegramError] = []
    for piece in itertools.batched(data, chunk or len(data) or 1, strict=False):
        outcomes += framer.feed(bytes(piece))
        assert len(framer._raw) == len(framer._text) <= LIMIT
    outcomes += framer.finish()
    assert not framer._raw
    return (
        [outcome for outcome in outcomes if isinstance(outcome, Telegram)],
        [outcome for outcome in outcomes if isinstance(outcome, TelegramError)],
        framer,
    )


def frames(
    data: bytes, *, errors: int | None = 0, chunks: Sequence[int | None] = CHUNKS
) -> list[Telegram]:
    """Return the telegrams of a stream; check that chunks of any size give the same."""
    telegrams, failures, _ = frame(data)
    if errors is not None:
        assert len(failures) == errors, failures
    for chunk in chunks:
        found, failed, framer = frame(data, chunk)
        assert found == telegrams, chunk
        assert list(map(str, failed)) == list(map(str, failures)), chunk
        assert framer.skipped == len(data) - sum(len(telegram.raw) for telegram in telegrams)
    return telegrams


def begun(telegrams: Sequence[Telegram]) -> list[Telegram]:
    """Return telegrams without fragments."""
    return [telegram for telegram in telegrams if telegram.has_begin]


def one(data: bytes, *, errors: int = 0) -> Telegram:
    (telegram,) = frames(data, errors=errors)
    return telegram


# --- with STX --------------------------------------------------------------------------------


def test_nothing() -> None:
    assert frames(b"") == []


def test_readout_with_block_check_character() -> None:
    telegram = one(READOUT)
    assert telegram.identification is not None
    assert telegram.identification.manufacturer == "TST"
    assert telegram.identification.ident == "DEMO-21"
    assert telegram.data == LINES + "!\r\n"
    assert telegram.checked
    assert telegram.has_begin
    assert telegram.raw == READOUT


def test_the_result_comes_with_the_last_byte() -> None:
    framer = ReadoutFramer(BlockCheck())
    assert not list(framer.feed(READOUT[:-1]))
    (telegram,) = framer.feed(READOUT[-1:])
    assert isinstance(telegram, Telegram)


def test_block_without_identification() -> None:
    telegram = one(BLOCK)
    assert telegram.identification is None
    assert telegram.has_begin
    assert telegram.checked


@pytest.mark.parametrize("wanted", [*map(ord, "!/()*\r\n\x02\x03\x01\x06 A"), 0, 0x7F])
@pytest.mark.parametrize("checksum", [Checksum.XOR, Checksum.SUM])
def test_the_check_character_may_be_any(wanted: int, checksum: Checksum) -> None:
    for filler in itertools.product(map(chr, range(0x20, 0x7F)), repeat=2):
        if set(filler) & set("()!/"):
            continue
        block = data_block(f"0.0.0({''.join(filler)}7)\r\n1.8.0(000123.4*kWh)\r\n", checksum)
        if block[-1] == wanted:
            break
    else:
        pytest.fail("no such block")
    data = IDENT + block
    telegrams = frames(data * 2 + b"\r\n" + data)
    assert [telegram.raw for telegram in telegrams] == [data] * 3
    # Nothing after it is needed.
    assert len(list(ReadoutFramer(BlockCheck()).feed(data))) == 1


def test_streams_of_several_telegrams() -> None:
    telegrams = frames(b"\x00\x7f" + READOUT + b"\r\n\xff" + READOUT + READOUT)
    assert [telegram.raw for telegram in telegrams] == [READOUT] * 3


@pytest.mark.parametrize(
    "before",
    [
        b"\x00\x00\x7f\xff",
        b"/?!\r\n",
        b"/?00000007!\r\n",
        b"/2!\r\n",
        b"/#1\r\n",
        b"/\r\n",
        b"//",
        b"/TS",
        b"!",
        b"!!\r\n",
        b"\x03",
        b"\x03\x02",
        b"\x02\x03",
        b"\x02",
        b"1-0:2.8.0*255(000012.3*kWh)\r\n",
        b"000012.3*kWh)\r\n!\r\n",
        b"1-0:2.8.0*255(000012.3*kWh)\r\n!\r\n",
        b"1-0:2.8.0*255(000012.3*kWh)\r\n!7EF1\r\n",
        b"1.8.0(000012.3*kWh)\r\n!\r\n\x03\x55",
        b"0.3.0(5000*imp/kWh",
        b"0.3.0(5000*imp/",
        b"\r\n\r\n",
        b"/TST5DEMO-21",
        b"\x06050\r\n",
    ],
)
def test_what_comes_before_is_no_telegram(before: bytes) -> None:
    for readout in (READOUT, PLAIN, P1):
        telegrams = begun(frames(before + readout))
        assert [telegram.raw for telegram in telegrams] == [readout.removesuffix(b"\r\n")]
        assert telegrams[0].identification is not None
        assert telegrams[0].identification.manufacturer == "TST"


@pytest.mark.parametrize(
    "between", [b"\x06050\r\n", b"050\r\n", b"\x00\x7f", b"\xff", b"\r\n", b"\x7fx(/5\x03", b"!("]
)
def test_what_comes_between_identification_and_data(between: bytes) -> None:
    telegram = one(IDENT + between + BLOCK)
    assert telegram.data == LINES + "!\r\n"
    assert telegram.identification is not None


def test_values_with_the_marks_of_begin_and_end() -> None:
    lines = "0.2.0(/SX330)\r\n0.2.1(a!b/TST5x)\r\n0.2.2(!)\r\n0.3.0(5000*imp/kWh)\r\n(/ABC5!)\r\n"
    assert one(IDENT + data_block(lines, Checksum.XOR)).data == lines + "!\r\n"
    assert one(IDENT + data_block(lines, Checksum.NONE)).data == f"\n{lines}!"


@pytest.mark.parametrize("ends", ["\r\n", "\n", "\r", "\r\n\r\n"])
def test_line_ends(ends: str) -> None:
    ident = IDENT.replace(b"\r\n", ends.encode())
    body = (LINES + "!\r\n").replace("\r\n", ends).encode()
    assert one(ident + encoder.frame_readout(body, Checksum.XOR)).checked
    assert one(ident + body).data.strip() == body.decode().strip()


def test_exclamation_mark_on_the_last_line() -> None:
    body = b"0.0.0(7)\r\n0.2.2(:::::G11)!\r\n"
    assert one(IDENT + encoder.frame_readout(body, Checksum.XOR)).data == body.decode()
    assert one(IDENT + body).data.strip() == body.decode().strip()


def test_block_without_exclamation_mark() -> None:
    body = b"0.0.0(7)\r\n1.8.0(1.5*kWh)\r\n"
    assert one(IDENT + encoder.frame_readout(body, Checksum.XOR)).data == body.decode()


@pytest.mark.parametrize("end", range(3, len(BLOCK)))
def test_block_that_the_next_one_cuts_off(end: int) -> None:
    cut_off = IDENT + BLOCK[:end]
    is_whole = b"!" in cut_off
    has_data = b"(" in cut_off
    telegrams = frames(cut_off + READOUT, errors=int(has_data and not is_whole))
    assert telegrams[-1].raw == READOUT
    assert [telegram.checked for telegram in telegrams[:-1]] == [False] * is_whole


def test_block_without_check_character_before_the_next_telegram() -> None:
    telegrams = frames((IDENT + BLOCK[:-1]) * 3)
    assert [telegram.raw for telegram in telegrams] == [IDENT + BLOCK[:-1]] * 3
    assert not any(telegram.checked for telegram in telegrams)


def test_block_without_check_character() -> None:
    assert not one(IDENT + BLOCK[:-1]).checked
    telegrams = frames(IDENT + BLOCK[:-2] + IDENT + BLOCK[:-2])
    assert [telegram.checked for telegram in telegrams] == [False, False]


def test_text_behind_the_exclamation_mark_of_a_block_without_check_character() -> None:
    assert one(IDENT + BLOCK[:-2] + b"what else\r\n\x03").data == LINES + "!"


def test_wrong_check_character() -> None:
    for place in range(len(IDENT) + 1, len(READOUT)):
        if READOUT[place] == 0x03:
            continue
        damaged = bytearray(READOUT)
        damaged[place] ^= 0x10
        telegrams = frames(READOUT + damaged, errors=1, chunks=(None, 1))
        assert [telegram.raw for telegram in telegrams] == [READOUT]


def test_wrong_check_characters_are_counted_apart_from_other_data() -> None:
    _, errors, _ = frame(READOUT[:-1] + b"\x00")
    assert isinstance(errors[0], ChecksumError)
    _, errors, _ = frame(READOUT[:-8])
    assert not isinstance(errors[0], ChecksumError)


@pytest.mark.parametrize("unit", [b"imp/kWh", b"imp/kvarh"])
def test_a_unit_is_no_identification(unit: bytes) -> None:
    readout = IDENT + data_block(
        f"{LINES}0.3.0(5000*{unit.decode()})\r\n0.2.0(1)\r\n", Checksum.XOR
    )
    damaged = readout.replace(unit + b")", unit + b"?")
    telegrams = frames(readout + damaged + readout, errors=1)
    assert [telegram.raw for telegram in telegrams] == [readout] * 2


def test_stx_in_the_middle_of_a_block_cuts_it_off() -> None:
    assert one(IDENT + b"\x021.8.0(12" + BLOCK, errors=1).identification is None


# --- without STX -----------------------------------------------------------------------------


def test_readout_without_frame() -> None:
    telegram = one(PLAIN)
    assert telegram.data == f"\n{LINES}!"
    assert not telegram.checked
    assert telegram.has_begin


def test_data_without_begin() -> None:
    telegram = one(data_block(LINES, Checksum.NONE))
    assert telegram.data == LINES + "!"
    assert not telegram.has_begin


@pytest.mark.parametrize("end", [b"", b"\r", b"\n", b"\r\n", b"\xff\xff\r\n", b"\x00", b"   \r\n"])
def test_end_of_a_readout_without_frame(end: bytes) -> None:
    data = PLAIN.removesuffix(b"\r\n") + end
    telegrams = frames(data * 3)
    assert [telegram.raw for telegram in telegrams] == [PLAIN.removesuffix(b"\r\n")] * 3


def test_noise_behind_the_end() -> None:
    noise = b"\r\n  25803103\r\n" + b"\xff" * 40 + b"\r\n"
    assert len(frames((PLAIN + noise) * 2)) == 2


@pytest.mark.parametrize(
    "end", [b"!1.8.0(1)\r\n", b"!x\r\n", b"!12345\r\n", b"!-0:2.8.0*255(000012.3*kWh)"]
)
def test_exclamation_mark_that_was_another_character(end: bytes) -> None:
    data = PLAIN.removesuffix(b"!\r\n") + end + b"\r\n!\r\n"
    assert begun(frames(data, errors=1)) == []


def test_the_end_of_the_line_is_not_waited_for_again_and_again() -> None:
    """At first it is unknown whether ETX and a check character follow; later it is known."""
    framer = ReadoutFramer(BlockCheck())
    assert not list(framer.feed(PLAIN))
    assert len(list(framer.feed(PLAIN))) == 2
    assert len(list(framer.feed(PLAIN))) == 1


@pytest.mark.parametrize("start", [0, 0x0C])
@pytest.mark.parametrize("before", [b"", b"\r\n"])
@pytest.mark.parametrize("echo", [b"", b"/?!\r\n", b"!\r\n"])
def test_block_with_etx_but_without_stx(start: int, before: bytes, echo: bytes) -> None:
    body = LINES.encode() + b"!\r\n\x03"
    check = encoder.block_check(bytes([start]) + body, Checksum.XOR)
    data = IDENT + before + body + check
    telegrams = frames(echo + data * 2 + data[:-1] + b"\x00" + echo + data, errors=1)
    assert [telegram.raw for telegram in telegrams] == [data] * 3
    assert all(telegram.checked for telegram in telegrams)


def test_nothing_is_learned_from_the_rest_of_a_damaged_block() -> None:
    check = BlockCheck()
    check.kind = CheckKind.XOR
    begin, end = b"1.8.0(1", b"0.2.0(3)!\r\n\x03"
    damaged = IDENT + encoder.STX + begin + b"\x03"
    damaged += encoder.block_check(begin + b"\x03", Checksum.SUM) + b")"
    damaged += end + encoder.block_check(b")" + end, Checksum.SUM)
    telegrams, errors, _ = frame(damaged + READOUT, check=check)
    assert [telegram.raw for telegram in telegrams] == [READOUT]
    assert len(errors) == 1
    assert check.kind is CheckKind.XOR


def test_etx_without_stx_is_waited_for_again_when_it_comes() -> None:
    body = LINES.encode() + b"!\r\n\x03"
    data = IDENT + body + encoder.block_check(body, Checksum.XOR)
    telegrams = frames(PLAIN + data + data)
    assert [telegram.checked for telegram in telegrams] == [False, False, True]


@pytest.mark.parametrize("character", [b"\x02", b"\x03", b"\r\n", b"!"])
def test_damage_does_not_make_a_part_of_a_telegram_a_whole_one(character: bytes) -> None:
    for place in range(len(IDENT), len(PLAIN) - 3):
        data = PLAIN[:place] + character + PLAIN[place + 1 :]
        telegrams = begun(frames(data + PLAIN, errors=None, chunks=(None, 1)))
        assert telegrams[-1].data == f"\n{LINES}!"
        # It contains the damaged one and is checked later, or ends early.
        for telegram in telegrams[:-1]:
            assert telegram.data.lstrip() in data.decode()


def test_cut_off_by_the_end() -> None:
    for end in range(len(IDENT), len(PLAIN) - 2):
        assert frames(PLAIN[:end], errors=1, chunks=(None, 1)) == []


@pytest.mark.parametrize("readout", [READOUT, PLAIN])
def test_cut_off_by_another_one_with_parity(readout: bytes) -> None:
    whole = with_even_parity(readout)
    for end in range(len(IDENT) + 8, len(PLAIN) - 3):
        assert frames(whole[:end] + whole, errors=1, chunks=(None, 1)) == frames(whole)


# --- P1 --------------------------------------------------------------------------------------


def test_p1_telegram() -> None:
    telegram = one(P1)
    assert telegram.checked
    assert telegram.data == "\n\r\n1-0:1.8.0(000123.4*kWh)\r\n!"


@pytest.mark.parametrize("digits", [1, 2, 3, 4])
def test_p1_checksum_without_leading_zeros(digits: int) -> None:
    for number in range(10**6):
        telegram = f"/TST5DEMO\r\n\r\n1-0:1.8.0({number:06}*kWh)\r\n!".encode()
        checksum = p1_crc(telegram).strip().lstrip(b"0")
        if len(checksum) == digits:
            break
    for shown in (checksum, checksum.lower()):
        data = telegram + shown + b"\r\n"
        assert [t.checked for t in frames(data * 2)] == [True, True]
        assert one(telegram + shown).checked


def p1_telegram(number: int, *, x25: bool, text: str = "") -> bytes:
    values = f"0-0:96.13.0({text})\r\n1-0:1.8.0({number:06}*kWh)\r\n"
    data = f"/TST5DEMO\r\n\r\n{values}!".encode()
    x25_crc = f"{int.from_bytes(sml_checksum(data), 'little'):04X}\r\n".encode()
    return data + (x25_crc if x25 else p1_crc(data))


@pytest.mark.parametrize(
    ("sent", "accepted"),
    [
        ([True, True], [True, True]),
        # One telegram with the other kind is damaged; two in a row show that the kind was wrong.
        ([False, True, False], [True, False, True]),
        ([True, False, True], [True, False, True]),
        ([False, True, True, True], [True, False, True, True]),
    ],
)
@pytest.mark.parametrize("line", [bytes, with_even_parity], ids=["8N1", "7E1"])
def test_p1_checksum_of_another_kind(
    line: Callable[[bytes], bytes], sent: list[bool], accepted: list[bool]
) -> None:
    """Holley in Hungary sends a CRC-16/X-25."""
    data = b"".join(p1_telegram(number, x25=x25) for number, x25 in enumerate(sent))
    for chunk in CHUNKS:
        telegrams, errors, _ = frame(line(data), chunk)
        read = [t.data.partition("1.8.0(")[2][:6] for t in telegrams]
        assert read == [f"{number:06}" for number, good in enumerate(accepted) if good]
        assert all(t.checked for t in telegrams)
        assert len(errors) == accepted.count(False)


#: Letters whose bytes in UTF-8 are without their highest bits: ) ( ! / CR LF STX ETX.
LETTERS = "éè¡ïÍÊĂă"


@pytest.mark.parametrize("text", [*itertools.permutations(LETTERS, 2), LETTERS, LETTERS[::-1]])
def test_p1_text_in_utf_8(text: Sequence[str]) -> None:
    words = f"H{''.join(text)}! a!"
    data = b"".join(p1_telegram(number, x25=False, text=words) for number in range(3))
    for chunk in CHUNKS:
        telegrams, errors, _ = frame(data, chunk)
        assert not errors
        assert [t.checked for t in telegrams] == [True] * 3
        assert [t.data.encode("latin-1").decode() for t in telegrams] == [
            f"\n\r\n0-0:96.13.0({words})\r\n1-0:1.8.0({number:06}*kWh)\r\n!" for number in range(3)
        ]


@pytest.mark.parametrize("letter", "čĊ")
def test_p1_text_in_utf_8_like_an_identification(letter: str) -> None:
    """A slash and three letters before the letters of a line end, without the highest bits."""
    data = p1_telegram(1, x25=False, text=f"a/TST5 b{letter}") * 3
    assert [t.checked for t in frames(data, chunks=(None, 1))] == [True] * 3


def test_p1_text_in_utf_8_that_is_damaged() -> None:
    good = p1_telegram(1, x25=False, text=f"H{LETTERS}! a!")
    for place in range(len(good) - 2):
        for bit in range(8):
            damaged = bytearray(good)
            damaged[place] ^= 1 << bit
            telegrams, _, _ = frame(bytes(damaged) + good, None)
            assert telegrams[-1].raw == good.strip()
            # A damaged digit of the checksum may still be the same number.
            read = {telegram.raw.partition(b"!")[0] for telegram in begun(telegrams)}
            assert read == {good.partition(b"!")[0]}


def test_p1_checksum_before_the_next_telegram_without_line_end() -> None:
    assert [t.checked for t in frames(P1.strip() * 3)] == [True] * 3


def test_wrong_p1_checksum() -> None:
    for place in range(len(P1) - 2):
        damaged = bytearray(P1)
        damaged[place] ^= 0x04
        telegrams = begun(frames(bytes(damaged) + P1, errors=None, chunks=(None, 1)))
        assert [telegram.raw for telegram in telegrams] == [P1.strip()]


# --- known habits of the meter ---------------------------------------------------------------


def test_the_kind_of_checksum_is_remembered() -> None:
    check = BlockCheck()
    for readout, accepted, kind in (
        (READOUT, True, CheckKind.XOR),
        (SUM_READOUT, False, CheckKind.XOR),
        (SUM_READOUT, True, CheckKind.SUM),
        (SUM_READOUT, True, CheckKind.SUM),
    ):
        telegrams, errors, _ = frame(readout, check=check)
        assert (len(telegrams), len(errors)) == (accepted, not accepted)
        assert check.kind is kind


@pytest.mark.parametrize("readout", [READOUT, SUM_READOUT, P1], ids=["xor", "sum", "p1"])
@pytest.mark.parametrize("end", [1, 2, 4])
def test_a_meter_with_checksums_must_send_them(readout: bytes, end: int) -> None:
    unprotected = readout.strip()[:-end]
    if readout is P1:
        unprotected = readout.partition(b"!")[0] + b"!\r\n"
    telegrams = frames(readout + unprotected + readout, errors=1)
    assert [telegram.checked for telegram in telegrams] == [True, True]


def test_another_meter_need_not_send_checksums() -> None:
    other = PLAIN.replace(b"/TST", b"/ABC")
    telegrams = frames(READOUT + other + READOUT + data_block(LINES, Checksum.NONE))
    assert [telegram.checked for telegram in telegrams] == [True, False, True]


# --- parity ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "readout", [READOUT, SUM_READOUT, P1, PLAIN], ids=["xor", "sum", "p1", "plain"]
)
def test_characters_with_parity_bit(readout: bytes) -> None:
    telegrams = frames(with_even_parity(readout) * 2)
    assert [telegram.data for telegram in telegrams] == [t.data for t in frames(readout * 2)]
    assert telegrams[0].raw == with_even_parity(readout[: len(telegrams[0].raw)])


def test_wrong_parity_damages_what_has_no_checksum() -> None:
    data = with_even_parity(PLAIN)
    for place in range(len(IDENT), len(PLAIN) - 3):
        for bit in range(8):
            damaged = bytearray(data)
            damaged[place] ^= 1 << bit
            telegrams, errors, _ = frame(bytes(damaged))
            assert not begun(telegrams), (place, bit)
            assert len(errors) == 1, (place, bit)


@pytest.mark.parametrize("readout", [READOUT, SUM_READOUT, WITHOUT_STX, P1.rstrip()])
def test_wrong_parity_damages_also_what_has_a_right_checksum(readout: bytes) -> None:
    sent = with_even_parity(readout)
    # Except between identification and STX, where reading heads add noise.
    for place in {*range(len(sent))} - {len(IDENT) - 1}:
        damaged = bytearray(sent)
        damaged[place] ^= 0x80
        telegrams, errors, _ = frame(bytes(damaged))
        assert not telegrams, place
        if place >= len(IDENT):
            assert isinstance(errors[0], ChecksumError), place


def test_characters_without_parity_of_which_one_has_a_highest_bit() -> None:
    for place in range(len(IDENT), len(READOUT)):
        data = bytearray(READOUT)
        data[place] |= 0x80
        assert one(bytes(data)).checked, place


@pytest.mark.parametrize("control", [*range(10), 0x0B, 0x0C, *range(0x0E, 0x20), 0x7F])
def test_control_characters_in_the_data_are_damage(control: int) -> None:
    for lines in (
        LINES.replace("1.8.0(", f"1{chr(control)}8.0("),
        LINES.replace("00123", f"00{chr(control)}23"),
        LINES.replace("kWh", f"k{chr(control)}h"),
        LINES + chr(control),
    ):
        for checksum in (Checksum.XOR, Checksum.SUM, Checksum.CRC16):
            data = IDENT + data_block(lines, checksum)
            if checksum is Checksum.CRC16:
                data = data.rstrip()
                data += p1_crc(data)
            telegrams, errors, _ = frame(data)
            assert not telegrams
            assert errors


# --- limits ----------------------------------------------------------------------------------


def test_readouts_up_to_the_limit() -> None:
    size = LIMIT - len(IDENT + b"\x020.2.0()\r\n!\r\n\x03?")
    for length in (size - 1, size, size + 1, size + 2):
        block = data_block(f"0.2.0({'7' * length})\r\n", Checksum.XOR)
        is_short = length <= size + 1
        telegrams = frames(IDENT + block + READOUT, errors=not is_short, chunks=(None, 4096, 7))
        assert [t.raw for t in telegrams] == [IDENT + block] * is_short + [READOUT]


@pytest.mark.parametrize("chunk", [None, 1, 1000, LIMIT])
@pytest.mark.parametrize("begin", [IDENT + encoder.STX, IDENT, b""])
def test_readout_without_end(begin: bytes, chunk: int | None) -> None:
    endless = begin + b"0.2.0(1234)\r\n" * (LIMIT // 10)
    telegrams, errors, _ = frame(endless + READOUT, chunk)
    assert [telegram.raw for telegram in telegrams] == [READOUT]
    assert len(errors) == bool(begin)


def test_no_telegram_is_lost_behind_endless_noise() -> None:
    for length in range(LIMIT - 16, LIMIT + 3):
        data = b"(" * length + READOUT
        for chunk in (None, LIMIT // 2 - 1):
            telegrams, errors, _ = frame(data, chunk)
            assert [telegram.raw for telegram in telegrams] == [READOUT]
            assert not errors
