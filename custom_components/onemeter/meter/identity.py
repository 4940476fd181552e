"""The identity of a meter from the id that it sends (DIN 43863-5)."""

import re
from typing import Final

from .reading import Identity

#: An identification of DIN 43863-5 as text: medium, manufacturer, production block, number.
DEVICE_ID: Final = re.compile(r"[0-9A-F]([A-Z]{3})[0-9A-F]{2}\d{8}", re.ASCII)
#: The layouts of a ten-byte id, by its first byte, and the place of the manufacturer's letters.
#: 0x06 is the older one; 0x09 and 0x0A are that of DIN 43863-5: type, medium, manufacturer,
#: production block, number.
_LETTERS: Final = {0x06: slice(1, 4), 0x09: slice(2, 5), 0x0A: slice(2, 5)}
_LENGTH: Final = 10
_FLAG: Final = re.compile(rb"[A-Z]{3}")
_MEDIUM_MAX: Final = 0xF
_NUMBER_MAX: Final = 99_999_999


def identity_from_bytes(meter_id: bytes | None) -> Identity:
    """Return the identity in a binary id such as an SML server id; empty for None or no bytes.

    An id of another layout is kept as it is, without manufacturer and ``device_id``.
    """
    if not meter_id:
        return Identity()
    place = _LETTERS.get(meter_id[0]) if len(meter_id) == _LENGTH else None
    if place is None or _FLAG.fullmatch(letters := meter_id[place]) is None:
        return Identity(meter_id=meter_id.hex())
    manufacturer = letters.decode("ascii")
    return Identity(
        meter_id=meter_id.hex(),
        manufacturer=manufacturer,
        device_id=_device_id(meter_id, manufacturer),
    )


def identity_from_text(
    meter_id: str | None, manufacturer: str | None, ident: str | None
) -> Identity:
    """Return the identity in an IEC 62056-21 readout and its identification line.

    An id in the form of DIN 43863-5 also becomes the ``device_id``, as in other protocols.
    """
    return Identity(
        meter_id=meter_id,
        manufacturer=manufacturer and manufacturer.upper(),
        ident=ident,
        device_id=meter_id if meter_id and DEVICE_ID.fullmatch(meter_id) else None,
    )


def _device_id(meter_id: bytes, manufacturer: str) -> str | None:
    """Return the 14 characters of DIN 43863-5, or None where the id holds something else."""
    medium, block, number = meter_id[1], meter_id[5], int.from_bytes(meter_id[6:])
    if meter_id[0] == 0x06 or medium > _MEDIUM_MAX or number > _NUMBER_MAX:
        return None
    return f"{medium:X}{manufacturer}{block:02X}{number:08d}"
