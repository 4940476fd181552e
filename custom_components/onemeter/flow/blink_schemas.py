"""The forms of BLINK meters, and the way between them and the settings of an entry."""

from collections.abc import Mapping
from decimal import Decimal
import re
from typing import Any, Final

import probatio

from homeassistant.components.sensor import ATTR_STATE_CLASS, SensorStateClass
from homeassistant.const import (
    CONF_ENTITY_ID,
    CONF_EVENT,
    CONF_MAC,
    EVENT_STATE_CHANGED,
    EVENT_STATE_REPORTED,
    MATCH_ALL,
    STATE_UNAVAILABLE,
    STATE_UNKNOWN,
    Platform,
)
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import section
from homeassistant.helpers.selector import (
    BooleanSelector,
    EntitySelector,
    EntitySelectorConfig,
    TextSelector,
)

from ..const import (
    CONF_EDGES,
    CONF_EXPORT,
    CONF_IMPULSES_PER_KWH,
    CONF_READING,
    CONF_WH_PER_IMPULSE,
)
from ..impulses.meter_reading import exact_number, exact_reading
from ..impulses.sources import impulses_shown
from ..meter.blink.s10 import TOPIC, normal_mac
from ..meter.blink.settings import Source
from ..settings import BlinkEntrySettings, Connection, HassSource
from .schemas import DEFAULT, DETECT, SECTION_EXPERT, FormError, name_of, select

#: The form's fields for the impulse constant.
CONF_CONSTANT: Final = "constant"
CONF_UNIT: Final = "unit"
CONF_LINE: Final = "impulse_source"

_UNITS: Final = {"imp_per_kwh": CONF_IMPULSES_PER_KWH, "wh_per_imp": CONF_WH_PER_IMPULSE}
_EDGES: Final = {str(edges): edges for edges in (1, 2)}

#: Entities that light up, happen, or show a number.
_LIGHTS: Final = (Platform.BINARY_SENSOR, Platform.EVENT)
_NUMBERS: Final = ("counter", "input_number", Platform.NUMBER, Platform.SENSOR)

_MAC: Final = re.compile(r"[0-9A-F]{12}(?:[0-9A-F]{4})?", re.ASCII)
_EVENT: Final = re.compile(r"\S{1,64}")
#: What happens all the time, and is no flash.
_NO_FLASHES: Final = frozenset({EVENT_STATE_CHANGED, EVENT_STATE_REPORTED, MATCH_ALL})

type _Fields = dict[probatio.Marker, Any]

_SOURCES: Final[Mapping[str, _Fields]] = {
    "blink_entity": {
        probatio.Required(CONF_ENTITY_ID): EntitySelector(
            EntitySelectorConfig(domain=[*_LIGHTS, *_NUMBERS])
        )
    },
    "blink_event": {probatio.Required(CONF_EVENT): probatio.All(TextSelector(), probatio.Strip)},
    "blink_mqtt": {probatio.Required(CONF_MAC): probatio.All(TextSelector(), probatio.Strip)},
}
_CONSTANT: Final[_Fields] = {
    probatio.Required(CONF_CONSTANT): TextSelector(),
    probatio.Required(CONF_UNIT, default="imp_per_kwh"): select(CONF_UNIT, [*_UNITS]),
}
_READING: Final[_Fields] = {probatio.Optional(CONF_READING): TextSelector()}
_REST: Final[_Fields] = {
    probatio.Required(CONF_EXPORT, default=False): BooleanSelector(),
    probatio.Required(SECTION_EXPERT): section(
        probatio.Schema(
            {
                probatio.Required(CONF_EDGES, default=DEFAULT): select(
                    CONF_EDGES, [DEFAULT, *_EDGES]
                ),
            }
        ),
        {"collapsed": True},
    ),
}


def blink_schema(
    step_id: str, *, with_reading: bool, can_find_source: bool = False
) -> probatio.Schema:
    """Return the form of a step, which asks for one kind of source.

    ``can_find_source`` offers to find out by which signal a port reports impulses.
    """
    reading = _READING if with_reading else {}
    if step_id == "blink_port":
        # What has to be entered comes first; how the port shows impulses can be found out.
        line = _line(can_find_source=can_find_source)
        return probatio.Schema({**_CONSTANT, **reading, **line, **_REST})
    return probatio.Schema({**_SOURCES[step_id], **_CONSTANT, **reading, **_REST})


def _line(*, can_find_source: bool) -> _Fields:
    """Return the field for the signal of a port."""
    options = [DETECT] if can_find_source else []
    options += [source.value for source in Source]
    return {probatio.Required(CONF_LINE, default=options[0]): select(CONF_LINE, options)}


def to_blink_form(settings: BlinkEntrySettings | None) -> dict[str, Any]:
    """Return the values of any of these forms that lead to these settings; empty without any."""
    if settings is None:
        return {}
    unit = "imp_per_kwh" if settings.wh_per_impulse is None else "wh_per_imp"
    source_id = settings.source_id
    source: dict[str, str]
    match settings.source:
        case HassSource.ENTITY:
            source = {CONF_ENTITY_ID: source_id}
        case HassSource.EVENT:
            source = {CONF_EVENT: source_id}
        case HassSource.MQTT:
            source = {CONF_MAC: source_id.rpartition("/")[2]}
        case line:
            source = {CONF_LINE: line.value}
    return {
        **source,
        CONF_CONSTANT: f"{getattr(settings, _UNITS[unit]):f}",
        CONF_UNIT: unit,
        CONF_EXPORT: settings.export,
        SECTION_EXPERT: {CONF_EDGES: name_of(_EDGES, settings.edges)},
    }


def to_blink_settings(
    hass: HomeAssistant, step_id: str, form: Mapping[str, Any], connection: Connection
) -> BlinkEntrySettings:
    """Return the settings that the form of a step asks for, with this port if it is at one.

    Raises FormError.
    """
    source: Source | HassSource
    match step_id:
        case "blink_entity":
            source, connection = HassSource.ENTITY, Connection(_entity(hass, form))
        case "blink_event":
            source, connection = HassSource.EVENT, Connection(_event(form))
        case "blink_mqtt":
            source, connection = HassSource.MQTT, Connection(_topic(form))
        case _:
            # What is found out later is the default until then.
            chosen = form[CONF_LINE]
            source = Source.RX if chosen == DETECT else Source(chosen)
    constant = {_UNITS[form[CONF_UNIT]]: _entered_constant(form)}
    settings = BlinkEntrySettings(
        connection=connection,
        source=source,
        edges=_EDGES.get(form[SECTION_EXPERT][CONF_EDGES]),
        export=form[CONF_EXPORT],
        reading=entered_reading(form),
        **constant,
    )
    try:
        settings.constant  # noqa: B018
    except ValueError:
        raise FormError(CONF_CONSTANT, "constant_out_of_range") from None
    return settings


def entered_reading(form: Mapping[str, Any]) -> Decimal | None:
    """Return what was entered of the meter's display (kWh); None where nothing was.

    Raises FormError.
    """
    if not (text := form.get(CONF_READING, "").strip()):
        return None
    try:
        return exact_reading(text)
    except ValueError:
        raise FormError(CONF_READING, "invalid_reading") from None


def _entity(hass: HomeAssistant, form: Mapping[str, Any]) -> str:
    entity_id: str = form[CONF_ENTITY_ID]
    if (state := hass.states.get(entity_id)) is None:
        raise FormError(CONF_ENTITY_ID, "entity_not_found")
    if state.attributes.get(ATTR_STATE_CLASS) == SensorStateClass.MEASUREMENT:
        raise FormError(CONF_ENTITY_ID, "entity_is_rate")
    is_number = state.domain in _NUMBERS and state.state not in (STATE_UNAVAILABLE, STATE_UNKNOWN)
    if is_number and impulses_shown(state) is None:
        raise FormError(CONF_ENTITY_ID, "entity_not_numeric")
    return entity_id


def _event(form: Mapping[str, Any]) -> str:
    event: str = form[CONF_EVENT]
    if event in _NO_FLASHES or not _EVENT.fullmatch(event):
        raise FormError(CONF_EVENT, "invalid_event")
    return event


def _topic(form: Mapping[str, Any]) -> str:
    mac = normal_mac(form[CONF_MAC])
    if not _MAC.fullmatch(mac):
        raise FormError(CONF_MAC, "invalid_mac")
    return f"{TOPIC}/{mac}"


def _entered_constant(form: Mapping[str, Any]) -> Decimal:
    try:
        return exact_number(form[CONF_CONSTANT]).normalize()
    except ValueError:
        raise FormError(CONF_CONSTANT, "invalid_constant") from None
