"""How the client of each protocol is made."""

from .client import PolledClient, PushedClient
from .iec62056.client import Iec62056Client
from .iec62056.push import Iec62056PushClient
from .iec62056.settings import SignOn
from .line import LineSettings
from .protocols import POLLED_LINE, PUSHED_LINE, Protocol
from .sml.client import SmlClient


def create_pushed_client(
    protocol: Protocol, url: str, line: LineSettings | None = None
) -> PushedClient:
    """Make the client that listens for this protocol at a port; None is the usual line."""
    line = line or PUSHED_LINE[protocol]
    match protocol:
        case Protocol.SML:
            return SmlClient(url, line)
        case Protocol.IEC62056:
            return Iec62056PushClient(url, line)


def create_polled_client(
    protocol: Protocol, url: str, line: LineSettings | None = None, sign_on: SignOn | None = None
) -> PolledClient:
    """Make the client that asks a meter in this protocol; None is what is usual.

    Raises ValueError for a protocol in which meters only push.
    """
    match protocol:
        case Protocol.IEC62056:
            return Iec62056Client(url, line or POLLED_LINE[protocol], sign_on or SignOn())
        case Protocol.SML:
            raise ValueError("SML is only pushed")
