"""Telegrams in the layouts and framings of meters on the market."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from simulator.dlms import axdr, hdlc, times
from simulator.dlms.ciphering import AUTHENTICATED, ENCRYPTED, Keys, protect
from simulator.dlms.obis import logical_name
from simulator.dlms.registers import VARH, WH, A, Registers, V, W

KEYS: Final = Keys(bytes(range(16)), bytes(range(0xD0, 0xE0)))
_TITLE: Final = b"DMO\0\0\xbc\x61\x4e"
_COUNTER: Final = 1_000_000
NOON: Final = 1_790_000_000
_REGISTERS: Final = Registers()

_DATA_NOTIFICATION: Final = 0x0F
_GENERAL_GLO: Final = 0xDB
_GENERAL_BLOCK_TRANSFER: Final = 0xE0
_INVOKE_ID: Final = bytes.fromhex("40000000")
_UI: Final = 0x13
#: Block control of general block transfer: last block; streaming.
_LAST: Final = 0x80
_STREAMING: Final = 0x40
_BLOCK: Final = 119


@dataclass(frozen=True, slots=True)
class Telegram:
    """A pushed telegram."""

    title: str
    data: bytes
    #: Number of its registers without meter id and time.
    registers: int
    #: Whether it is encrypted with KEYS.
    is_encrypted: bool = False


def aidon(time: int = NOON) -> Telegram:
    """Return structures of code, value, scaler and unit in an array (layout a), in one frame."""
    numbers = _REGISTERS.numbers(time)
    clock = axdr.structure(axdr.octets(logical_name("0-0:1.0.0*255")), _clock(time))
    elements = [clock]
    for code in (
        *_momentary(1, 2, 3, 4),
        *_momentary(31, 51, 71, 32, 52, 72),
        *_momentary(21, 22, 23, 24, 41, 42, 43, 44, 61, 62, 63, 64),
        *(f"1-0:{quantity}.8.0*255" for quantity in (1, 2, 3, 4)),
    ):
        unit, scaler = _unit(code)
        encode = axdr.u16 if unit in {A, V} else axdr.u32
        elements.append(
            axdr.structure(
                axdr.octets(logical_name(code)),
                encode(numbers.get(code, 0)),
                axdr.structure(axdr.i8(scaler), axdr.enum(unit)),
            )
        )
    frames = _frames([_notification(b"\0", axdr.array(elements))], "41", "0883")
    return Telegram("Aidon, plain", frames, len(elements) - 1)


def kaifa(time: int = NOON) -> Telegram:
    """Return values without codes (layout d) after a time with its tag, in one frame."""
    body, registers = _kaifa_list(time)
    frames = _frames([_notification(_clock(time), body)], "01", "0201", control=0x10)
    return Telegram("Kaifa, plain", frames, registers)


def kaifa_in_order(time: int = NOON) -> Telegram:
    """Return the same with time and control field as in the standard, which the peers need."""
    body, registers = _kaifa_list(time)
    frames = _frames([_notification(_untagged_clock(time), body)], "01", "0201")
    return Telegram("Kaifa, in the standard’s form", frames, registers)


def _kaifa_list(time: int) -> tuple[bytes, int]:
    """Return the list and the number of its registers."""
    numbers = _REGISTERS.numbers(time)
    energies = [axdr.u32(numbers[code]) for code in _momentary(1, 2, 3, 4)]
    currents = [axdr.u32(numbers[code] * 10) for code in _momentary(31, 51, 71)]
    voltages = [axdr.u32(numbers[code]) for code in _momentary(32, 52, 72)]
    identity = [axdr.octets(b"KFM_001"), axdr.octets(b"1234567812345678"), axdr.octets(b"MA304H3E")]
    values = [*energies, *currents, *voltages]
    body = axdr.structure(*identity, *values)
    # The list name and the meter type are registers, too.
    return body, len(values) + 2


def kamstrup(time: int = NOON) -> Telegram:
    """Return alternating codes and values (layout b), encrypted with a tag, in one frame."""
    quantities = {
        **dict.fromkeys((f"1-1:{c}.8.0*255" for c in (1, 2, 3, 4)), axdr.u32),
        "1-1:0.0.1*255": axdr.u32,
        **dict.fromkeys((f"1-1:{c}.7.0*255" for c in (1, 2, 3, 4)), axdr.u32),
        "0-1:1.0.0*255": None,
        **dict.fromkeys((f"1-1:{c}.7.0*255" for c in (32, 52, 72)), axdr.u16),
        **dict.fromkeys((f"1-1:{c}.7.0*255" for c in (31, 51, 71, 21, 41, 61)), axdr.u32),
        **dict.fromkeys((f"1-1:{c}.7.0*255" for c in (33, 53, 73, 13)), axdr.u16),
        **dict.fromkeys((f"1-1:{c}.7.0*255" for c in (22, 42, 62)), axdr.u32),
        **dict.fromkeys((f"1-1:{c}.8.0*255" for c in (22, 42, 62, 21, 41, 61)), axdr.u32),
    }
    numbers = _REGISTERS.numbers(time)
    elements = [axdr.visible("Kamstrup_V0001")]
    for code, encode in quantities.items():
        name = axdr.octets(logical_name(code))
        number = numbers.get(code.replace("1-1", "1-0"), 50)
        elements += [name, _clock(time) if encode is None else encode(number)]
    notification = _notification(_untagged_clock(time), axdr.structure(*elements))
    frames = _frames([_enciphered(notification)], "41", "03")
    # The clock is not a register.
    return Telegram("Kamstrup, encrypted", frames, len(quantities) - 1, is_encrypted=True)


def e450(time: int = NOON) -> Telegram:
    """Return time, codes and values, encrypted, in general blocks, each in its own frame."""
    numbers = _REGISTERS.numbers(time)
    codes = (
        *("1-0:1.8.0*255", "1-0:1.8.1*255", "1-0:1.8.2*255", "1-0:1.7.0*255"),
        *("1-0:2.8.0*255", "1-0:2.8.1*255", "1-0:2.8.2*255", "1-0:2.7.0*255"),
        *("1-0:3.8.0*255", "1-0:3.8.1*255", "1-0:3.8.2*255", "1-0:3.7.0*255"),
        *("1-0:4.8.0*255", "1-0:4.8.1*255", "1-0:4.8.2*255", "1-0:4.7.0*255"),
    )
    # The time is also the first element.
    elements = [_clock(time)]
    for code in codes:
        elements += [axdr.octets(logical_name(code)), axdr.u32(numbers.get(code, 0))]
    notification = _notification(_untagged_clock(time), axdr.structure(*elements))
    blocks = list(_blocks(_enciphered(notification)))
    frames = _frames(blocks, "ceff", "03")
    return Telegram(f"E450, encrypted, {len(blocks)} frames", frames, len(codes), is_encrypted=True)


TELEGRAMS: Final[Sequence[Callable[[int], Telegram]]] = (
    aidon,
    kaifa,
    kaifa_in_order,
    kamstrup,
    e450,
)


def _momentary(*quantities: int) -> list[str]:
    return [f"1-0:{quantity}.7.0*255" for quantity in quantities]


def _unit(code: str) -> tuple[int, int]:
    """Return unit and scaler of a code."""
    quantity, kind = (int(group) for group in code.split(":")[1].split(".")[:2])
    if quantity in {31, 51, 71}:
        return A, -1
    if quantity in {32, 52, 72}:
        return V, -1
    is_reactive = quantity % 20 in {3, 4}
    return (VARH if is_reactive else WH, 1) if kind == 8 else (29 if is_reactive else W, 0)


def _clock(time: int) -> bytes:
    return axdr.octets(times.encode(time))


def _untagged_clock(time: int) -> bytes:
    return axdr.sized(times.encode(time))


def _notification(clock: bytes, body: bytes) -> bytes:
    return bytes([_DATA_NOTIFICATION]) + _INVOKE_ID + clock + body


def _enciphered(apdu: bytes) -> bytes:
    protected = protect(apdu, KEYS, _TITLE, _COUNTER, AUTHENTICATED | ENCRYPTED)
    return bytes([_GENERAL_GLO]) + axdr.sized(_TITLE) + axdr.sized(protected)


def _blocks(apdu: bytes) -> Iterable[bytes]:
    """Split a message into general blocks."""
    parts = [apdu[start : start + _BLOCK] for start in range(0, len(apdu), _BLOCK)]
    for number, part in enumerate(parts, 1):
        control = _LAST if number == len(parts) else _STREAMING
        numbers = number.to_bytes(2) + bytes(2)
        yield bytes([_GENERAL_BLOCK_TRANSFER, control]) + numbers + axdr.sized(part)


def _frames(
    messages: Iterable[bytes], destination: str, source: str, *, control: int = _UI
) -> bytes:
    """Put each message into a frame; only the first one has an LLC header."""
    addresses = bytes.fromhex(destination), bytes.fromhex(source)
    before = hdlc.LLC_RESPONSE
    frames = b""
    for message in messages:
        frames += hdlc.Frame(*addresses, control, before + message).to_bytes()
        before = b""
    return frames
