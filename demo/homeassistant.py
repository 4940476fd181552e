"""A Home Assistant of its own, in a folder of its own, as if somebody had set it up already."""

import asyncio
from datetime import UTC, datetime
import json
import os
from pathlib import Path
import signal
import sys
from typing import Any, Final
from zoneinfo import available_timezones

#: Nothing outside this machine gets to see a Home Assistant without login.
HOST: Final = "127.0.0.1"

_ROOT: Final = Path(__file__).parents[1]
_STOP_SECONDS: Final = 20
_LOG_TAIL: Final = 15
#: Exit status with which Home Assistant asks to be started again.
_RESTART: Final = 100

# Only what the demo shows: `default_config` would need packages that have to be compiled.
_CONFIGURATION: Final = """\
homeassistant:
  auth_providers:
    - type: trusted_networks
      trusted_networks: [127.0.0.1/32]
      allow_bypass_login: true
frontend:
history:
energy:
logger:
  default: warning
  logs:
    custom_components.onemeter: info
"""

_USER: Final = "demo"


class StartError(Exception):
    """Home Assistant ended by itself."""


class HomeAssistant:
    """The process, and the folder that it lives in."""

    def __init__(self, folder: Path, port: int) -> None:
        """Take the folder, which is made when it is not there, and the port of the web pages."""
        self.folder = folder
        self.port = port
        self.log = folder / "home-assistant.out"

    @property
    def url(self) -> str:
        """The address of the web pages."""
        return f"http://{HOST}:{self.port}"

    def prepare(self) -> None:
        """Write what a person would have clicked through on the first start."""
        config = self.folder / "config"
        storage = config / ".storage"
        storage.mkdir(parents=True, exist_ok=True)
        (config / "configuration.yaml").write_text(_CONFIGURATION)
        integration = config / "custom_components"
        integration.unlink(missing_ok=True)
        integration.symlink_to(_ROOT / "custom_components")
        _store(storage, "http", 2, 2, _http(self.port))
        # The rest is Home Assistant's own once it has started.
        if not (storage / "auth").exists():
            for key, version, minor_version, data in _first_start():
                _store(storage, key, version, minor_version, data)

    async def run(self) -> None:
        """Run the process until this is canceled; StartError with its last words if it ends.

        Restarting from the web pages works as anywhere.
        """
        while True:
            process = await self._start()
            try:
                status = await process.wait()
            except asyncio.CancelledError:
                await _stop(process)
                raise
            if status != _RESTART:
                lines = self.log.read_text(errors="replace").splitlines()[-_LOG_TAIL:]
                headline = f"Home Assistant has ended (status {status}). Its last words:"
                raise StartError("\n".join([headline, *lines]))

    async def _start(self) -> asyncio.subprocess.Process:
        with self.log.open("wb") as log:
            return await asyncio.create_subprocess_exec(
                sys.executable,
                *("-m", "homeassistant", "--config", self.folder / "config", "--skip-pip"),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=asyncio.subprocess.STDOUT,
                # Out of reach of the terminal's Ctrl-C, which is ours to pass on: the second
                # signal to a Home Assistant that is stopping kills it.
                start_new_session=True,
            )


async def _stop(process: asyncio.subprocess.Process) -> None:
    """Stop a process and all that it has started."""
    if process.returncode is not None:
        return
    process.terminate()
    try:
        async with asyncio.timeout(_STOP_SECONDS):
            await process.wait()
    except TimeoutError:
        os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


def _store(storage: Path, key: str, version: int, minor_version: int, data: Any) -> None:
    content = {"version": version, "minor_version": minor_version, "key": key, "data": data}
    (storage / key).write_text(json.dumps(content, indent=2))


def _http(port: int) -> dict[str, Any]:
    # In storage, because Home Assistant no longer takes these from its YAML.
    return {
        "stable": {
            "server_host": [HOST],
            "server_port": port,
            "cors_allowed_origins": [],
            "login_attempts_threshold": -1,
            "ip_ban_enabled": True,
            "ssl_profile": "modern",
            "use_x_frame_options": True,
            "created_at": datetime.now(UTC).isoformat(),
            "error": None,
            "error_message": None,
        },
        "pending": None,
        "yaml_migration_done": True,
    }


def _first_start() -> list[tuple[str, int, int, Any]]:
    """Return the stored data of an onboarded Home Assistant: key, version, minor version, data."""
    user = {
        "id": _USER,
        "group_ids": ["system-admin"],
        "is_owner": True,
        "is_active": True,
        "name": "Demo",
        "system_generated": False,
        "local_only": False,
    }
    groups = [{"id": f"system-{name}", "name": name} for name in ("admin", "users", "read-only")]
    auth = {"users": [user], "groups": groups, "credentials": [], "refresh_tokens": []}
    home = {
        "latitude": 52.52,
        "longitude": 13.405,
        "elevation": 34,
        "radius": 100,
        "unit_system_v2": "metric",
        "location_name": "Home",
        "time_zone": _time_zone(),
        "external_url": None,
        "internal_url": None,
        "currency": "EUR",
        "country": "DE",
        "language": "en",
    }
    steps = ["user", "core_config", "analytics", "integration"]
    return [
        ("core.config", 1, 4, home),
        ("onboarding", 4, 1, {"done": steps}),
        ("frontend.system_data", 1, 1, {"core": {"default_panel": "energy"}}),
        ("auth", 1, 1, auth),
    ]


def _time_zone() -> str:
    """Return the name of this machine's time zone; UTC where it cannot be told."""
    candidates = [os.environ.get("TZ", "").lstrip(":")]
    candidates.append(str(Path("/etc/localtime").resolve()).rpartition("zoneinfo/")[2])
    zones = available_timezones()
    return next((name for name in candidates if name in zones), "UTC")
