"""What all tests share."""

from collections.abc import Generator
import os

from hypothesis import settings
import pytest

# Home Assistant looks for custom integrations in this package, once it is imported.
import custom_components  # noqa: F401

# The same examples in every run, so that a change is judged by nothing but itself; scripts/soak
# looks for new ones.
settings.register_profile("tests", deadline=None, derandomize=True)
settings.register_profile("soak", deadline=None, max_examples=10_000)
settings.load_profile("tests")

# The markers whose tests must run and not be skipped: .ci/run names them, since it has brought all
# that they need.
REQUIRED = frozenset(os.environ.get("ONEMETER_REQUIRE", "").split())


@pytest.fixture(autouse=True)
def _home_assistant_finds_onemeter(request: pytest.FixtureRequest) -> None:
    """Let Home Assistant load this integration, in tests that have a Home Assistant."""
    if "hass" in request.fixturenames:
        if "recorder_mock" in request.fixturenames:
            request.getfixturevalue("recorder_mock")  # must be there before hass
        request.getfixturevalue("enable_custom_integrations")


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
