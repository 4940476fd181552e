"""By which signal a port reports the impulses of a meter's LED."""

import asyncio
from pathlib import Path
import time
from types import SimpleNamespace

import pytest

from custom_components.onemeter.meter import PUSHED_LINE, Protocol, modem
from custom_components.onemeter.meter.blink.settings import Source
from custom_components.onemeter.meter.detection import find_source
from custom_components.onemeter.meter.line import ModemLine
from simulator.blink import Light, steady
from simulator.kinds import KINDS
from simulator.memory import MemoryBridge, MemoryLine
from simulator.pty import PtyLine
from tests.helpers.finding import at_a_line
from tests.helpers.waiting import running
from tests.meter.blink.test_source import Driver

LINE = PUSHED_LINE[Protocol.BLINK]
SECONDS = 15


@pytest.mark.parametrize("line_type", [MemoryLine, MemoryBridge])
@pytest.mark.parametrize("rate", [0.3, 2.0])
@pytest.mark.parametrize(("flash", "source"), [(0.0, Source.RX), (0.02, Source.LONG)])
async def test_bytes(
    line_type: type[MemoryLine], rate: float, flash: float, source: Source
) -> None:
    seen: list[int] = []
    async with line_type() as line:
        line.baudrate = LINE.baudrate
        now = time.time()
        async with running(Light(line, length=flash).blink(steady(rate, now), now)):
            assert await find_source(line.url, LINE, SECONDS, seen.append) is source
    assert seen[-1] == 3


async def test_darkness() -> None:
    seen: list[int] = []
    begun = asyncio.get_running_loop().time()
    async with MemoryLine() as line:
        assert await find_source(line.url, LINE, SECONDS, seen.append) is None
    assert not seen
    assert asyncio.get_running_loop().time() - begun == pytest.approx(SECONDS)


async def test_telegrams() -> None:
    seen: list[int] = []
    async with at_a_line(KINDS["SML, 1 s"]) as line:
        assert await find_source(line.url, LINE, SECONDS, seen.append) is None
    assert not seen


@pytest.mark.real_time("modem lines are the kernel's")
async def test_modem_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    driver = Driver()
    monkeypatch.setattr(modem, "fcntl", SimpleNamespace(ioctl=driver.ioctl))
    monkeypatch.setattr("custom_components.onemeter.meter.detection.impulses._LOOK_SECONDS", 0.02)
    seen: list[int] = []

    async def flash() -> None:
        driver.change(ModemLine.CTS)
        while True:
            driver.flash(ModemLine.DCD)
            await asyncio.sleep(0.01)

    async with PtyLine(tmp_path / "head") as line, running(flash()):
        assert await find_source(line.url, LINE, SECONDS, seen.append) is Source.DCD
    assert seen[-1] >= 2


async def test_driver_that_counts_no_edges(tmp_path: Path) -> None:
    async with PtyLine(tmp_path / "head") as line:
        assert await find_source(line.url, LINE, 0.05, print) is None
