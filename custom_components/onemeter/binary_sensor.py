"""Binary sensors: whether a meter reports an error of its own."""

from collections.abc import Container, Iterator
import re
from typing import NamedTuple, override

from homeassistant.components.binary_sensor import BinarySensorDeviceClass, BinarySensorEntity
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .coordinator.base import OneMeterConfigEntry, OneMeterCoordinator
from .coordinator.meter_data import MeterData
from .entity import OneMeterEntity, async_add_as_they_appear
from .meter import Key, Value
from .registers.lookup import describe_register, may_be
from .registers.table import ERROR_REGISTER
from .states.values import raw_state

#: The coordinator reads the meter; entities do not poll.
PARALLEL_UPDATES = 0

_HEXADECIMAL = re.compile(r"[0-9A-F]+", re.IGNORECASE | re.ASCII)


async def async_setup_entry(
    hass: HomeAssistant,
    entry: OneMeterConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Add a sensor for each error register, also for those that the meter sends later."""
    coordinator = entry.runtime_data

    def new_keys(data: MeterData, known: Container[Key]) -> Iterator[Key]:
        # Once for each key, which is all that decides.
        return (key for key in data.registers if key not in known)

    def make(key: Key, data: MeterData) -> OneMeterErrorSensor | None:
        if not may_be(ERROR_REGISTER, key):
            return None
        description, scope = describe_register(key, data.registers)
        if description.key != ERROR_REGISTER.key:
            return None
        return OneMeterErrorSensor(coordinator, key, scope)

    await async_add_as_they_appear(entry, async_add_entities, new_keys, make)


class _Snapshot(NamedTuple):
    """The state of an error sensor."""

    available: bool
    is_on: bool | None
    #: The register as the meter sends it; the meaning of its digits depends on the meter.
    word: str | None


class OneMeterErrorSensor(OneMeterEntity, BinarySensorEntity):
    """Shows whether any bit of an error register is set."""

    _attr_device_class = BinarySensorDeviceClass.PROBLEM
    _attr_entity_category = EntityCategory.DIAGNOSTIC
    _attr_translation_key = ERROR_REGISTER.key
    _written: _Snapshot

    def __init__(self, coordinator: OneMeterCoordinator, key: Key, scope: str) -> None:
        """Take the key of the register, and the scope in its name."""
        super().__init__(coordinator, str(key))
        self._attr_translation_placeholders = {"scope": scope}
        self._key = key
        self._written = self._snapshot()

    @property
    @override
    def is_on(self) -> bool | None:
        """Whether there is an error; None if the register's value is no error word."""
        return self._written.is_on

    @property
    @override
    def extra_state_attributes(self) -> dict[str, str | None]:
        """The error word."""
        return {"word": self._written.word}

    @override
    def _snapshot(self) -> _Snapshot:
        data = self.coordinator.data
        register = data.registers.get(self._key)
        word = raw_state(self._key, data)
        return _Snapshot(
            self.available,
            None if register is None else _is_error(register.value),
            None if word is None else str(word),
        )


def _is_error(value: Value) -> bool | None:
    """Return whether any bit of an error register is set; None if the value is no error word."""
    match value:
        case bytes() if value:
            return any(value)
        case str() if _HEXADECIMAL.fullmatch(value):
            return bool(value.strip("0"))
        case int():
            return bool(value)
    return None
