"""The client for pushed SML telegrams."""

from ..line import LineSettings
from ..looks import Look
from ..stream import StreamClient
from . import SmlDecoder


class SmlClient(StreamClient):
    """Receives SML telegrams from a meter."""

    def __init__(self, url: str, line: LineSettings) -> None:
        """Take the port's URL or path, and how to open it. Nothing is opened yet."""
        super().__init__(url, line, SmlDecoder(), Look.SML)
