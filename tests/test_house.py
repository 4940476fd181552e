"""How the Home Assistant layer is built: imports run one way, from floor to floor."""

from pathlib import Path

from .helpers.floors import wrong_imports

INTEGRATION = Path(__file__).parents[1] / "custom_components/onemeter"

#: From the bottom up; each floor imports from those below it, and a package from itself.
FLOORS = (
    {"const", "meter"},
    {"settings"},
    {"access", "registers"},
    {"totals", "events"},
    {"billing"},
    {"impulses"},
    {"coordinator"},
    {"devices", "energy_dashboard", "history"},
    {"actions", "takeover"},
    {"states", "flow", "entity", "services"},
    {"status_sensors"},
    {"__init__", "config_flow", "repairs", "diagnostics", "system_health"}
    | {"sensor", "binary_sensor", "button", "event"},
)
TOP_MODULES_MAX = 14


def test_imports_run_one_way() -> None:
    assert not wrong_imports(INTEGRATION, FLOORS, ignored={"meter"})


def test_the_top_holds_what_home_assistant_prescribes() -> None:
    assert len(list(INTEGRATION.glob("*.py"))) <= TOP_MODULES_MAX
