"""How the client of each protocol is made."""

from .client import PushedClient
from .line import LineSettings
from .protocols import DEFAULT_LINE, Protocol
from .sml.client import SmlClient


def create_client(protocol: Protocol, url: str, line: LineSettings | None = None) -> PushedClient:
    """Make the client that reads this protocol at a port; None is the protocol's usual line."""
    if line is None:
        line = DEFAULT_LINE[protocol]
    match protocol:
        case Protocol.SML:
            return SmlClient(url, line)
