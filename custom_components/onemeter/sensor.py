"""Sensors: one for each register that a meter sends, and what can be derived from several."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Context, Decimal
from functools import partial
from typing import override

from homeassistant.components.sensor import SensorEntity, SensorEntityDescription, SensorStateClass
from homeassistant.const import MAX_LENGTH_STATE_STATE, EntityCategory, Platform
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .const import CONF_DIRECTION, CONF_MULTIPLIER, DEFAULT_MULTIPLIER, DIRECTION_AUTO, DOMAIN
from .coordinator import OneMeterConfigEntry, OneMeterCoordinator
from .entity import OneMeterEntity
from .meter import Obis, Register, Value
from .registers import ENERGY, POWER, REACTIVE_ENERGY, TIME, Line, Quantity, interpret, is_number

#: Readings come in at the meter's pace; nothing is asked from here.
PARALLEL_UPDATES = 0

type Registers = Mapping[Obis, Register]
type State = Decimal | int | str | datetime | None

#: No register times a transformer ratio has more digits, so that nothing is ever rounded.
_EXACT = Context(prec=60)
_TAN_PHI_STEP = Decimal("0.001")

_ELECTRICITY = 1
_POWER = Obis(1, 0, 16, 7, 0)
_ABSOLUTE_POWER = Obis(1, 0, 15, 7, 0)
_DERIVED_POWER = "power"


@dataclass(frozen=True, slots=True)
class Reckoning:
    """How the user wants registers to be read."""

    #: Energy and power in the grid for one unit of it at the meter.
    multiplier: Decimal
    #: Whether power takes its sign from the meter's status word.
    signed: bool


@dataclass(frozen=True, kw_only=True)
class OneMeterSensorDescription(SensorEntityDescription):
    """A sensor, and how its state comes out of the meter's registers."""

    value_fn: Callable[[Registers, Reckoning], State]


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
        # It has no value any more. Home Assistant remembers how the user has set it up.
        entities = er.async_get(hass)
        unique_id = f"{entry.unique_id}-{_DERIVED_POWER}"
        if entity_id := entities.async_get_entity_id(Platform.SENSOR, DOMAIN, unique_id):
            entities.async_remove(entity_id)
    known: set[Obis | str] = set()

    @callback
    def add_new_sensors() -> None:
        registers = coordinator.data.registers
        descriptions = [_describe(obis, registers) for obis in registers if obis not in known]
        known.update(registers)
        for description in DERIVED:
            if description.key in known or description.value_fn(registers, reckoning) is None:
                continue
            known.add(description.key)
            descriptions.append(description)
        if descriptions:
            async_add_entities(
                OneMeterSensor(coordinator, description, reckoning) for description in descriptions
            )

    entry.async_on_unload(coordinator.async_add_listener(add_new_sensors))
    add_new_sensors()


class OneMeterSensor(OneMeterEntity, SensorEntity):
    """Shows one register, or one thing derived from several.

    A register that the meter leaves out is unknown, never its last value.
    """

    entity_description: OneMeterSensorDescription

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

    @property
    @override
    def native_value(self) -> State:
        """Return the state, exact to the last digit that the meter sends."""
        return self._written[1]

    @override
    async def async_added_to_hass(self) -> None:
        """Follow the meter, from what it tells now on."""
        await super().async_added_to_hass()
        self._written = self._news()

    @callback
    @override
    def _handle_coordinator_update(self) -> None:
        """Write the state if there is news."""
        news = self._news()
        if news != self._written:
            self._written = news
            self.async_write_ha_state()

    def _news(self) -> tuple[bool, State]:
        """Return what is to be written: whether the meter can be read, and the state."""
        state = self.entity_description.value_fn(self.coordinator.data.registers, self._reckoning)
        return self.available, state


def _describe(obis: Obis, registers: Registers) -> OneMeterSensorDescription:
    """Return the sensor of a register."""
    line, scope = interpret(obis, registers)
    value_fn: Callable[[Registers, Reckoning], State]
    if line.quantity is None:
        value_fn = partial(_wording, obis)
    elif line.quantity is TIME:
        value_fn = partial(_time, obis)
    else:
        value_fn = partial(_measurement, obis, line.quantity)
    return _description(str(obis), line, scope, value_fn)


def _description(
    key: str, line: Line, scope: str, value_fn: Callable[[Registers, Reckoning], State]
) -> OneMeterSensorDescription:
    """Return a sensor as a line of the table wants it."""
    quantity = line.quantity or Quantity(unit=None, exponents={})
    descriptive = line.quantity is None or line.quantity is TIME
    return OneMeterSensorDescription(
        key=key,
        translation_key=line.key,
        translation_placeholders={"scope": scope},
        device_class=quantity.device_class,
        state_class=quantity.state_class,
        native_unit_of_measurement=quantity.unit,
        suggested_display_precision=quantity.precision,
        entity_category=EntityCategory.DIAGNOSTIC if descriptive else None,
        entity_registry_enabled_default=line.enabled,
        value_fn=value_fn,
    )


def _wording(obis: Obis, registers: Registers, _: Reckoning) -> State:
    """Return a register as the meter words it, octets as hexadecimal digits."""
    match registers[obis].value if obis in registers else None:
        case bool() as value:
            state: State = str(value).lower()
        case datetime() as value:
            state = value.isoformat()
        case bytes() as value:
            state = value.hex().upper()
        case value:
            state = value
    # Half a key would be a wrong key: what Home Assistant cannot hold stays unknown.
    return state if 0 < len(str(state)) <= MAX_LENGTH_STATE_STATE else None


def _time(obis: Obis, registers: Registers, _: Reckoning) -> datetime | None:
    """Return a register that is a point in time."""
    value = registers[obis].value if obis in registers else None
    return value if isinstance(value, datetime) and value.tzinfo is not None else None


def _measurement(
    obis: Obis, quantity: Quantity, registers: Registers, reckoning: Reckoning
) -> Decimal | None:
    """Return a register in the unit of its quantity; None where the meter's unit is no such."""
    if (register := registers.get(obis)) is None:
        return None
    value: Value = register.value
    if reckoning.signed and register.signed_value is not None and obis != _ABSOLUTE_POWER:
        value = register.signed_value
    return _convert(obis, value, register.unit, quantity, reckoning)


def _signed_power(registers: Registers, reckoning: Reckoning) -> Decimal | None:
    """Return the power of a meter that sends its amount alone and tells the direction apart."""
    register = registers.get(_ABSOLUTE_POWER)
    if not reckoning.signed or register is None or _POWER in registers:
        return None
    return _convert(_ABSOLUTE_POWER, register.signed_value, register.unit, POWER, reckoning)


def _tan_phi(registers: Registers, reckoning: Reckoning) -> Decimal | None:
    """Return reactive energy imported per active energy imported, as grid operators bill it.

    Inductive reactive energy (quadrant I) where the meter keeps it apart, otherwise all of it.
    """
    for channel in (0, 1):
        active = _measurement(Obis(1, channel, 1, 8, 0), ENERGY, registers, reckoning)
        for group in (5, 3):
            code = Obis(1, channel, group, 8, 0)
            reactive = _measurement(code, REACTIVE_ENERGY, registers, reckoning)
            if active and reactive is not None:
                return _EXACT.quantize(_EXACT.divide(reactive, active), _TAN_PHI_STEP)
    return None


def _convert(
    obis: Obis, value: Value, unit: str | None, quantity: Quantity, reckoning: Reckoning
) -> Decimal | None:
    """Return a value in the unit of its quantity and as it is in the grid, exactly."""
    if not is_number(value) or unit not in quantity.exponents:
        return None
    result = _EXACT.scaleb(Decimal(value), quantity.exponents[unit])
    if quantity.transformed and obis.a == _ELECTRICITY:
        result = _EXACT.multiply(result, reckoning.multiplier)
    # Without an exponent in its text: adding 0 writes out zeros in front of the point, and zero
    # needs none behind it.
    return _EXACT.add(result, 0) if result else Decimal(0)


DERIVED = (
    _description(_DERIVED_POWER, Line("power", POWER), "", _signed_power),
    _description(
        "tan_phi",
        Line("tan_phi", Quantity(None, {}, state_class=SensorStateClass.MEASUREMENT, precision=3)),
        "",
        _tan_phi,
    ),
)
