"""Names that several modules of the integration share."""

from typing import Final

DOMAIN: Final = "onemeter"

#: Beginning of an entry's unique id if the meter sends none; ids of meters never begin like this.
GENERATED: Final = "generated-"

# Entry data, of which settings.py has the types and meanings. CONF_PORT, CONF_PROTOCOL, CONF_MODE,
# CONF_ADDRESS and CONF_PASSWORD come from homeassistant.const.
CONF_SOURCE_ID: Final = "source_id"
CONF_BAUDRATE: Final = "baudrate"
CONF_FRAMING: Final = "framing"
CONF_DTR: Final = "dtr"
CONF_RTS: Final = "rts"
# IEC 62056-21
CONF_BATTERY: Final = "battery"
CONF_TABLE: Final = "table"
CONF_SWITCH_SPEED: Final = "switch_speed"
CONF_SWITCH_DELAY: Final = "switch_delay"
CONF_ACKNOWLEDGEMENT: Final = "acknowledgement"
# DLMS
CONF_TRANSPORT: Final = "transport"
CONF_CLIENT: Final = "client"
CONF_LOGICAL_DEVICE: Final = "logical_device"
CONF_PHYSICAL_DEVICE: Final = "physical_device"
CONF_ADDRESS_LENGTH: Final = "address_length"
CONF_AUTHENTICATION: Final = "authentication"
CONF_ENCRYPTION_KEY: Final = "encryption_key"
CONF_AUTHENTICATION_KEY: Final = "authentication_key"
CONF_SYSTEM_TITLE: Final = "system_title"
CONF_PROTECTION: Final = "protection"
CONF_SUITE: Final = "suite"
CONF_DEDICATED_KEY: Final = "dedicated_key"
CONF_COUNTER_INSTANCE: Final = "counter_instance"
CONF_INVERT_DEVIATION: Final = "invert_deviation"
# BLINK
CONF_SOURCE: Final = "source"
CONF_IMPULSES_PER_KWH: Final = "impulses_per_kwh"
CONF_WH_PER_IMPULSE: Final = "wh_per_impulse"
CONF_EDGES: Final = "edges"
CONF_EXPORT: Final = "export"
CONF_READING: Final = "reading"

#: Of a form: no entry keeps it.
CONF_FIRST_COUNTER: Final = "first_counter"

# Entry options.
#: int, s
CONF_PUBLISH_INTERVAL: Final = "publish_interval"
#: int, s; of polled meters only
CONF_POLL_INTERVAL: Final = "poll_interval"
#: list of str, addresses as the meter sends them; of polled meters only
CONF_LIVE_REGISTERS: Final = "live_registers"
#: int, W
CONF_MAX_POWER: Final = "max_power"
#: str, DIRECTION_AUTO or DIRECTION_OFF
CONF_DIRECTION: Final = "direction"
#: str, an exact decimal above zero
CONF_MULTIPLIER: Final = "multiplier"
#: bool; of polled meters only
CONF_FILL_GAPS: Final = "fill_gaps"
#: int, days; what a new entry imports of its meter's load profile once
CONF_IMPORT_DAYS: Final = "import_days"

#: dict, statistic ids by keys of registers: what sensors are to continue, until that is done
CONF_TAKE_OVER: Final = "take_over"
#: bool; of all but BLINK
CONF_GRID_QUALITY: Final = "grid_quality"

#: str, a value of Role: what the meter is in the Energy dashboard
CONF_ENERGY_ROLE: Final = "energy_role"

#: dict, what the entry data of a BLINK meter would be
CONF_IMPULSES: Final = "impulses"

#: str, PERIOD_OFF or minutes: what import and export are balanced in, and what peaks are means of
CONF_BALANCING_PERIOD: Final = "balancing_period"
CONF_PEAK_PERIOD: Final = "peak_period"
#: int, hours of the local clock between which periods count for peaks
CONF_PEAK_FROM: Final = "peak_from"
CONF_PEAK_UNTIL: Final = "peak_until"
#: int, days of whose highest periods the peak is the mean
CONF_PEAK_DAYS: Final = "peak_days"

PERIOD_OFF: Final = "off"
DIRECTION_AUTO: Final = "auto"
DIRECTION_OFF: Final = "off"

#: Seconds between two publications of a pushed meter's values.
DEFAULT_PUBLISH_INTERVAL: Final = 10
#: Seconds between two readings of a polled meter's live registers.
DEFAULT_LIVE_INTERVAL: Final = 2
#: Seconds between two readouts of a polled meter.
DEFAULT_POLL_INTERVAL: Final = 60
#: The same for a meter that lives on a battery, and the least.
BATTERY_POLL_INTERVAL: Final = 900
#: Watt that the usual connection of a household allows: 3 x 63 A x 230 V.
DEFAULT_MAX_POWER: Final = 43_470
DEFAULT_MULTIPLIER: Final = "1"
