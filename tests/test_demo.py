"""The demo as a user starts it, with a real Home Assistant, its web pages and signals."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from decimal import Decimal
from http import HTTPStatus
import json
from pathlib import Path
import signal
import socket
import sys
import time
from typing import Any, NamedTuple

import aiohttp
import pytest

from demo.__main__ import main
from demo.api import Api, ApiError
from demo.dashboard import DOMAIN, find_entry, sensors as dashboard_sensors
from demo.history import DAYS
from demo.meters import simulated_meters
from simulator.iec62056 import Iec62056Meter, serve
from simulator.pty import PtyLine

ROOT = Path(__file__).parents[1]
GRID = "1DMO0012345678"
ROOF = "DMO87654321"
FLAT = "DMO11223344"
PUMP = "generated-"


class Sensors(NamedTuple):
    """The sensors of a meter that the Energy dashboard shows."""

    energy_import: str
    energy_export: str | None
    power: str


pytestmark = [
    pytest.mark.usefixtures("socket_enabled"),
    pytest.mark.real_time("starts Home Assistant and simulated meters"),
]


@pytest.fixture
def port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        number: int = free.getsockname()[1]
        return number


async def start(*arguments: object) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "demo", *map(str, arguments)),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def end(*arguments: object) -> tuple[int | None, str]:
    """Run a demo that ends by itself; return its status and what it prints to stderr."""
    process = await start(*arguments)
    _, errors = await process.communicate()
    return process.returncode, errors.decode()


@asynccontextmanager
async def demo(*arguments: object, stop: signal.Signals) -> AsyncIterator[str]:
    """Run a demo until it is ready, yield what it has printed, stop it with a signal."""
    process = await start(*arguments)
    try:
        assert process.stdout is not None
        printed = b""
        while b"Ctrl-C ends the demo." not in printed:
            line = await process.stdout.readline()
            assert line, (printed, process.stderr and await process.stderr.read())
            printed += line
        yield printed.decode()
        process.send_signal(stop)
        _, errors = await process.communicate()
        assert (process.returncode, errors) == (0, b"")
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()


async def hours(api: Api, entity_id: str) -> list[dict[str, float]]:
    found = await api.call(
        "recorder/statistics_during_period",
        start_time="2024-01-01T00:00:00Z",
        statistic_ids=[entity_id],
        period="hour",
    )
    rows: list[dict[str, float]] = found[entity_id]
    return rows


async def sensors(api: Api, meter_id: str) -> Sensors:
    entry_id = await find_entry(api, meter_id)
    assert entry_id is not None
    found = await dashboard_sensors(api, entry_id)
    if meter_id == PUMP:
        return Sensors(found["1-0:1.8.0*255"], None, found["1-0:1.7.0*255"])
    return Sensors(found["1-0:1.8.0*255"], found["1-0:2.8.0*255"], found["1-0:16.7.0*255"])


def entered_reading(folder: Path) -> Decimal:
    """Return the reading that was entered for the blinking meter, in kWh."""
    stored = json.loads((folder / "simulated/config/.storage/core.config_entries").read_text())
    [data] = [e["data"] for e in stored["data"]["entries"] if "reading" in e["data"]]
    return Decimal(data["reading"])


def displayed(folder: Path) -> Decimal:
    """Return its current reading."""
    [pump] = [m for m in simulated_meters(folder) if m.unique_id == PUMP]
    return Decimal(pump.totals(int(time.time()) + 1).imported) / 10_000


async def states(api: Api) -> dict[str, str]:
    return {state["entity_id"]: state["state"] for state in await api.call("get_states")}


async def total(api: Api, meter: Sensors) -> Decimal:
    return Decimal((await states(api))[meter.energy_import])


async def imported_hours(
    api: Api, folder: Path, meter_id: str, meter: Sensors
) -> list[dict[str, float]]:
    """Return the energy that OneMeter has imported from a load profile; check each hour."""
    [totals] = [it.totals for it in simulated_meters(folder) if it.unique_id == meter_id]
    rows = await hours(api, meter.energy_import)
    assert len(rows) >= DAYS * 24
    zero = rows[0]["state"]
    for row in rows[: DAYS * 24]:
        state = totals(int(row["end"]) // 1000).imported / 10_000
        expected = pytest.approx((state, state - zero), rel=0, abs=1e-6)
        assert (row["state"], row["sum"]) == expected
    assert rows[-1]["sum"] > 50
    return rows


def shown(preferences: dict[str, Any]) -> list[tuple[str | None, ...]]:
    """Return kind, import, export and power of each source in the Energy dashboard."""
    keys = ("type", "stat_energy_from", "stat_energy_to", "stat_rate")
    return [tuple(map(source.get, keys)) for source in preferences["energy_sources"]]


async def preferences(api: Api) -> dict[str, Any]:
    """Return the preferences of the Energy dashboard as soon as there are some."""
    async with asyncio.timeout(30):
        while True:
            with suppress(ApiError):
                return dict(await api.call("energy/get_prefs"))
            await asyncio.sleep(0.5)


async def wait_until_loaded(api: Api) -> None:
    """Wait for entries that are set up once more, as after a change of their options."""
    async with asyncio.timeout(120):
        while any(  # noqa: ASYNC110
            entry["state"] != "loaded"
            for entry in await api.call("config_entries/get", domain=DOMAIN)
        ):
            await asyncio.sleep(0.5)


async def test_demo(tmp_path: Path, port: int) -> None:
    folder = tmp_path / "state"
    arguments = ("--port", port, "--folder", folder)
    async with demo(*arguments, stop=signal.SIGINT) as printed:
        for expected in (f"http://127.0.0.1:{port}/energy", f"Importing the last {DAYS} days"):
            assert expected in printed
        async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session:
            async with session.get("/") as page:
                assert "<home-assistant>" in await page.text()
            # Onboarding is done: Home Assistant no longer offers it.
            async with session.get("/api/onboarding") as page:
                assert page.status == HTTPStatus.NOT_FOUND

        async with Api(f"http://127.0.0.1:{port}") as api:
            grid, roof, flat, pump = [
                await sensors(api, meter) for meter in (GRID, ROOF, FLAT, PUMP)
            ]
            preferences = await api.call("energy/get_prefs")
            assert shown(preferences) == [
                ("grid", grid.energy_import, grid.energy_export, grid.power),
                ("solar", roof.energy_import, None, roof.power),
                ("grid", flat.energy_import, flat.energy_export, flat.power),
                ("grid", pump.energy_import, None, pump.power),
            ]
            [device] = preferences["device_consumption"]
            assert (device["stat_consumption"], device["stat_rate"]) == (
                pump.energy_import,
                pump.power,
            )

            first = await states(api)
            rows = await imported_hours(api, folder, ROOF, roof)
            await imported_hours(api, folder, FLAT, flat)
            # The demo writes that of the others: its zero lies between the last hour and now.
            written = await hours(api, grid.energy_import)
            zero = written[-1]["state"] - written[-1]["sum"]
            assert written[-1]["state"] <= zero + 1e-6
            assert zero <= float(first[grid.energy_import]) + 1e-6
            assert len(await hours(api, grid.power)) == DAYS * 24

            # The blinking meter counts from the entered reading on, one flash per Wh.
            reading = entered_reading(folder)
            async with asyncio.timeout(120):
                while (counted := await total(api, pump)) == reading:  # noqa: ASYNC110
                    await asyncio.sleep(0.5)
            assert reading < counted <= displayed(folder)
            assert len(await hours(api, pump.energy_import)) == DAYS * 24

            # Power is live: that of the grid is pushed, that of the panels is polled.
            await wait_until_loaded(api)
            while (await states(api))[grid.power] == first[grid.power]:  # noqa: ASYNC110
                await asyncio.sleep(0.5)

        assert await end(*arguments) == (
            1,
            "The demo is already running in this folder. Stop it first.\n",
        )
        status, complaint = await end("--port", port, "--folder", tmp_path / "other")
        assert status == 1
        assert complaint.startswith(f"Port {port} is in use")

    with pytest.raises(ConnectionRefusedError), socket.socket() as stopped:
        stopped.connect(("127.0.0.1", port))
    assert not (folder / "simulated/ttyGRID").is_symlink()
    assert "Traceback" not in (folder / "simulated/home-assistant.out").read_text()

    async with demo(*arguments, stop=signal.SIGTERM) as printed:
        assert "Adding" not in printed
        async with Api(f"http://127.0.0.1:{port}") as api:
            # All are read again, also the encrypted one, whose counter must not have fallen.
            await wait_until_loaded(api)
            again = await hours(api, roof.energy_import)
            assert again[: len(rows)] == rows
            assert counted <= await total(api, pump) <= displayed(folder)


async def test_real_meter(tmp_path: Path, port: int) -> None:
    """The protocol is found out by the config flow."""
    meter = Iec62056Meter(serial="11112222", start_baudrate=9600)
    async with PtyLine(tmp_path / "ttyUSB7", 9600) as line:
        serving = asyncio.create_task(serve(line, meter))
        try:
            arguments = ("--port", port, "--folder", tmp_path / "state", "--meter", line.path)
            async with (
                demo(*arguments, stop=signal.SIGHUP) as printed,
                Api(f"http://127.0.0.1:{port}") as api,
            ):
                assert f"Looking for a meter at {line.path} ..." in printed
                grid = await sensors(api, "DMO11112222")
                assert shown(await preferences(api)) == [("grid", *grid)]
        finally:
            serving.cancel()


async def test_no_meter(tmp_path: Path, port: int) -> None:
    """A demo that cannot read the meter ends with the text of the config flow."""
    missing = tmp_path / "ttyUSB7"
    arguments = ("--meter", missing, "--protocol", "dlms")
    status, complaint = await end("--port", port, "--folder", tmp_path, *arguments)
    assert status == 1
    assert complaint.startswith(f"There is no port {missing}.")
    with pytest.raises(ConnectionRefusedError), socket.socket() as stopped:
        stopped.connect(("127.0.0.1", port))


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--port", "99999"], "argument --port: not a port number from 1 to 65535: 99999"),
        (["--port", "web"], "argument --port: not a port number from 1 to 65535: web"),
        (["--protocol", "sml"], "argument --protocol: needs --meter"),
        (
            ["--meter", "/dev/ttyUSB0", "--protocol", "modbus"],
            "argument --protocol: invalid choice",
        ),
        (["--meter", ""], "argument --meter: no port"),
        (["--folder", "/dev/null"], "argument --folder: File exists: /dev/null"),
        (["--colour"], "unrecognized arguments: --colour"),
    ],
)
def test_wrong_arguments(
    arguments: list[str],
    problem: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each is reported in one line."""
    monkeypatch.setattr(sys, "argv", ["demo", *arguments])
    with pytest.raises(SystemExit, match="2"):
        main()
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith(f"scripts/demo: {problem}")
    assert line.endswith("(see scripts/demo --help)")
