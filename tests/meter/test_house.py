"""The rules by which the reading library is built."""

import ast
from pathlib import Path
import subprocess
import sys

import pytest

from ..helpers.floors import wrong_imports

LIBRARY = Path(__file__).parents[2] / "custom_components" / "onemeter" / "meter"
MODULES = sorted(LIBRARY.rglob("*.py"))

#: From the bottom up; each floor imports from those below it, and a package from itself.
FLOORS = (
    {"checksum", "clock", "errors", "flag", "line", "obis", "parity", "port_lock", "record"}
    | {"receiver", "redaction", "slices", "units"},
    {"interleaving", "looks", "modem", "port_errors", "protocols", "reading"},
    {"client", "gathering", "identity", "pin_lock", "port"},
    {"channel"},
    {"stream"},
    {"blink", "iec62056", "sml"},
    # A DLMS meter may need a sign-on of IEC 62056-21, or push an encrypted readout.
    {"dlms"},
    {"clients", "detection"},
    {"cli"},
    {"__init__", "__main__"},
)
DLMS_FLOORS = (
    {"settings"},
    {"apdu"},
    {"security", "cosem", "mbus_clients"},
    {"link"},
    {"push"},
    # The client of polled meters.
    {"memory", "object_selection", "profile_rows", "short_names"},
    {"association"},
    {"connection"},
    {"session"},
    {"object_list"},
    {"association_manager", "registers"},
    {"objects", "profile"},
    {"client"},
    {"__init__"},
)

ALLOWED = {
    "port.py": {"serialx"},
    "dlms/security/hls.py": {"cryptography"},
    "dlms/security/ciphering.py": {"cryptography"},
}


def imported(module: Path) -> tuple[set[str], int]:
    """Return the packages that a module imports by name, and how far up its relative imports go."""
    names: set[str] = set()
    highest = 0
    for node in ast.walk(ast.parse(module.read_text())):
        match node:
            case ast.Import():
                names |= {alias.name.partition(".")[0] for alias in node.names}
            case ast.ImportFrom(level=0, module=str(name)):
                names.add(name.partition(".")[0])
            case ast.ImportFrom(level=level):
                highest = max(highest, level)
    return names, highest


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(LIBRARY)))
def test_imports(module: Path) -> None:
    """Only itself and the standard library, serialx for the port, and cryptography for keys."""
    names, highest = imported(module)
    allowed = ALLOWED.get(str(module.relative_to(LIBRARY)), set())
    assert names - sys.stdlib_module_names <= allowed
    assert highest <= len(module.relative_to(LIBRARY).parts)


def test_imports_run_one_way() -> None:
    assert not wrong_imports(LIBRARY, FLOORS)


def test_imports_of_dlms_run_one_way() -> None:
    assert not wrong_imports(LIBRARY / "dlms", DLMS_FLOORS)


@pytest.mark.parametrize("statement", ["from ..settings import Keys", "from .. import settings"])
def test_imports_that_run_back_up_are_found(tmp_path: Path, statement: str) -> None:
    (tmp_path / "apdu").mkdir()
    (tmp_path / "apdu/tags.py").write_text(statement)
    (tmp_path / "settings.py").write_text("from .apdu import tags")
    wrong = wrong_imports(tmp_path, ({"apdu"}, {"settings"}))
    assert wrong == ["apdu/tags.py imports from settings"]
    wrong = wrong_imports(tmp_path, ({"settings", "apdu"}, {"client"}))
    assert wrong == [
        "client does not exist",
        "apdu/tags.py imports from settings",
        "settings.py imports from apdu",
    ]
    assert "apdu is on no floor" in wrong_imports(tmp_path, ({"settings"},))


def test_absolute_imports_that_run_back_up_are_found(tmp_path: Path) -> None:
    root = tmp_path / "package"
    root.mkdir()
    (root / "low.py").write_text("from package.high import name")
    (root / "high.py").write_text("from package_of_another import low")
    assert wrong_imports(root, ({"low"}, {"high"})) == ["low.py imports from high"]


def test_stands_alone_and_decodes_without_the_port() -> None:
    """The library runs without the integration; decoding a file imports only what it needs."""
    code = (
        "import sys, meter.__main__; heavy = {'asyncio', 'serialx', 'homeassistant'};"
        "assert not heavy & sys.modules.keys();"
        "import meter.clients; assert 'homeassistant' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=LIBRARY.parent)


def test_only_clients_of_dlms_import_dlms_and_cryptography() -> None:
    """The others run where there is no cryptography."""
    code = """if True:
        import sys
        from meter import PUSHED_LINE, Protocol
        from meter.blink.client import BlinkClient
        from meter.blink.constant import ImpulseConstant
        from meter.blink.counter import ImpulseCounter
        from meter.blink.settings import BlinkSettings
        from meter.clients import create_polled_client, create_pushed_client

        def imported():
            return [name for name in sys.modules if name.startswith(("meter.dlms", "cryptography"))]

        counter = ImpulseCounter(ImpulseConstant.per_kwh(1000))
        create_pushed_client(Protocol.SML, "/dev/ttyUSB0")
        create_pushed_client(Protocol.IEC62056, "/dev/ttyUSB0")
        BlinkClient("/dev/ttyUSB0", PUSHED_LINE[Protocol.BLINK], counter, BlinkSettings())
        create_polled_client(Protocol.IEC62056, "/dev/ttyUSB0")
        assert not imported(), imported()
        create_polled_client(Protocol.DLMS, "/dev/ttyUSB0")
        assert imported()
    """
    subprocess.run([sys.executable, "-c", code], check=True, cwd=LIBRARY.parent)


def test_what_runs_on_one_release_needs_neither_home_assistant_nor_a_port() -> None:
    """The modules are imported without the integration, which imports Home Assistant."""
    root = LIBRARY.parents[2]
    listed = (root / "tests/run_once.txt").read_text().splitlines()
    paths = [line for line in listed if not line.startswith("#")]
    modules = [path.removesuffix(".py").replace("/", ".") for path in paths]
    code = f"""if True:
        import importlib, sys, types
        import custom_components
        package = types.ModuleType("custom_components.onemeter")
        package.__path__ = ["custom_components/onemeter"]
        sys.modules[package.__name__] = custom_components.onemeter = package
        for module in {modules}:
            importlib.import_module(module)
            assert not {{"homeassistant", "serialx"}} & sys.modules.keys(), module
    """
    subprocess.run([sys.executable, "-c", code], cwd=root, check=True)
    assert all((root / path).exists() for path in paths)
    assert len(paths) > 40
