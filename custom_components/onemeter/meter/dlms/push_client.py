"""The client for DLMS meters that push."""

from collections.abc import AsyncGenerator
from typing import override

from ..client import PushedClient
from ..errors import MeterError
from ..line import LineSettings
from ..reading import Reading
from .settings import Keys


class DlmsPushClient(PushedClient):
    """Reads a meter that pushes DLMS."""

    def __init__(self, url: str, line: LineSettings, keys: Keys) -> None:
        """Take the port's URL or path, how to open it, and the keys. Nothing is opened yet."""
        super().__init__(url, line)

    @override
    def listen(self) -> AsyncGenerator[Reading]:
        raise NotImplementedError

    @override
    def diagnose(self) -> MeterError:
        raise NotImplementedError
