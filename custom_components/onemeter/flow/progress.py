"""Work in the background of a dialog, which shows the progress."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any, NamedTuple, override

from homeassistant.config_entries import ConfigEntryBaseFlow, ConfigFlowResult
from homeassistant.core import callback

#: Seconds for which the dialog shows the same at least. The frontend begins to look for changes
#: when it has drawn the dialog; a change before that goes unnoticed.
SHORTEST_PROGRESS = 1.5
#: The frontend has this multiple of that time to fetch a change.
_FETCH_PATIENCE = 4
#: Seconds between two updates of the numbers that are shown.
PROGRESS_SECONDS = 2


class State(NamedTuple):
    """What the dialog shows: the key of a text and its placeholders."""

    text: str
    placeholders: dict[str, str]


class ProgressSteps(ConfigEntryBaseFlow):
    """Shows the state of a task, and goes on to another step when the task has ended."""

    #: Its result is the step that follows.
    _work: asyncio.Task[str]
    _shown: State
    _progress: asyncio.Task[None]

    def __init__(self) -> None:
        """Start without a task."""
        super().__init__()
        #: Set once the frontend has fetched what is shown.
        self._is_fetched = asyncio.Event()

    @callback
    def _async_run[T](
        self,
        work: Coroutine[Any, Any, T],
        state: Callable[[], State],
        next_step: Callable[[asyncio.Future[T]], Awaitable[str]],
    ) -> ConfigFlowResult:
        """Begin work; ``next_step`` takes its outcome, and returns a step id."""
        self._state = state
        self._work = self.hass.async_create_background_task(
            self._async_work(work, next_step), "look for a meter and for the next step"
        )
        self._async_update_progress()
        # The answer to this request is the first to be shown.
        self._is_fetched.set()
        return self._async_show_progress()

    async def _async_work[T](
        self,
        work: Coroutine[Any, Any, T],
        next_step: Callable[[asyncio.Future[T]], Awaitable[str]],
    ) -> str:
        outcome: asyncio.Future[T] = self.hass.loop.create_future()
        try:
            outcome.set_result(await work)
        except Exception as error:  # noqa: BLE001 - the next step takes it
            outcome.set_exception(error)
        return await next_step(outcome)

    @callback
    def _async_update_progress(self) -> None:
        """Show the state of the work until it changes."""
        self._shown = self._state()
        self._is_fetched.clear()
        self._progress = self.hass.async_create_background_task(
            self._async_wait_for_change(), "show the search for a meter"
        )

    async def _async_wait_for_change(self) -> None:
        """Wait until the state changes, at the latest for the end of the work.

        Whenever this ends, Home Assistant has the frontend fetch the step once. A request that is
        late would find that the flow is over, and the dialog would show an error.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(_FETCH_PATIENCE * SHORTEST_PROGRESS):
                await self._is_fetched.wait()
        await asyncio.sleep(SHORTEST_PROGRESS)
        while not self._work.done() and self._state() == self._shown:
            await asyncio.wait([self._work], timeout=PROGRESS_SECONDS)

    @callback
    @override
    def async_remove(self) -> None:
        """End the work when the dialog is closed."""
        if hasattr(self, "_work"):
            self._work.cancel()

    @callback
    def _async_show_progress(self) -> ConfigFlowResult:
        return self.async_show_progress(
            step_id="listen",
            progress_action=self._shown.text,
            description_placeholders=self._shown.placeholders,
            progress_task=self._progress,
        )

    async def async_step_listen(self, _: dict[str, object] | None = None) -> ConfigFlowResult:
        """Show the progress; then go on to the step that follows."""
        if not self._progress.done():
            self._is_fetched.set()
            return self._async_show_progress()
        if not self._work.done():
            self._async_update_progress()
            return self._async_show_progress()
        # Without waiting: Home Assistant and the frontend may both ask for the step that follows.
        return self.async_show_progress_done(next_step_id=self._work.result())
