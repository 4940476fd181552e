"""The SML client: listens to a meter that pushes its telegrams."""

from ..line import LineSettings
from ..stream import StreamClient
from . import SmlDecoder


class SmlClient(StreamClient):
    """Reads a meter that pushes SML."""

    def __init__(self, url: str, line: LineSettings) -> None:
        """Take the port's URL or path, and how to open it. Nothing is opened yet."""
        super().__init__(url, line, SmlDecoder(), "SML")
