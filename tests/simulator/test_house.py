"""How the simulator is built: independent of the library, with imports that run one way."""

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path
import sys

import pytest

from ..helpers.floors import wrong_imports

ROOT = Path(__file__).parents[2]
SIMULATOR = ROOT / "simulator"
MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts): path
    for path in sorted(SIMULATOR.rglob("*.py"))
    if path.name != "__init__.py"
}
#: From the bottom up; each floor imports from those below it, and a package from itself.
FLOORS = (
    {"arguments", "clock", "days", "faults", "log", "uart"},
    {"household", "line"},
    {"command", "memory", "pty", "push", "tcp"},
    {"blink", "iec62056", "replay", "sml"},
    {"dlms"},
    {"kinds"},
    {"__init__", "__main__"},
)
ALLOWED = {
    "simulator.memory": {"serialx"},
    "simulator.dlms.ciphering": {"cryptography"},
}


def imported(module: str) -> Iterator[str]:
    """Yield the full names of all imports of a module, including those for types only."""
    for node in ast.walk(ast.parse(MODULES[module].read_text())):
        match node:
            case ast.Import(names=names):
                yield from (alias.name for alias in names)
            case ast.ImportFrom(module=parent, names=names, level=level):
                package = module.split(".")[:-level] if level else []
                base = ".".join([*package, parent] if parent else package)
                # A name is a module of the package, or something in the module.
                yield from (
                    name if (name := f"{base}.{alias.name}") in MODULES else base for alias in names
                )


@pytest.mark.parametrize("module", MODULES)
def test_imports_nothing_of_the_library(module: str) -> None:
    packages = {name.partition(".")[0] for name in imported(module)}
    allowed = {"simulator", *ALLOWED.get(module, set())}
    assert packages - sys.stdlib_module_names <= allowed


def test_imports_run_one_way() -> None:
    assert not wrong_imports(SIMULATOR, FLOORS)


def test_no_circles() -> None:
    graph = {module: set(imported(module)) & MODULES.keys() for module in MODULES}
    assert graph["simulator.dlms.objects"] >= {"simulator.dlms.cosem", "simulator.dlms.settings"}
    TopologicalSorter(graph).prepare()
