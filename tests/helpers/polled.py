"""A polled entry with a scripted client."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Generator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, tzinfo
from typing import Any, override
from unittest.mock import patch

from freezegun.api import FrozenDateTimeFactory
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.onemeter.coordinator.polled import PolledCoordinator
from custom_components.onemeter.meter import (
    Interval,
    LineSettings,
    PolledClient,
    Protocol,
    Reading,
)
from homeassistant.const import CONF_MODE, CONF_PROTOCOL
from homeassistant.core import HomeAssistant
from homeassistant.util import dt as dt_util

from .pushed import METER, PORT, PushedMeter, reading


class ScriptedPolledClient(PolledClient):
    """A client whose readouts and errors are set by the test."""

    def __init__(self, url: str = PORT) -> None:
        super().__init__(url, LineSettings(300))
        #: Results of the next readouts; after them, ``usual``.
        self.answers: deque[Reading | Exception] = deque()
        self.usual: Reading | Exception = reading()
        #: Duration of a readout in seconds.
        self.takes = 0.0
        self.read_at: list[datetime] = []
        self.is_open = False
        self.reading = asyncio.Event()

        #: Readings of live registers; an error or None ends the session.
        self.live: asyncio.Queue[Reading | Exception | None] = asyncio.Queue()
        self.watched: list[tuple[list[str], float]] = []
        self.is_watched = False

        #: Findings that the client reports, and those with which it was restored.
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
        self,
        start: datetime,
        end: datetime,
        zone: tzinfo | None = None,
    ) -> Sequence[Interval]:
        raise NotImplementedError


class PolledMeter(PushedMeter):
    """A polled entry with a scripted client."""

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
        """Replace the entry by another one for the same client."""
        protocol = {CONF_PROTOCOL: Protocol.IEC62056.value, CONF_MODE: "polled"}
        return super().make_entry(unique_id, port=port, options=options, **protocol | data)

    @property
    @override
    def coordinator(self) -> PolledCoordinator:
        coordinator: PolledCoordinator = self.entry.runtime_data
        return coordinator

    @override
    async def start(self, *said: Reading | Exception) -> bool:
        """Set up the entry with these results of the first readouts."""
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
        """Advance the time to the next readout."""
        await self.wait(seconds, step=seconds)
