"""How an entry's meter is reached: from what the entry keeps to the client that reads it."""

from collections.abc import Mapping
from typing import Any

from homeassistant.config_entries import ConfigEntry
from homeassistant.const import CONF_ADDRESS, CONF_MODE, CONF_PASSWORD, CONF_PORT, CONF_PROTOCOL
from homeassistant.core import HomeAssistant

from .const import (
    CONF_BATTERY,
    CONF_BAUDRATE,
    CONF_DTR,
    CONF_FRAMING,
    CONF_RTS,
    CONF_SWITCH_DELAY,
    CONF_SWITCH_SPEED,
    CONF_TABLE,
    DOMAIN,
    GENERATED,
    MODE_POLLED,
)
from .meter import (
    POLLED_LINE,
    PUSHED_LINE,
    Framing,
    LineSettings,
    PolledClient,
    Protocol,
    PushedClient,
)
from .meter.clients import create_polled_client, create_pushed_client
from .meter.iec62056.settings import SignOn


def is_polled(data: Mapping[str, Any]) -> bool:
    """Tell whether the entry's meter speaks only when it is asked."""
    return bool(data.get(CONF_MODE) == MODE_POLLED)


def expected_meter(entry: ConfigEntry) -> str | None:
    """Return the id that the entry's meter tells; None where it tells none and got one from us."""
    own = str(entry.unique_id)
    return None if own.startswith(GENERATED) else own


def line_settings(data: Mapping[str, Any], usual: LineSettings) -> LineSettings:
    """Return how to open the port: as usual but for what the entry changes of it."""
    return LineSettings(
        baudrate=data.get(CONF_BAUDRATE, usual.baudrate),
        framing=Framing(data.get(CONF_FRAMING, usual.framing)),
        dtr=data.get(CONF_DTR, usual.dtr),
        rts=data.get(CONF_RTS, usual.rts),
    )


def sign_on(data: Mapping[str, Any]) -> SignOn:
    """Return how the entry's meter wants to be spoken to."""
    return SignOn(
        address=data.get(CONF_ADDRESS, ""),
        table=data.get(CONF_TABLE, ""),
        password=data.get(CONF_PASSWORD),
        wake_up=data.get(CONF_BATTERY, False),
        switch_speed=data.get(CONF_SWITCH_SPEED, True),
        switch_delay=data.get(CONF_SWITCH_DELAY, 0.0),
    )


def make_pushed_client(data: Mapping[str, Any]) -> PushedClient:
    """Make the client that listens to the entry's meter."""
    protocol = Protocol(data[CONF_PROTOCOL])
    line = line_settings(data, PUSHED_LINE[protocol])
    return create_pushed_client(protocol, data[CONF_PORT], line)


def make_polled_client(data: Mapping[str, Any]) -> PolledClient:
    """Make the client that asks the entry's meter."""
    protocol = Protocol(data[CONF_PROTOCOL])
    line = line_settings(data, POLLED_LINE[protocol])
    return create_polled_client(protocol, data[CONF_PORT], line, sign_on(data))


def others_at(hass: HomeAssistant, port: str, besides: str | None = None) -> list[ConfigEntry]:
    """Return the entries that read a meter at a port, without the one of this entry id."""
    return [
        entry
        for entry in hass.config_entries.async_entries(DOMAIN, include_ignore=False)
        if entry.data[CONF_PORT] == port and entry.entry_id != besides
    ]
