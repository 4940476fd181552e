"""Damage to telegrams: all kinds that occur on lines, and more."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import reduce
import math
from operator import xor
from random import Random
from typing import Final

from custom_components.onemeter.meter.iec62056 import Iec62056Decoder
from custom_components.onemeter.meter.iec62056.block import BlockCheck, CheckKind
from custom_components.onemeter.meter.iec62056.framing import LIMIT
from custom_components.onemeter.meter.reading import Reading
from simulator.iec62056.encoder import p1_crc, without_parity

type Damage = Callable[[bytearray, Random], None]
#: Address, index in the data set, value, unit.
type Number = tuple[str | None, int, Decimal, str | None]


# --- damage --------------------------------------------------------------------------------------


def _place(data: bytearray, random: Random) -> int:
    return random.randrange(len(data))


def _flip_bit(data: bytearray, random: Random) -> None:
    data[_place(data, random)] ^= 1 << random.randrange(7)


def _change_byte(data: bytearray, random: Random) -> None:
    data[_place(data, random)] ^= random.randrange(1, 128)


def _change_digit(data: bytearray, random: Random) -> None:
    digits = [place for place, byte in enumerate(data) if 0x30 <= byte & 0x7F <= 0x39]
    if digits:
        place = random.choice(digits)
        digit = (data[place] % 16 + random.randrange(1, 10)) % 10
        has_parity = any(byte > 0x7F for byte in data)
        data[place] = 0x30 + digit + (0x80 if has_parity and digit.bit_count() % 2 else 0)


def _change_bytes(data: bytearray, random: Random) -> None:
    for _ in range(random.randrange(2, 9)):
        data[_place(data, random)] = random.randrange(128)


def _garble(data: bytearray, random: Random) -> None:
    begin = _place(data, random)
    for place in range(begin, min(begin + random.randrange(2, 30), len(data))):
        data[place] = random.randrange(128)


def _lose(data: bytearray, random: Random) -> None:
    begin = _place(data, random)
    del data[begin : begin + random.choice((1, 2, 3, 8, 30))]


def _double(data: bytearray, random: Random) -> None:
    begin = _place(data, random)
    data[begin:begin] = data[begin : begin + random.choice((1, 2, 3, 8, 30))]


def _insert(data: bytearray, random: Random) -> None:
    begin = _place(data, random)
    data[begin:begin] = bytes(random.randrange(128) for _ in range(random.choice((1, 2, 3, 8))))


def _swap(data: bytearray, random: Random) -> None:
    begin = _place(data, random)
    first, second = (random.randrange(1, 12) for _ in range(2))
    middle = begin + first
    data[begin : middle + second] = data[middle : middle + second] + data[begin:middle]


_KINDS: Final[Mapping[str, Damage]] = {
    "bit": _flip_bit,
    "byte": _change_byte,
    "digit": _change_digit,
    "bytes": _change_bytes,
    "garbled": _garble,
    "lost": _lose,
    "doubled": _double,
    "inserted": _insert,
    "swapped": _swap,
}
#: A telegram is cut off and another one of the same meter continues near that place.
_GLUED: Final = "glued"
KINDS: Final = (*_KINDS, _GLUED)
#: Damage of a single character, which each checksum detects.
SINGLE: Final = ("bit", "byte", "digit")
#: Swapped parts, which only the CRC detects.
SWAPPED: Final = "swapped"
#: Damage that is missed at a rate that depends on the checksum.
RANDOM: Final = ("bytes", "garbled", "lost", "doubled", "inserted", _GLUED)
#: Damage that changes the length.
LENGTH: Final = ("lost", "doubled", "inserted")


def _glue(first: bytes, second: bytes, random: Random) -> bytes:
    end = random.randrange(1, len(first))
    begin = min(max(end + random.randrange(-40, 40), 0), len(second) - 1)
    return first[:end] + second[begin:]


def _damaged(telegrams: Sequence[bytes], place: int, random: Random, kind: str) -> bytes:
    if kind == _GLUED:
        return _glue(telegrams[place], telegrams[(place + 1) % len(telegrams)], random)
    data = bytearray(telegrams[place])
    _KINDS[kind](data, random)
    return bytes(data)


# --- results -------------------------------------------------------------------------------------


def _numbers(readings: Iterable[Reading], *, only_totals: bool = False) -> Iterator[Number]:
    for reading in readings:
        for register in reading.registers:
            is_wanted = not only_totals or (register.obis is not None and register.obis.d == 8)
            if isinstance(register.value, Decimal) and is_wanted:
                yield register.address, register.group, register.value, register.unit


def is_protected(raw: bytes) -> bool:
    """Whether a telegram has a valid checksum of any kind."""
    text = without_parity(raw)
    end = text.rfind(b"\x03")
    if end < 0:
        data, mark, digits = text.partition(b"!")
        return digits.isalnum() and int(digits, 16) == int(p1_crc(data + mark), 16)
    begins = [place for begin in (b"\x02", b"\r", b"\n") if (place := text.find(begin)) >= 0]
    blocks = [text[begin + 1 : end + 1].lstrip(b"\r\n") for begin in begins]
    checks = {reduce(xor, block, start) for block in blocks for start in (0, 0x0C)}
    checks |= {sum(block) % 128 for block in blocks}
    check = text[end + 1 :]
    return len(check) == 1 and check[0] in checks


def at_most(share: float, count: int) -> float:
    """Return the upper limit of a share of ``count`` (four sigma)."""
    return share * count + 4 * math.sqrt(share * count) + 1


@dataclass
class DamageStatistics:
    """Results of decoding damaged telegrams, by kind of damage."""

    total: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))
    #: Number of telegrams with a number that the meter has not sent.
    wrong: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))

    def counts(self, *kinds: str) -> tuple[int, int]:
        """Return the number of telegrams with wrong numbers, and of all telegrams."""
        return sum(self.wrong[kind] for kind in kinds), sum(self.total[kind] for kind in kinds)

    def __str__(self) -> str:
        """Return the shares."""
        return ", ".join(f"{kind} {self.wrong[kind]}/{self.total[kind]}" for kind in KINDS)


def judge(
    telegrams: Sequence[bytes],
    count: int,
    seed: str,
    *,
    is_known: bool,
    is_guarded: bool = False,
    only_totals: bool = False,
) -> DamageStatistics:
    """Decode damaged telegrams, each followed by the undamaged one.

    ``is_known``: telegrams of the meter have been decoded before. Otherwise each damaged telegram
    is the first one of its meter.
    """
    random = Random(seed)
    statistics = DamageStatistics()
    whole = [Iec62056Decoder().feed(telegram + b"\r\n/")[0] for telegram in telegrams]
    numbers = [frozenset(_numbers([reading], only_totals=only_totals)) for reading in whole]
    assert all(numbers)
    decoder = Iec62056Decoder(is_guarded=is_guarded)
    place = 0
    for number in range(count):
        kind = KINDS[number % len(KINDS)]
        before, place = place, random.randrange(len(telegrams))
        known = numbers[before] | numbers[place] | numbers[(place + 1) % len(telegrams)]
        data = _damaged(telegrams, place, random, kind)
        if data == telegrams[place]:
            continue
        statistics.total[kind] += 1
        if not is_known:
            decoder = Iec62056Decoder(is_guarded=is_guarded)
        elif number == 0 or is_guarded:
            decoder.feed(telegrams[place] * 2)
        cut = random.randrange(len(data) + 1)
        readings = [*decoder.feed(data[:cut]), *decoder.feed(data[cut:])]
        assert len(decoder._framer._text) <= LIMIT
        readings += decoder.feed(telegrams[place] + b"\r\n/")
        if is_known and not is_guarded and not data.endswith(b"\x03"):
            # The next telegram is read, unless the check character is lost and the first character
            # of the next telegram is taken for it.
            raws = [reading.raw for reading in readings]
            assert whole[place].raw in raws[-1:], (kind, data, decoder.error)
        wrong = [
            r for r in readings if not known.issuperset(_numbers([r], only_totals=only_totals))
        ]
        statistics.wrong[kind] += bool(wrong)
        if is_known and is_protected(whole[place].raw):
            assert all(is_protected(reading.raw) for reading in wrong), (kind, data)
    return statistics


# --- single bits ---------------------------------------------------------------------------------

_BITS: Final = 8


@dataclass(slots=True)
class BitErrors:
    """Results of receiving a readout over a line that flips bits."""

    sent: int = 0
    accepted: int = 0
    #: Accepted readouts that differ from the sent one.
    wrong: int = 0


def send_with_bit_errors(
    identification: bytes, block: bytes, count: int, rate: float, seed: str
) -> BitErrors:
    """Send a block repeatedly; each bit, including parity, is flipped at this rate."""
    random = Random(f"{seed} {rate}")
    bits = _BITS * len(block)
    # Draw the distance from one flipped bit to the next, instead of each bit.
    scale = 1 / math.log1p(-rate)
    result = BitErrors()
    for _ in range(count):
        damaged = bytearray(block)
        place = int(math.log(1 - random.random()) * scale)
        while place < bits:
            damaged[place // _BITS] ^= 1 << place % _BITS
            place += 1 + int(math.log(1 - random.random()) * scale)
        _receive(result, identification, block, bytes(damaged))
    return result


def send_with_hidden_bit_errors(
    identification: bytes, block: bytes, count: int, seed: str
) -> BitErrors:
    """Send a block repeatedly with two bits flipped in each of two characters.

    That is the smallest damage that parity and check character can miss.
    """
    random = Random(seed)
    result = BitErrors()
    for _ in range(count):
        damaged = bytearray(block)
        for place in random.sample(range(len(block)), 2):
            for bit in random.sample(range(_BITS), 2):
                damaged[place] ^= 1 << bit
        _receive(result, identification, block, bytes(damaged))
    return result


def _receive(result: BitErrors, identification: bytes, block: bytes, damaged: bytes) -> None:
    """Receive a block of a meter whose kind of check character is known."""
    result.sent += 1
    if damaged == block:
        result.accepted += 1
        return
    (whole,) = _read(identification + block)
    if readings := _read(identification + damaged):
        result.accepted += 1
        result.wrong += (readings[0].meter, readings[0].registers) != (whole.meter, whole.registers)


def _read(readout: bytes) -> list[Reading]:
    check = BlockCheck()
    check.kind = CheckKind.XOR
    decoder = Iec62056Decoder(check, is_guarded=True)
    return [*decoder.feed(readout), *decoder.finish()]
