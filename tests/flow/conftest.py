"""Fixtures of the config flow with clients whose readings and errors are set by the test."""

from collections.abc import Generator
from unittest.mock import AsyncMock, patch

import pytest

from homeassistant.components.usb import SerialPortConsumer
from homeassistant.core import HomeAssistant

from ..helpers.config_flow import CONNECTION, PORTS, PROBING, PROGRESS, Line, readout


@pytest.fixture
def no_frontend() -> Generator[None]:
    """Do not wait for a frontend."""
    with patch(f"{PROGRESS}.SHORTEST_PROGRESS", 0):
        yield


@pytest.fixture
def usb(hass: HomeAssistant) -> None:
    """Mark the USB integration as set up; it would scan the devices of this machine."""
    hass.config.components.add("usb")


@pytest.fixture
def line() -> Generator[Line]:
    """Replace the clients by ones whose results the test sets."""
    line = Line()
    with (
        patch(f"{CONNECTION}.create_pushed_client", line.pushed),
        patch(f"{CONNECTION}.create_polled_client", line.polled),
    ):
        yield line


@pytest.fixture
def by_id() -> Generator[dict[str, str]]:
    """Replace the links in /dev/serial/by-id."""
    names: dict[str, str] = {}
    with patch(f"{PORTS}.get_serial_by_id", lambda port: names.get(port, port)):
        yield names


@pytest.fixture
def users() -> Generator[dict[str, list[SerialPortConsumer]]]:
    """Replace the users of ports that Home Assistant knows."""
    users: dict[str, list[SerialPortConsumer]] = {}
    with (
        patch(f"{PORTS}.async_scan_serial_ports", AsyncMock(return_value=[])),
        patch(f"{PORTS}.async_get_serial_port_consumers", AsyncMock(return_value=users)),
    ):
        yield users


@pytest.fixture
def setup_entry() -> Generator[AsyncMock]:
    """Replace the set-up of entries."""
    setup_entry = AsyncMock(return_value=True)
    with (
        patch("custom_components.onemeter.async_setup_entry", setup_entry),
        patch(
            "custom_components.onemeter.async_unload_entry",
            AsyncMock(return_value=True),
        ),
    ):
        yield setup_entry


@pytest.fixture
def iec_line(line: Line) -> Line:
    """Have a meter that does not push but can be polled."""
    line.says = None
    line.answers = readout()
    return line


@pytest.fixture
def impatience() -> Generator[None]:
    """Shorten the waits for pushed telegrams and for progress."""
    with (
        patch(f"{PROBING}.PUSH_SECONDS", 0.01),
        patch(f"{PROGRESS}.PROGRESS_SECONDS", 0.01),
    ):
        yield
