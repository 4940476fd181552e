"""Names that several modules of the integration share."""

from typing import Final

DOMAIN: Final = "onemeter"

#: How an entry's unique id begins where the meter tells none; meters' ids never do.
GENERATED: Final = "generated-"

# Entry data. CONF_PORT, CONF_PROTOCOL, CONF_MODE, CONF_ADDRESS and CONF_PASSWORD come from
# homeassistant.const. All but the first three are kept only where they differ from what is usual.
#: int, baud
CONF_BAUDRATE: Final = "baudrate"
#: str, a value of Framing
CONF_FRAMING: Final = "framing"
#: bool, True is high
CONF_DTR: Final = "dtr"
#: bool, True is high
CONF_RTS: Final = "rts"
#: bool, True where the meter must be woken up and its battery spared
CONF_BATTERY: Final = "battery"
#: str, what stands before the device address in the sign-on
CONF_TABLE: Final = "table"
#: bool, False where the meter must be read at the speed of the sign-on
CONF_SWITCH_SPEED: Final = "switch_speed"
#: float, s
CONF_SWITCH_DELAY: Final = "switch_delay"
#: str, what asks for the readout after the identification, as in SignOn
CONF_ACKNOWLEDGEMENT: Final = "acknowledgement"

# Entry data of DLMS meters. The numbers are int; keys and the system title hexadecimal digits.
#: str, a value of Transport; CONF_ADDRESS is the device address of its sign-on
CONF_TRANSPORT: Final = "transport"
CONF_CLIENT: Final = "client"
CONF_LOGICAL_DEVICE: Final = "logical_device"
CONF_PHYSICAL_DEVICE: Final = "physical_device"
#: int, bytes
CONF_ADDRESS_LENGTH: Final = "address_length"
#: str, a value of Authentication
CONF_AUTHENTICATION: Final = "authentication"
CONF_ENCRYPTION_KEY: Final = "encryption_key"
CONF_AUTHENTICATION_KEY: Final = "authentication_key"
#: This client's own, made up for each entry
CONF_SYSTEM_TITLE: Final = "system_title"
#: Of a form: no entry keeps it.
CONF_FIRST_COUNTER: Final = "first_counter"
#: str, a value of Protection
CONF_PROTECTION: Final = "protection"
CONF_SUITE: Final = "suite"
#: bool
CONF_DEDICATED_KEY: Final = "dedicated_key"
CONF_COUNTER_INSTANCE: Final = "counter_instance"
#: bool, True where the meter counts its deviation from UTC the other way round
CONF_INVERT_DEVIATION: Final = "invert_deviation"

# Entry data of meters that blink, and what the options keep of a second source. The source is a
# value of Source, or one of these; CONF_PORT is then the id of the entity, the type of the events,
# or the topic with the sender's address behind it.
CONF_SOURCE: Final = "source"
SOURCE_ENTITY: Final = "entity"
SOURCE_EVENT: Final = "event"
SOURCE_MQTT: Final = "mqtt"
HASS_SOURCES: Final = (SOURCE_ENTITY, SOURCE_EVENT, SOURCE_MQTT)
#: str, exact decimals, of which there is one
CONF_IMPULSES_PER_KWH: Final = "impulses_per_kwh"
CONF_WH_PER_IMPULSE: Final = "wh_per_impulse"
#: int, 1 or 2, where it is not what the source usually has
CONF_EDGES: Final = "edges"
#: bool, True where impulses are energy fed in
CONF_EXPORT: Final = "export"
#: str, an exact decimal, kWh: what the meter's display showed when the entry was made
CONF_READING: Final = "reading"

# CONF_MODE, in protocols that know both: who speaks first.
MODE_PUSHED: Final = "pushed"
MODE_POLLED: Final = "polled"

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

#: dict of what entry data of a meter that blinks hold of its source
CONF_IMPULSES: Final = "impulses"

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
