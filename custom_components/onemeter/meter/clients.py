"""How the client of each protocol is made."""
# ruff: noqa: PLC0415  DLMS is imported when it is needed: the other protocols need no cryptography

from typing import TYPE_CHECKING

from .blink.client import BlinkClient
from .blink.counter import ImpulseCounter
from .blink.settings import BlinkSettings
from .client import PolledClient, PushedClient
from .iec62056.client import Iec62056Client
from .iec62056.push import Iec62056PushClient
from .iec62056.settings import SignOn
from .line import LineSettings
from .protocols import POLLED_LINE, PUSHED_LINE, Protocol
from .sml.client import SmlClient

if TYPE_CHECKING:
    from .dlms.security.authenticity import Authenticity
    from .dlms.security.counters import InvocationCounter
    from .dlms.settings import DlmsSettings, Keys


def create_pushed_client(
    protocol: Protocol,
    url: str,
    line: LineSettings | None = None,
    settings: Keys | BlinkSettings | None = None,
    counter: ImpulseCounter | None = None,
    *,
    authenticity: Authenticity | None = None,
) -> PushedClient:
    """Make the client that listens for this protocol at a port; None is what is usual.

    BLINK needs the counter; what is known of a DLMS meter's authenticity may be handed in. Raises
    ValueError without the counter, and for settings of another protocol.
    """
    line = line or PUSHED_LINE[protocol]
    match protocol, settings:
        case Protocol.SML, None:
            return SmlClient(url, line)
        case Protocol.IEC62056, None:
            return Iec62056PushClient(url, line)
        case Protocol.BLINK, BlinkSettings() | None if counter is not None:
            return BlinkClient(url, line, counter, settings or BlinkSettings())
        case Protocol.DLMS, _:
            from .dlms.push.client import DlmsPushClient
            from .dlms.settings import Keys

            if settings is None or isinstance(settings, Keys):
                return DlmsPushClient(url, line, settings or Keys(), authenticity)
    raise ValueError(f"{protocol} is not listened to like this")


def create_polled_client(
    protocol: Protocol,
    url: str,
    line: LineSettings | None = None,
    settings: SignOn | DlmsSettings | None = None,
    counter: InvocationCounter | None = None,
    *,
    authenticity: Authenticity | None = None,
) -> PolledClient:
    """Make the client that asks a meter in this protocol; None is what is usual.

    DLMS with keys needs the counter, and may be handed in what is known of the meter's
    authenticity. Raises ValueError for a protocol in which meters only push.
    """
    line = line or POLLED_LINE.get(protocol)
    match protocol, settings:
        case Protocol.IEC62056, SignOn() | None if line is not None:
            return Iec62056Client(url, line, settings or SignOn())
        case Protocol.DLMS, _ if line is not None:
            from .dlms.client import DlmsClient
            from .dlms.settings import DlmsSettings

            if settings is None or isinstance(settings, DlmsSettings):
                return DlmsClient(url, line, settings or DlmsSettings(), counter, authenticity)
    raise ValueError(f"{protocol} is not polled like this")
