"""What the maker's own S10 sender tells by MQTT: which lights have flashed, and when."""

import json
import re
from typing import Final, NamedTuple

from ..errors import TelegramError

#: The topic that senders publish on.
TOPIC: Final = "onemeter/s10/v1"

#: Between the digits of an address.
_SEPARATORS: Final = re.compile(r"[\s:.-]")
#: A time stamp that is written as text, and what no clock gives.
_DIGITS: Final = re.compile(r"\d{1,15}", re.ASCII)
_END_OF_TIME: Final = 10**15
#: Characters of the longest message that is read: that of some hundred devices.
LIMIT: Final = 16_384
#: How many flashes and senders are remembered, since a broker may deliver a message twice.
_FLASHES: Final = 256
_SENDERS: Final = 64


class Flash(NamedTuple):
    """One flash of a meter's light."""

    #: Which sender saw it, as normal_mac() gives it.
    mac: str
    #: When, by the sender's clock, in milliseconds since 1970; None where it does not tell.
    ts: int | None


def normal_mac(text: str) -> str:
    """Return an address in the form in which it is compared: digits alone, in upper case."""
    return _SEPARATORS.sub("", text).upper()


def parse_s10(payload: str | bytes | bytearray) -> tuple[Flash, ...]:
    """Return the flashes of a message, ``{"dev_list": [{"mac": …, "ts": …}]}``, in its order.

    The same one twice is one flash; without a time stamp nothing tells two flashes apart, and each
    counts. What is no flash is left out. Raises TelegramError for what is no such message at all,
    and for one that is longer than any sender's.
    """
    if len(payload) > LIMIT:
        raise TelegramError(f"an S10 message of {len(payload)} characters")
    try:
        message = json.loads(payload)
    except (ValueError, RecursionError) as err:
        raise TelegramError("an S10 message that is no JSON") from err
    devices = message.get("dev_list") if isinstance(message, dict) else None
    if not isinstance(devices, list):
        raise TelegramError("an S10 message without a list of devices")
    flashes: list[Flash] = []
    seen: set[Flash] = set()
    for device in devices:
        if not isinstance(device, dict) or not isinstance(mac := device.get("mac"), str):
            continue
        flash = Flash(normal_mac(mac), _milliseconds(device.get("ts")))
        if flash.mac and (flash.ts is None or flash not in seen):
            flashes.append(flash)
            seen.add(flash)
    return tuple(flashes)


def _milliseconds(value: object) -> int | None:
    """Return a time stamp that some clock can have given, else None."""
    match value:
        case bool():
            return None
        case str() if _DIGITS.fullmatch(value.strip()):
            return int(value) or None
        case int() | float() if 0 < value < _END_OF_TIME:
            return int(value)
    return None


class S10Flashes:
    """Tells new flashes from those that a broker delivers again."""

    def __init__(self) -> None:
        """Know no flash yet."""
        self._seen: dict[str, dict[int, None]] = {}

    def new(self, payload: str | bytes | bytearray) -> tuple[Flash, ...]:
        """Return the flashes of a message that have not come before.

        Raises TelegramError as parse_s10() does.
        """
        return tuple(flash for flash in parse_s10(payload) if self._is_new(flash))

    def _is_new(self, flash: Flash) -> bool:
        # The sender that was heard last is the last one to be forgotten.
        seen = self._seen.pop(flash.mac, {})
        self._seen[flash.mac] = seen
        if len(self._seen) > _SENDERS:
            del self._seen[next(iter(self._seen))]
        if flash.ts is None:
            return True
        if flash.ts in seen:
            return False
        seen[flash.ts] = None
        if len(seen) > _FLASHES:
            del seen[next(iter(seen))]
        return True
