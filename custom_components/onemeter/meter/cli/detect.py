"""Finding out which meter is at a port: the command ``detect``."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import fields
from datetime import datetime
import json
from pathlib import Path
import signal
from typing import Any, Final

from ..blink.settings import BlinkSettings
from ..detection import Candidate, Detection, Situation, Step, detect
from ..dlms.settings import DlmsSettings
from ..iec62056.settings import SignOn
from ..redaction import redact
from .dlms_arguments import state_folder
from .output import Output, complain

_STEPS: Final = {
    Step.OPEN: "opening the port",
    Step.LISTEN: "listening",
    Step.LINE: "bytes come: trying other speeds",
    Step.SIGN_ON: "asking by IEC 62056-21",
    Step.HDLC: "asking by DLMS over HDLC",
    Step.WRAPPER: "asking by DLMS over TCP",
    Step.WAKE_UP: "waking a battery meter",
}
_LIGHT: Final = (
    "light was sent: the meter's display may ask for a PIN, and goes back by itself after 2 minutes"
)


def find(url: str, country: str | None, output: Output) -> int:
    """Write what is found as one JSON object; return the exit status."""
    with suppress(BrokenPipeError, KeyboardInterrupt, asyncio.CancelledError):
        found = asyncio.run(_find(url, country))
        output.write(detection_as_json(found, url))
        if found.error is not None:
            complain(found.error)
        elif found.winner is None and found.light_seconds:
            complain(_LIGHT)
        return 0 if found.situation is Situation.FOUND else 1
    return 1


async def _find(url: str, country: str | None) -> Detection:
    loop = asyncio.get_running_loop()
    if (task := asyncio.current_task()) is not None:
        loop.add_signal_handler(signal.SIGTERM, task.cancel)
    shown: Step | None = None

    def progress(step: Step, _: float) -> None:
        nonlocal shown
        if step is not shown and step in _STEPS:
            complain(_STEPS[step])
        shown = step

    memory = _WakeUps(state_folder() / "wake_ups.json")
    before = await asyncio.to_thread(memory.last, url)
    found = await detect(url, country=country, progress=progress, last_wake_up=before)
    if found.last_wake_up != before:
        await asyncio.to_thread(memory.store, url, found.last_wake_up)
    return found


class _WakeUps:
    """Remembers when battery meters were woken, by their ports."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def last(self, url: str) -> datetime | None:
        try:
            time = datetime.fromisoformat(str(self._content().get(redact(url))))
        except ValueError:
            return None
        return None if time.tzinfo is None else time

    def store(self, url: str, time: datetime | None) -> None:
        with suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            content = self._content() | ({} if time is None else {redact(url): time.isoformat()})
            self._path.write_text(json.dumps(content), "utf-8")

    def _content(self) -> dict[str, str]:
        try:
            content = json.loads(self._path.read_text("utf-8"))
        except OSError, ValueError:
            return {}
        return content if isinstance(content, dict) else {}


def detection_as_json(found: Detection, url: str) -> dict[str, Any]:
    """Return what was found, in the form of the output."""
    return {
        "port": redact(url),
        "situation": found.situation,
        "candidates": [candidate_as_json(candidate) for candidate in found.candidates],
        "command": None if found.winner is None else _command(found.winner, url),
        "error": None if found.error is None else str(found.error),
        "looks_like": found.looks_like,
        "received": found.received,
        "tried": [str(line) for line in found.tried],
        "seconds": found.seconds,
        "light_seconds": found.light_seconds,
        "dark_seconds": found.dark_seconds,
    }


def candidate_as_json(candidate: Candidate) -> dict[str, Any]:
    """Return a candidate likewise, without what is not known of it."""
    meter, encryption = candidate.identity, candidate.encryption
    content = {
        "protocol": candidate.protocol,
        "mode": "polled" if candidate.is_polled else "pushed",
        "baudrate": candidate.line.baudrate,
        "framing": candidate.line.framing,
        "settings": _changed(candidate.settings),
        "checksum": candidate.checksum,
        "frames": candidate.frames,
        "encryption": encryption
        and {
            "encrypted": encryption.is_encrypted,
            "authenticated": encryption.is_authenticated,
            "suite": encryption.suite,
            "system_title": encryption.system_title and encryption.system_title.hex(),
        },
        "meter_id": meter.meter_id,
        "manufacturer": meter.manufacturer,
        "ident": meter.ident,
        "echo": candidate.has_echo or None,
        "pin_locked": candidate.is_locked or None,
        "refusal": candidate.refusal,
        "evidence": [str(evidence) for evidence in candidate.evidence],
    }
    return {key: value for key, value in content.items() if value not in (None, {})}


def _changed(settings: SignOn | DlmsSettings | BlinkSettings | None) -> Mapping[str, Any]:
    """Return what is other than usual in some settings."""
    if settings is None:
        return {}
    usual = type(settings)()
    found = {field.name: getattr(settings, field.name) for field in fields(settings)}
    return {key: value for key, value in found.items() if value != getattr(usual, key)}


def _command(winner: Candidate, url: str) -> str:
    """Return the command that reads the meter."""
    command = "read" if winner.is_polled else "listen"
    words = [command, "--protocol", winner.protocol, "--port", redact(url)]
    words += ["--baud", str(winner.line.baudrate), "--framing", winner.line.framing]
    match winner.settings:
        case SignOn(wake_up=True):
            words.append("--battery")
        case SignOn(table=table) if table:
            words += ["--table", table]
        case DlmsSettings(transport=transport) if transport is not None:
            words += ["--transport", transport]
        case BlinkSettings():
            words += ["--impulses-per-kwh", "N"]
    return " ".join(words)
