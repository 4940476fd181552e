"""Factories for the clients of all protocols."""
# ruff: noqa: PLC0415  DLMS is imported when it is needed: the other protocols need no cryptography

from typing import TYPE_CHECKING

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
    keys: Keys | None = None,
    *,
    authenticity: Authenticity | None = None,
) -> PushedClient:
    """Return a client for pushed telegrams; the line defaults to the protocol's.

    DLMS may have keys, and in ``authenticity`` what the meter has authenticated before. Raises
    ValueError for keys with another protocol, and for BLINK: see BlinkClient.
    """
    line = line or PUSHED_LINE[protocol]
    match protocol:
        case Protocol.SML if keys is None:
            return SmlClient(url, line)
        case Protocol.IEC62056 if keys is None:
            return Iec62056PushClient(url, line)
        case Protocol.DLMS:
            from .dlms.push.client import DlmsPushClient
            from .dlms.settings import Keys

            return DlmsPushClient(url, line, keys or Keys(), authenticity)
    raise ValueError(f"no client for pushed telegrams of {protocol} with these arguments")


def create_polled_client(
    protocol: Protocol,
    url: str,
    line: LineSettings | None = None,
    settings: SignOn | DlmsSettings | None = None,
    counter: InvocationCounter | None = None,
    *,
    authenticity: Authenticity | None = None,
) -> PolledClient:
    """Return a client that polls; the line and settings default to the protocol's.

    DLMS with keys needs ``counter``, and may have in ``authenticity`` what the meter has
    authenticated before. Raises ValueError for a protocol whose meters only push, and for
    settings of another protocol.
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
    raise ValueError(f"no client that polls {protocol} with these settings")
