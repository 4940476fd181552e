"""The messages of SML: from the register lists in a telegram to a reading (SML 1.04, 5)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache
from operator import attrgetter
from typing import Final

from ..clock import SET_CLOCK_YEARS
from ..errors import TelegramError
from ..identity import identity_from_bytes
from ..obis import Obis
from ..reading import Reading, Register, Value
from ..slices import Sliced, do_at_once
from ..units import UNITS, scaled
from .direction import POWER_CODES, STATUS_CODES, true_number
from .elements import (
    BOOLEAN,
    LIST,
    OCTETS,
    SIGNED,
    UNSIGNED,
    Element,
    enter_list,
    field_at,
    read,
    read_nested,
    skip,
)

_GET_LIST_RESPONSE: Final = 0x0701
_END_OF_MESSAGE: Final = 0
#: How the time of nearly all meters begins: seconds of operation, no time of day.
_INDEX: Final = b"\x72\x62\x01"
_OBIS_LENGTH: Final = 6
_SCALERS: Final = range(-128, 128)

#: Octet strings that are text: manufacturer, firmware, ownership numbers.
_TEXT_CODES: Final = frozenset(
    map(
        Obis.parse,
        (
            "1-0:96.50.1*1",
            "1-0:96.50.1*4",
            "129-129:199.130.3*255",
            "1-0:0.2.0*0",
            "1-0:0.0.0*255",
            "0-0:96.1.255*255",
        ),
    )
)
_STATUS_RANKS: Final[Mapping[Obis | None, int]] = {
    code: rank for rank, code in enumerate(STATUS_CODES)
}

#: Entries that are read in one slice.
_SLICE: Final = 64
#: Bytes of a meter's id; nearly all have ten.
_ID_MAX: Final = 32

#: A meter sends the same few codes again and again, and has the same id.
_obis = lru_cache(maxsize=1024)(Obis.from_bytes)
_identity = lru_cache(maxsize=16)(identity_from_bytes)

#: Seconds since 1970 that a clock which has been set can show.
_CLOCK_SECONDS: Final = range(
    *(
        int(datetime(year, 1, 1, tzinfo=UTC).timestamp())
        for year in (SET_CLOCK_YEARS.start, SET_CLOCK_YEARS.stop)
    )
)
_OFFSET_MAX: Final = 24 * 60


@dataclass(slots=True)
class _Entry:
    """An entry of a register list: its layout, and what was last sent in it.

    The same bytes at the beginning of an element are always the same fields. So where the bytes
    around the contents of status and value come again, there are new contents between them.
    """

    #: The bytes up to the content of the status word, or to that of the value if there is none.
    head: bytes
    status: bytes
    #: The bytes between status word and value.
    middle: bytes
    content: bytes
    #: The bytes behind the content of the value.
    tail: bytes
    code: Obis | None
    #: The type of the value.
    kind: int
    unit: str | None
    scaler: int
    #: Of a register whose status word is that of the meter: the lowest rank counts.
    rank: int | None
    #: None for power, whose sign the status word of the telegram may tell.
    register: Register | None

    def read_again(self, data: bytes, position: int) -> int:
        """Read an entry of this layout; return where it ends, or 0 if it has another one."""
        head, tail, content = self.head, self.tail, self.content
        if not data.startswith(head, position):
            return 0
        position += len(head)
        if status := self.status:
            end = position + len(status)
            if not data.startswith(self.middle, end):
                return 0
            status = data[position:end]
            position = end + len(self.middle)
        end = position + len(content)
        if not data.startswith(tail, end):
            return 0
        self.status = status
        if not data.startswith(content, position):
            self.content = data[position:end]
            if self.register is not None:
                self.register = Register(self.code, self.value(), self.unit)
        return end + len(tail)

    def value(self) -> Value:
        """Return the value in the content."""
        kind, content = self.kind, self.content
        if kind == OCTETS:
            return _text(content) if self.code in _TEXT_CODES else content
        if kind == BOOLEAN:
            return any(content)
        return scaled(int.from_bytes(content, signed=kind == SIGNED), self.scaler)

    def power(self, status: int | None) -> Register:
        """Return the register of power with the sign that the status word tells."""
        number = int.from_bytes(self.content, signed=self.kind == SIGNED)
        value = scaled(number, self.scaler)
        true = None
        if status is not None and self.code is not None:
            bits = 8 * len(self.content)
            true = true_number(self.code, number, bits, self.scaler, status)
        if true is None:
            return Register(self.code, value, self.unit)
        signed = value if true == number else scaled(true, self.scaler)
        return Register(self.code, value, self.unit, signed)


@dataclass(slots=True)
class _Meter:
    """What a telegram says of one meter."""

    time: datetime | None = None
    entries: list[_Entry] = field(default_factory=list)


class ReadingDecoder:
    """Decodes the telegrams of one line, and remembers the layout of the last one's entries."""

    def __init__(self) -> None:
        """Begin without anything remembered."""
        self._known: list[_Entry] = []

    def decode(self, messages: bytes, telegram: bytes) -> Sequence[Reading]:
        """Read all register lists in the messages; return a reading of each meter, if any.

        Other messages are stepped over. The checksums of the messages are not looked at: that of
        the telegram covers more. Raises TelegramError for messages that are not well-formed.
        """
        return do_at_once(self.decode_in_slices(messages, telegram))

    def decode_in_slices(self, messages: bytes, telegram: bytes) -> Sliced[Sequence[Reading]]:
        """Do what decode() does, in slices."""
        try:
            return (yield from self._decode(messages, telegram))
        except IndexError:
            raise TelegramError("Messages end in the middle of an element") from None

    def _decode(self, data: bytes, telegram: bytes) -> Sliced[Sequence[Reading]]:
        entries: list[_Entry] = []
        meters: dict[bytes | None, _Meter] = {}
        meter_id: bytes | None = None
        position = 0
        while position < len(data):
            if data[position] == _END_OF_MESSAGE:
                # Some gateways leave fill bytes between and behind the messages.
                position += 1
                continue
            position = enter_list(data, position, 6)
            position = skip(data, position, 3)  # transaction id, group, what to do on errors
            position = enter_list(data, position, 2)
            tag, position = read(data, position)
            if tag == _GET_LIST_RESPONSE:
                position = enter_list(data, position, 7)
                position = skip(data, position)  # client id
                server_id, position = read(data, position)
                if server_id and isinstance(server_id, bytes):
                    meter_id = _checked_id(server_id)
                    if None in meters:
                        # What came without an id is of the meter that is named first.
                        meters[meter_id] = meters.pop(None)
                meter = meters.setdefault(meter_id, _Meter())
                position = skip(data, position)  # name of the list
                if data.startswith(_INDEX, position):
                    position = skip(data, position)
                else:
                    sensor_time, position = read_nested(data, position)
                    meter.time = meter.time or _clock(sensor_time)
                before = len(entries)
                position = yield from self._read_entries(data, position, entries)
                meter.entries += entries[before:]
                position = skip(data, position, 3)  # signature, time of the gateway, checksum
            else:
                position = skip(data, position, 2)  # body, checksum
            if data[position] != _END_OF_MESSAGE:
                raise TelegramError(f"Expected the end of a message at byte {position}")
            position += 1
        if meters:
            self._known = entries
        # Diagnostics show no telegram in which the ids of several meters are.
        raw = telegram if len(meters) == 1 else b""
        return [
            Reading(_identity(meter_id), meter.time, _registers(meter.entries), raw)
            for meter_id, meter in meters.items()
        ]

    def _read_entries(self, data: bytes, position: int, entries: list[_Entry]) -> Sliced[int]:
        kind, length, position = field_at(data, position)
        if kind != LIST:
            raise TelegramError(f"Expected a list of registers at byte {position}")
        known = self._known
        for index in range(len(entries), len(entries) + length):
            if index < len(known) and (end := known[index].read_again(data, position)):
                entries.append(known[index])
                position = end
            else:
                entry, position = _read_entry(data, position)
                entries.append(entry)
            if len(entries) % _SLICE == 0:
                yield
        return position


def decode_body(data: bytes) -> Reading:
    """Decode messages that came without the transport protocol, of the first meter in them.

    Raises TelegramError where they are not well-formed or hold no list of registers.
    """
    readings = ReadingDecoder().decode(data, data)
    if not readings:
        raise TelegramError("No list of registers in the messages")
    return readings[0]


def _checked_id(server_id: bytes) -> bytes:
    if len(server_id) > _ID_MAX:
        raise TelegramError(f"An id of {len(server_id)} bytes")
    return server_id


def _read_entry(data: bytes, start: int) -> tuple[_Entry, int]:
    """Read an entry of any layout."""
    name, status_start = read(data, enter_list(data, start, 7))
    status, status_end = read(data, status_start)
    position = skip(data, status_end)  # time of the value
    unit, position = read(data, position)
    scaler, value_start = read(data, position)
    scaler = scaler or 0
    if not isinstance(name, bytes) or isinstance(unit, bytes) or isinstance(scaler, bytes):
        raise TelegramError(f"Invalid register at byte {start}")
    if scaler not in _SCALERS:
        raise TelegramError(f"Scaler out of range at byte {start}")
    kind, _, content_start = field_at(data, value_start)
    value, value_end = read_nested(data, value_start)
    if value is None or kind == LIST:
        content_start = value_end  # nothing in it is read again
    end = skip(data, value_end)  # signature
    if isinstance(status, int):
        _, status_length, _ = field_at(data, status_start)
        status_start = status_end - status_length
    else:
        status_start = status_end = content_start
    code = _obis(name) if len(name) == _OBIS_LENGTH else None
    entry = _Entry(
        data[start:status_start],
        data[status_start:status_end],
        data[status_end:content_start],
        data[content_start:value_end],
        data[value_end:end],
        code,
        kind,
        None if unit is None else UNITS.get(unit),
        scaler,
        _STATUS_RANKS.get(code) if isinstance(status, int) else None,
        None,
    )
    if value is None:
        entry.register = Register(code, None, entry.unit)
    elif isinstance(value, tuple):
        entry.register = Register(code, _seconds(value), entry.unit)
    elif code not in POWER_CODES or kind not in {SIGNED, UNSIGNED}:
        entry.register = Register(code, entry.value(), entry.unit)
    return entry, end


def _registers(entries: list[_Entry]) -> tuple[Register, ...]:
    """Return the registers, power with the sign that the status word tells."""
    ranked = [entry for entry in entries if entry.rank is not None]
    status = int.from_bytes(min(ranked, key=attrgetter("rank")).status) if ranked else None
    return tuple([entry.register or entry.power(status) for entry in entries])


def _text(octets: bytes) -> str | bytes:
    """Return printable octets as text, others as they are."""
    if octets.isascii() and (text := octets.decode("ascii")).isprintable() and text:
        return text
    return octets


def _seconds(value: Element) -> int | None:
    """Return the number in a value that is a time; None for a list of another kind."""
    match value:
        case (1, (_, _) as time):
            return _seconds(time)
        case (1 | 2, int(seconds)) | (3, (int(seconds), int(), int())):
            return seconds
        case _:
            return None


def _clock(time: Element) -> datetime | None:
    """Return the time of day in an SML_Time; None for seconds of operation, or a clock not set."""
    match time:
        case (2, int(seconds)):
            offset = 0
        case (3, (int(seconds), int(zone), int(season))):
            offset = zone + season
        case _:
            return None
    if seconds not in _CLOCK_SECONDS or abs(offset) >= _OFFSET_MAX:
        return None
    return datetime.fromtimestamp(seconds, timezone(timedelta(minutes=offset)))
