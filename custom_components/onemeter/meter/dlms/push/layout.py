"""Fast decoding of notifications that repeat with other numbers, as most do."""

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
import struct
from typing import Any, Final

from ...errors import TelegramError
from ...reading import Reading, Register
from ...units import scaled
from ..apdu import axdr, data_types
from ..apdu.data_types import ARRAY, OCTET_STRING, STRUCTURE
from ..apdu.lengths import decode_length
from ..apdu.times import LENGTH as TIME_LENGTH, decode_clock, decode_date_time
from .lists import VOLTAGE_MAX
from .notification import decode_notification

#: Format characters of ``struct`` for integers that measure; smaller ones are scalers and states.
_FORMATS: Final = {
    data_types.DOUBLE_LONG: "i",
    data_types.DOUBLE_LONG_UNSIGNED: "I",
    data_types.LONG: "h",
    data_types.LONG_UNSIGNED: "H",
    data_types.LONG64: "q",
    data_types.LONG64_UNSIGNED: "Q",
}
_TIME: Final = f"{TIME_LENGTH}s"
#: Positions of the long invoke id, and of the date-time or its tag.
_INVOKE_ID: Final = 1
_DATE: Final = 5
#: Bytes of a date-time in front of its deviation, and including it.
_BEFORE_DEVIATION: Final = 9
_WITH_DEVIATION: Final = 11
#: Structures of at least this size are push object definitions; those with values are smaller.
_DESCRIPTOR: Final = 4
#: Layouts that are remembered: a meter sends one to three.
_LAYOUTS_MAX: Final = 8
_DEPTH_MAX: Final = 4

#: The first of the markers that replace the numbers of a notification, to find out which number
#: becomes which register: all are too large for volts, or none is.
_LARGE: Final = 10_001
_SMALL: Final = 501

#: Position of a number or a date-time, and its format character.
type _Leaf = tuple[int, str]
#: Index of the register whose value a number is, and its scaler.
type _Links = dict[_Leaf, tuple[int, int]]


@dataclass(slots=True)
class _Layout:
    """Layout of a received notification: its constant bytes, and the last numbers between them.

    A notification with the same constant bytes has the same registers.
    """

    unpack: Callable[[bytes], tuple[bytes | int, ...]]
    constants: tuple[bytes | int, ...]
    numbers: tuple[bytes | int, ...]
    #: Numbers that are values of registers: index of the number, of the register, scaler.
    places: Sequence[tuple[int, int, int]]
    registers: list[Register]
    reading: Reading
    #: Position of the notification's date-time, and of the list's clock if that is used instead.
    date: int | None
    clock: int | None
    #: Positions of other date-times in the list.
    times: Sequence[int] = ()
    #: Indexes of numbers whose scaler depends on their size.
    size_dependent: Sequence[int] = ()

    def read_again(self, apdu: bytes) -> Reading | None:
        """Decode a notification with this layout; None if it has another one."""
        fields = self.unpack(apdu)
        if fields[::2] != self.constants:
            return None
        time = None
        start = self.date if self.date is not None else self.clock
        if start is not None:
            octets = apdu[start : start + TIME_LENGTH]
            if decode_date_time(octets) is None:
                return None
            time = decode_clock(octets)
        for start in self.times:
            if decode_date_time(apdu[start : start + TIME_LENGTH]) is None:
                return None
        numbers: tuple[Any, ...] = fields[1::2]
        before, registers = self.numbers, self.registers
        dependent = self.size_dependent
        if dependent and _are_large(dependent, numbers) != _are_large(dependent, before):
            return None
        for place, index, scaler in self.places:
            number = numbers[place]
            if number != before[place]:
                register = registers[index]
                registers[index] = Register(register.obis, scaled(number, scaler), register.unit)
        self.numbers = numbers
        return Reading(self.reading.meter, time, tuple(registers), apdu)


class NotificationReader:
    """Decodes the notifications of one meter, and remembers their layouts."""

    def __init__(self) -> None:
        """Start without layouts."""
        self._layouts: dict[tuple[int, bytes], _Layout] = {}
        #: The last notification with an unknown layout: content, reading, system title.
        self._unknown: tuple[bytes, Reading, bytes] | None = None

    def read(self, apdu: bytes, title: bytes = b"") -> Reading | None:
        """Do what decode_notification() does, faster for a known layout."""
        layout = self._layouts.get((len(apdu), title))
        if layout is not None and (again := layout.read_again(apdu)) is not None:
            return again
        reading = decode_notification(apdu, title)
        self._unknown = None if reading is None else (apdu, reading, title)
        return reading

    def learn_in_slices(self) -> Iterator[None]:
        """Remember the layout of the last notification if it is new; each step is a time slice."""
        if self._unknown is None:
            return
        apdu, reading, title = self._unknown
        self._unknown = None
        layout = yield from _learn(apdu, reading, title)
        if layout is not None:
            key = len(apdu), title
            self._layouts.pop(key, None)
            if len(self._layouts) >= _LAYOUTS_MAX:
                del self._layouts[next(iter(self._layouts))]
            self._layouts[key] = layout


def _learn(apdu: bytes, reading: Reading, title: bytes) -> Generator[None, None, _Layout | None]:
    """Find out which number becomes which register; None if that is ambiguous.

    Each step is a time slice.
    """
    is_tagged = apdu[_DATE] == OCTET_STRING
    date = _DATE + is_tagged + 1
    body = date + apdu[date - 1]
    yield
    try:
        leaves = list(_leaves(apdu, body, 0)[0])
        yield
        large = _linked(apdu, reading, title, leaves, _LARGE)
        yield
        small = _linked(apdu, reading, title, leaves, _SMALL)
    except TelegramError, IndexError:
        return None
    if large is None or small is None or large.keys() != small.keys():
        return None
    yield
    values = {register.value for register in reading.registers}
    times = [
        (start, letter)
        for start, letter in leaves
        if letter == _TIME and apdu[start : start + TIME_LENGTH] not in values
    ]
    clock = None
    if body == date and reading.time is not None:
        valid = (start for start, _ in times if decode_clock(apdu[start:][:TIME_LENGTH]))
        clock = next(valid, None)
    variables: list[tuple[int, str, tuple[int, int] | None]] = [(_INVOKE_ID, "4s", None)]
    if body > date:
        variables.append((date, f"{_BEFORE_DEVIATION}s", None))
        variables.append((date + _WITH_DEVIATION, "1s", None))
    variables += [(*leaf, None) for leaf in times]
    variables += [(start, letter, place) for (start, letter), place in small.items()]
    layout = _layout(apdu, sorted(variables, key=lambda variable: variable[0]), reading)
    dependent = {index for leaf, (index, _) in small.items() if large[leaf] != small[leaf]}
    layout.size_dependent = [place for place, index, _ in layout.places if index in dependent]
    if dependent and _are_large(layout.size_dependent, layout.numbers):
        scalers = dict(large.values())
        layout.places = [(place, index, scalers[index]) for place, index, _ in layout.places]
    layout.date = date if body > date else None
    layout.clock = clock
    layout.times = [start for start, _ in times if start != clock]
    return layout if layout.read_again(apdu) == reading else None


def _are_large(places: Sequence[int], numbers: Sequence[Any]) -> bool:
    """Return whether any number is too large for volts, so that its unit is a fraction of them."""
    return any(numbers[place] > VOLTAGE_MAX for place in places)


def _layout(
    apdu: bytes, variables: Sequence[tuple[int, str, tuple[int, int] | None]], reading: Reading
) -> _Layout:
    parts = [">"]
    end = 0
    for start, letter, _ in variables:
        parts.append(f"{start - end}s{letter}")
        end = start + struct.calcsize(">" + letter)
    parts.append(f"{len(apdu) - end}s")
    unpack = struct.Struct("".join(parts)).unpack
    fields = unpack(apdu)
    places = [(number, *place) for number, (_, _, place) in enumerate(variables) if place]
    registers = list(reading.registers)
    return _Layout(unpack, fields[::2], fields[1::2], places, registers, reading, None, None)


def _leaves(data: bytes, position: int, depth: int) -> tuple[list[_Leaf], int]:
    """Return the numbers and date-times in a value, and the position behind it."""
    tag = data[position]
    if tag not in {ARRAY, STRUCTURE} or depth > _DEPTH_MAX:
        _, end = axdr.decode(data, position)
        if (letter := _FORMATS.get(tag)) is not None:
            return [(position + 1, letter)], end
        start = end - TIME_LENGTH
        is_time = tag == OCTET_STRING and start == position + 2
        return ([(start, _TIME)] if is_time and decode_date_time(data[start:end]) else []), end
    count, position = decode_length(data, position + 1)
    is_descriptor = depth > 1 and tag == STRUCTURE and count >= _DESCRIPTOR
    leaves: list[_Leaf] = []
    for _ in range(count):
        found, position = _leaves(data, position, depth + 1)
        leaves += found
    return ([] if is_descriptor else leaves), position


def _linked(
    apdu: bytes, reading: Reading, title: bytes, leaves: Sequence[_Leaf], first: int
) -> _Links | None:
    """Find register and scaler of each number, by decoding unique markers in place of the numbers.

    Numbers without a register, and ids, are left out and remain constant bytes. None if a register
    cannot be traced to one marker.
    """
    probe = bytearray(apdu)
    markers: dict[int, _Leaf] = {}
    for leaf in leaves:
        start, letter = leaf
        if letter != _TIME:
            # Odd, so that it does not end in a zero that a scaler could add or remove.
            marker = first + 2 * len(markers)
            struct.pack_into(">" + letter, probe, start, marker)
            markers[marker] = leaf
    probed = decode_notification(bytes(probe), title)
    if probed is None or len(probed.registers) != len(reading.registers):
        return None
    linked: _Links = {}
    for index, (before, after) in enumerate(zip(reading.registers, probed.registers, strict=True)):
        if (before.obis, before.unit) != (after.obis, after.unit):
            return None
        if before.value == after.value or str(after.value) == probed.meter.meter_id:
            continue
        if not isinstance(after.value, (int, Decimal)):
            return None
        _, digits, exponent = Decimal(after.value).normalize().as_tuple()
        marker = int("".join(map(str, digits)))
        if marker not in markers or not isinstance(exponent, int):
            return None
        linked[markers[marker]] = (index, exponent)
    return linked
