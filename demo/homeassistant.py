"""The demo's Home Assistant: its folder, with onboarding done, and its process."""

import asyncio
from datetime import UTC, datetime
import json
import os
from pathlib import Path
import signal
import sys
from typing import Any, Final

#: Only this machine can connect, since there is no login.
HOST: Final = "127.0.0.1"

#: That of the simulated meters.
TIME_ZONE: Final = "Europe/Berlin"

_ROOT: Final = Path(__file__).parents[1]
_LOG_TAIL: Final = 15
#: Exit status with which Home Assistant requests a restart.
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
    # Home Assistant sets up camera support, whose programs and libraries are missing here.
    haffmpeg: critical
    homeassistant.components.camera: critical
"""

_USER: Final = "demo"


class StartError(Exception):
    """Home Assistant has ended unexpectedly."""


class HomeAssistant:
    """The process and its folder."""

    #: Seconds after which a process that does not stop is killed.
    stop_seconds: float = 20

    def __init__(self, folder: Path, port: int) -> None:
        """Create it for a folder and the port of the web pages; nothing is written yet."""
        self.folder = folder
        self.port = port
        self.log = folder / "home-assistant.out"
        #: The id of the process, once it was started.
        self.pid = 0

    @property
    def url(self) -> str:
        """The address of the web pages."""
        return f"http://{HOST}:{self.port}"

    def prepare(self) -> None:
        """Write the configuration, and at the first start the result of onboarding."""
        config = self.folder / "config"
        storage = config / ".storage"
        storage.mkdir(parents=True, exist_ok=True)
        (config / "configuration.yaml").write_text(_CONFIGURATION)
        integration = config / "custom_components"
        integration.unlink(missing_ok=True)
        integration.symlink_to(_ROOT / "custom_components")
        _store(storage, "http", 2, 2, _http(self.port))
        # After the first start Home Assistant changes these files itself.
        if not (storage / "auth").exists():
            for key, version, minor_version, data in _first_start():
                _store(storage, key, version, minor_version, data)

    async def run(self) -> None:
        """Run the process until this is canceled; StartError with the end of its log if it ends.

        A restart from the web pages starts it again.
        """
        while True:
            process = await self._start()
            try:
                status = await process.wait()
            except asyncio.CancelledError:
                await self._stop(process)
                raise
            if status != _RESTART:
                lines = self.log.read_text(errors="replace").splitlines()[-_LOG_TAIL:]
                headline = f"Home Assistant has ended (status {status}). The end of its log:"
                raise StartError("\n".join([headline, *lines]))

    def command(self) -> list[str | Path]:
        """Return the command of the process."""
        options = ("--config", self.folder / "config", "--skip-pip")
        return [sys.executable, "-m", "homeassistant", *options]

    async def _start(self) -> asyncio.subprocess.Process:
        with self.log.open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                *self.command(),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=asyncio.subprocess.STDOUT,
                # In its own session the terminal's Ctrl-C does not reach it: we stop it, and a
                # second signal would kill it while it stops.
                start_new_session=True,
            )
        self.pid = process.pid
        return process

    async def _stop(self, process: asyncio.subprocess.Process) -> None:
        """Stop a process and its children."""
        if process.returncode is not None:
            return
        process.terminate()
        try:
            async with asyncio.timeout(self.stop_seconds):
                await process.wait()
        except TimeoutError:
            os.killpg(process.pid, signal.SIGKILL)
            await process.wait()


def _store(storage: Path, key: str, version: int, minor_version: int, data: Any) -> None:
    content = {"version": version, "minor_version": minor_version, "key": key, "data": data}
    (storage / key).write_text(json.dumps(content, indent=2))


def _http(port: int) -> dict[str, Any]:
    # In storage, because Home Assistant no longer reads these from YAML.
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
        "time_zone": TIME_ZONE,
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
        # Days are those of the house, wherever the browser is.
        (f"frontend.user_data_{_USER}", 1, 1, {"language": {"time_zone": "server"}}),
        ("auth", 1, 1, auth),
    ]
