"""Fixtures and hooks of all tests."""

import asyncio
from collections.abc import Callable, Generator, Mapping
from functools import partial
import logging
import math
import os
from pathlib import Path
import time
from unittest.mock import AsyncMock, patch

from aiohttp import ThreadedResolver
from hypothesis import settings
import pytest

# Home Assistant looks for custom integrations in this package, once it is imported.
import custom_components  # noqa: F401
from homeassistant import runner
from simulator.clock import SimulatedClockLoop

# The same examples in every run, so that a failure comes from the change; scripts/soak tries new
# ones.
settings.register_profile("tests", deadline=None, derandomize=True)
settings.register_profile("soak", deadline=None, max_examples=10_000)
settings.load_profile("tests")

# Home Assistant's test package logs each statement of the recorder. Its thread also writes while
# pytest shows results, and the formatting costs as much as the statements.
logging.getLogger("sqlalchemy.engine").setLevel(logging.WARNING)

# Markers whose tests must not be skipped: .ci/run sets them, since it installs what they need.
REQUIRED = frozenset(os.environ.get("ONEMETER_REQUIRE", "").split())


# Tests in these folders run on simulated time. The others have a Home Assistant with its threads.
SIMULATED = (Path(__file__).parent / "meter", Path(__file__).parent / "simulator")
# Shorter than the time-out of pytest, whose exception is lost if it is raised in a task.
REAL_SECONDS = 100


def pytest_asyncio_loop_factories(
    item: pytest.Item,
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Run tests of meters and clients on a simulated clock, unless they are marked real_time."""
    is_simulated = (
        any(folder in item.path.parents for folder in SIMULATED)
        and item.get_closest_marker("real_time") is None
    )
    simulated_loop = partial(SimulatedClockLoop, REAL_SECONDS)
    return {"loop": simulated_loop if is_simulated else asyncio.new_event_loop}


@pytest.fixture(autouse=True)
async def configure_event_loop() -> None:
    """Configure a real loop like Home Assistant's, which has its own clock."""
    loop = asyncio.get_running_loop()
    if not isinstance(loop, SimulatedClockLoop):
        runner.configure_event_loop(loop)


@pytest.fixture(autouse=True)
async def enable_event_loop_debug(monkeypatch: pytest.MonkeyPatch) -> None:
    """Enable the checks of asyncio's debug mode without recording stacks of tasks and timers.

    The checks find calls from the wrong thread. Recording stacks took half of the time of all
    tests with a Home Assistant; PYTHONASYNCIODEBUG=1 enables it.
    """
    loop = asyncio.get_running_loop()
    if not loop.get_debug():
        loop.set_debug(True)
        loop.slow_callback_duration = math.inf
        monkeypatch.setattr(loop, "get_debug", bool)


class Resolver(ThreadedResolver):
    """A resolver without mDNS, which keeps no resources open."""

    async def real_close(self) -> None:
        """Do nothing; Home Assistant calls this when it stops."""


@pytest.fixture(autouse=True, scope="session")
def mock_zeroconf_resolver() -> Generator[object]:
    """Replace the resolver of Home Assistant's test package.

    The package creates a resolver for each event loop and closes none: each test would leak a
    thread and three file descriptors.
    """
    patcher = patch(
        "homeassistant.helpers.aiohttp_client._async_make_resolver", lambda _hass: Resolver()
    )
    with patcher:
        yield patcher


@pytest.fixture(autouse=True)
def _home_assistant_finds_onemeter(request: pytest.FixtureRequest) -> None:
    """Enable this integration in tests with a Home Assistant."""
    if "hass" in request.fixturenames:
        if "recorder_mock" in request.fixturenames:
            request.getfixturevalue("recorder_mock")  # must be there before hass
        request.getfixturevalue("enable_custom_integrations")


@pytest.fixture(autouse=True)
def _machine_has_no_serial_ports(request: pytest.FixtureRequest) -> Generator[None]:
    """Hide the machine's serial ports from flows; tests with ports of their own patch again."""
    if "hass" not in request.fixturenames:
        yield
        return
    ports = "custom_components.onemeter.flow.ports"
    with (
        patch(f"{ports}.async_scan_serial_ports", AsyncMock(return_value=[])),
        patch(f"{ports}.async_get_serial_port_consumers", AsyncMock(return_value={})),
    ):
        yield


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run tests in real time first, since they take longest."""
    items.sort(key=lambda item: item.get_closest_marker("real_time") is None)
    for item in items:
        if item.get_closest_marker("real_time") and not item.get_closest_marker("timeout"):
            # They take several times as long on a busy machine.
            item.add_marker(pytest.mark.timeout(400))


@pytest.fixture(autouse=True)
def _steady_clock_stands_still(request: pytest.FixtureRequest) -> Generator[None]:
    """Make ``freezer`` also freeze the clock that continues while the machine is suspended."""
    if "freezer" not in request.fixturenames:
        yield
        return

    def frozen() -> int:
        return time.monotonic_ns()

    with patch("custom_components.onemeter.totals.moment.steady_ns", frozen):
        yield


def pytest_collection_finish(session: pytest.Session) -> None:
    """Fail a run of all tests without any test of a required marker."""
    if session.config.args_source is not pytest.Config.ArgsSource.TESTPATHS:
        return
    found = {marker.name for item in session.items for marker in item.iter_markers()}
    if missing := REQUIRED - found:
        raise pytest.UsageError(f"ONEMETER_REQUIRE: no test is marked {', '.join(sorted(missing))}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail a skipped test of a required marker."""
    report = yield
    required = REQUIRED & {marker.name for marker in item.iter_markers()}
    if required and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"ONEMETER_REQUIRE: skipped, but must run here: {report.longrepr}"
    return report
