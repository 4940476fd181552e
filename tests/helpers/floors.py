"""Checks that the imports within a package run one way, from floor to floor."""

import ast
from collections.abc import Iterator, Sequence, Set as AbstractSet
from pathlib import Path


def room_of(module: Path, root: Path) -> str:
    """Return the package of a module directly below the root, or its name if it is in none."""
    first = module.relative_to(root).parts[0]
    return first.removesuffix(".py")


def imported_rooms(module: Path, root: Path) -> Iterator[str]:
    """Yield the rooms below the root from which a module imports.

    Absolute imports are found if the root is a top-level package.
    """
    package = module.relative_to(root).parts[:-1]
    for node in ast.walk(ast.parse(module.read_text())):
        if not isinstance(node, ast.ImportFrom):
            continue
        names = [node.module] if node.module else [alias.name for alias in node.names]
        if 0 < node.level <= len(package) + 1:
            base = package[: len(package) - node.level + 1]
            for name in names:
                yield (*base, *name.split("."))[0]
        elif not node.level and (own := names[0].removeprefix(f"{root.name}.")) != names[0]:
            yield own.partition(".")[0]


def wrong_imports(
    root: Path, floors: Sequence[AbstractSet[str]], *, ignored: AbstractSet[str] = frozenset()
) -> list[str]:
    """Return the imports of a room from its own floor or from above, and rooms without a floor.

    Floors are listed from the bottom up. Imports of ignored rooms are not checked.
    """
    floor_of = {name: number for number, names in enumerate(floors) for name in names}
    rooms = {room_of(module, root) for module in root.rglob("*.py")}
    wrong = [f"{name} is on no floor" for name in sorted(rooms - floor_of.keys())]
    wrong += [f"{name} does not exist" for name in sorted(floor_of.keys() - rooms)]
    for module in sorted(root.rglob("*.py")):
        room = room_of(module, root)
        wrong += [
            f"{module.relative_to(root)} imports from {name}"
            for name in imported_rooms(module, root)
            if room not in ignored
            and name != room
            and floor_of.get(name, -1) >= floor_of.get(room, len(floors))
        ]
    return wrong
