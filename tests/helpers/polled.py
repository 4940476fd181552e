"""An entry whose meter answers what the test says, by way of the coordinator."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Generator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, tzinfo
from typing import Any, override
from unittest.mock import patch

from freezegun.api import FrozenDateTimeFactory
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.onemeter.const import DOMAIN
from custom_components.onemeter.coordinator.polled import PolledCoordinator
from custom_components.onemeter.meter import (
    Interval,
    LineSettings,
    PolledClient,
    Protocol,
    Reading,
)
from custom_components.onemeter.settings import MINOR_VERSION
from homeassistant.const import CONF_MODE, CONF_PORT, CONF_PROTOCOL
from homeassistant.core import HomeAssistant
from homeassistant.util import dt as dt_util

from .pushed import METER, PORT, PushedMeter, reading


class ScriptedPolledClient(PolledClient):
    """A client whose meter answers, and fails to, as the test says."""

    def __init__(self, url: str = PORT) -> None:
        super().__init__(url, LineSettings(300))
        #: What comes of the next readouts; after them, the usual.
        self.answers: deque[Reading | Exception] = deque()
        self.usual: Reading | Exception = reading()
        #: Seconds that a readout takes.
        self.takes = 0.0
        self.read_at: list[datetime] = []
        self.is_open = False
        self.reading = asyncio.Event()

        #: What comes in a session; an error ends it, and so does None.
        self.live: asyncio.Queue[Reading | Exception | None] = asyncio.Queue()
        self.watched: list[tuple[list[str], float]] = []
        self.is_watched = False

        #: What the client says that it has found out, and what it is told of that later.
        self.found: dict[str, Any] = {}
        self.recalled: Mapping[str, Any] = {}

    @property
    def reads(self) -> int:
        return len(self.read_at)

    @override
    async def read(self) -> Reading:
        assert not self.is_open, "never two at a time"
        self.read_at.append(dt_util.utcnow())
        self.is_open = True
        self.reading.set()
        try:
            if self.takes:
                self.counters.received += 1
                await asyncio.sleep(self.takes)
            answer = self.answers.popleft() if self.answers else self.usual
            if isinstance(answer, Exception):
                raise answer
            self.counters.good += 1
            self.duration = self.takes
            return answer
        finally:
            self.is_open = False

    @override
    def findings(self) -> Mapping[str, Any]:
        return self.found

    @override
    def restore(self, findings: Mapping[str, Any]) -> None:
        self.recalled = findings

    @override
    async def watch(self, addresses: Sequence[str], interval: float) -> AsyncGenerator[Reading]:
        assert not self.is_open, "never two at a time"
        assert self.reads, "watching begins after a readout"
        self.watched.append((list(addresses), interval))
        self.is_open = self.is_watched = True
        try:
            while (heard := await self.live.get()) is not None:
                if isinstance(heard, Exception):
                    raise heard
                yield heard
        finally:
            self.is_open = self.is_watched = False

    @override
    async def read_profile(
        self, start: datetime, end: datetime, zone: tzinfo | None = None
    ) -> Sequence[Interval]:
        raise NotImplementedError


class PolledMeter(PushedMeter):
    """An entry with a scripted client that is asked."""

    client: ScriptedPolledClient  # type: ignore[assignment]

    def __init__(self, hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> None:
        super().__init__(hass, freezer)
        self.client = ScriptedPolledClient()

    @override
    def make_entry(
        self,
        unique_id: str | None = METER.unique_id,
        *,
        port: str = PORT,
        options: dict[str, Any] | None = None,
        **data: Any,
    ) -> MockConfigEntry:
        """Make another entry for the client instead of the usual one."""
        protocol = {CONF_PROTOCOL: Protocol.IEC62056.value, CONF_MODE: "polled"}
        self.entry = MockConfigEntry(
            domain=DOMAIN,
            minor_version=MINOR_VERSION,
            title="Meter",
            unique_id=unique_id,
            data={CONF_PORT: port, **protocol, **data},
            options=options or {},
        )
        return self.entry

    @property
    @override
    def coordinator(self) -> PolledCoordinator:
        coordinator: PolledCoordinator = self.entry.runtime_data
        return coordinator

    @override
    async def start(self, *said: Reading | Exception) -> bool:
        """Set the entry up while the meter answers this, and what is usual after that."""
        self.client.answers.extend(item for item in said)
        return await self.set_up()

    @override
    @contextmanager
    def patched(self) -> Generator[None]:
        with patch(
            "custom_components.onemeter.access.clients.create_polled_client",
            return_value=self.client,
        ):
            yield

    async def until_due(self, seconds: float = 60) -> None:
        """Let the time until the next readout pass."""
        await self.wait(seconds, step=seconds)
