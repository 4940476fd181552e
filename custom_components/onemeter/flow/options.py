"""Options flow: what may be changed at any time, without listening to the meter again."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, override

import probatio

from homeassistant.components.sensor import SensorDeviceClass
from homeassistant.config_entries import ConfigEntry, ConfigEntryState, ConfigFlowResult
from homeassistant.const import Platform, UnitOfPower, UnitOfTime
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.selector import (
    BooleanSelector,
    SelectOptionDict,
    SelectSelector,
    SelectSelectorConfig,
    TextSelector,
)

from ..access.numbers import async_number_text
from ..const import (
    CONF_BALANCING_PERIOD,
    CONF_DIRECTION,
    CONF_ENERGY_ROLE,
    CONF_GRID_QUALITY,
    CONF_LIVE_REGISTERS,
    CONF_MAX_POWER,
    CONF_MULTIPLIER,
    CONF_PEAK_DAYS,
    CONF_PEAK_FROM,
    CONF_PEAK_PERIOD,
    CONF_PEAK_UNTIL,
    CONF_POLL_INTERVAL,
    CONF_PUBLISH_INTERVAL,
    CONF_READING,
    CONF_TAKE_OVER,
    DEFAULT_LIVE_INTERVAL,
    DEFAULT_MAX_POWER,
    DEFAULT_PUBLISH_INTERVAL,
    DIRECTION_AUTO,
    DIRECTION_OFF,
    PERIOD_OFF,
)
from ..coordinator.blink import BlinkCoordinator
from ..coordinator.schedule import shortest_poll_interval, usual_poll_interval
from ..energy_dashboard import Role
from ..history.importer import async_importer
from ..history.recorder_task import UnsupportedSchemaError
from ..meter import Protocol
from ..meter.dlms.settings import is_code
from ..meter.iec62056.settings import is_register
from ..meter.obis import CURRENT_VALUE
from ..registers.grid_quality import async_switch_grid_quality
from ..registers.lookup import is_number
from ..registers.quantities import BY_UNIT
from ..settings import EntrySettings, from_entry
from ..takeover import async_entry_offers
from .alignment import CONF_ALIGN, Alignment, align_field
from .blink_schemas import entered_reading
from .load_profile import CONF_UNDO_IMPORT, Fields, fill_gaps, undo_import
from .options_impulses import ImpulseOptions
from .progress import ProgressSteps, State
from .schemas import MULTIPLIER_FIELD, FormError, exact_multiplier, select, whole_number
from .take_over import take_over_field, taken_over

_LONGEST_POLL_INTERVAL: Final = 86_400
#: Minutes
_PERIODS: Final = [PERIOD_OFF, "15", "30", "60"]
#: What may be worth being read every other second.
_LIVELY: Final = frozenset(
    {
        SensorDeviceClass.APPARENT_POWER,
        SensorDeviceClass.CURRENT,
        SensorDeviceClass.ENERGY,
        SensorDeviceClass.POWER,
        SensorDeviceClass.REACTIVE_ENERGY,
        SensorDeviceClass.REACTIVE_POWER,
        SensorDeviceClass.VOLTAGE,
    }
)


class OneMeterOptionsFlow(ProgressSteps, ImpulseOptions):
    """Asks for the options that the entry's meter has."""

    _options: dict[str, Any]
    _off: Decimal
    #: What aligning the head has come to.
    _aligned: Callable[[], State]
    #: How many rows were brought back, and how many had changed.
    _undone: tuple[int, int]

    async def async_step_init(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask for the options of a meter that pushes, or go on to those of another."""
        settings = from_entry(self.config_entry.data)
        if settings.is_polled:
            return await self.async_step_polled()
        if settings.protocol is Protocol.BLINK:
            return await self.async_step_blink()
        fields = _publish_interval(DEFAULT_PUBLISH_INTERVAL) | _max_power()
        if settings.protocol is Protocol.SML:
            fields |= _direction()
        if self.config_entry.state is ConfigEntryState.LOADED:
            fields |= align_field()
        return await self._async_ask("init", fields, user_input)

    async def async_step_polled(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask for the options of a meter that is polled."""
        settings = from_entry(self.config_entry.data)
        fields = _poll_interval(settings)
        if not settings.on_battery:
            fields |= _live_registers(self._lively_registers())
            fields |= _publish_interval(DEFAULT_LIVE_INTERVAL)
            fields |= fill_gaps(default=False)
            fields |= undo_import(async_importer(self.hass, self.config_entry.entry_id))
        return await self._async_ask("polled", fields | _max_power(), user_input)

    @override
    async def _async_go_on(self, entered: Mapping[str, Any]) -> ConfigFlowResult:
        """Undo an import or align the head first, if that was selected."""
        self._options = {
            k: v for k, v in entered.items() if k not in {CONF_UNDO_IMPORT, CONF_ALIGN}
        }
        if entered.get(CONF_ALIGN):
            return self._async_align()
        if CONF_UNDO_IMPORT not in entered:
            return await super()._async_go_on(self._options)
        importer = async_importer(self.hass, self.config_entry.entry_id)
        until = datetime.fromisoformat(entered[CONF_UNDO_IMPORT])
        undone: tuple[int, int] | None = None
        with suppress(LookupError, UnsupportedSchemaError):
            undone = None if importer is None else await importer.async_undo(until)
        if undone is None:
            return self.async_abort(reason="not_undone")
        self._undone = undone
        return await self.async_step_undone()

    @callback
    def _async_align(self) -> ConfigFlowResult:
        alignment = Alignment(self.config_entry)
        self._aligned = alignment.state

        async def aligned(_: asyncio.Future[None]) -> str:
            return "aligned"

        return self._async_run(alignment.async_count(), alignment.state, aligned)

    async def async_step_aligned(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Show how many telegrams were good in the end; go on aligning, or store the options."""
        if user_input is None:
            return self.async_show_form(
                step_id="aligned",
                data_schema=probatio.Schema(align_field()),
                description_placeholders=self._aligned().placeholders,
            )
        if user_input[CONF_ALIGN]:
            return self._async_align()
        return await super()._async_go_on(self._options)

    async def async_step_undone(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Show how many rows are as they were before the import."""
        if user_input is not None:
            return await super()._async_go_on(self._options)
        restored, changed = self._undone
        return self.async_show_form(
            step_id="undone",
            description_placeholders={"restored": str(restored), "changed": str(changed)},
        )

    async def async_step_blink(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask for the options of a BLINK meter, and for the reading on its display."""
        errors: dict[str, str] = {}
        if user_input is not None:
            try:
                taken = taken_over(user_input)
                reading = entered_reading(user_input)
                if reading is not None:
                    self._off = await self._async_calibrate(reading)
            except FormError as error:
                errors = error.errors
            else:
                asked_once = (CONF_READING, CONF_TAKE_OVER)
                self._options = {k: v for k, v in user_input.items() if k not in asked_once}
                self._options |= taken
                if reading is None:
                    return self.async_create_entry(data=self._options)
                return await self.async_step_calibrated()
        fields = _publish_interval(DEFAULT_PUBLISH_INTERVAL) | _max_power() | _reading()
        fields |= _peaks() | _energy_role() | await self._async_take_over_field()
        return self.async_show_form(
            step_id="blink",
            data_schema=self.add_suggested_values_to_schema(
                probatio.Schema(fields), user_input or self._current()
            ),
            errors=errors,
        )

    async def async_step_calibrated(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Show by how much the total was off."""
        if user_input is not None:
            return self.async_create_entry(data=self._options)
        off = async_number_text(self.hass, self._off, signed=True)
        return self.async_show_form(step_id="calibrated", description_placeholders={"off": off})

    async def _async_calibrate(self, reading: Decimal) -> Decimal:
        """Set the total to what the display shows (kWh); return by how much it was off."""
        entry = self.config_entry
        if entry.state is ConfigEntryState.LOADED and isinstance(
            coordinator := entry.runtime_data, BlinkCoordinator
        ):
            return await coordinator.async_calibrate(reading)
        raise FormError(CONF_READING, "meter_unavailable")

    async def _async_ask(
        self, step_id: str, fields: Fields, user_input: dict[str, Any] | None
    ) -> ConfigFlowResult:
        """Show the form of a step, or take what was entered."""
        errors: dict[str, str] = {}
        if user_input is not None:
            multiplier = exact_multiplier(user_input[CONF_MULTIPLIER])
            is_dlms = from_entry(self.config_entry.data).protocol is Protocol.DLMS
            is_known = is_code if is_dlms else is_register
            if not all(map(is_known, user_input.get(CONF_LIVE_REGISTERS, ()))):
                errors[CONF_LIVE_REGISTERS] = "invalid_register"
            elif multiplier is None:
                errors[CONF_MULTIPLIER] = "too_many_decimals"
            else:
                try:
                    taken = taken_over(user_input)
                except FormError as error:
                    errors = error.errors
                else:
                    entered = {k: v for k, v in user_input.items() if k != CONF_TAKE_OVER}
                    return await self._async_go_on(
                        {**entered, CONF_MULTIPLIER: multiplier, **taken}
                    )
        schema = probatio.Schema(
            fields
            | MULTIPLIER_FIELD
            | self._flashes()
            | _billing()
            | _grid_quality()
            | _energy_role()
            | await self._async_take_over_field()
        )
        return self.async_show_form(
            step_id=step_id,
            data_schema=self.add_suggested_values_to_schema(schema, user_input or self._current()),
            errors=errors,
        )

    @callback
    @override
    def async_create_entry(self, *, data: Mapping[str, Any], **kwargs: Any) -> ConfigFlowResult:
        """Store the options; sensors of grid quality follow theirs."""
        async_switch_grid_quality(self.hass, self.config_entry, data)
        return super().async_create_entry(data=data, **kwargs)

    def _current(self) -> dict[str, Any]:
        """Return the options as the form shows them."""
        options = dict(self.config_entry.options)
        options.pop(CONF_TAKE_OVER, None)
        if CONF_MULTIPLIER in options:
            options[CONF_MULTIPLIER] = float(options[CONF_MULTIPLIER])
        return options

    async def _async_take_over_field(self) -> Fields:
        """Return the field for old statistics, if there are any that fit the meter."""
        if self.config_entry.state is not ConfigEntryState.LOADED:
            return {}
        offers = await async_entry_offers(self.hass, self.config_entry)
        return take_over_field(self.hass, offers)

    def _lively_registers(self) -> dict[str, str]:
        """Return the addresses that are offered to be live, with their sensors and values."""
        if self.config_entry.state is not ConfigEntryState.LOADED:
            return {}
        names = _sensor_names(self.hass, self.config_entry)
        return {
            register.address: (
                f"{names.get(str(key), '–')} ({register.address}): {register.value} {register.unit}"
            )
            for key, register in self.config_entry.runtime_data.newest.registers.items()
            if register.address is not None
            and (isinstance(key, str) or key.f == CURRENT_VALUE)
            and is_number(register.value)
            and (quantity := BY_UNIT.get(register.unit)) is not None
            and quantity.device_class in _LIVELY
        }


def _sensor_names(hass: HomeAssistant, entry: ConfigEntry) -> dict[str, str]:
    """Return the names of an entry's sensors, by the keys of their registers."""
    sensors = er.async_entries_for_config_entry(er.async_get(hass), entry.entry_id)
    return {
        sensor.unique_id.removeprefix(f"{entry.unique_id}-"): name
        for sensor in sensors
        if sensor.domain == Platform.SENSOR and (name := sensor.name or sensor.original_name)
    }


def _publish_interval(usual: int) -> Fields:
    key = probatio.Required(CONF_PUBLISH_INTERVAL, default=usual)
    return {key: whole_number(1, 900, UnitOfTime.SECONDS)}


def _poll_interval(settings: EntrySettings) -> Fields:
    key = probatio.Required(CONF_POLL_INTERVAL, default=usual_poll_interval(settings))
    shortest = shortest_poll_interval(settings)
    return {key: whole_number(shortest, _LONGEST_POLL_INTERVAL, UnitOfTime.SECONDS)}


def _live_registers(offered: Mapping[str, str]) -> Fields:
    options = [SelectOptionDict(value=address, label=text) for address, text in offered.items()]
    return {
        probatio.Required(CONF_LIVE_REGISTERS, default=list): SelectSelector(
            SelectSelectorConfig(options=options, multiple=True, custom_value=True)
        )
    }


def _max_power() -> Fields:
    key = probatio.Required(CONF_MAX_POWER, default=DEFAULT_MAX_POWER)
    return {key: whole_number(1, 1_000_000_000, UnitOfPower.WATT)}


def _reading() -> Fields:
    return {probatio.Optional(CONF_READING): TextSelector()}


def _grid_quality() -> Fields:
    return {probatio.Required(CONF_GRID_QUALITY, default=False): BooleanSelector()}


def _energy_role() -> Fields:
    key = probatio.Required(CONF_ENERGY_ROLE, default=Role.NONE.value)
    return {key: select(CONF_ENERGY_ROLE, [role.value for role in Role])}


def _billing() -> Fields:
    return {_period(CONF_BALANCING_PERIOD): select(CONF_BALANCING_PERIOD, _PERIODS), **_peaks()}


def _peaks() -> Fields:
    return {
        _period(CONF_PEAK_PERIOD): select(CONF_PEAK_PERIOD, _PERIODS),
        probatio.Required(CONF_PEAK_FROM, default=0): whole_number(0, 23),
        probatio.Required(CONF_PEAK_UNTIL, default=24): whole_number(1, 24),
        probatio.Required(CONF_PEAK_DAYS, default=1): whole_number(1, 31),
    }


def _period(option: str) -> probatio.Required:
    return probatio.Required(option, default=PERIOD_OFF)


def _direction() -> Fields:
    key = probatio.Required(CONF_DIRECTION, default=DIRECTION_AUTO)
    return {key: select(CONF_DIRECTION, [DIRECTION_AUTO, DIRECTION_OFF])}
