"""The client for pushed readouts: mode D (IEC 62056-21:2002, 6.3.6) and P1 ports."""

from datetime import datetime

from ..line import LineSettings
from ..looks import Look
from ..stream import StreamClient
from .decoder import Iec62056Decoder


class Iec62056PushClient(StreamClient):
    """Receives from a meter in mode D or at a P1 port.

    Only P1 telegrams have a checksum. Others give a reading if they have right parity or none, are
    well-formed to the last character, and fit one of the two telegrams before.
    """

    def __init__(self, url: str, line: LineSettings) -> None:
        """Take the port's URL or path, and how to open it. Nothing is opened yet."""
        decoder = Iec62056Decoder(is_guarded=True, clock=datetime.now)
        super().__init__(url, line, decoder, Look.IEC62056)
