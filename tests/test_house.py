"""How the Home Assistant layer is built: imports run one way, from floor to floor."""

import ast
from collections.abc import Iterator
from pathlib import Path

INTEGRATION = Path(__file__).parents[1] / "custom_components/onemeter"

#: From the bottom up; each floor imports from those below it, and a package from itself.
FLOORS = (
    {"const", "meter"},
    {"settings"},
    {"access", "registers"},
    {"totals"},
    {"impulses"},
    {"coordinator"},
    {"energy_dashboard"},
    {"states", "flow", "entity", "services"},
    {"__init__", "config_flow", "repairs", "diagnostics", "system_health"}
    | {"sensor", "binary_sensor", "button"},
)
TOP_MODULES_MAX = 14


def room(module: Path) -> str:
    """Return the package of a module, or its name where it is in none."""
    first = module.relative_to(INTEGRATION).parts[0]
    return first.removesuffix(".py")


def imported_rooms(module: Path) -> Iterator[str]:
    """Return where a module imports from, within the integration."""
    package = module.relative_to(INTEGRATION).parts[:-1]
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level:
            names = [node.module] if node.module else [alias.name for alias in node.names]
            base = package[: len(package) - node.level + 1]
            for name in names:
                yield (*base, *name.split("."))[0]


def modules() -> list[Path]:
    found = sorted(INTEGRATION.rglob("*.py"))
    return [module for module in found if room(module) != "meter"]


def test_imports_run_one_way() -> None:
    floor_of = {name: number for number, names in enumerate(FLOORS) for name in names}
    assert {room(module) for module in modules()} | {"meter"} == floor_of.keys()
    wrong = [
        f"{module.relative_to(INTEGRATION)} imports from {name}"
        for module in modules()
        for name in imported_rooms(module)
        if name != room(module) and floor_of[name] >= floor_of[room(module)]
    ]
    assert not wrong


def test_the_top_holds_what_home_assistant_prescribes() -> None:
    assert len(list(INTEGRATION.glob("*.py"))) <= TOP_MODULES_MAX
