"""Which meter is speaking: what its identification line and its ids tell."""

import re
from typing import Final

from ..reading import Identity

#: The identification of DIN 43863-5: medium, manufacturer, production block, number.
_DEVICE_ID: Final = re.compile(r"[0-9A-F][A-Z]{3}[0-9A-F]{2}\d{8}", re.ASCII)


def identity_from_text(
    meter_id: str | None, manufacturer: str | None, ident: str | None
) -> Identity:
    """Return who the meter is; an id of DIN 43863-5 is known as such, as in other protocols."""
    return Identity(
        meter_id=meter_id,
        manufacturer=manufacturer and manufacturer.upper(),
        ident=ident,
        device_id=meter_id if meter_id and _DEVICE_ID.fullmatch(meter_id) else None,
    )
