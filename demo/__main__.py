"""The demo's command line: ``scripts/demo``."""

import argparse
import asyncio
from collections.abc import Coroutine, Sequence
from contextlib import AsyncExitStack, suppress
import fcntl
from pathlib import Path
import re
import shutil
import signal
import socket
import sys
from typing import Final

import aiohttp

from . import dashboard, history
from .api import Api, ApiError
from .homeassistant import HOST, HomeAssistant, StartError
from .meters import Simulated, simulated_meters

_FOLDER: Final = Path(__file__).parents[1] / ".demo"

_DESCRIPTION = """\
Shows OneMeter in a Home Assistant of its own: a house with solar panels, a flat and a heat pump,
measured by four simulated meters. The grid's pushes SML, that of the panels is asked in
IEC 62056-21, and that of the flat in DLMS, encrypted, each through a serial port at the speed of a
real one; that of the heat pump only blinks. Nothing on this machine is changed, and no other
machine can see it."""

_EPILOG = "The history is kept and goes on with the next start. Ctrl-C ends everything."


class _StoppedError(Exception):
    """Somebody has ended the demo."""


def main() -> int:
    """Run the demo until it is stopped; return the exit status."""
    options = _parser().parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    with (options.folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return _complain("The demo is running already. Stop that one first.")
        if not _is_free(options.port):
            return _complain(
                f"Port {options.port} is in use, perhaps by another Home Assistant.\n"
                f"Choose another one: scripts/demo --port {options.port + 1}"
            )
        if options.reset:
            for folder in filter(Path.is_dir, options.folder.iterdir()):
                shutil.rmtree(folder)
        try:
            asyncio.run(_demo(options.folder, options.port, options.meter))
        except (StartError, ApiError, dashboard.MeterError) as error:
            return _complain(str(error))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scripts/demo",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--port", type=int, default=8123, help="port of the web pages (default: 8123)"
    )
    parser.add_argument("--reset", action="store_true", help="forget what was, and begin anew")
    parser.add_argument(
        "--meter",
        metavar="URL",
        type=_port,
        help="show a real SML meter instead: a serial port such as /dev/ttyUSB0, or a URL such as "
        "socket://192.168.1.5:5000",
    )
    parser.add_argument(
        "--folder",
        type=lambda text: Path(text).absolute(),
        default=_FOLDER,
        help="keep everything in this folder (default: .demo)",
    )
    return parser


def _port(text: str) -> str:
    """Return a port as Home Assistant, which has another working directory, finds it."""
    return text if "://" in text else str(Path(text).absolute())


async def _demo(folder: Path, port: int, meter: str | None) -> None:
    """Run everything until something ends or somebody ends it."""
    stopping = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)

    if meter is None:
        home = HomeAssistant(folder / "simulated", port)
        meters = simulated_meters(home.folder)
        show = _show_simulated(home, meters)
    else:
        home = HomeAssistant(folder / re.sub(r"\W+", "-", meter).strip("-"), port)
        meters = []
        show = _show_real(home, meter)
    home.prepare()
    async with AsyncExitStack() as stack:
        speaking = [meter.speak(await stack.enter_async_context(meter.line())) for meter in meters]
        _say("Starting Home Assistant ...")
        tasks = [
            asyncio.create_task(job)
            for job in (_until(stopping), home.run(), _while_it_lasts(show), *speaking)
        ]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        ended = [task for task in tasks if task.done()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    with suppress(_StoppedError):
        await asyncio.gather(*ended)


async def _until(stopping: asyncio.Event) -> None:
    await stopping.wait()
    # The terminal may be gone.
    with suppress(OSError):
        _say("\nStopping ...")
    raise _StoppedError


async def _while_it_lasts(show: Coroutine[None, None, None]) -> None:
    """Set up what there is to see. That Home Assistant ends meanwhile is for others to tell."""
    with suppress(aiohttp.ClientError):
        await show


async def _show_simulated(home: HomeAssistant, meters: Sequence[Simulated]) -> None:
    sensors = []
    added = set()
    async with Api(home.url) as api:
        for meter in meters:
            entry = await dashboard.find_entry(api, meter.unique_id)
            if entry is None:
                _say(f"Adding the meter {meter.name} at {meter.port} ...")
                added.add(meter.port)
                entry = await dashboard.add_meter(api, str(meter.port), meter.protocol, meter.forms)
                await dashboard.rename(api, entry, meter.name)
                await dashboard.set_options(api, entry, meter.options)
            sensors.append(await dashboard.sensors(api, entry))
        for meter, found in zip(meters, sensors, strict=True):
            # Flashes that nobody has seen are in no total.
            if meter.tells_total or meter.port in added:
                await _fill_history(api, meter, found)
        await dashboard.show_energy(api, *sensors)
    _say_what_to_look_at(
        home, "four simulated meters: of the grid, the panels, a flat and a heat pump"
    )


async def _fill_history(api: Api, meter: Simulated, sensors: dict[str, str]) -> None:
    """Let the meter's sensors know what it counted before they were there."""
    registers = {
        dashboard.IMPORT: lambda time: meter.totals(time).imported,
        dashboard.EXPORT: lambda time: meter.totals(time).exported,
    }
    for code, register in registers.items():
        if code in sensors:
            await history.fill(api, sensors[code], register)
    if (power := dashboard.power_of(sensors)) is not None:
        await history.fill_power(api, power, meter.household)


async def _show_real(home: HomeAssistant, port: str) -> None:
    async with Api(home.url) as api:
        entry = await dashboard.find_entry(api)
        if entry is None:
            _say(f"Looking for a meter at {port} ...")
            entry = await dashboard.add_meter(api, port)
        await dashboard.show_energy(api, await dashboard.sensors(api, entry))
    _say_what_to_look_at(home, f"the meter at {port}; its energy shows up within the hour")


def _say_what_to_look_at(home: HomeAssistant, meters: str) -> None:
    _say(f"""
The demo is ready, with {meters}.

  {home.url}/energy            the Energy dashboard, which is also the first page
  {home.url}/energy/now        live power
  {home.url}/config/integrations/integration/onemeter
                                   the meters with all their sensors

Home Assistant's log: {home.log}
Ctrl-C ends the demo.""")


def _is_free(port: int) -> bool:
    with socket.socket() as test:
        test.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            test.bind((HOST, port))
        except OSError:
            return False
    return True


def _say(text: str) -> None:
    print(text, flush=True)


def _complain(text: str) -> int:
    print(text, file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
