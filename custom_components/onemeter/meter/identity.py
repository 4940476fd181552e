"""Which meter is speaking: what the binary id of a meter tells (DIN 43863-5)."""

import re
from typing import Final

from .reading import Identity

#: The layouts of a ten-byte id and the place of the manufacturer's letters in it. 0x06 is the
#: older one; 0x09 and 0x0A are that of DIN 43863-5: type, medium, manufacturer, production block,
#: number.
_LETTERS: Final = {0x06: slice(1, 4), 0x09: slice(2, 5), 0x0A: slice(2, 5)}
_LENGTH: Final = 10
_FLAG: Final = re.compile(rb"[A-Z]{3}")
_MEDIUM_MAX: Final = 0xF
_NUMBER_MAX: Final = 99_999_999


def identity_from_bytes(meter_id: bytes | None) -> Identity:
    """Read the id of a meter as binary protocols send it (an SML server id).

    An id of another layout is kept as it is, without manufacturer and without ``device_id``.
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


def _device_id(meter_id: bytes, manufacturer: str) -> str | None:
    """Return the 14 characters of DIN 43863-5, or None where the id holds something else."""
    medium, block, number = meter_id[1], meter_id[5], int.from_bytes(meter_id[6:])
    if meter_id[0] == 0x06 or medium > _MEDIUM_MAX or number > _NUMBER_MAX:
        return None
    return f"{medium:X}{manufacturer}{block:02X}{number:08d}"
