"""One meter's readings, pushed to Home Assistant as they come in."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from homeassistant.config_entries import ConfigEntry
from homeassistant.const import CONF_PROTOCOL
from homeassistant.helpers.update_coordinator import DataUpdateCoordinator

from .const import CONF_BAUDRATE, CONF_DTR, CONF_FRAMING, CONF_RTS
from .meter import DEFAULT_LINE, Framing, Identity, LineSettings, Obis, Protocol, Register

_LOGGER = logging.getLogger(__name__)

type OneMeterConfigEntry = ConfigEntry[OneMeterCoordinator]


@dataclass(frozen=True, slots=True)
class MeterData:
    """What may be published of one meter."""

    meter: Identity
    #: The first register of each code; a withheld total keeps its last accepted value.
    registers: Mapping[Obis, Register]
    #: When the newest telegram came in (UTC).
    received: datetime = field(compare=False)


def line_settings(data: Mapping[str, Any]) -> LineSettings:
    """Return how to open the port: the protocol's usual line and what the entry changes of it."""
    usual = DEFAULT_LINE[Protocol(data[CONF_PROTOCOL])]
    return LineSettings(
        baudrate=data.get(CONF_BAUDRATE, usual.baudrate),
        framing=Framing(data.get(CONF_FRAMING, usual.framing)),
        dtr=data.get(CONF_DTR, usual.dtr),
        rts=data.get(CONF_RTS, usual.rts),
    )


class OneMeterCoordinator(DataUpdateCoordinator[MeterData]):
    """Follows one meter and publishes what can be trusted."""

    config_entry: OneMeterConfigEntry
