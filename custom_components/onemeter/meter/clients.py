"""How the client of each protocol is made."""

from .client import PolledClient, PushedClient
from .dlms.client import DlmsClient
from .dlms.counters import InvocationCounter
from .dlms.push_client import DlmsPushClient
from .dlms.settings import DlmsSettings, Keys
from .iec62056.client import Iec62056Client
from .iec62056.push import Iec62056PushClient
from .iec62056.settings import SignOn
from .line import LineSettings
from .protocols import POLLED_LINE, PUSHED_LINE, Protocol
from .sml.client import SmlClient


def create_pushed_client(
    protocol: Protocol, url: str, line: LineSettings | None = None, keys: Keys | None = None
) -> PushedClient:
    """Make the client that listens for this protocol at a port; None is the usual line."""
    line = line or PUSHED_LINE[protocol]
    match protocol:
        case Protocol.SML:
            return SmlClient(url, line)
        case Protocol.IEC62056:
            return Iec62056PushClient(url, line)
        case Protocol.DLMS:
            return DlmsPushClient(url, line, keys or Keys())


def create_polled_client(
    protocol: Protocol,
    url: str,
    line: LineSettings | None = None,
    settings: SignOn | DlmsSettings | None = None,
    counter: InvocationCounter | None = None,
) -> PolledClient:
    """Make the client that asks a meter in this protocol; None is what is usual.

    DLMS with keys needs the counter. Raises ValueError for a protocol in which meters only push.
    """
    line = line or POLLED_LINE.get(protocol)
    match protocol, settings:
        case Protocol.IEC62056, SignOn() | None if line is not None:
            return Iec62056Client(url, line, settings or SignOn())
        case Protocol.DLMS, DlmsSettings() | None if line is not None:
            return DlmsClient(url, line, settings or DlmsSettings(), counter)
    raise ValueError(f"{protocol} is not polled like this")
