"""The messages of SML: from the register lists in a telegram to a reading (SML 1.04, 5)."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from decimal import Context, Decimal
from functools import lru_cache
from operator import itemgetter
from typing import Final, NamedTuple

from ..errors import TelegramError
from ..identity import identity_from_bytes
from ..obis import Obis
from ..reading import Reading, Register, Value
from ..units import UNITS
from .direction import POWER_CODES, STATUS_CODES, true_number
from .elements import Element, enter_list, field_at, read, read_nested, skip

_GET_LIST_RESPONSE: Final = 0x0701
_END_OF_MESSAGE: Final = 0
_MESSAGE_ELEMENTS: Final = 6
_BODY_ELEMENTS: Final = 2
_LIST_ELEMENTS: Final = 7
_ENTRY_ELEMENTS: Final = 7
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
_STATUS_RANKS: Final[Mapping[Obis, int]] = {code: rank for rank, code in enumerate(STATUS_CODES)}

#: Wide enough for any integer of 64 bits, whatever the context of the caller is.
_EXACT: Final = Context(prec=20)

# A clock outside of these years was never set.
_CLOCK_FIRST: Final = int(datetime(2010, 1, 1, tzinfo=UTC).timestamp())
_CLOCK_LAST: Final = int(datetime(2100, 1, 1, tzinfo=UTC).timestamp())
_OFFSET_MAX: Final = 24 * 60


class _Number(NamedTuple):
    """An integer as it was sent."""

    raw: int
    bits: int
    scaler: int


class _Entry(NamedTuple):
    """An entry of a register list."""

    #: The entry as it was sent.
    sent: bytes
    register: Register
    #: The status word with its rank, from a register whose status word is the meter's.
    status: tuple[int, int] | None
    #: The integer of a register of power, whose sign the status word of the telegram tells.
    power: _Number | None


class ReadingDecoder:
    """Decodes the telegrams of one meter.

    Remembers the entries of the last telegram: most of them come again unchanged, and the same
    bytes at the start of an element are the same element.
    """

    def __init__(self) -> None:
        """Begin without anything remembered."""
        self._known: list[_Entry] = []
        self._meter = identity_from_bytes(None)
        self._meter_id: bytes | None = None

    def decode(self, messages: bytes, telegram: bytes) -> Reading | None:
        """Read all register lists in the messages; None where there is none.

        Other messages are stepped over. The checksums of the messages are not looked at: that of
        the telegram covers more. Raises TelegramError for messages that are not well-formed.
        """
        try:
            return self._decode(messages, telegram)
        except IndexError:
            message = "messages end in the middle of an element"
            raise TelegramError(message) from None

    def _decode(self, data: bytes, telegram: bytes) -> Reading | None:
        entries: list[_Entry] = []
        meter_id: bytes | None = None
        time: datetime | None = None
        lists = position = 0
        while position < len(data):
            _, position = enter_list(data, position, _MESSAGE_ELEMENTS)
            # transaction id, group, what to do on errors
            position = skip(data, position, 3)
            _, position = enter_list(data, position, _BODY_ELEMENTS)
            tag, position = read(data, position)
            if tag == _GET_LIST_RESPONSE:
                lists += 1
                _, position = enter_list(data, position, _LIST_ELEMENTS)
                # client id
                position = skip(data, position)
                server_id, position = read(data, position)
                if meter_id is None and isinstance(server_id, bytes):
                    meter_id = server_id
                # name of the list
                position = skip(data, position)
                sensor_time, position = read_nested(data, position)
                time = time or _clock(sensor_time)
                position = self._read_entries(data, position, entries)
                # signature, time of the gateway
                position = skip(data, position, 2)
            else:
                position = skip(data, position)
            # checksum
            position = skip(data, position)
            if data[position] != _END_OF_MESSAGE:
                message = f"expected the end of a message, got {data[position]:#04x}"
                raise TelegramError(message)
            position += 1
        if not lists:
            return None
        self._known = entries
        if meter_id != self._meter_id:
            self._meter_id = meter_id
            self._meter = identity_from_bytes(meter_id)
        return Reading(self._meter, time, _registers(entries), telegram)

    def _read_entries(self, data: bytes, position: int, entries: list[_Entry]) -> int:
        known = self._known
        length, position = enter_list(data, position)
        for index in range(len(entries), len(entries) + length):
            if index < len(known) and data.startswith(known[index].sent, position):
                entry = known[index]
                position += len(entry.sent)
            else:
                entry, position = _read_entry(data, position)
            entries.append(entry)
        return position


def decode_body(data: bytes) -> Reading:
    """Decode messages that came without the transport protocol.

    Raises TelegramError where they are not well-formed or hold no list of registers.
    """
    reading = ReadingDecoder().decode(data, data)
    if reading is None:
        message = "no list of registers in the messages"
        raise TelegramError(message)
    return reading


def _read_entry(data: bytes, position: int) -> tuple[_Entry, int]:
    start = position
    _, position = enter_list(data, position, _ENTRY_ELEMENTS)
    name, position = read(data, position)
    status, position = read(data, position)
    # time of the value
    position = skip(data, position)
    unit, position = read(data, position)
    scaler, position = read(data, position)
    if scaler is None:
        scaler = 0
    if not isinstance(name, bytes) or scaler not in _SCALERS or isinstance(unit, bytes):
        message = f"invalid entry of a list at byte {start}"
        raise TelegramError(message)
    code = _obis(name)
    value_start = position
    sent, position = read_nested(data, position)
    power = None
    value: Value
    match sent:
        case None | bool():
            value = sent
        case int():
            value = _scale(sent, scaler)
            if code in POWER_CODES:
                _, width, _ = field_at(data, value_start)
                power = _Number(sent, 8 * width, scaler)
        case bytes():
            value = _text(sent) if code in _TEXT_CODES else sent
        case tuple():
            value = _seconds(sent)
    # signature
    position = skip(data, position)
    rank = _STATUS_RANKS.get(code) if code is not None and isinstance(status, int) else None
    entry = _Entry(
        data[start:position],
        Register(code, value, None if unit is None else UNITS.get(unit)),
        None if rank is None else (rank, status),
        power,
    )
    return entry, position


def _registers(entries: list[_Entry]) -> tuple[Register, ...]:
    """Give registers of power the sign that the status word tells."""
    words = [entry.status for entry in entries if entry.status is not None]
    if not words:
        return tuple([entry.register for entry in entries])
    _, status = min(words, key=itemgetter(0))
    return tuple(
        [
            entry.register if entry.power is None else _directed(entry.register, entry.power, status)
            for entry in entries
        ]
    )


def _directed(register: Register, power: _Number, status: int) -> Register:
    number = true_number(register.obis, power.raw, power.bits, status)
    if number is None:
        return register
    signed = register.value if number == power.raw else _scale(number, power.scaler)
    return Register(register.obis, register.value, register.unit, signed)


def _scale(number: int, scaler: int) -> Decimal | int:
    """Return number * 10 ** scaler with all digits: an int unless the scaler is negative."""
    if scaler >= 0:
        return number * 10**scaler if scaler else number
    return _EXACT.scaleb(number, scaler)


def _text(octets: bytes) -> str | bytes:
    """Return printable octets as text, others as they are."""
    if octets.isascii() and (text := octets.decode("ascii")).isprintable() and text:
        return text
    return octets


@lru_cache(maxsize=1024)
def _obis(name: bytes) -> Obis | None:
    """Return the OBIS code that names a register, None for a name of another length."""
    return Obis.from_bytes(name) if len(name) == _OBIS_LENGTH else None


def _seconds(value: tuple[Element, ...]) -> int | None:
    """Return the number in a value that is a time; None for a list of another kind."""
    match value:
        case (1, tuple(time)):
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
    if not _CLOCK_FIRST <= seconds < _CLOCK_LAST or abs(offset) >= _OFFSET_MAX:
        return None
    return datetime.fromtimestamp(seconds, timezone(timedelta(minutes=offset)))
