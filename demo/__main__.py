"""The demo's command line: ``scripts/demo``."""

import argparse
import asyncio
from collections.abc import Coroutine, Sequence
from contextlib import AsyncExitStack, suppress
import errno
import fcntl
from pathlib import Path
import re
import shutil
import signal
import socket
import sys
from typing import Final, NoReturn, override

import aiohttp

from . import dashboard, history
from .api import Api, ApiError
from .homeassistant import HOST, HomeAssistant, StartError
from .meters import Simulated, simulated_meters

_FOLDER: Final = Path(__file__).parents[1] / ".demo"

_DESCRIPTION = """\
Shows OneMeter in its own Home Assistant: a house with solar panels, a flat and a heat pump,
measured by four simulated meters. The grid meter pushes SML. The meter of the panels is polled
with IEC 62056-21, that of the flat with encrypted DLMS, each at a serial port and at the speed of
a real meter; the history of both is imported from their load profiles. The LED of the heat pump's
meter flashes. The demo changes nothing outside its folder, and only this machine can connect to it.
"""

_EPILOG = "The history is kept and continues at the next start. Ctrl-C ends the demo."

_PORTS: Final = range(1, 65_536)


class _StoppedError(Exception):
    """The demo was stopped by a signal."""


class _Parser(argparse.ArgumentParser):
    """Reports a wrong argument in one line, without the usage."""

    @override
    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")


def main() -> int:
    """Run the demo until it is stopped; return the exit status."""
    parser = _parser()
    options = parser.parse_args()
    if options.protocol != dashboard.DETECT and options.meter is None:
        parser.error("argument --protocol: needs --meter")
    try:
        options.folder.mkdir(parents=True, exist_ok=True)
        lock = (options.folder / "lock").open("w")
    except OSError as error:
        parser.error(f"argument --folder: {error.strerror}: {error.filename}")
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return _fail("The demo is already running in this folder. Stop it first.")
        if problem := _port_problem(options.port):
            return _fail(problem)
        if options.reset:
            for folder in filter(Path.is_dir, options.folder.iterdir()):
                shutil.rmtree(folder)
        try:
            asyncio.run(_demo(options.folder, options.port, options.meter, options.protocol))
        except (StartError, ApiError, dashboard.MeterError) as error:
            return _fail(str(error))
    return 0


def _parser() -> _Parser:
    parser = _Parser(
        prog="scripts/demo",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--port", type=_tcp_port, default=8123, help="port of the web pages (default: 8123)"
    )
    parser.add_argument(
        "--reset", action="store_true", help="delete everything from earlier runs first"
    )
    parser.add_argument(
        "--meter",
        metavar="URL",
        type=_meter_port,
        help="show a real meter instead: a serial port such as /dev/ttyUSB0, or a URL such as "
        "socket://192.168.1.5:5000",
    )
    parser.add_argument(
        "--protocol",
        choices=dashboard.PROTOCOLS,
        default=dashboard.DETECT,
        help="protocol of the real meter (default: find it out)",
    )
    parser.add_argument(
        "--folder",
        type=lambda text: Path(text).absolute(),
        default=_FOLDER,
        help="folder for all files of the demo (default: .demo)",
    )
    return parser


def _tcp_port(text: str) -> int:
    if not text.isdecimal() or int(text) not in _PORTS:
        raise argparse.ArgumentTypeError(
            f"not a port number from {_PORTS[0]} to {_PORTS[-1]}: {text}"
        )
    return int(text)


def _meter_port(text: str) -> str:
    """Return the port with an absolute path: Home Assistant has another working directory."""
    if not text:
        raise argparse.ArgumentTypeError("no port")
    return text if "://" in text else str(Path(text).absolute())


async def _demo(folder: Path, port: int, meter: str | None, protocol: str) -> None:
    """Run Home Assistant and the meters until one of them ends or a signal stops the demo."""
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
        show = _show_real(home, meter, protocol)
    home.prepare()
    async with AsyncExitStack() as stack:
        serving = [meter.serve(await stack.enter_async_context(meter.line())) for meter in meters]
        _say("Starting Home Assistant ...")
        tasks = [
            asyncio.create_task(job)
            for job in (_until(stopping), home.run(), _while_it_runs(show), *serving)
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


async def _while_it_runs(show: Coroutine[None, None, None]) -> None:
    """Set up Home Assistant; if it ends meanwhile, ``HomeAssistant.run`` reports that."""
    with suppress(aiohttp.ClientError):
        await show


async def _show_simulated(home: HomeAssistant, meters: Sequence[Simulated]) -> None:
    async with Api(home.url) as api:
        _say(f"Importing the last {history.DAYS} days of each meter, which takes half a minute ...")
        # Each of them has its own line.
        sensors = await asyncio.gather(*(_show_meter(api, meter) for meter in meters))
        await dashboard.show_energy(api, *sensors)
    _say_ready(home, "four simulated meters: grid, solar panels, flat and heat pump")


async def _show_meter(api: Api, meter: Simulated) -> dict[str, str]:
    """Add a meter and its history, unless it is there; return its sensors by their keys."""
    entry_id = await dashboard.find_entry(api, meter.unique_id)
    if is_new := entry_id is None:
        _say(f"Adding the meter {meter.name} at {meter.port} ...")
        entry_id = await dashboard.add_meter(api, str(meter.port), meter.protocol, meter.forms)
        await dashboard.rename(api, entry_id, meter.name)
    sensors = await dashboard.sensors(api, entry_id)
    if is_new and meter.has_profile:
        await dashboard.import_history(api, entry_id, history.start())
    # The total of flashes does not include those of the time between two runs.
    if is_new or meter.has_register:
        await _write_history(api, meter, sensors)
    if is_new:
        await dashboard.set_options(api, entry_id, meter.options)
    return sensors


async def _write_history(api: Api, meter: Simulated, sensors: dict[str, str]) -> None:
    """Import the statistics that OneMeter does not import from a load profile."""
    registers = {
        dashboard.IMPORT: lambda time: meter.totals(time).imported,
        dashboard.EXPORT: lambda time: meter.totals(time).exported,
    }
    for code, register in registers.items():
        if code in sensors and not meter.has_profile:
            await history.fill(api, sensors[code], register)
    if (power := dashboard.power_of(sensors)) is not None:
        await history.fill_power(api, power, meter.household)


async def _show_real(home: HomeAssistant, port: str, protocol: str) -> None:
    async with Api(home.url) as api:
        if await dashboard.find_entry(api) is None:
            _say(f"Looking for a meter at {port} ...")
            # By default, OneMeter adds it to the Energy dashboard.
            await dashboard.add_meter(api, port, protocol, confirmed={})
    _say_ready(home, f"the meter at {port}; its energy appears within the hour")


def _say_ready(home: HomeAssistant, meters: str) -> None:
    _say(f"""
The demo is ready, with {meters}.

  {home.url}/energy            the Energy dashboard, also the start page
  {home.url}/energy/now        live power
  {home.url}/config/integrations/integration/onemeter
                                   the meters with all their sensors

Home Assistant's log: {home.log}
Ctrl-C ends the demo.""")


def _port_problem(port: int) -> str | None:
    """Return why the web pages cannot have a port, None if they can."""
    with socket.socket() as test:
        test.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            test.bind((HOST, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                other = port + 1 if port + 1 in _PORTS else port - 1
                return (
                    f"Port {port} is in use, perhaps by another Home Assistant.\n"
                    f"Choose another one: scripts/demo --port {other}"
                )
            return f"Port {port} cannot be opened: {error.strerror}."
    return None


def _say(text: str) -> None:
    print(text, flush=True)


def _fail(text: str) -> int:
    print(text, file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
