"""From the bytes of an SML line to readings."""

from ..reading import Reading
from .framing import SmlFramer
from .message import ReadingDecoder


class SmlDecoder(SmlFramer[Reading]):
    """Decodes the stream of one meter: feed it the bytes, take the readings."""

    def __init__(self) -> None:
        """Begin before the first byte."""
        super().__init__(ReadingDecoder().decode_in_slices)
