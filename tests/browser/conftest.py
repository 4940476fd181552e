"""A Home Assistant and a browser, which the tests here share."""

import asyncio
from collections.abc import AsyncGenerator, Coroutine, Generator
from contextlib import contextmanager, suppress
import os
from pathlib import Path
import socket
from threading import Thread
from typing import Any

from playwright.async_api import Error as PlaywrightError, Page, async_playwright
import pytest
from pytest_socket import enable_socket

from demo.api import Api
from demo.dashboard import DOMAIN
from demo.homeassistant import HOST, HomeAssistant

from .pages import CHROMIUM, SIMULATED_PORTS, STATISTICS_NOW

_ROOT = Path(__file__).parents[2]

#: Characters of the end of Home Assistant's log.
_LOG_SHOWN = 10_000


@pytest.fixture
def expected_lingering_timers() -> bool:
    """Let the HTTP client of the test keep the timers of requests that have been answered."""
    return True


@pytest.fixture(scope="session")
def home_assistant(tmp_path_factory: pytest.TempPathFactory) -> Generator[HomeAssistant]:
    """Start a Home Assistant, which takes about as long as a test with it."""
    enable_socket()
    with socket.create_server((HOST, 0)) as free:
        port = free.getsockname()[1]
    started = HomeAssistant(tmp_path_factory.mktemp("home-assistant"), port)
    started.prepare()
    config = started.folder / "config"
    integrations = config / "custom_components"
    integrations.unlink()
    integrations.mkdir()
    (integrations / "__init__.py").touch()
    for integration in (
        _ROOT / "custom_components" / DOMAIN,
        Path(__file__).parent / STATISTICS_NOW,
        Path(__file__).parent / SIMULATED_PORTS,
    ):
        (integrations / integration.name).symlink_to(integration)
    with (config / "configuration.yaml").open("a") as configuration:
        configuration.write(f"{STATISTICS_NOW}:\n{SIMULATED_PORTS}:\n")
    with _running_in_a_thread(started.run()):
        yield started


@contextmanager
def _running_in_a_thread(job: Coroutine[Any, Any, None]) -> Generator[None]:
    """Run a job as long as the context lasts, which no event loop of a test does."""
    loop = asyncio.new_event_loop()
    task = loop.create_task(job)
    thread = Thread(target=loop.run_until_complete, args=(asyncio.wait({task}),))
    thread.start()
    try:
        yield
    finally:
        loop.call_soon_threadsafe(task.cancel)
        thread.join()
        loop.close()
    with suppress(asyncio.CancelledError):
        task.result()


@pytest.fixture
async def api(home_assistant: HomeAssistant) -> AsyncGenerator[Api]:
    """Begin the user's session with a Home Assistant without any meter."""
    async with Api(home_assistant.url) as session:
        yield session
        print(home_assistant.log.read_text(errors="replace")[-_LOG_SHOWN:])
        for entry in await session.call("config_entries/get", domain=DOMAIN):
            path = f"/api/config/config_entries/entry/{entry['entry_id']}"
            await session._json("DELETE", path)
        # A meter of another test may have the same total, and would be offered to continue them.
        found = await session.call("recorder/list_statistic_ids")
        ids = [statistic["statistic_id"] for statistic in found]
        await session.call("recorder/clear_statistics", statistic_ids=ids)


@pytest.fixture(scope="session")
def profile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the browser, which keeps the files of the frontend."""
    return tmp_path_factory.mktemp("browser")


@pytest.fixture
async def page(profile: Path) -> AsyncGenerator[Page]:
    """Open a window of a browser."""
    async with async_playwright() as playwright:
        context = await playwright.chromium.launch_persistent_context(
            profile,
            executable_path=CHROMIUM,
            # Chromium as root has no sandbox, and what it asks of the internet is not ours.
            chromium_sandbox=os.geteuid() != 0,
            args=["--disable-gpu", "--disable-background-networking", "--disable-sync"],
            viewport={"width": 1280, "height": 900},
        )
        context.set_default_timeout(60_000)
        await context.add_init_script(
            "window.clicks = 0; addEventListener('click', event => {"
            " if (event.isTrusted) window.clicks += 1; }, true);"
        )
        window = context.pages[0]
        yield window
        with suppress(PlaywrightError):
            print(await window.locator("body").aria_snapshot())
        await context.close()
