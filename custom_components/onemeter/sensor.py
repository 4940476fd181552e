"""Sensors: one for each register that a meter sends, and some derived from several registers."""

from collections.abc import Callable, Container, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import NamedTuple, override

from homeassistant.components.sensor import (
    SensorDeviceClass,
    SensorEntity,
    SensorEntityDescription,
)
from homeassistant.const import EntityCategory, Platform
from homeassistant.core import HomeAssistant, callback
from homeassistant.exceptions import ServiceValidationError
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.device_registry import DeviceInfo
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
from .coordinator.base import OneMeterConfigEntry, OneMeterCoordinator
from .coordinator.blink import BlinkCoordinator
from .coordinator.meter_data import MeterData
from .devices.mbus import async_follow_mbus, mbus_identifier
from .entity import OneMeterEntity, async_add_as_they_appear
from .history.importer import HistoryImporter, async_importer
from .impulses.meter_reading import exact_reading
from .meter import Key
from .registers.codes import CONDUCTORS
from .registers.grid_quality import has_grid_quality
from .registers.lookup import describe_register, is_unlinked
from .registers.mbus import channel_of
from .registers.powers import NET_POWERS
from .registers.quantities import LOCAL_TIME, TIME, Quantity
from .registers.table import CALCULATED, STATES, RegisterDescription
from .states.billing import billing_sensors
from .states.derived_power import DerivedPower
from .states.enabled import async_enable_needed, is_enabled
from .states.values import (
    Conversion,
    PowerFromEnergy,
    State,
    clock_difference,
    local_time,
    measurement,
    net_power,
    point_in_time,
    raw_state,
    signed_power,
    tan_phi,
    time_of_measurement,
    translated_state,
)
from .status_sensors import IMPORT_PROGRESS, ImportProgressSensor, status_sensors

#: The coordinator reads the meter; entities do not poll.
PARALLEL_UPDATES = 0

type ValueFn = Callable[[MeterData, Conversion], State]
type Attributes = Mapping[str, str | int | list[str]]

_SIGNED_POWER = "power"
_DERIVED_POWER = "derived_power"
#: How often a sensor that changes with time checks for a newer reading.
_LOOK_INTERVAL = timedelta(seconds=15)


def _no_attributes(_: MeterData) -> Attributes:
    return {}


def _derived(_: MeterData) -> Attributes:
    return {"derived": True}


@dataclass(frozen=True, kw_only=True)
class OneMeterSensorDescription(SensorEntityDescription):
    """A sensor, and how its state is calculated from the meter's data."""

    value_fn: ValueFn
    attributes_fn: Callable[[MeterData], Attributes] = _no_attributes
    #: The state may change with a reading that equals the last one: nothing was consumed.
    changes_with_time: bool = False


async def async_setup_entry(
    hass: HomeAssistant,
    entry: OneMeterConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Add a sensor for each register, also for those that the meter sends later."""
    coordinator = entry.runtime_data
    conversion = Conversion(
        multiplier=Decimal(entry.options.get(CONF_MULTIPLIER, DEFAULT_MULTIPLIER)),
        signed=entry.options.get(CONF_DIRECTION, DIRECTION_AUTO) == DIRECTION_AUTO,
    )
    if not conversion.signed:
        _async_remove_signed_power(hass, entry)
    max_power = entry.options.get(CONF_MAX_POWER, DEFAULT_MAX_POWER)
    derived_power = PowerFromEnergy(DerivedPower(max_power, conversion.multiplier))
    derived_by_key = _calculated(derived_power, grid_quality=has_grid_quality(entry.options))

    def new_keys(data: MeterData, known: Container[Key]) -> Iterator[Key]:
        for key in data.registers:
            if key not in known and not _is_left_out(key, data):
                yield key
        for key, description in derived_by_key.items():
            if key not in known and description.value_fn(data, conversion) is not None:
                yield key
        yield from (key for key in _billed(data, derived_power) if key not in known)

    def make(key: Key, data: MeterData) -> OneMeterSensor:
        channel = channel_of(key)
        device = channel if channel in data.mbus_meters else None
        if key not in data.registers:
            description = (derived_by_key | _billed(data, derived_power))[key]
            return OneMeterSensor(coordinator, description, conversion, device)
        register, scope = describe_register(key, data.registers)
        enabled = is_enabled(key, register, data, conversion, entry.options)
        description = _describe(key, register._replace(enabled=enabled), scope)
        return OneMeterSensor(coordinator, description, conversion, device)

    async_follow_mbus(coordinator)
    await async_enable_needed(hass, entry, coordinator.data.registers)
    async_add_entities(status_sensors(coordinator))
    if (importer := async_importer(hass, entry.entry_id)) is not None:
        _async_add_progress(hass, entry, importer, async_add_entities)
    await async_add_as_they_appear(entry, async_add_entities, new_keys, make)


def _is_left_out(key: Key, data: MeterData) -> bool:
    """Return whether a register has no sensor, at least for now.

    Its meaning is not known yet, or it is about a channel of the M-Bus without a meter.
    """
    is_unconnected = (channel_of(key), None) in data.mbus_meters.items()
    return is_unconnected or is_unlinked(key, data.registers)


@callback
def _async_add_progress(
    hass: HomeAssistant,
    entry: OneMeterConfigEntry,
    importer: HistoryImporter,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Add the progress of imports with the first one: most meters have none."""

    @callback
    def add() -> None:
        importer.on_progress = lambda: None
        async_add_entities([ImportProgressSensor(entry.runtime_data, importer)])

    unique_id = f"{entry.unique_id}-{IMPORT_PROGRESS}"
    if er.async_get(hass).async_get_entity_id(Platform.SENSOR, DOMAIN, unique_id):
        add()
    else:
        importer.on_progress = add


@callback
def _async_remove_signed_power(hass: HomeAssistant, entry: OneMeterConfigEntry) -> None:
    """Remove the sensor, which has no value any more; Home Assistant keeps its settings."""
    entities = er.async_get(hass)
    unique_id = f"{entry.unique_id}-{_SIGNED_POWER}"
    if entity_id := entities.async_get_entity_id(Platform.SENSOR, DOMAIN, unique_id):
        entities.async_remove(entity_id)


class _Snapshot(NamedTuple):
    """The state of a sensor."""

    available: bool
    state: State
    attributes: Attributes


class OneMeterSensor(OneMeterEntity, SensorEntity):
    """Shows one register, or a value derived from several.

    A register that the meter leaves out of a telegram is unknown; its last value is not kept.
    """

    entity_description: OneMeterSensorDescription
    _written: _Snapshot

    def __init__(
        self,
        coordinator: OneMeterCoordinator,
        description: OneMeterSensorDescription,
        conversion: Conversion,
        channel: int | None = None,
    ) -> None:
        """Take the description, the conversion that the options specify, and the M-Bus channel."""
        super().__init__(coordinator, description.key)
        if channel is not None:
            identifier = mbus_identifier(coordinator.config_entry, channel)
            self._attr_device_info = DeviceInfo(identifiers={identifier})
        self.entity_description = description
        self._conversion = conversion
        self._written = self._snapshot()

    async def async_set_meter_reading(self, reading: str) -> dict[str, str]:
        """Set the total to the reading on the meter's display (kWh); return the correction."""
        coordinator = self.coordinator
        if not isinstance(coordinator, BlinkCoordinator) or not coordinator.counts(
            self.entity_description.key
        ):
            raise ServiceValidationError(
                translation_domain=DOMAIN,
                translation_key="not_counted",
                translation_placeholders={"entity": self.entity_id},
            )
        try:
            exact = exact_reading(reading)
        except ValueError:
            raise ServiceValidationError(
                translation_domain=DOMAIN, translation_key="wrong_reading"
            ) from None
        off = await coordinator.async_calibrate(exact)
        return {"off_by": f"{off:f}"}

    @property
    @override
    def native_value(self) -> State:
        """The state, with all digits that the meter sends."""
        return self._written.state

    @property
    @override
    def extra_state_attributes(self) -> Attributes:
        """Attributes that belong to the state."""
        return self._written.attributes

    @override
    async def async_added_to_hass(self) -> None:
        """Start the timer of a sensor that changes with time."""
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
    def _snapshot(self) -> _Snapshot:
        data = self.coordinator.data
        description = self.entity_description
        return _Snapshot(
            self.available,
            description.value_fn(data, self._conversion),
            description.attributes_fn(data),
        )


def _describe(key: Key, register: RegisterDescription, scope: str) -> OneMeterSensorDescription:
    """Return the description of a register's sensor."""
    value_fn: ValueFn
    attributes_fn = _no_attributes
    if register.quantity is None and register.key in STATES:
        value_fn = partial(translated_state, key, register.key)
        attributes_fn = partial(_code, key)
    elif register.quantity is None:
        value_fn = partial(raw_state, key)
    elif register.quantity == TIME:
        value_fn = partial(point_in_time, key)
    elif register.quantity == LOCAL_TIME:
        value_fn = partial(local_time, key)
    else:
        value_fn = partial(measurement, key, register.quantity)
        attributes_fn = partial(_time, key)
    return _description(str(key), register, scope, value_fn, attributes_fn)


def _time(key: Key, data: MeterData) -> Attributes:
    """Return when a register was measured, if the meter sends that."""
    time = time_of_measurement(data.registers.get(key))
    return {} if time is None else {"measured_at": time}


def _code(key: Key, data: MeterData) -> Attributes:
    """Return a register with a translated state as the meter sends it."""
    code = raw_state(key, data)
    return {} if code is None else {"code": str(code)}


def _description(
    key: str,
    register: RegisterDescription,
    scope: str,
    value_fn: ValueFn,
    attributes_fn: Callable[[MeterData], Attributes] = _no_attributes,
) -> OneMeterSensorDescription:
    """Return the description of a sensor, from that of its register."""
    quantity = register.quantity or Quantity(unit=None, exponents={})
    states = None if register.quantity else STATES.get(register.key)
    return OneMeterSensorDescription(
        key=key,
        translation_key=register.key,
        translation_placeholders={"scope": scope},
        device_class=SensorDeviceClass.ENUM if states else quantity.device_class,
        state_class=quantity.state_class,
        options=list(dict.fromkeys(states.values())) if states else None,
        native_unit_of_measurement=quantity.unit,
        suggested_display_precision=quantity.precision,
        entity_category=EntityCategory.DIAGNOSTIC if register.diagnostic else None,
        entity_registry_enabled_default=register.enabled,
        value_fn=value_fn,
        attributes_fn=attributes_fn,
    )


def _billed(data: MeterData, power: PowerFromEnergy) -> dict[Key, OneMeterSensorDescription]:
    """Return the descriptions of the sensors of what is billed."""
    return {sensor.key: _description(*sensor) for sensor in billing_sensors(data, power)}


def _calculated(
    power: PowerFromEnergy, *, grid_quality: bool
) -> dict[Key, OneMeterSensorDescription]:
    """Return the descriptions of the sensors of CALCULATED, by their keys."""
    values: dict[str, ValueFn] = {
        _SIGNED_POWER: signed_power,
        **{key: partial(net_power, phase) for phase, key in enumerate(NET_POWERS)},
        _DERIVED_POWER: power,
        "tan_phi": tan_phi,
        "clock_difference": clock_difference,
    }
    described: dict[Key, OneMeterSensorDescription] = {}
    for key, value_fn in values.items():
        register = CALCULATED[key]
        if register.grid_quality:
            register = register._replace(enabled=grid_quality)
        scope = CONDUCTORS[NET_POWERS.index(key)] if key in NET_POWERS else ""
        is_derived = key in (*NET_POWERS, _DERIVED_POWER)
        description = _description(
            key, register, scope, value_fn, _derived if is_derived else _no_attributes
        )
        described[key] = replace(description, changes_with_time=key == _DERIVED_POWER)
    return described
