"""Decoding data notifications, which meters push (IEC 62056-5-3, 6.3.10)."""

from collections.abc import Sequence
from typing import Final

from ...clock import CLOCK_YEARS
from ...errors import TelegramError
from ...reading import Identity, Reading
from ..apdu import tags
from ..apdu.axdr import decode
from ..apdu.data_types import OCTET_STRING, Data
from ..apdu.times import LENGTH as TIME_LENGTH, decode_clock, decode_date_time
from .described import read_described
from .description import ListDescription, describe
from .identity import identity_of
from .pairs import is_entry, read_pairs
from .positional import read_positional
from .push_list import objects_of, read_push_list, read_untagged
from .values import Body, DecodedList

#: Bytes of tag and long-invoke-id-and-priority.
_HEADER_LENGTH: Final = 5
#: Values in a notification; the longest known one has 160.
_VALUES_MAX: Final = 400


def decode_notification(apdu: bytes, title: bytes = b"") -> Reading | None:
    """Return the reading of a data notification; None if it has no known values.

    ``title`` is the system title of the sender or empty. Raises TelegramError unless the
    notification is well-formed to its last byte.
    """
    try:
        body = _parse(apdu, title)
        found = _find(body)
    except IndexError:
        raise TelegramError("a notification ends too early") from None
    if found is None or not found.registers:
        return None
    time = found.clock if body.time is None else decode_clock(apdu[: body.start][-TIME_LENGTH:])
    return Reading(_identity(found, title), time, tuple(found.registers), apdu)


def describe_list(apdu: bytes) -> ListDescription | None:
    """Describe the list of a notification; None if it is no list of tagged values."""
    try:
        body = _parse(apdu, b"")
        return describe(body, _values(body))
    except IndexError, TelegramError:
        return None


def describe_unknown(apdu: bytes, title: bytes = b"") -> ListDescription | None:
    """Describe the list of a notification without a reading; None if the list is known."""
    try:
        body = _parse(apdu, title)
        return describe(body, _values(body)) if _find(body) is None else None
    except IndexError, TelegramError:
        return None


def is_plausible(apdu: bytes) -> bool:
    """Return whether deciphered bytes are a notification, not the garbage from a wrong key.

    A notification is well-formed to its last byte and contains a date or the code of a register.
    """
    try:
        body = _parse(apdu, b"")
        if body.time is not None and body.time.year in CLOCK_YEARS:
            _values(body)
            return True
        return _find(body) is not None
    except IndexError, TelegramError:
        return False


def _parse(apdu: bytes, title: bytes) -> Body:
    """Split off the header; its date-time may be empty, and some meters add a tag to it."""
    if apdu[0] != tags.DATA_NOTIFICATION:
        raise TelegramError("not a notification")
    start = _HEADER_LENGTH
    is_tagged = apdu[start] == OCTET_STRING
    start += is_tagged
    length = apdu[start]
    start += 1
    if length not in {0, TIME_LENGTH}:
        raise TelegramError("a notification without its date")
    time = decode_date_time(apdu[start : start + length])
    return Body(apdu, start + length, time, is_tagged, title)


def _values(body: Body) -> Data:
    value, end = decode(body.data, body.start, _VALUES_MAX)
    if end != len(body.data):
        raise TelegramError("bytes behind a notification")
    return value


def _find(body: Body) -> DecodedList | None:
    """Return the registers of a body; None if the list is not known."""
    try:
        values = _values(body)
    except TelegramError:
        found = read_untagged(body)
        if found is None:
            raise
        return found
    if not isinstance(values, tuple | list) or not values:
        return None
    found = _find_known(body, values)
    if found is None or not found.registers:
        return read_described(values) or found
    return found


def _find_known(body: Body, values: Sequence[Data]) -> DecodedList | None:
    """Return the registers of a list with a known form; None if it has none."""
    if isinstance(values[0], list) and (objects := objects_of(values[0])):
        return read_push_list(body, objects, values)
    if any(map(is_entry, values)):
        return read_pairs(values)
    # Alternating codes and values come last, since lists without codes may contain one as well.
    found = read_positional(body, values)
    return found if found is not None else read_pairs(values)


def _identity(found: DecodedList, title: bytes) -> Identity:
    values = {r.obis: r.value for r in reversed(found.registers) if r.unit is None}
    return identity_of((found.meter_id, *map(values.get, found.ids)), found.name, title)
