"""Sensors of how well a meter is received, which stay available while the meter is not."""

from collections.abc import Iterator
from typing import Final, override

from homeassistant.components.sensor import SensorDeviceClass, SensorEntity, SensorStateClass
from homeassistant.const import PERCENTAGE, EntityCategory

from .coordinator.base import OneMeterCoordinator
from .coordinator.blink import BlinkCoordinator
from .coordinator.pushed import PushedCoordinator
from .coordinator.status import Status
from .entity import OneMeterEntity
from .history.importer import HistoryImporter

#: The key of the sensor that is there once something was imported.
IMPORT_PROGRESS: Final = "import_progress"


def status_sensors(coordinator: OneMeterCoordinator) -> Iterator[OneMeterEntity]:
    """Make the sensors that a meter has; telegrams are counted of meters that push."""
    yield StatusSensor(coordinator)
    if isinstance(coordinator, PushedCoordinator) and not isinstance(coordinator, BlinkCoordinator):
        yield SignalQualitySensor(coordinator)


class _ReceptionSensor(OneMeterEntity, SensorEntity):
    """Shows the value of _snapshot(), also while the meter is unavailable."""

    _attr_entity_category = EntityCategory.DIAGNOSTIC
    _written: Status | int | None

    @property
    @override
    def available(self) -> bool:
        """Always: the value may be why the other sensors are unavailable."""
        return True

    @property
    @override
    def native_value(self) -> Status | int | None:
        """The value when the state was last written."""
        return self._written


class StatusSensor(_ReceptionSensor):
    """Shows whether the meter is read, and otherwise why not."""

    _attr_device_class = SensorDeviceClass.ENUM
    _attr_translation_key = "status"

    def __init__(self, coordinator: OneMeterCoordinator) -> None:
        """Take the coordinator that reads the meter."""
        super().__init__(coordinator, "status")
        self._attr_options = list(Status)
        self._written = self._snapshot()

    @override
    def _snapshot(self) -> Status:
        return self.coordinator.status


class ImportProgressSensor(_ReceptionSensor):
    """Shows how much of the load profile was read for an import (%); None while there is none."""

    _attr_native_unit_of_measurement = PERCENTAGE
    _attr_translation_key = "import_progress"

    def __init__(self, coordinator: OneMeterCoordinator, importer: HistoryImporter) -> None:
        """Take what fills the gaps."""
        super().__init__(coordinator, IMPORT_PROGRESS)
        self._importer = importer
        self._written = self._snapshot()

    @override
    async def async_added_to_hass(self) -> None:
        """Follow the progress."""
        await super().async_added_to_hass()
        self._importer.on_progress = self._handle_coordinator_update

    @override
    def _snapshot(self) -> int | None:
        return self._importer.progress


class SignalQualitySensor(_ReceptionSensor):
    """Shows the share of undamaged telegrams in the last minutes (%); None without a telegram."""

    _attr_entity_registry_enabled_default = False
    _attr_native_unit_of_measurement = PERCENTAGE
    _attr_state_class = SensorStateClass.MEASUREMENT
    _attr_translation_key = "signal_quality"

    def __init__(self, coordinator: PushedCoordinator) -> None:
        """Take the coordinator whose client counts telegrams."""
        super().__init__(coordinator, "signal_quality")
        self._quality = coordinator.signal_quality
        self._written = self._snapshot()

    @override
    async def async_added_to_hass(self) -> None:
        """Follow the counts."""
        await super().async_added_to_hass()
        self.async_on_remove(self._quality.async_listen(self._handle_coordinator_update))

    @override
    def _snapshot(self) -> int | None:
        return self._quality.percent
