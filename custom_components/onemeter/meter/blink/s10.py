"""The MQTT messages of OneMeter's S10 sender: flashes of meters' LEDs."""

import json
import re
from typing import Final, NamedTuple

from ..errors import TelegramError

#: The topic that senders publish on.
TOPIC: Final = "onemeter/s10/v1"

#: Characters between the digits of an address.
_SEPARATORS: Final = re.compile(r"[\s:.-]")
#: A time stamp as text, and the end of possible ones (ms).
_DIGITS: Final = re.compile(r"\d{1,15}", re.ASCII)
_END_OF_TIME: Final = 10**15
#: Characters of the longest message that is read, for some hundred devices.
LIMIT: Final = 16_384
#: Flashes of each sender, and senders, that are remembered: a broker may deliver a message twice.
_FLASHES: Final = 256
_SENDERS: Final = 64


class Flash(NamedTuple):
    """One flash of a meter's LED."""

    #: The sender's address, in the form of normal_mac().
    mac: str
    #: Milliseconds since 1970 by the sender's clock; None without a time stamp.
    ts: int | None


def normal_mac(text: str) -> str:
    """Return a MAC address as digits in upper case, for comparison."""
    return (text if text.isalnum() else _SEPARATORS.sub("", text)).upper()


def parse_s10(payload: str | bytes | bytearray) -> tuple[Flash, ...]:
    """Return the flashes of a message, ``{"dev_list": [{"mac": …, "ts": …}]}``, in their order.

    Repeated entries are one flash, but each entry without a time stamp is one. Invalid entries are
    left out. Raises TelegramError for anything but such a message, and for one that is too long.
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
        if not (mac := normal_mac(mac)):
            continue
        flash = Flash(mac, None if (time := device.get("ts")) is None else _milliseconds(time))
        if flash.ts is not None:
            if flash in seen:
                continue
            seen.add(flash)
        flashes.append(flash)
    return tuple(flashes)


def _milliseconds(value: object) -> int | None:
    """Return a valid time stamp, else None."""
    match value:
        case bool():
            return None
        case str() if _DIGITS.fullmatch(value.strip()):
            return int(value) or None
        case int() | float() if 0 < value < _END_OF_TIME:
            return int(value)
    return None


class S10Flashes:
    """Recognizes flashes that a broker delivers again."""

    def __init__(self) -> None:
        """Begin without known flashes."""
        self._seen: dict[str, dict[int, None]] = {}

    def new(self, payload: str | bytes | bytearray) -> tuple[Flash, ...]:
        """Return the flashes of a message that are not known.

        Raises TelegramError as parse_s10() does.
        """
        return tuple(flash for flash in parse_s10(payload) if self._is_new(flash))

    def _is_new(self, flash: Flash) -> bool:
        # The sender of the newest message is forgotten last.
        mac, time = flash
        seen = self._seen.pop(mac, {})
        self._seen[mac] = seen
        if len(self._seen) > _SENDERS:
            del self._seen[next(iter(self._seen))]
        if time is None:
            return True
        if time in seen:
            return False
        seen[time] = None
        if len(seen) > _FLASHES:
            del seen[next(iter(seen))]
        return True
