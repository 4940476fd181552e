"""How the simulator is built: independent of the library, with imports that run one way."""

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path
import sys

import pytest

ROOT = Path(__file__).parents[2]
MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts): path
    for path in sorted((ROOT / "simulator").rglob("*.py"))
    if path.name != "__init__.py"
}
#: From the bottom up; each floor imports from those below it, and a package from itself.
FLOORS = (
    {"arguments", "clock", "days", "faults", "log", "uart"},
    {"household", "line"},
    {"command", "memory", "pty", "push", "tcp"},
    {"blink", "iec62056", "replay", "sml"},
    {"dlms"},
    {"__main__"},
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


def room(module: str) -> str:
    return module.split(".")[1]


@pytest.mark.parametrize("module", MODULES)
def test_imports_nothing_of_the_library(module: str) -> None:
    packages = {name.partition(".")[0] for name in imported(module)}
    allowed = {"simulator", *ALLOWED.get(module, set())}
    assert packages - sys.stdlib_module_names <= allowed


def test_imports_run_one_way() -> None:
    floor_of = {name: number for number, names in enumerate(FLOORS) for name in names}
    assert {room(module) for module in MODULES} == floor_of.keys()
    wrong = [
        f"{module} imports {name}"
        for module in MODULES
        for name in imported(module)
        if name.startswith("simulator.")
        and room(name) != room(module)
        and floor_of[room(name)] >= floor_of[room(module)]
    ]
    assert not wrong


def test_no_circles() -> None:
    graph = {module: set(imported(module)) & MODULES.keys() for module in MODULES}
    assert graph["simulator.dlms.objects"] >= {"simulator.dlms.cosem", "simulator.dlms.settings"}
    TopologicalSorter(graph).prepare()
