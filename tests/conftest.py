"""What all tests share."""

import asyncio
from collections.abc import Callable, Generator, Mapping
from functools import partial
import math
import os
from pathlib import Path
import time
from unittest.mock import patch

from aiohttp import ThreadedResolver
from hypothesis import settings
import pytest

# Home Assistant looks for custom integrations in this package, once it is imported.
import custom_components  # noqa: F401
from homeassistant import runner
from simulator.clock import SimulatedClockLoop

# The same examples in every run, so that a change is judged by nothing but itself; scripts/soak
# looks for new ones.
settings.register_profile("tests", deadline=None, derandomize=True)
settings.register_profile("soak", deadline=None, max_examples=10_000)
settings.load_profile("tests")

# The markers whose tests must run and not be skipped: .ci/run names them, since it has brought all
# that they need.
REQUIRED = frozenset(os.environ.get("ONEMETER_REQUIRE", "").split())


# What these test runs on simulated time; the others have a Home Assistant, with threads of its own.
SIMULATED = (Path(__file__).parent / "meter", Path(__file__).parent / "simulator")
# Less than a test may take: the exception of pytest's time-out is lost where it ends a task.
REAL_SECONDS = 100


def pytest_asyncio_loop_factories(
    item: pytest.Item,
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Run the tests of meters and clients on a simulated clock, except where they say why not."""
    is_simulated = (
        any(folder in item.path.parents for folder in SIMULATED)
        and item.get_closest_marker("real_time") is None
    )
    simulated_loop = partial(SimulatedClockLoop, REAL_SECONDS)
    return {"loop": simulated_loop if is_simulated else asyncio.new_event_loop}


@pytest.fixture(autouse=True)
async def configure_event_loop() -> None:
    """Configure the loop as Home Assistant does its own, which puts another clock in it."""
    loop = asyncio.get_running_loop()
    if not isinstance(loop, SimulatedClockLoop):
        runner.configure_event_loop(loop)


@pytest.fixture(autouse=True)
async def enable_event_loop_debug(monkeypatch: pytest.MonkeyPatch) -> None:
    """Check as asyncio does in debug mode, but do not record the stack of each task and timer.

    The checks find what is called from the wrong thread. The stacks took half of the time of all
    tests with a Home Assistant; PYTHONASYNCIODEBUG=1 brings them back.
    """
    loop = asyncio.get_running_loop()
    if not loop.get_debug():
        loop.set_debug(True)
        loop.slow_callback_duration = math.inf
        monkeypatch.setattr(loop, "get_debug", bool)


class Resolver(ThreadedResolver):
    """A resolver of names, without those of mDNS, that keeps nothing open."""

    async def real_close(self) -> None:
        """Do what Home Assistant does when it ends."""


@pytest.fixture(autouse=True, scope="session")
def mock_zeroconf_resolver() -> Generator[object]:
    """Replace the resolver of Home Assistant's test package.

    It makes a new one whenever a session's event loop begins, here with each test, and closes none:
    each test would leave a thread and three file descriptors behind.
    """
    patcher = patch(
        "homeassistant.helpers.aiohttp_client._async_make_resolver", lambda _hass: Resolver()
    )
    with patcher:
        yield patcher


@pytest.fixture(autouse=True)
def _home_assistant_finds_onemeter(request: pytest.FixtureRequest) -> None:
    """Let Home Assistant load this integration, in tests that have a Home Assistant."""
    if "hass" in request.fixturenames:
        if "recorder_mock" in request.fixturenames:
            request.getfixturevalue("recorder_mock")  # must be there before hass
        request.getfixturevalue("enable_custom_integrations")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the tests that wait for something with a clock of its own: the longest ones."""
    items.sort(key=lambda item: item.get_closest_marker("real_time") is None)
    for item in items:
        if item.get_closest_marker("real_time") and not item.get_closest_marker("timeout"):
            # On a busy machine what they wait for takes several times as long.
            item.add_marker(pytest.mark.timeout(400))


@pytest.fixture(autouse=True)
def _steady_clock_stands_still(request: pytest.FixtureRequest) -> Generator[None]:
    """Freeze the clock that goes on while the machine sleeps with the others that are frozen."""
    if "freezer" not in request.fixturenames:
        yield
        return

    def frozen() -> int:
        return time.monotonic_ns()

    with patch("custom_components.onemeter.totals.moment.steady_ns", frozen):
        yield


def pytest_collection_finish(session: pytest.Session) -> None:
    """Fail when none of the tests that must run was found in a run of all tests."""
    if session.config.args_source is not pytest.Config.ArgsSource.TESTPATHS:
        return
    found = {marker.name for item in session.items for marker in item.iter_markers()}
    if missing := REQUIRED - found:
        raise pytest.UsageError(f"ONEMETER_REQUIRE: no test is marked {', '.join(sorted(missing))}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail a skipped test that must run."""
    report = yield
    required = REQUIRED & {marker.name for marker in item.iter_markers()}
    if required and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"ONEMETER_REQUIRE: skipped, but must run here: {report.longrepr}"
    return report
