"""The forms of meters that blink, and the way between what they show and what an entry keeps."""

from collections.abc import Callable, Mapping
from decimal import Decimal
import re
from typing import Any, Final

import probatio

from homeassistant.components.sensor import ATTR_STATE_CLASS, SensorStateClass
from homeassistant.const import (
    CONF_ENTITY_ID,
    CONF_EVENT,
    CONF_MAC,
    CONF_PORT,
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
    CONF_SOURCE,
    CONF_WH_PER_IMPULSE,
    SOURCE_ENTITY,
    SOURCE_EVENT,
    SOURCE_MQTT,
)
from ..impulses.meter_reading import exact_number, exact_reading
from ..impulses.sources import impulses_shown
from ..impulses.totals import constant_of
from ..meter.blink.s10 import TOPIC, normal_mac
from ..meter.blink.settings import Source
from .schemas import DEFAULT, SECTION_EXPERT, FormError, name_of, select

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
    "blink_port": {
        probatio.Required(CONF_LINE, default=Source.RX.value): select(
            CONF_LINE, [source.value for source in Source]
        )
    },
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


def blink_schema(step_id: str, *, with_reading: bool) -> probatio.Schema:
    """Return the form of a step, which asks for one kind of source."""
    reading = _READING if with_reading else {}
    return probatio.Schema({**_SOURCES[step_id], **_CONSTANT, **reading, **_REST})


def to_blink_form(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of any of these forms that lead to this entry data; empty without any."""
    if CONF_SOURCE not in data:
        return {}
    source, port = data[CONF_SOURCE], data[CONF_PORT]
    unit = next(unit for unit, key in _UNITS.items() if key in data)
    shown = {
        SOURCE_ENTITY: {CONF_ENTITY_ID: port},
        SOURCE_EVENT: {CONF_EVENT: port},
        SOURCE_MQTT: {CONF_MAC: port.rpartition("/")[2]},
    }
    return {
        **shown.get(source, {CONF_LINE: source}),
        CONF_CONSTANT: data[_UNITS[unit]],
        CONF_UNIT: unit,
        CONF_EXPORT: data.get(CONF_EXPORT, False),
        SECTION_EXPERT: {CONF_EDGES: name_of(_EDGES, data.get(CONF_EDGES))},
    }


def to_blink_data(hass: HomeAssistant, step_id: str, form: Mapping[str, Any]) -> dict[str, Any]:
    """Return the entry data that the form of a step asks for; without the port, if it is at one.

    Raises FormError.
    """
    data: dict[str, Any] = {**_SOURCE_OF[step_id](hass, form), **_constant(form)}
    if form[CONF_EXPORT]:
        data[CONF_EXPORT] = True
    if (edges := _EDGES.get(form[SECTION_EXPERT][CONF_EDGES])) is not None:
        data[CONF_EDGES] = edges
    if (reading := entered_reading(form)) is not None:
        data[CONF_READING] = f"{reading:f}"
    return data


def entered_reading(form: Mapping[str, Any]) -> Decimal | None:
    """Return what was entered of the meter's display (kWh); None where nothing was.

    Raises FormError.
    """
    if not (text := form.get(CONF_READING, "").strip()):
        return None
    try:
        return exact_reading(text)
    except probatio.Invalid:
        raise FormError(CONF_READING, "invalid_reading") from None


def _port(_: HomeAssistant, form: Mapping[str, Any]) -> dict[str, Any]:
    return {CONF_SOURCE: form[CONF_LINE]}


def _entity(hass: HomeAssistant, form: Mapping[str, Any]) -> dict[str, Any]:
    entity_id = form[CONF_ENTITY_ID]
    if (state := hass.states.get(entity_id)) is None:
        raise FormError(CONF_ENTITY_ID, "entity_not_found")
    if state.attributes.get(ATTR_STATE_CLASS) == SensorStateClass.MEASUREMENT:
        raise FormError(CONF_ENTITY_ID, "entity_is_rate")
    is_number = state.domain in _NUMBERS and state.state not in (STATE_UNAVAILABLE, STATE_UNKNOWN)
    if is_number and impulses_shown(state) is None:
        raise FormError(CONF_ENTITY_ID, "entity_not_numeric")
    return {CONF_PORT: entity_id, CONF_SOURCE: SOURCE_ENTITY}


def _event(_: HomeAssistant, form: Mapping[str, Any]) -> dict[str, Any]:
    event = form[CONF_EVENT]
    if event in _NO_FLASHES or not _EVENT.fullmatch(event):
        raise FormError(CONF_EVENT, "invalid_event")
    return {CONF_PORT: event, CONF_SOURCE: SOURCE_EVENT}


def _mqtt(_: HomeAssistant, form: Mapping[str, Any]) -> dict[str, Any]:
    mac = normal_mac(form[CONF_MAC])
    if not _MAC.fullmatch(mac):
        raise FormError(CONF_MAC, "invalid_mac")
    return {CONF_PORT: f"{TOPIC}/{mac}", CONF_SOURCE: SOURCE_MQTT}


_SOURCE_OF: Final[Mapping[str, Callable[[HomeAssistant, Mapping[str, Any]], dict[str, Any]]]] = {
    "blink_port": _port,
    "blink_entity": _entity,
    "blink_event": _event,
    "blink_mqtt": _mqtt,
}


def _constant(form: Mapping[str, Any]) -> dict[str, str]:
    try:
        number = exact_number(form[CONF_CONSTANT])
    except ValueError:
        raise FormError(CONF_CONSTANT, "invalid_constant") from None
    data = {_UNITS[form[CONF_UNIT]]: f"{number.normalize():f}"}
    try:
        constant_of(data)
    except ValueError:
        raise FormError(CONF_CONSTANT, "constant_out_of_range") from None
    return data
