"""Names that several modules of the integration share."""

from typing import Final

DOMAIN: Final = "onemeter"

# Entry data. CONF_PORT and CONF_PROTOCOL come from homeassistant.const.
CONF_BAUDRATE: Final = "baudrate"
CONF_FRAMING: Final = "framing"
CONF_DTR: Final = "dtr"
CONF_RTS: Final = "rts"

# Entry options.
CONF_PUBLISH_INTERVAL: Final = "publish_interval"
CONF_MAX_POWER: Final = "max_power"
CONF_DIRECTION: Final = "direction"
CONF_MULTIPLIER: Final = "multiplier"

#: Seconds between two publications of a pushed meter's values.
DEFAULT_PUBLISH_INTERVAL: Final = 10
#: Watt that the usual connection of a household allows: 3 x 63 A x 230 V.
DEFAULT_MAX_POWER: Final = 43_470
DEFAULT_MULTIPLIER: Final = 1
