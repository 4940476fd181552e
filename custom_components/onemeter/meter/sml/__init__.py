"""SML, the Smart Message Language (SML 1.04, BSI TR-03109-1)."""

from .decoder import SmlDecoder
from .message import decode_body

__all__ = ["SmlDecoder", "decode_body"]
