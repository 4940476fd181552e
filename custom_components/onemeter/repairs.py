"""The repairs that the user can confirm."""

from abc import abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, override

import probatio

from homeassistant.components.repairs import RepairsFlow, RepairsFlowResult
from homeassistant.config_entries import SOURCE_IMPORT, ConfigEntryDisabler, ConfigEntryState
from homeassistant.const import CONF_PORT
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import (
    device_registry as dr,
    entity_registry as er,
    issue_registry as ir,
)

from .access.authentication import async_authenticity
from .access.issues import Issue
from .const import (
    CONF_EDGES,
    CONF_FILL_GAPS,
    CONF_IMPULSES,
    CONF_IMPULSES_PER_KWH,
    CONF_MAX_POWER,
    CONF_WH_PER_IMPULSE,
    DOMAIN,
)
from .coordinator.base import OneMeterConfigEntry
from .flow.confirmation import async_proposed_name
from .meter import Identity
from .settings import from_entry
from .totals import Totals, async_start_over

type Data = Mapping[str, Any]
#: Performs a repair; returns the reason for an abort, or None.
type Repair = Callable[[HomeAssistant, OneMeterConfigEntry, Data], Awaitable[str | None]]


async def async_create_fix_flow(hass: HomeAssistant, issue_id: str, data: Data) -> RepairsFlow:
    """Return the flow that fixes an issue."""
    issue = Issue(data["issue"])
    if issue is Issue.OTHER_METER:
        return OtherMeterFlow(data)
    if issue is Issue.IMPULSE_DRIFT:
        return ImpulseDriftFlow(data)
    if issue is Issue.FILL_GAPS:
        return FillGapsFlow(data)
    return ConsentFlow(_REPAIRS[issue], data)


class RepairFlow(RepairsFlow):
    """Asks for confirmation, and then performs a repair."""

    def __init__(self, data: Data) -> None:
        """Take the data of the issue."""
        self._data = data

    @property
    def _entry(self) -> OneMeterConfigEntry:
        return self.hass.config_entries.async_get_known_entry(self._data["entry_id"])

    @abstractmethod
    def _placeholders(self) -> dict[str, str]:
        """Return the placeholders of the texts."""

    async def _async_confirm(
        self, step_id: str, repair: Repair, user_input: dict[str, str] | None
    ) -> RepairsFlowResult:
        if user_input is None:
            return self.async_show_form(
                step_id=step_id,
                data_schema=probatio.Schema({}),
                description_placeholders=self._placeholders(),
            )
        if reason := await repair(self.hass, self._entry, self._data):
            return self.async_abort(reason=reason)
        return self.async_create_entry(data={})


class ConsentFlow(RepairFlow):
    """Asks for confirmation of the one repair that there is for an issue."""

    def __init__(self, repair: Repair, data: Data) -> None:
        """Take the repair and the data of the issue."""
        super().__init__(data)
        self._repair = repair

    async def async_step_init(self, _: dict[str, str] | None = None) -> RepairsFlowResult:
        """Begin with the confirmation."""
        return await self.async_step_confirm()

    async def async_step_confirm(
        self, user_input: dict[str, str] | None = None
    ) -> RepairsFlowResult:
        """Ask for confirmation, or perform the repair."""
        return await self._async_confirm("confirm", self._repair, user_input)

    @override
    def _placeholders(self) -> dict[str, str]:
        issue = ir.async_get(self.hass).async_get_issue(DOMAIN, self.issue_id)
        placeholders = dict((issue and issue.translation_placeholders) or {})
        if self._entry.state is ConfigEntryState.LOADED:
            # The user confirms the newest values.
            placeholders |= self._newest(self._entry)
        return placeholders

    def _newest(self, entry: OneMeterConfigEntry) -> dict[str, str]:
        """Return the placeholders that may have changed since the issue was raised."""
        totals = entry.runtime_data.totals
        if not isinstance(totals, Totals):
            return {}
        if self._repair is _async_accept_totals:
            return totals.jumped_placeholders()
        if self._repair is _async_raise_max_power and (power := totals.overload) is not None:
            self._data = {**self._data, "power": str(power)}
            return totals.overload_placeholders(power)
        return {}


class OtherMeterFlow(RepairFlow):
    """Asks why another meter is connected, and does what follows from the answer."""

    async def async_step_init(self, _: dict[str, str] | None = None) -> RepairsFlowResult:
        """Name both meters, and ask which of the possible reasons it is."""
        return self.async_show_menu(
            step_id="init",
            menu_options=["replaced", "second_meter", "moved"],
            description_placeholders=self._placeholders(),
        )

    async def async_step_replaced(
        self, user_input: dict[str, str] | None = None
    ) -> RepairsFlowResult:
        """Continue the entry with the other meter, after a confirmation."""
        return await self._async_confirm("replaced", _async_replace_meter, user_input)

    async def async_step_second_meter(
        self, user_input: dict[str, str] | None = None
    ) -> RepairsFlowResult:
        """Add an entry for the other meter and disable the present one, after a confirmation."""
        return await self._async_confirm("second_meter", _async_add_second_meter, user_input)

    async def async_step_moved(self, _: dict[str, str] | None = None) -> RepairsFlowResult:
        """Leave everything as it is; the issue ends when the right meter is received."""
        return self.async_abort(reason="moved", description_placeholders=self._placeholders())

    @override
    def _placeholders(self) -> dict[str, str]:
        entry = self._entry
        own_id = str(entry.unique_id)
        device = dr.async_get(self.hass).async_get_device({(DOMAIN, own_id)})
        return {
            "title": entry.title,
            "own_id": (device and device.serial_number) or own_id,
            "other_id": self._data["meter_id"],
        }


class ImpulseDriftFlow(RepairFlow):
    """Changes the setting because of which impulses and registers differ."""

    async def async_step_init(self, _: dict[str, str] | None = None) -> RepairsFlowResult:
        """Ask which setting is wrong, if it may be one of two."""
        if not self._data["edges"]:
            return await self.async_step_constant()
        return self.async_show_menu(
            step_id="init",
            menu_options=["edges", "constant"],
            description_placeholders=self._placeholders(),
        )

    async def async_step_edges(self, user_input: dict[str, str] | None = None) -> RepairsFlowResult:
        """Set the edges per impulse, after a confirmation."""
        return await self._async_confirm("edges", _async_set_edges, user_input)

    async def async_step_constant(
        self, user_input: dict[str, str] | None = None
    ) -> RepairsFlowResult:
        """Set the impulse constant, after a confirmation."""
        return await self._async_confirm("constant", _async_set_constant, user_input)

    @override
    def _placeholders(self) -> dict[str, str]:
        return {
            "title": self._entry.title,
            "drift": self._data["drift"],
            "constant": self._data["constant"],
            "edges": self._data["edges"],
        }


class FillGapsFlow(RepairFlow):
    """Asks whether gaps are filled from the load profile."""

    async def async_step_init(self, _: dict[str, str] | None = None) -> RepairsFlowResult:
        """Ask."""
        return self.async_show_menu(
            step_id="init",
            menu_options=["fill", "leave"],
            description_placeholders=self._placeholders(),
        )

    async def async_step_fill(self, _: dict[str, str] | None = None) -> RepairsFlowResult:
        """Fill the gaps from now on, those that are there too."""
        return self._async_answer(fill=True)

    async def async_step_leave(self, _: dict[str, str] | None = None) -> RepairsFlowResult:
        """Leave the gaps as they are."""
        return self._async_answer(fill=False)

    def _async_answer(self, *, fill: bool) -> RepairsFlowResult:
        entry = self._entry
        options = {**entry.options, CONF_FILL_GAPS: fill}
        self.hass.config_entries.async_update_entry(entry, options=options)
        return self.async_create_entry(data={})

    @override
    def _placeholders(self) -> dict[str, str]:
        return {"title": self._entry.title}


async def _async_accept_totals(
    hass: HomeAssistant, entry: OneMeterConfigEntry, _: Data
) -> str | None:
    """Continue the totals from their new values."""
    if (
        entry.state is not ConfigEntryState.LOADED
        or not await entry.runtime_data.async_accept_totals()
    ):
        return "meter_unavailable"
    return None


async def _async_replace_meter(
    hass: HomeAssistant, entry: OneMeterConfigEntry, data: Data
) -> str | None:
    """Assign the entry, its device and its sensors to another meter."""
    new_id = data["unique_id"]
    if hass.config_entries.async_entry_for_domain_unique_id(DOMAIN, new_id):
        return "already_configured"
    await hass.config_entries.async_unload(entry.entry_id)
    await async_start_over(hass, entry.entry_id)
    await _async_rename(hass, entry, str(entry.unique_id), new_id)
    hass.config_entries.async_update_entry(entry, unique_id=new_id)
    hass.config_entries.async_schedule_reload(entry.entry_id)
    return None


async def _async_add_second_meter(
    hass: HomeAssistant, entry: OneMeterConfigEntry, data: Data
) -> str | None:
    """Add an entry for another meter at the same port, and disable the present one."""
    new_id = data["unique_id"]
    if hass.config_entries.async_entry_for_domain_unique_id(DOMAIN, new_id):
        return "already_configured"
    # Both cannot use the port.
    await hass.config_entries.async_set_disabled_by(entry.entry_id, ConfigEntryDisabler.USER)
    meter = Identity(data["meter_id"], data["manufacturer"] or None)
    added = hass.config_entries.flow.async_init(
        DOMAIN,
        context={"source": SOURCE_IMPORT},
        data={
            "unique_id": new_id,
            "title": await async_proposed_name(hass, meter, from_entry(entry.data).protocol),
            "data": dict(entry.data),
        },
    )
    # The new entry waits for its first reading, which may take minutes.
    hass.async_create_task(added, f"{DOMAIN} second meter")
    return None


async def _async_follow_port(
    hass: HomeAssistant, entry: OneMeterConfigEntry, data: Data
) -> str | None:
    """Read the meter at the port to which its device has moved."""
    hass.config_entries.async_update_entry(entry, data={**entry.data, CONF_PORT: data["port"]})
    hass.config_entries.async_schedule_reload(entry.entry_id)
    return None


async def _async_raise_max_power(
    hass: HomeAssistant, entry: OneMeterConfigEntry, data: Data
) -> str | None:
    """Set the maximum power to the proposed one."""
    options = {**entry.options, CONF_MAX_POWER: int(data["power"])}
    hass.config_entries.async_update_entry(entry, options=options)
    hass.config_entries.async_schedule_reload(entry.entry_id)
    return None


async def _async_set_constant(
    hass: HomeAssistant, entry: OneMeterConfigEntry, data: Data
) -> str | None:
    """Set the impulse constant to the proposed one."""
    return _set_of_impulses(
        hass, entry, {CONF_IMPULSES_PER_KWH: data["constant"]}, without=CONF_WH_PER_IMPULSE
    )


async def _async_set_edges(
    hass: HomeAssistant, entry: OneMeterConfigEntry, data: Data
) -> str | None:
    """Set the edges per impulse to the proposed ones."""
    return _set_of_impulses(hass, entry, {CONF_EDGES: int(data["edges"])})


@callback
def _set_of_impulses(
    hass: HomeAssistant, entry: OneMeterConfigEntry, changes: Data, without: str = ""
) -> str | None:
    """Change the source of the impulses in the options."""
    if (source := entry.options.get(CONF_IMPULSES)) is None:
        return "no_impulse_source"
    kept = {key: value for key, value in source.items() if key != without}
    options = {**entry.options, CONF_IMPULSES: {**kept, **changes}}
    hass.config_entries.async_update_entry(entry, options=options)
    hass.config_entries.async_schedule_reload(entry.entry_id)
    return None


async def _async_rename(
    hass: HomeAssistant, entry: OneMeterConfigEntry, old_id: str, new_id: str
) -> None:
    """Change the unique ids of the sensors and the device, so that their history is kept."""

    @callback
    def rename(entity: er.RegistryEntry) -> dict[str, str]:
        return {"new_unique_id": new_id + entity.unique_id.removeprefix(old_id)}

    await er.async_migrate_entries(hass, entry.entry_id, rename)
    devices = dr.async_get(hass)
    for device in dr.async_entries_for_config_entry(devices, entry.entry_id):
        identifiers = {
            (domain, new_id + identifier.removeprefix(old_id))
            for domain, identifier in device.identifiers
        }
        devices.async_update_device(device.id, new_identifiers=identifiers)


async def _async_accept_counters(
    hass: HomeAssistant, entry: OneMeterConfigEntry, _: Data
) -> str | None:
    """Continue from the present invocation counters of the meter."""
    if (kept := async_authenticity(hass, entry)) is not None:
        await kept.async_accept_fallen()
    return None


_REPAIRS: Mapping[Issue, Repair] = {
    Issue.COUNTER_FELL: _async_accept_counters,
    Issue.TOTALS_JUMPED: _async_accept_totals,
    Issue.OVERLOAD: _async_raise_max_power,
    Issue.PORT_MOVED: _async_follow_port,
}
