"""The messages of SML: from the register lists in a telegram to a reading (SML 1.04, 5)."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache
from typing import Final

from ..clock import SET_CLOCK_YEARS
from ..errors import TelegramError
from ..identity import identity_from_bytes
from ..reading import Reading
from ..slices import Sliced, do_at_once
from .elements import (
    LIST,
    Element,
    enter_list,
    field_at,
    read,
    read_nested,
    skip,
)
from .entry import Entry, read_entry, registers_of, status_of

_GET_LIST_RESPONSE: Final = 0x0701
_END_OF_MESSAGE: Final = 0
#: First bytes of the time that nearly all meters send: seconds of operation, no time of day.
_INDEX: Final = b"\x72\x62\x01"
#: Entries that are read in one slice.
_SLICE: Final = 64
#: Bytes of a meter's id; nearly all have ten.
_ID_MAX: Final = 32

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
class _Meter:
    """Time and entries of one meter in a telegram."""

    time: datetime | None = None
    entries: list[Entry] = field(default_factory=list)


class ReadingDecoder:
    """Decodes the telegrams of one line, and remembers the layout of the last one's entries."""

    def __init__(self) -> None:
        """Begin without a known layout."""
        self._known: list[Entry] = []

    def decode(self, messages: bytes, telegram: bytes) -> Sequence[Reading]:
        """Return a reading of each meter whose register lists are in the messages.

        Other messages are skipped. The checksums of the messages are ignored: that of the telegram
        covers more. Raises TelegramError for messages that are not well-formed.
        """
        return do_at_once(self.decode_in_slices(messages, telegram))

    def decode_in_slices(self, messages: bytes, telegram: bytes) -> Sliced[Sequence[Reading]]:
        """Do the same as decode() in slices."""
        try:
            return (yield from self._decode(messages, telegram))
        except IndexError:
            raise TelegramError("Messages end in the middle of an element") from None

    def _decode(self, data: bytes, telegram: bytes) -> Sliced[Sequence[Reading]]:
        entries: list[Entry] = []
        meters: dict[bytes | None, _Meter] = {}
        meter_id: bytes | None = None
        position = 0
        while position < len(data):
            if data[position] == _END_OF_MESSAGE:
                # Some gateways send fill bytes between and after the messages.
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
                        # A list without an id belongs to the first meter with one.
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
        # Diagnostics can mask the id of one meter only.
        raw = telegram if len(meters) == 1 else b""
        return [
            Reading(
                _identity(meter_id),
                meter.time,
                registers_of(meter.entries, status := status_of(meter.entries)),
                raw,
                status_word=status,
            )
            for meter_id, meter in meters.items()
        ]

    def _read_entries(self, data: bytes, position: int, entries: list[Entry]) -> Sliced[int]:
        kind, length, position = field_at(data, position)
        if kind != LIST:
            raise TelegramError(f"Expected a list of registers at byte {position}")
        known = self._known
        for index in range(len(entries), len(entries) + length):
            if index < len(known) and (end := known[index].read_again(data, position)):
                entries.append(known[index])
                position = end
            else:
                entry, position = read_entry(data, position)
                entries.append(entry)
            if len(entries) % _SLICE == 0:
                yield
        return position


def decode_body(data: bytes) -> Reading:
    """Return the reading of the first meter in messages without the transport protocol.

    Raises TelegramError if they are not well-formed or contain no list of registers.
    """
    readings = ReadingDecoder().decode(data, data)
    if not readings:
        raise TelegramError("No list of registers in the messages")
    return readings[0]


def _checked_id(server_id: bytes) -> bytes:
    if len(server_id) > _ID_MAX:
        raise TelegramError(f"An id of {len(server_id)} bytes")
    return server_id


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
