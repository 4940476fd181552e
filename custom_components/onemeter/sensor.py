"""Sensors: one for each register that a meter sends, and what can be derived from several."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from itertools import batched
from typing import NamedTuple, override

from homeassistant.components.sensor import SensorEntity, SensorEntityDescription, SensorStateClass
from homeassistant.const import EntityCategory, Platform
from homeassistant.core import HomeAssistant, callback
from homeassistant.exceptions import ServiceValidationError
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.helpers.event import async_track_time_interval

from .const import (
    CONF_DIRECTION,
    CONF_MAX_POWER,
    CONF_MULTIPLIER,
    DEFAULT_MAX_POWER,
    DEFAULT_MULTIPLIER,
    DIRECTION_AUTO,
    DOMAIN,
)
from .coordinator.base import MeterData, OneMeterConfigEntry, OneMeterCoordinator
from .coordinator.blink import BlinkCoordinator
from .entity import OneMeterEntity
from .meter import Key
from .registers.lookup import describe_register, is_unlinked
from .registers.quantities import LOCAL_TIME, POWER, TIME, TIME_DIFFERENCE, Quantity
from .registers.table import Line
from .states.derived_power import DerivedPower
from .states.values import (
    PowerFromEnergy,
    Reckoning,
    State,
    clock_difference,
    local_time,
    measurement,
    point_in_time,
    raw_state,
    signed_power,
    tan_phi,
    time_of_measurement,
)

#: Readings come in at the meter's pace; nothing is asked from here.
PARALLEL_UPDATES = 0

type ValueFn = Callable[[MeterData, Reckoning], State]
type Attributes = Mapping[str, str | bool]

_SIGNED_POWER = "power"
#: Sensors that are added in one go, unless others have their turn: a meter may have hundreds.
_ADDED_AT_ONCE = 4
#: How often a sensor that changes with time looks whether the meter has been read.
_LOOK_INTERVAL = timedelta(seconds=15)


def _no_attributes(_: MeterData) -> Attributes:
    return {}


@dataclass(frozen=True, kw_only=True)
class OneMeterSensorDescription(SensorEntityDescription):
    """A sensor, and how its state comes out of what the meter tells."""

    value_fn: ValueFn
    attributes_fn: Callable[[MeterData], Attributes] = _no_attributes
    #: That a reading says the same as the last one is news too: nothing has been consumed.
    changes_with_time: bool = False


async def async_setup_entry(
    hass: HomeAssistant,
    entry: OneMeterConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Add the sensors of a meter, and those of registers that it sends only later."""
    coordinator = entry.runtime_data
    reckoning = Reckoning(
        multiplier=Decimal(entry.options.get(CONF_MULTIPLIER, DEFAULT_MULTIPLIER)),
        signed=entry.options.get(CONF_DIRECTION, DIRECTION_AUTO) == DIRECTION_AUTO,
    )
    if not reckoning.signed:
        _async_remove_signed_power(hass, entry)
    max_power = entry.options.get(CONF_MAX_POWER, DEFAULT_MAX_POWER)
    derived = (*DERIVED, _derived_power(DerivedPower(max_power, reckoning.multiplier)))
    known: set[Key] = set()

    def is_new(key: Key, data: MeterData) -> bool:
        return key not in known and not is_unlinked(key, data.registers)

    def can_be_derived(description: OneMeterSensorDescription, data: MeterData) -> bool:
        return description.key not in known and description.value_fn(data, reckoning) is not None

    async def add_new_sensors(data: MeterData) -> None:
        """Add what was not there before, a few sensors at a time."""
        new = [key for key in data.registers if is_new(key, data)]
        known.update(new)
        for some in batched(new, _ADDED_AT_ONCE, strict=False):
            async_add_entities(
                [OneMeterSensor(coordinator, _describe(key, data), reckoning) for key in some]
            )
            await asyncio.sleep(0)
        for description in derived:
            if can_be_derived(description, data):
                known.add(description.key)
                async_add_entities([OneMeterSensor(coordinator, description, reckoning)])

    @callback
    def look_for_new_sensors() -> None:
        data = coordinator.data
        if any(is_new(key, data) for key in data.registers) or any(
            can_be_derived(description, data) for description in derived
        ):
            entry.async_create_task(
                hass, add_new_sensors(data), f"{DOMAIN} new sensors", eager_start=False
            )

    entry.async_on_unload(coordinator.async_add_listener(look_for_new_sensors))
    await add_new_sensors(coordinator.data)


@callback
def _async_remove_signed_power(hass: HomeAssistant, entry: OneMeterConfigEntry) -> None:
    """Remove a sensor that has no value any more; Home Assistant remembers its settings."""
    entities = er.async_get(hass)
    unique_id = f"{entry.unique_id}-{_SIGNED_POWER}"
    if entity_id := entities.async_get_entity_id(Platform.SENSOR, DOMAIN, unique_id):
        entities.async_remove(entity_id)


class _Shown(NamedTuple):
    """What is written of a sensor."""

    available: bool
    state: State
    attributes: Attributes


class OneMeterSensor(OneMeterEntity, SensorEntity):
    """Shows one register, or one thing derived from several.

    A register that the meter leaves out is unknown, never its last value.
    """

    entity_description: OneMeterSensorDescription
    _written: _Shown

    def __init__(
        self,
        coordinator: OneMeterCoordinator,
        description: OneMeterSensorDescription,
        reckoning: Reckoning,
    ) -> None:
        """Take what the sensor shows and how the user wants it to be read."""
        super().__init__(coordinator, description.key)
        self.entity_description = description
        self._reckoning = reckoning
        self._written = self._news()

    async def async_set_meter_reading(self, reading: Decimal) -> dict[str, str]:
        """Set the total to what the meter's display shows (kWh); tell by how much it was off."""
        coordinator = self.coordinator
        if not isinstance(coordinator, BlinkCoordinator) or not coordinator.counts(
            self.entity_description.key
        ):
            raise ServiceValidationError(
                translation_domain=DOMAIN,
                translation_key="not_counted",
                translation_placeholders={"entity": self.entity_id},
            )
        off = await coordinator.async_calibrate(reading)
        return {"off_by": f"{off:f}"}

    @property
    @override
    def native_value(self) -> State:
        """Return the state, exact to the last digit that the meter sends."""
        return self._written.state

    @property
    @override
    def extra_state_attributes(self) -> Attributes:
        """Return what belongs to the state."""
        return self._written.attributes

    @override
    async def async_added_to_hass(self) -> None:
        """Follow the meter, also where its registers stay as they are."""
        await super().async_added_to_hass()
        if self.entity_description.changes_with_time:
            self.async_on_remove(
                async_track_time_interval(
                    self.hass, self._handle_time, _LOOK_INTERVAL, cancel_on_shutdown=True
                )
            )

    @callback
    def _handle_time(self, _: datetime) -> None:
        self._handle_coordinator_update()

    @override
    def _news(self) -> _Shown:
        data = self.coordinator.data
        description = self.entity_description
        return _Shown(
            self.available,
            description.value_fn(data, self._reckoning),
            description.attributes_fn(data),
        )


def _describe(key: Key, data: MeterData) -> OneMeterSensorDescription:
    """Return the sensor of a register."""
    line, scope = describe_register(key, data.registers)
    value_fn: ValueFn
    attributes_fn = _no_attributes
    if line.quantity is None:
        value_fn = partial(raw_state, key)
    elif line.quantity == TIME:
        value_fn = partial(point_in_time, key)
    elif line.quantity == LOCAL_TIME:
        value_fn = partial(local_time, key)
    else:
        value_fn = partial(measurement, key, line.quantity)
        attributes_fn = partial(_time, key)
    return _description(str(key), line, scope, value_fn, attributes_fn)


def _time(key: Key, data: MeterData) -> Attributes:
    """Return when a register's value was measured, where the meter tells that."""
    time = time_of_measurement(data.registers.get(key))
    return {} if time is None else {"measured_at": time}


def _description(
    key: str,
    line: Line,
    scope: str,
    value_fn: ValueFn,
    attributes_fn: Callable[[MeterData], Attributes] = _no_attributes,
) -> OneMeterSensorDescription:
    """Return a sensor as a line of the table wants it."""
    quantity = line.quantity or Quantity(unit=None, exponents={})
    return OneMeterSensorDescription(
        key=key,
        translation_key=line.key,
        translation_placeholders={"scope": scope},
        device_class=quantity.device_class,
        state_class=quantity.state_class,
        native_unit_of_measurement=quantity.unit,
        suggested_display_precision=quantity.precision,
        entity_category=EntityCategory.DIAGNOSTIC if line.diagnostic else None,
        entity_registry_enabled_default=line.enabled,
        value_fn=value_fn,
        attributes_fn=attributes_fn,
    )


def _derived_power(power: DerivedPower) -> OneMeterSensorDescription:
    """Return the sensor of power that is derived from energy."""
    description = _description(
        "derived_power",
        Line("derived_power", POWER),
        "",
        PowerFromEnergy(power),
        lambda _: {"derived": True},
    )
    return replace(description, changes_with_time=True)


DERIVED = (
    _description(_SIGNED_POWER, Line("power", POWER), "", signed_power),
    _description(
        "tan_phi",
        Line("tan_phi", Quantity(None, {}, state_class=SensorStateClass.MEASUREMENT, precision=3)),
        "",
        tan_phi,
    ),
    _description(
        "clock_difference",
        Line("clock_difference", TIME_DIFFERENCE, enabled=False, diagnostic=True),
        "",
        clock_difference,
    ),
)
