"""What meters cost in a running Home Assistant, beside its edl21: CPU time, memory, lateness.

The measurement runs in the environment of Home Assistant, see _homeassistant.py.
"""

import os
from pathlib import Path
import subprocess
import sys
import sysconfig
from typing import Final

_ROOT: Final = Path(__file__).parents[1]


def main() -> int:
    """Measure in Home Assistant's environment; return an exit status."""
    subprocess.run([_ROOT / "scripts/setup"], check=True)  # noqa: S603 - our own script
    environment = {name: text for name, text in os.environ.items() if name != "PYTHONPATH"}
    environment["ONEMETER_PEERS"] = sysconfig.get_path("purelib")
    command: list[str | Path] = [
        _ROOT / ".venv/bin/python",
        *("-m", "benchmarks._homeassistant", *sys.argv[1:]),
    ]
    ended = subprocess.run(command, cwd=_ROOT, env=environment, check=False)  # noqa: S603
    return ended.returncode


if __name__ == "__main__":
    sys.exit(main())
