"""The command line for polled DLMS meters."""

import asyncio
import json
import os
from pathlib import Path
import sys

import pytest

from custom_components.onemeter.meter.cli.arguments import parser
from custom_components.onemeter.meter.cli.polled_arguments import dlms_of
from custom_components.onemeter.meter.dlms.settings import (
    Authentication,
    DlmsSettings,
    Protection,
    Transport,
)

from ...helpers.dlms_meters import AUTHENTICATION_KEY, ENCRYPTION_KEY, SPEED, at_a_pty, ciphered

ROOT = Path(__file__).parents[3]
ASK = ["read", "--protocol", "dlms", "--port", "/dev/null"]
KEYS = [
    *("--encryption-key", ENCRYPTION_KEY.hex()),
    *("--authentication-key", AUTHENTICATION_KEY.hex()),
]


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return tmp_path / "onemeter"


def settings_of(*arguments: str) -> DlmsSettings:
    return dlms_of(parser().parse_args([*ASK, *arguments]))[0]


def test_public_client_is_usual(state: Path) -> None:
    settings, counter = dlms_of(parser().parse_args(ASK))
    assert settings == DlmsSettings()
    assert counter is None
    assert not state.exists()


def test_all_options() -> None:
    settings = settings_of(
        *("--transport", "wrapper", "--client", "2", "--server", "1/17"),
        *("--address-length", "4", "--authentication", "sha256", "--password", "0x00ff"),
        *("--security", "authenticated", "--suite", "1", "--dedicated-key"),
        *("--system-title", "4f4e4d0000000001", "--counter-instance", "3"),
        *("--invert-deviation", "--address", "12"),
        *KEYS,
    )
    assert settings.transport is Transport.WRAPPER
    assert (settings.client, settings.logical_device, settings.physical_device) == (2, 1, 17)
    assert settings.address_length == 4
    assert settings.authentication is Authentication.HLS_SHA256
    assert settings.password == b"\x00\xff"
    assert settings.protection is Protection.AUTHENTICATED
    assert (settings.suite, settings.dedicated_key) == (1, True)
    assert settings.system_title == b"ONM\0\0\0\0\1"
    assert (settings.counter_instance, settings.invert_deviation) == (3, True)
    assert settings.sign_on_address == "12"


def test_what_keys_and_passwords_suggest() -> None:
    assert settings_of(*KEYS).authentication is Authentication.HLS_GMAC
    assert settings_of(*KEYS).client == 1
    assert settings_of("--password", "abc").authentication is Authentication.LLS
    assert settings_of(*KEYS[:2]).authentication is Authentication.NONE


def test_own_system_title_is_made_anew_each_time() -> None:
    first, second = (settings_of(*KEYS).system_title or b"" for _ in range(2))
    assert first.startswith(b"ONM")
    assert second.startswith(b"ONM")
    assert first != second


def test_password_from_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "password.txt").write_text("secret\n")
    assert settings_of("--password", f"@{tmp_path}/password.txt").password == b"secret"
    monkeypatch.setenv("ONEMETER_PASSWORD", "other")
    assert settings_of().password == b"other"


@pytest.mark.parametrize(
    "arguments",
    [
        ["--password", "0xsecret"],
        ["--password", "@/nowhere/secret"],
        ["--client", "secret"],
        ["--server", "1/x"],
        ["--system-title", "12"],
    ],
)
def test_wrong_usage(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        settings_of(*arguments)
    assert caught.value.code == 2
    assert "0xsecret" not in capsys.readouterr().err


@pytest.mark.real_time("the client is a process")
async def test_objects(tmp_path: Path) -> None:
    async with at_a_pty(tmp_path, ciphered()) as line:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "meter", "objects", "--protocol", "dlms", "--port", line.url),
            *("--baud", str(SPEED), "--server", "1", *KEYS),
            env=os.environ | {"PYTHONPATH": str(ROOT / "custom_components" / "onemeter")},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        output, counts = await process.communicate()
    assert process.returncode == 0
    found = {entry["obis"]: entry for entry in map(json.loads, output.splitlines())}
    assert found["1-0:1.8.0*255"]["unit"] == "Wh"
    assert found["0-0:42.0.0*255"]["value"] == "DMO0000012345678"
    assert b"good=1" in counts
