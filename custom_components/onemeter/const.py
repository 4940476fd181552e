"""Names that several modules of the integration share."""

from typing import Final

DOMAIN: Final = "onemeter"

#: How an entry's unique id begins where the meter tells none; meters' ids never do.
GENERATED: Final = "generated-"

# Entry data. CONF_PORT and CONF_PROTOCOL come from homeassistant.const. Line settings are kept
# only where they differ from what is usual for the protocol.
#: int, baud
CONF_BAUDRATE: Final = "baudrate"
#: str, a value of Framing
CONF_FRAMING: Final = "framing"
#: bool, True is high
CONF_DTR: Final = "dtr"
#: bool, True is high
CONF_RTS: Final = "rts"

# Entry options.
#: int, s
CONF_PUBLISH_INTERVAL: Final = "publish_interval"
#: int, W
CONF_MAX_POWER: Final = "max_power"
#: str, DIRECTION_AUTO or DIRECTION_OFF
CONF_DIRECTION: Final = "direction"
#: str, an exact decimal above zero
CONF_MULTIPLIER: Final = "multiplier"

DIRECTION_AUTO: Final = "auto"
DIRECTION_OFF: Final = "off"

#: Seconds between two publications of a pushed meter's values.
DEFAULT_PUBLISH_INTERVAL: Final = 10
#: Watt that the usual connection of a household allows: 3 x 63 A x 230 V.
DEFAULT_MAX_POWER: Final = 43_470
DEFAULT_MULTIPLIER: Final = "1"
