"""Simulated meters in a Home Assistant process of its own, and what they cost there.

A window does not include the statistics that Home Assistant compiles every five minutes. Only for
Linux.
"""

import asyncio
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, closing
from itertools import pairwise
import json
import os
from pathlib import Path
import socket
import sqlite3
import sys
from tempfile import TemporaryDirectory
import time
from typing import Any, Final, NamedTuple, override

from demo.api import Api
from demo.homeassistant import HOST, HomeAssistant
from simulator.days import Phases
from simulator.household import Energy, Household, Measurement
from simulator.pty import PtyLine
from simulator.push import push
from simulator.sml.meter import SmlMeter

IS_QUICK: Final = "--quick" in sys.argv
BAUDRATE: Final = 9600
#: Seconds of a measurement, and until it begins.
WINDOW: Final = 2 if IS_QUICK else 30
_SETTLING: Final = 1 if IS_QUICK else 7
#: Seconds in which all meters must be set up.
START: Final = 25 if IS_QUICK else 120
#: Seconds until all of a window is recorded: the publish interval, and some for the recorder.
_RECORDING: Final = 1 if IS_QUICK else 25
#: Period of the statistics that Home Assistant compiles, and the part of it that this takes (s).
_STATISTICS: Final = 300
_STATISTICS_FROM, _STATISTICS_TO = 8, 28
_POWER: Final = "1-0:16.7.0*255"


# --- simulated meters -----------------------------------------------------------------------------


class _House(Household):
    """A household whose power differs in any two seconds, or with which nothing happens."""

    #: The second in which everything stopped.
    stopped: int | None = None

    @override
    def energy(self, time: int) -> Energy:
        return super().energy(self.stopped or time)

    @override
    def power(self, time: int) -> Phases:
        return (4000 + 7 * ((self.stopped or time) % 100), 3000, 2000)

    @override
    def measure(self, time: int) -> Measurement:
        return super().measure(self.stopped or time)


class _Line(PtyLine):
    """A line that notes when the last bytes of telegrams are delivered (s since 1970)."""

    @override
    async def open(self) -> None:
        await super().open()
        self.ends: list[float] = []

    @override
    def put(self, data: bytes, *, is_end: bool = True) -> None:
        if is_end:
            self.ends.append(time.time())
        super().put(data, is_end=is_end)


class _Meter(NamedTuple):
    """A meter and its line."""

    house: _House
    line: _Line
    number: int

    async def send(self, delay: float) -> None:
        """Send a telegram each second, for ever."""
        await asyncio.sleep(delay)
        meter = SmlMeter(household=self.house, serial=10_000_000 + self.number)
        await push(self.line, meter.telegram)


# --- Home Assistant -------------------------------------------------------------------------------

#: Home Assistant with further packages behind its own, which win.
_WITH_PEERS: Final = (
    "import runpy, site, sys; site.addsitedir(sys.argv.pop(1)); "
    "runpy.run_module('homeassistant', run_name='__main__', alter_sys=True)"
)


class _Measured(HomeAssistant):
    """Home Assistant with entries for meters; nothing of it is kept."""

    stop_seconds = 1

    @override
    def command(self) -> list[str | Path]:
        python, *_, option, folder, skip_pip = super().command()
        peers = os.environ["ONEMETER_PEERS"]
        return [python, "-c", _WITH_PEERS, peers, option, folder, skip_pip]

    def add(self, domain: str, meters: Iterable[_Meter], interval: int) -> None:
        """Write the entries, as their config flows would."""
        entries = [
            {
                "created_at": "2026-11-01T00:00:00+00:00",
                "modified_at": "2026-11-01T00:00:00+00:00",
                "entry_id": _entry_id(meter),
                "domain": domain,
                "title": f"Meter {meter.number}",
                "version": 1,
                "discovery_keys": {},
                "disabled_by": None,
                "pref_disable_new_entities": False,
                "pref_disable_polling": False,
                "source": "user",
                "subentries": [],
                **_entry(domain, meter, interval),
            }
            for meter in meters
        ]
        stored = {
            "version": 1,
            "minor_version": 5,
            "key": "core.config_entries",
            "data": {"entries": entries},
        }
        path = self.folder / "config/.storage/core.config_entries"
        path.write_text(json.dumps(stored))

    @property
    def database(self) -> Path:
        """The file of the recorder."""
        return self.folder / "config/home-assistant_v2.db"


def _entry_id(meter: _Meter) -> str:
    return f"{meter.number:032}"


def _entry(domain: str, meter: _Meter, interval: int) -> dict[str, Any]:
    if domain == "edl21":
        return {
            "minor_version": 1,
            "unique_id": None,
            "data": {"serial_port": meter.line.url},
            "options": {},
        }
    name = SmlMeter(household=meter.house, serial=10_000_000 + meter.number).name
    return {
        "minor_version": 3,
        "unique_id": name.replace(" ", ""),
        "data": {"port": meter.line.url, "protocol": "sml"},
        "options": {"publish_interval": interval},
    }


# --- measurement ----------------------------------------------------------------------------------


class Cost(NamedTuple):
    """What a window has cost."""

    #: CPU time in ms per second.
    cpu: float
    #: Resident memory at the end, in MB.
    memory: float
    #: Growth of the database in MB per hour.
    growth: float
    #: From the last byte of a telegram to the state of power, in ms, sorted.
    lateness: Sequence[float]
    #: Telegrams whose power was never a state, and all telegrams.
    unseen: int
    telegrams: int


class Case(NamedTuple):
    """Meters in a Home Assistant: an integration, their number, the publish interval (s)."""

    domain: str
    meters: int
    interval: int


class Result(NamedTuple):
    """Seconds from the start of the process until all is set up, and the costs of the windows."""

    start: float
    #: With nothing changing: does not depend on the publish interval, so only with one second.
    still: Cost | None
    changing: Cost


def _cpu_seconds(pid: int) -> float:
    """Return the CPU time of all threads of a process."""
    return time.clock_gettime((~pid << 3) | 2)


def _memory(pid: int) -> float:
    """Return the resident memory of a process in MB."""
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGESIZE") / 1e6


def _recorded(database: Path) -> tuple[int, float]:
    """Return the bytes of a database in use, and the time of its newest state (s since 1970)."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        pages, size, free = (
            connection.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("page_count", "page_size", "freelist_count")
        )
        (newest,) = connection.execute("SELECT max(last_updated_ts) FROM states").fetchone()
    return (pages - free) * size, newest or 0


def _states(database: Path, entity_id: str) -> list[float]:
    """Return the times of the states of an entity (s since 1970)."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        rows = connection.execute(
            "SELECT last_updated_ts FROM states JOIN states_meta USING (metadata_id)"
            " WHERE states_meta.entity_id = ? ORDER BY 1",
            [entity_id],
        ).fetchall()
    return [at for (at,) in rows]


async def _recorded_after(end: float, database: Path) -> tuple[int, float]:
    """Wait until a state from after a window is recorded, if one comes in time."""
    for _ in range(_RECORDING):
        size, newest = await asyncio.to_thread(_recorded, database)
        if newest > end:
            break
        await asyncio.sleep(1)
    return size, newest


async def _wait_for_window() -> None:
    """Wait until no statistics will be compiled during a window."""
    if IS_QUICK:
        return
    into = (time.time() - _STATISTICS_FROM) % _STATISTICS
    busy = _STATISTICS_TO - _STATISTICS_FROM
    if into < busy:
        await asyncio.sleep(busy - into)
    elif into + WINDOW > _STATISTICS:
        await asyncio.sleep(_STATISTICS - into + busy)


async def _measure(home: _Measured, meters: Sequence[_Meter], powers: Mapping[str, str]) -> Cost:
    """Measure a window; the lateness only of meters whose sensors of power are given."""
    await asyncio.sleep(_SETTLING)
    await _wait_for_window()
    pid = home.pid
    size, newest = await asyncio.to_thread(_recorded, home.database)
    begin, cpu = time.time(), _cpu_seconds(pid)
    await asyncio.sleep(WINDOW)
    end, used = time.time(), _cpu_seconds(pid) - cpu
    memory = _memory(pid)
    grown, newer = await _recorded_after(end if powers else 0, home.database)
    lateness: list[float] = []
    unseen = telegrams = 0
    for meter in meters:
        if (power := powers.get(_entry_id(meter))) is None:
            continue
        shown = await asyncio.to_thread(_states, home.database, power)
        ends = [at for at in meter.line.ends if begin <= at <= end]
        telegrams += len(ends[:-1])
        for at, following in pairwise(ends):
            index = bisect_left(shown, at)
            if index < len(shown) and shown[index] < following:
                lateness.append((shown[index] - at) * 1e3)
            else:
                unseen += 1
    return Cost(
        used * 1e3 / (end - begin),
        memory,
        (grown - size) / 1e6 / max(newer - newest, 1) * 3600,
        sorted(lateness),
        unseen,
        telegrams,
    )


async def _wait_until_set_up(home: _Measured, meters: int) -> dict[str, str]:
    """Wait until all meters have their sensors; return those of power by entry."""
    async with Api(home.url) as api:
        while True:
            found = {
                entity["config_entry_id"]: entity["entity_id"]
                for entity in await api.call("config/entity_registry/list")
                if entity["unique_id"].endswith(_POWER)
            }
            if len(found) == meters:
                return found
            await asyncio.sleep(0.1)


async def run(case: Case) -> Result:
    """Run a Home Assistant with meters."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        meters = [
            _Meter(_House(number), _Line(folder / f"ttyMETER{number}", BAUDRATE), number)
            for number in range(1, case.meters + 1)
        ]
        with socket.socket() as free:
            free.bind((HOST, 0))
            port = free.getsockname()[1]
        home = _Measured(folder, port)
        home.prepare()
        home.add(case.domain, meters, case.interval)
        for meter in meters:
            meter.house.stopped = int(time.time())
            await stack.enter_async_context(meter.line)
        measuring = asyncio.create_task(_windows(home, meters, case.interval))
        begin = time.monotonic()
        jobs = [
            asyncio.create_task(job)
            for job in (home.run(), *(meter.send(meter.number / len(meters)) for meter in meters))
        ]
        try:
            await asyncio.wait([measuring, *jobs], return_when=asyncio.FIRST_COMPLETED)
            for job in jobs:
                if job.done():
                    job.result()
            started, still, changing = await measuring
            return Result(started - begin, still, changing)
        finally:
            measuring.cancel()
            for job in jobs:
                job.cancel()
            await asyncio.gather(measuring, *jobs, return_exceptions=True)


async def _windows(
    home: _Measured, meters: Sequence[_Meter], interval: int
) -> tuple[float, Cost | None, Cost]:
    async with asyncio.timeout(START):
        powers = await _wait_until_set_up(home, len(meters))
    started = time.monotonic()
    still = await _measure(home, meters, {}) if interval == 1 else None
    for meter in meters:
        meter.house.stopped = None
    return started, still, await _measure(home, meters, powers)
