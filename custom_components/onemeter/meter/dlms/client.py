"""The DLMS client: asks a meter for its objects."""

from collections.abc import AsyncGenerator, Sequence
from datetime import datetime, tzinfo
from typing import override

from ..client import PolledClient
from ..line import LineSettings
from ..reading import Interval, Reading
from .counters import InvocationCounter
from .settings import DlmsSettings


class DlmsClient(PolledClient):
    """Reads a meter over HDLC or the wrapper."""

    def __init__(
        self,
        url: str,
        line: LineSettings,
        settings: DlmsSettings,
        counter: InvocationCounter | None,
    ) -> None:
        """Take the port, how to open it, and how to speak to the meter. Nothing is opened yet."""
        super().__init__(url, line)
        self.settings = settings

    @override
    async def read(self) -> Reading:
        raise NotImplementedError

    @override
    def watch(self, addresses: Sequence[str], interval: float) -> AsyncGenerator[Reading]:
        raise NotImplementedError

    @override
    async def read_profile(
        self, start: datetime, end: datetime, zone: tzinfo | None = None
    ) -> Sequence[Interval]:
        raise NotImplementedError
