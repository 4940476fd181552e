"""The forms of the flows, and the way between them and the settings of an entry."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

import probatio

from homeassistant.const import (
    CONF_ADDRESS,
    CONF_PASSWORD,
    CONF_PORT,
    CONF_PROTOCOL,
    UnitOfTime,
)
from homeassistant.data_entry_flow import section
from homeassistant.helpers.selector import (
    BooleanSelector,
    NumberSelector,
    NumberSelectorConfig,
    NumberSelectorMode,
    SelectSelector,
    SelectSelectorConfig,
    SelectSelectorMode,
    SerialPortSelector,
    TextSelector,
    TextSelectorConfig,
    TextSelectorType,
)

from ..const import (
    CONF_ACKNOWLEDGEMENT,
    CONF_BATTERY,
    CONF_BAUDRATE,
    CONF_DTR,
    CONF_FRAMING,
    CONF_MULTIPLIER,
    CONF_RTS,
    CONF_SWITCH_DELAY,
    CONF_TABLE,
    DEFAULT_MULTIPLIER,
)
from ..meter import Framing, Protocol
from ..meter.iec62056.settings import SignOn
from ..settings import AnySettings, Connection, Iec62056EntrySettings

#: The forms' sections of expert settings, and the option for what is usual.
SECTION_LINE = "line"
SECTION_EXPERT = "expert"
DEFAULT = "default"
#: The option for a protocol that is to be found out.
DETECT = "detect"
#: The form's opposite of CONF_SWITCH_SPEED.
CONF_FIXED_SPEED = "fixed_speed"

#: Stands in a form for a password that is known already, and goes to no browser.
UNCHANGED: Final = "__password_unchanged__"

_BAUDRATES = (300, 600, 1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200, 230400, 460800, 921600)
_LEVELS = {"high": True, "low": False}

#: The options of each line setting, and what they stand for in Connection.
_LINE_CHOICES: dict[str, Mapping[str, int | str]] = {
    CONF_BAUDRATE: {str(baudrate): baudrate for baudrate in _BAUDRATES},
    CONF_FRAMING: {framing.lower(): framing for framing in Framing},
    CONF_DTR: _LEVELS,
    CONF_RTS: _LEVELS,
}
#: The same for what stands before the address: tables of VDEW, and what heat meters want.
_TABLES = {**{table: table for table in ("1", "2", "3", "4")}, "hash": "#"}
#: The same for what asks for the readout; others may be typed.
_ACKNOWLEDGEMENTS = {
    "none": SignOn.NO_ACKNOWLEDGEMENT,
    **{f"list_{mode}": f"0{SignOn.METERS_OWN_SPEED}{mode}" for mode in ("6", "7", "8", "9")},
    "ack_256": "256",
}

#: The smallest multiplier, of which each is a multiple, and the largest.
MULTIPLIER_STEP: Final = Decimal("0.000001")
HIGHEST_MULTIPLIER: Final = Decimal(1_000_000)


class FormError(Exception):
    """What was entered in a field cannot be right."""

    def __init__(self, field: str, error: str, details: Mapping[str, str] | None = None) -> None:
        """Take the field, the key of the text, and what the text needs."""
        super().__init__(error)
        self.errors = {field: error}
        self.details = dict(details or {})


def select(key: str, options: list[str], *, custom_value: bool = False) -> SelectSelector:
    """Make a dropdown whose texts stand under this translation key."""
    return SelectSelector(
        SelectSelectorConfig(
            options=options,
            mode=SelectSelectorMode.DROPDOWN,
            translation_key=key,
            custom_value=custom_value,
        )
    )


def whole_number(least: int, most: int, unit: str | None = None) -> probatio.All[Any]:
    """Make a field for a whole number."""
    config = NumberSelectorConfig(min=least, max=most, mode=NumberSelectorMode.BOX)
    if unit is not None:
        config["unit_of_measurement"] = unit
    return probatio.All(NumberSelector(config), probatio.Coerce(int))


def hidden_text() -> TextSelector:
    """Make a field whose content the browser hides by default."""
    return TextSelector(TextSelectorConfig(type=TextSelectorType.PASSWORD))


PORT_SCHEMA = probatio.Schema(
    {
        # A BLINK meter may have another source than a port.
        probatio.Optional(CONF_PORT): probatio.All(SerialPortSelector(), probatio.Strip),
        probatio.Required(CONF_PROTOCOL, default=DETECT): select(
            CONF_PROTOCOL, [DETECT, *(protocol.value for protocol in Protocol)]
        ),
        probatio.Required(SECTION_LINE): section(
            probatio.Schema(
                {
                    probatio.Required(key, default=DEFAULT): select(key, [DEFAULT, *choices])
                    for key, choices in _LINE_CHOICES.items()
                }
            ),
            {"collapsed": True},
        ),
    }
)

IEC62056_SCHEMA = probatio.Schema(
    {
        probatio.Required(CONF_BATTERY, default=False): BooleanSelector(),
        probatio.Optional(CONF_ADDRESS): probatio.All(TextSelector(), probatio.Strip),
        probatio.Required(SECTION_EXPERT): section(
            probatio.Schema(
                {
                    probatio.Optional(probatio.Secret(CONF_PASSWORD)): hidden_text(),
                    probatio.Required(CONF_TABLE, default=DEFAULT): select(
                        CONF_TABLE, [DEFAULT, *_TABLES]
                    ),
                    probatio.Required(CONF_ACKNOWLEDGEMENT, default=DEFAULT): select(
                        CONF_ACKNOWLEDGEMENT, [DEFAULT, *_ACKNOWLEDGEMENTS], custom_value=True
                    ),
                    probatio.Required(CONF_FIXED_SPEED, default=False): BooleanSelector(),
                    probatio.Required(CONF_SWITCH_DELAY, default=0.0): NumberSelector(
                        NumberSelectorConfig(
                            min=0,
                            max=2,
                            step=0.01,
                            mode=NumberSelectorMode.BOX,
                            unit_of_measurement=UnitOfTime.SECONDS,
                        )
                    ),
                }
            ),
            {"collapsed": True},
        ),
    }
)

PASSWORD_SCHEMA = probatio.Schema(
    {probatio.Required(probatio.Secret(CONF_PASSWORD)): hidden_text()}
)

MULTIPLIER_FIELD: dict[probatio.Marker, Any] = {
    probatio.Required(CONF_MULTIPLIER, default=float(DEFAULT_MULTIPLIER)): NumberSelector(
        NumberSelectorConfig(
            min=float(MULTIPLIER_STEP),
            max=float(HIGHEST_MULTIPLIER),
            step="any",
            mode=NumberSelectorMode.BOX,
        )
    )
}


def exact_multiplier(entered: float) -> str | None:
    """Return the multiplier that was entered as it is kept; None if it has too many decimals."""
    # A float's shortest text is the number that was entered.
    multiplier = Decimal(str(entered)).normalize()
    return f"{multiplier:f}" if multiplier.quantize(MULTIPLIER_STEP) == multiplier else None


def to_form(settings: AnySettings) -> dict[str, Any]:
    """Return the values of the port's form that lead to these settings."""
    connection = settings.connection
    return {
        CONF_PORT: settings.source_id if settings.has_port else "",
        CONF_PROTOCOL: settings.protocol.value,
        SECTION_LINE: {
            key: name_of(choices, getattr(connection, key))
            for key, choices in _LINE_CHOICES.items()
        },
    }


def to_connection(form: Mapping[str, Any], port: str) -> Connection:
    """Return what the port's form asks for, with this name of the port."""
    chosen = form[SECTION_LINE]
    line: dict[str, Any] = {key: choices.get(chosen[key]) for key, choices in _LINE_CHOICES.items()}
    return Connection(port, **line)


def to_iec62056_form(settings: Iec62056EntrySettings | None) -> dict[str, Any]:
    """Return the values of IEC 62056-21's form that lead to these settings."""
    if settings is None:
        return {}
    return {
        CONF_BATTERY: settings.battery,
        CONF_ADDRESS: settings.address,
        SECTION_EXPERT: {
            CONF_PASSWORD: "" if settings.password is None else UNCHANGED,
            CONF_TABLE: name_of(_TABLES, settings.table),
            CONF_ACKNOWLEDGEMENT: _acknowledgement_name(settings.acknowledgement),
            CONF_FIXED_SPEED: not settings.switch_speed,
            CONF_SWITCH_DELAY: settings.switch_delay,
        },
    }


def to_iec62056_settings(
    form: Mapping[str, Any], connection: Connection, before: Iec62056EntrySettings | None
) -> Iec62056EntrySettings:
    """Return the settings that IEC 62056-21's form asks for.

    Takes the settings that the form has shown, for the password that it has not.
    """
    expert = form[SECTION_EXPERT]
    password = expert.get(CONF_PASSWORD) or None
    if password == UNCHANGED:
        password = None if before is None else before.password
    return Iec62056EntrySettings(
        connection=connection,
        battery=form[CONF_BATTERY],
        address=form.get(CONF_ADDRESS, ""),
        password=password,
        table=_TABLES.get(expert[CONF_TABLE], ""),
        switch_speed=not expert[CONF_FIXED_SPEED],
        switch_delay=expert[CONF_SWITCH_DELAY],
        acknowledgement=_acknowledgement(expert[CONF_ACKNOWLEDGEMENT]),
    )


def _acknowledgement(entered: str) -> str:
    """Return the acknowledgement for an option of the form, or for a text like "ACK 2 5 6"."""
    if entered == DEFAULT:
        return ""
    typed = "".join(entered.upper().removeprefix("ACK").split())
    return _ACKNOWLEDGEMENTS.get(entered, typed)


def _acknowledgement_name(kept: str) -> str:
    return next(
        (name for name, value in _ACKNOWLEDGEMENTS.items() if value == kept), kept or DEFAULT
    )


def name_of(choices: Mapping[str, int | str], kept: object) -> str:
    """Return the option for a setting."""
    return next((name for name, value in choices.items() if value == kept), DEFAULT)
