"""What a port is asked to do for each framing."""

from collections.abc import Mapping
from contextlib import aclosing
from pathlib import Path
from unittest.mock import patch

import pytest
from serialx import Parity

from custom_components.onemeter.meter import LineSettings, Protocol, port as port_module
from custom_components.onemeter.meter.clients import create_pushed_client
from custom_components.onemeter.meter.errors import MeterConnectionError
from custom_components.onemeter.meter.line import Framing
from custom_components.onemeter.meter.port import Port
from simulator.iec62056 import Iec62056Meter, Mode
from simulator.memory import MemoryLine

from ..helpers.lines import serving, value


async def settings_of(url: str, line: LineSettings) -> Mapping[str, object]:
    """Return the settings of a port that serialx gets."""
    with (
        patch.object(port_module, "create_serial_connection", side_effect=OSError) as opened,
        pytest.raises(MeterConnectionError),
    ):
        await Port(url, line).__aenter__()
    settings: Mapping[str, object] = opened.call_args.kwargs
    return settings


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
async def test_framing(url: str, framing: Framing, byte_size: int, parity: Parity) -> None:
    settings = await settings_of(url, LineSettings(9600, framing))
    assert settings["byte_size"] == byte_size
    assert settings["parity"] is parity


async def test_pseudo_terminals_have_none(tmp_path: Path) -> None:
    link = tmp_path / "head"
    link.symlink_to("/dev/pts/0")
    settings = await settings_of(str(link), LineSettings(9600, Framing.SEVEN_NONE))
    assert settings["byte_size"] == 8


@pytest.mark.parametrize("baudrate", [9600, 115_200])
async def test_meter_without_parity_and_eighth_bit(baudrate: int) -> None:
    meter = Iec62056Meter(mode=Mode.D, baudrate=baudrate, even_parity=False)
    async with MemoryLine(baudrate) as line, serving(line, meter):
        settings = LineSettings(baudrate, Framing.SEVEN_NONE)
        client = create_pushed_client(Protocol.IEC62056, line.url, settings)
        async with aclosing(client.listen()) as readings:
            reading = await anext(readings)
    assert value(reading, "1-0:1.8.0*255") is not None
