"""The protocols that can be read, and how a client of each is made."""

from enum import StrEnum

from .client import PushedClient
from .port import LineSettings
from .sml.client import SmlClient


class Protocol(StrEnum):
    """A language that meters speak at their optical port."""

    #: Smart Message Language, pushed by the meter (SML 1.04, BSI TR-03109-1).
    SML = "sml"


#: The line settings with which meters of each protocol leave the factory.
DEFAULT_LINE = {Protocol.SML: LineSettings(baudrate=9600)}


def create_client(protocol: Protocol, url: str, line: LineSettings | None = None) -> PushedClient:
    """Make the client that reads this protocol at a port; None is the protocol's usual line."""
    if line is None:
        line = DEFAULT_LINE[protocol]
    match protocol:
        case Protocol.SML:
            return SmlClient(url, line)
