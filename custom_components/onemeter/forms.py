"""The forms of the flows, and the way between what a form shows and what an entry keeps."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

import probatio

from homeassistant.const import CONF_PORT, CONF_PROTOCOL, UnitOfPower, UnitOfTime
from homeassistant.data_entry_flow import section
from homeassistant.helpers.selector import (
    NumberSelector,
    NumberSelectorConfig,
    NumberSelectorMode,
    SelectSelector,
    SelectSelectorConfig,
    SelectSelectorMode,
    SerialPortSelector,
)

from .const import (
    CONF_BAUDRATE,
    CONF_DIRECTION,
    CONF_DTR,
    CONF_FRAMING,
    CONF_MAX_POWER,
    CONF_MULTIPLIER,
    CONF_PUBLISH_INTERVAL,
    CONF_RTS,
    DEFAULT_MAX_POWER,
    DEFAULT_MULTIPLIER,
    DEFAULT_PUBLISH_INTERVAL,
    DIRECTION_AUTO,
    DIRECTION_OFF,
)
from .meter import Framing, Protocol

#: The form's section of expert settings, and its option for "as usual for the protocol".
SECTION_LINE = "line"
USUAL = "default"

_BAUDRATES = (300, 600, 1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200, 230400, 460800, 921600)
_LEVELS = {"high": True, "low": False}

#: The options of each line setting, and what the entry keeps for them.
_LINE_CHOICES: dict[str, Mapping[str, int | str]] = {
    CONF_BAUDRATE: {str(baudrate): baudrate for baudrate in _BAUDRATES},
    CONF_FRAMING: {framing.lower(): framing.value for framing in Framing},
    CONF_DTR: _LEVELS,
    CONF_RTS: _LEVELS,
}

#: The smallest multiplier, of which each is a multiple.
MULTIPLIER_STEP: Final = Decimal("0.000001")


def _select(key: str, options: list[str]) -> SelectSelector:
    """Make a dropdown whose texts stand under this translation key."""
    return SelectSelector(
        SelectSelectorConfig(options=options, mode=SelectSelectorMode.DROPDOWN, translation_key=key)
    )


PORT_SCHEMA = probatio.Schema(
    {
        probatio.Required(CONF_PORT): probatio.All(
            SerialPortSelector(), probatio.Strip, probatio.Length(min=1)
        ),
        probatio.Required(CONF_PROTOCOL, default=Protocol.SML.value): _select(
            CONF_PROTOCOL, [protocol.value for protocol in Protocol]
        ),
        probatio.Required(SECTION_LINE): section(
            probatio.Schema(
                {
                    probatio.Required(key, default=USUAL): _select(key, [USUAL, *choices])
                    for key, choices in _LINE_CHOICES.items()
                }
            ),
            {"collapsed": True},
        ),
    }
)


OPTIONS_SCHEMA = probatio.Schema(
    {
        probatio.Required(CONF_PUBLISH_INTERVAL, default=DEFAULT_PUBLISH_INTERVAL): probatio.All(
            NumberSelector(
                NumberSelectorConfig(
                    min=1,
                    max=900,
                    mode=NumberSelectorMode.BOX,
                    unit_of_measurement=UnitOfTime.SECONDS,
                )
            ),
            probatio.Coerce(int),
        ),
        probatio.Required(CONF_MAX_POWER, default=DEFAULT_MAX_POWER): probatio.All(
            NumberSelector(
                NumberSelectorConfig(
                    min=1,
                    max=1_000_000_000,
                    mode=NumberSelectorMode.BOX,
                    unit_of_measurement=UnitOfPower.WATT,
                )
            ),
            probatio.Coerce(int),
        ),
        probatio.Required(CONF_DIRECTION, default=DIRECTION_AUTO): _select(
            CONF_DIRECTION, [DIRECTION_AUTO, DIRECTION_OFF]
        ),
        probatio.Required(CONF_MULTIPLIER, default=float(DEFAULT_MULTIPLIER)): NumberSelector(
            NumberSelectorConfig(
                min=float(MULTIPLIER_STEP),
                max=1_000_000,
                step="any",
                mode=NumberSelectorMode.BOX,
            )
        ),
    }
)


def to_form(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return the form's values that lead to this entry data."""
    return {
        CONF_PORT: data[CONF_PORT],
        CONF_PROTOCOL: data[CONF_PROTOCOL],
        SECTION_LINE: {
            key: next((name for name, value in choices.items() if value == data.get(key)), USUAL)
            for key, choices in _LINE_CHOICES.items()
        },
    }


def to_data(form: Mapping[str, Any], port: str) -> dict[str, Any]:
    """Return the entry data that the form asks for, with this name of its port."""
    line = {
        key: choices[name]
        for key, choices in _LINE_CHOICES.items()
        if (name := form[SECTION_LINE][key]) != USUAL
    }
    return {CONF_PORT: port, CONF_PROTOCOL: form[CONF_PROTOCOL], **line}
