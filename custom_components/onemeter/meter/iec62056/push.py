"""The client for meters that push readouts: mode D, and the P1 port (IEC 62056-21:2002, 6.3.6)."""

from datetime import datetime

from ..line import LineSettings
from ..stream import StreamClient
from .decoder import Iec62056Decoder


class Iec62056PushClient(StreamClient):
    """Reads a meter in mode D.

    Only P1 telegrams have a checksum. All others must have right parity where they have any, be
    well-formed to the last character, and come from the meter that the one before came from.
    """

    def __init__(self, url: str, line: LineSettings) -> None:
        """Take the port's URL or path, and how to open it. Nothing is opened yet."""
        super().__init__(
            url, line, Iec62056Decoder(is_guarded=True, clock=datetime.now), "IEC 62056-21"
        )
