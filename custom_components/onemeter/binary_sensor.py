"""Binary sensors: whether a meter finds fault with itself."""

import re
from typing import NamedTuple, override

from homeassistant.components.binary_sensor import BinarySensorDeviceClass, BinarySensorEntity
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .coordinator.base import OneMeterConfigEntry, OneMeterCoordinator
from .entity import OneMeterEntity
from .meter import Key, Value
from .registers.lookup import describe_register, may_be
from .registers.table import ERROR_REGISTER
from .states.values import raw_state

#: Readings come in at the meter's pace; nothing is asked from here.
PARALLEL_UPDATES = 0

_HEXADECIMAL = re.compile(r"[0-9A-F]+", re.IGNORECASE | re.ASCII)


async def async_setup_entry(
    hass: HomeAssistant,
    entry: OneMeterConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Add one for each error register, also of those that the meter sends only later."""
    coordinator = entry.runtime_data
    known: set[Key] = set()

    @callback
    def add_new_sensors() -> None:
        registers = coordinator.data.registers
        new = [key for key in registers if key not in known and may_be(ERROR_REGISTER, key)]
        known.update(new)
        scopes = {key: describe_register(key, registers) for key in new}
        sensors = [
            OneMeterErrorSensor(coordinator, key, scope)
            for key, (line, scope) in scopes.items()
            if line.key == ERROR_REGISTER.key
        ]
        if sensors:
            async_add_entities(sensors)

    entry.async_on_unload(coordinator.async_add_listener(add_new_sensors))
    add_new_sensors()


class _Shown(NamedTuple):
    """What is written of an error register."""

    available: bool
    is_on: bool | None
    #: The register as the meter words it, since what its digits mean differs among meters.
    word: str | None


class OneMeterErrorSensor(OneMeterEntity, BinarySensorEntity):
    """Tells whether an error register has any bit set."""

    _attr_device_class = BinarySensorDeviceClass.PROBLEM
    _attr_entity_category = EntityCategory.DIAGNOSTIC
    _attr_translation_key = ERROR_REGISTER.key
    _written: _Shown

    def __init__(self, coordinator: OneMeterCoordinator, key: Key, scope: str) -> None:
        """Take the register, and what tells it from others in its name."""
        super().__init__(coordinator, str(key))
        self._attr_translation_placeholders = {"scope": scope}
        self._key = key
        self._written = self._news()

    @property
    @override
    def is_on(self) -> bool | None:
        """Return whether there is an error; None where the meter's word says nothing of it."""
        return self._written.is_on

    @property
    @override
    def extra_state_attributes(self) -> dict[str, str | None]:
        """Return the word in which the meter tells its errors."""
        return {"word": self._written.word}

    @override
    def _news(self) -> _Shown:
        data = self.coordinator.data
        register = data.registers.get(self._key)
        word = raw_state(self._key, data)
        return _Shown(
            self.available,
            None if register is None else _is_error(register.value),
            None if word is None else str(word),
        )


def _is_error(value: Value) -> bool | None:
    """Tell whether an error register's value has any bit set; None where it is no such value."""
    match value:
        case bytes() if value:
            return any(value)
        case str() if _HEXADECIMAL.fullmatch(value):
            return bool(value.strip("0"))
        case int():
            return bool(value)
    return None
