"""The messages of SML: from the register lists in a telegram to a reading (SML 1.04, 5)."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from ..errors import TelegramError
from ..identity import identity_from_bytes
from ..reading import Reading
from ..slices import Sliced, do_at_once
from .elements import LIST, Single, contents, enter_list, field_at, read, read_nested, skip
from .entry import Entry, read_entry
from .layout import Layout, Meter

_GET_LIST_RESPONSE: Final = 0x0701
_END_OF_MESSAGE: Final = 0
#: First bytes of the time that nearly all meters send: seconds of operation, no time of day.
_INDEX: Final = b"\x72\x62\x01"
#: Bytes that are read in one slice, at least; an entry or another message is not divided.
_SLICE: Final = 1024
#: Bytes of a meter's id; nearly all have ten.
_ID_MAX: Final = 32
#: Layouts that are remembered. Some meters send two lists in turn, or shorten some numbers.
_LAYOUTS: Final = 4

_identity = lru_cache(maxsize=16)(identity_from_bytes)


class ReadingDecoder:
    """Decodes the telegrams of one line, and remembers their layouts."""

    def __init__(self) -> None:
        """Begin without a known layout."""
        self._layouts: Sequence[Layout] = ()

    def decode(self, messages: bytes, telegram: bytes) -> Sequence[Reading]:
        """Return a reading of each meter whose register lists are in the messages.

        Other messages are skipped. The checksums of the messages are ignored: that of the telegram
        covers more. Raises TelegramError for messages that are not well-formed.
        """
        return do_at_once(self.decode_in_slices(messages, telegram))

    def decode_in_slices(self, messages: bytes, telegram: bytes) -> Sliced[Sequence[Reading]]:
        """Do the same as decode() in slices."""
        for layout in self._layouts:
            if layout.fits(messages):
                return layout.read(messages, telegram)
        return self._learn(messages, telegram)

    def _learn(self, messages: bytes, telegram: bytes) -> Sliced[Sequence[Reading]]:
        """Decode messages of a layout that is not known."""
        try:
            layout = yield from _Messages(messages).layout()
        except IndexError:
            raise TelegramError("Messages end in the middle of an element") from None
        readings = yield from layout.read(messages, telegram)
        if readings:
            self._layouts = (*self._layouts, layout)[-_LAYOUTS:]
        return readings


class _Messages:
    """Goes through the messages of one telegram."""

    def __init__(self, data: bytes) -> None:
        """Begin with messages of which no byte may differ."""
        self._data = data
        self._shared = bytearray(b"\xff") * len(data)
        self._entries: list[Entry] = []
        self._meters: dict[bytes | None, Meter] = {}
        self._meter_id: bytes | None = None

    def layout(self) -> Sliced[Layout]:
        """Return their layout. Raises TelegramError, or IndexError beyond the end of the data."""
        data = self._data
        position, due = 0, _SLICE
        while position < len(data):
            if data[position] == _END_OF_MESSAGE:
                # Some gateways send fill bytes between and after the messages.
                position += 1
                continue
            position = enter_list(data, position, 6)
            position = self._ignore(position, 3)  # transaction id, group, what to do on errors
            position = enter_list(data, position, 2)
            tag, position = read(data, position)
            if tag == _GET_LIST_RESPONSE:
                position = yield from self._read_list(enter_list(data, position, 7))
                position = self._ignore(position, 3)  # signature, time of the gateway, checksum
            else:
                position = self._ignore(position, 2)  # body, checksum
            if data[position] != _END_OF_MESSAGE:
                raise TelegramError(f"Expected the end of a message at byte {position}")
            position += 1
            if position >= due:
                due = position + _SLICE
                yield
        return Layout(data, bytes(self._shared), list(self._meters.values()), self._entries)

    def _read_list(self, position: int) -> Sliced[int]:
        """Read from client id to registers; return the position after them."""
        data = self._data
        position = self._ignore(position)  # client id
        server_id, position = read(data, position)
        meter = self._meter(server_id)
        position = self._ignore(position)  # name of the list
        if data.startswith(_INDEX, position):
            position = self._ignore(position + len(_INDEX))
        else:
            start = position
            sensor_time, position = read_nested(data, start)
            self._release(start, position)
            if isinstance(sensor_time, tuple):
                meter.times.append(start)
        kind, length, position = field_at(data, position)
        if kind != LIST:
            raise TelegramError(f"Expected a list of registers at byte {position}")
        due = position + _SLICE
        for _ in range(length):
            entry, position = read_entry(data, position, self._release)
            meter.indexes.append(len(self._entries))
            self._entries.append(entry)
            if position >= due:
                due = position + _SLICE
                yield
        return position

    def _meter(self, server_id: Single) -> Meter:
        """Return the meter to which a list with this id belongs."""
        meters = self._meters
        if server_id and isinstance(server_id, bytes):
            if len(server_id) > _ID_MAX:
                raise TelegramError(f"An id of {len(server_id)} bytes")
            self._meter_id = server_id
            if None in meters:
                # A list without an id belongs to the first meter with one.
                meters[server_id] = meters.pop(None)
                meters[server_id].identity = _identity(server_id)
        if self._meter_id not in meters:
            meters[self._meter_id] = Meter(_identity(self._meter_id))
        return meters[self._meter_id]

    def _ignore(self, position: int, count: int = 1) -> int:
        """Skip elements whose contents may differ; return their end."""
        end = skip(self._data, position, count)
        self._release(position, end)
        return end

    def _release(self, position: int, end: int) -> None:
        """Let the contents of the elements up to a position differ."""
        for content in contents(self._data, position, end):
            self._shared[content] = bytes(content.stop - content.start)


def decode_body(data: bytes) -> Reading:
    """Return the reading of the first meter in messages without the transport protocol.

    Raises TelegramError if they are not well-formed or contain no list of registers.
    """
    readings = ReadingDecoder().decode(data, data)
    if not readings:
        raise TelegramError("No list of registers in the messages")
    return readings[0]
