"""A port of the kernel while other programs hold the event loop up."""

import asyncio
from collections.abc import Generator
import os
import termios
import threading
import time
import tty

import pytest

from custom_components.onemeter.meter.channel import Channel
from custom_components.onemeter.meter.client import Counters
from custom_components.onemeter.meter.line import LineSettings
from custom_components.onemeter.meter.port import Port

pytestmark = pytest.mark.real_time("the event loop is held up")

OUTPUT_SPEED = 5


class Terminal:
    """A pseudo-terminal; ``meter`` is the end of the meter."""

    def __init__(self) -> None:
        self.meter, self._reader = os.openpty()
        tty.setraw(self._reader)
        self.path = os.ttyname(self._reader)

    @property
    def speed(self) -> int:
        """The speed that the port is set to, as the constant of termios."""
        speed = termios.tcgetattr(self._reader)[OUTPUT_SPEED]
        assert isinstance(speed, int)
        return speed

    def close(self) -> None:
        os.close(self.meter)
        os.close(self._reader)


@pytest.fixture
def terminal() -> Generator[Terminal]:
    terminal = Terminal()
    yield terminal
    terminal.close()


async def test_speed_changes_after_an_acknowledgement(terminal: Terminal) -> None:
    """The answer begins 20 ms after it at the new speed, whatever else the event loop has to do."""
    acknowledged = threading.Event()

    def receive() -> None:
        os.read(terminal.meter, 6)
        acknowledged.set()

    speeds = []

    def hold_up() -> None:
        speeds.append(terminal.speed)
        assert acknowledged.wait(10)
        deadline = time.monotonic() + 10
        while terminal.speed != termios.B9600 and time.monotonic() < deadline:
            time.sleep(0.005)
        speeds.append(terminal.speed)

    threading.Thread(target=receive, daemon=True).start()
    async with Port(terminal.path, LineSettings(300)) as port:
        asyncio.get_running_loop().call_soon(hold_up)
        await port.write_and_switch(b"\x06050\r\n", 0.004, 9600)
        assert speeds == [termios.B300, termios.B9600]
        assert port.baudrate == 9600
        os.write(terminal.meter, b"answer")
        assert await port.read() == b"answer"


async def test_what_came_while_a_timeout_passed_is_received(terminal: Terminal) -> None:
    def hold_up() -> None:
        os.write(terminal.meter, b"answer")
        time.sleep(0.1)

    async with Port(terminal.path, LineSettings(9600)) as port:
        channel = Channel(port, Counters())
        asyncio.get_running_loop().call_soon(hold_up)
        assert await channel.receive(0.05) == b"answer"
        assert await channel.receive(0.05) == b""
