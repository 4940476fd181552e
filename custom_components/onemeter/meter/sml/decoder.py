"""From bytes to readings of SML."""

from ..reading import Reading
from .framing import SmlFramer
from .message import ReadingDecoder


class SmlDecoder(SmlFramer[Reading]):
    """Decodes the stream of one meter: feed() takes bytes and returns readings."""

    def __init__(self) -> None:
        """Begin before the first byte."""
        super().__init__(ReadingDecoder().decode_in_slices)
