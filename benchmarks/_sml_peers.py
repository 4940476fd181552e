"""Other SML decoders: smllib, pysml in two versions, and libsml where its source is given."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from importlib import import_module
from pathlib import Path
import subprocess
import sys
from tempfile import TemporaryDirectory
from typing import Any, Final

from sml.asyncio import SmlSerialProtocol
from smllib import SmlStreamReader
from smllib.errors import CrcError

from benchmarks._measure import ROUNDS, Chunks, amount

_ROOT: Final = Path(__file__).parents[1]
#: Where the pysml is installed that Home Assistant pins for edl21.
_PINNED: Final = "benchmark-homeassistant"
_PYSML: Final = {"sml", "bitstring", "bitarray"}
_TIMES: Final = amount(100, quick=1)

type Decode = Callable[[Chunks], int]


def smllib(chunks: Chunks) -> int:
    """Decode values in the way its documentation calls faster; return the number of telegrams."""
    reader = SmlStreamReader()
    frames = 0
    for chunk in chunks:
        reader.add(chunk)
        with suppress(CrcError):
            while (frame := reader.get_frame()) is not None:
                for entry in frame.get_obis():
                    entry.get_value()
                frames += 1
    return frames


def _pysml(protocol_class: Any, chunks: Chunks) -> int:
    """Decode dictionaries; return the number of telegrams."""
    lists = 0

    def dispatch(body: object) -> None:
        nonlocal lists
        lists += type(body).__name__ == "SmlGetListResponse"

    protocol = protocol_class("socket://nowhere:1", dispatch)
    for chunk in chunks:
        protocol.data_received(chunk)
    return lists


def _pinned_pysml() -> Any:
    """Return the protocol of the older pysml: only one version fits into an environment."""
    subprocess.run([_ROOT / "scripts/setup", _PINNED], check=True)  # noqa: S603 - our own script
    (folder,) = (_ROOT / f".venv-{_PINNED}").glob("lib/python*/site-packages")
    ours = {name: sys.modules.pop(name) for name in [*sys.modules] if _root_of(name) in _PYSML}
    sys.path.insert(0, str(folder))
    try:
        return import_module("sml.asyncio").SmlSerialProtocol
    finally:
        sys.path.remove(str(folder))
        sys.modules.update(ours)


def _root_of(module: str) -> str:
    return module.partition(".")[0]


def decoders() -> dict[str, Decode]:
    """Return the decoders by name."""
    return {
        "smllib": smllib,
        "pysml 0.1.9": partial(_pysml, SmlSerialProtocol),
        "pysml 0.1.8": partial(_pysml, _pinned_pysml()),
    }


@contextmanager
def built_libsml(source: Path | None) -> Iterator[Callable[[bytes], tuple[int, float]] | None]:
    """Compile libsml from its source; give a function of telegrams for their number and µs each."""
    if source is None:
        yield None
        return
    with TemporaryDirectory() as folder:
        program = Path(folder, "libsml")
        command: list[str | Path] = ["cc", "-O2", "-D_GNU_SOURCE", "-DSML_NO_UUID_LIB"]
        command += ["-I", source / "sml/include", Path(__file__).with_name("_libsml.c")]
        command += [*(source / "sml/src").glob("*.c"), "-lm", "-o", program]
        subprocess.run(command, check=True)  # noqa: S603 - the compiler on what the user gives

        def measure(data: bytes) -> tuple[int, float]:
            arguments = [str(program), str(ROUNDS), str(_TIMES)]
            ended = subprocess.run(arguments, input=data, capture_output=True, check=True)  # noqa: S603
            telegrams, nanoseconds = ended.stdout.split()
            return int(telegrams), float(nanoseconds) / 1e3

        yield measure
