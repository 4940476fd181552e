"""What a port is asked to do for each framing."""

from contextlib import aclosing
from pathlib import Path
from unittest.mock import patch

import pytest
from serialx import Parity

from custom_components.onemeter.meter import LineSettings, Protocol
from custom_components.onemeter.meter.clients import create_pushed_client
from custom_components.onemeter.meter.line import Framing
from custom_components.onemeter.meter.port import Port
from simulator.iec62056 import Iec62056Meter, Mode
from simulator.memory import MemoryLine

from ..helpers.lines import serving, value


@pytest.mark.parametrize("url", ["/dev/ttyUSB0", "rfc2217://bridge:2000"])
@pytest.mark.parametrize(
    ("framing", "byte_size", "parity"),
    [
        (Framing.EIGHT_NONE, 8, Parity.NONE),
        (Framing.SEVEN_EVEN, 8, Parity.NONE),
        (Framing.SEVEN_NONE, 7, Parity.NONE),
        (Framing.EIGHT_EVEN, 8, Parity.EVEN),
    ],
)
def test_framing(url: str, framing: Framing, byte_size: int, parity: Parity) -> None:
    with patch("custom_components.onemeter.meter.port.async_serial_for_url") as opened:
        Port(url, LineSettings(9600, framing))
    assert opened.call_args.kwargs["byte_size"] == byte_size
    assert opened.call_args.kwargs["parity"] is parity


def test_pseudo_terminals_have_none(tmp_path: Path) -> None:
    link = tmp_path / "head"
    link.symlink_to("/dev/pts/0")
    with patch("custom_components.onemeter.meter.port.async_serial_for_url") as opened:
        Port(str(link), LineSettings(9600, Framing.SEVEN_NONE))
    assert opened.call_args.kwargs["byte_size"] == 8


@pytest.mark.parametrize("baudrate", [9600, 115_200])
async def test_meter_without_parity_and_eighth_bit(baudrate: int) -> None:
    meter = Iec62056Meter(mode=Mode.D, baudrate=baudrate, even_parity=False)
    async with MemoryLine(baudrate) as line, serving(line, meter):
        settings = LineSettings(baudrate, Framing.SEVEN_NONE)
        client = create_pushed_client(Protocol.IEC62056, line.url, settings)
        async with aclosing(client.listen()) as readings:
            reading = await anext(readings)
    assert value(reading, "1-0:1.8.0*255") is not None
