"""The sensors of a meter that the Energy dashboard can use."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence, Set as AbstractSet
from decimal import Decimal
from types import MappingProxyType
from typing import Final, NamedTuple

from homeassistant.const import Platform
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import entity_registry as er

from ..billing.sources import BALANCED_EXPORT, BALANCED_IMPORT
from ..coordinator.base import OneMeterConfigEntry
from ..coordinator.meter_data import MeterData
from ..meter import Key, Register
from ..registers.known_codes import parse_key
from ..registers.lookup import describe_register, may_be
from ..registers.mbus import channel_of
from ..registers.table import MBUS_TOTAL, MEASURED
from ..totals import Total

_LINES: Final = tuple(MEASURED[groups] for groups in ((1, 8), (2, 8), (16, 7), (1, 7), (2, 7)))
#: What sensors are used for, by the keys of these lines.
IMPORT, EXPORT, POWER, POWER_IMPORT, POWER_EXPORT = (line.key for line in _LINES)
DERIVED_POWER: Final = "derived_power"
POWERS: Final = (POWER, POWER_IMPORT, POWER_EXPORT, DERIVED_POWER)
#: What sensors that are no registers are used for, by their keys.
_DERIVED: Final = {POWER: POWER, "net_power": POWER, DERIVED_POWER: DERIVED_POWER}
_TARIFFS: Final = range(1, 64)
#: The media of meters on the M-Bus that are a type of source in the Energy dashboard. Warm water is
#: none: it may have been counted as cold water before.
MEDIA: Final = ("gas", "water")
#: How the code of what is counting still ends.
_CURRENT_PERIOD: Final = "*255"


class Sensor(NamedTuple):
    """A sensor that can be used."""

    entity_id: str
    #: kWh; None for power.
    energy: Decimal | None = None


class EnergySensors(NamedTuple):
    """The enabled sensors of a meter that matter to the Energy dashboard."""

    #: Those that can be used, by their key, with the tariff behind it: "energy_import T1".
    usable: Mapping[str, Sensor]
    #: The entity ids of all sensors of a key, also those of phases, and of what was sent earlier.
    related: Mapping[str, AbstractSet[str]]
    #: The entity ids of the totals of meters on the M-Bus, by their medium, one of MEDIA.
    media: Mapping[str, Sequence[str]] = MappingProxyType({})

    def total(self, direction: str) -> list[Sensor]:
        """Return the total of a direction, if there is one."""
        return [self.usable[direction]] if direction in self.usable else []

    def tariffs(self, direction: str) -> list[Sensor]:
        """Return the tariffs of a direction in their order."""
        names = [f"{direction} T{number}" for number in _TARIFFS]
        return [self.usable[name] for name in names if name in self.usable]

    def energy(self, direction: str) -> Decimal | None:
        """Return the energy of a direction in kWh; None where the meter does not count it."""
        sensors = self.total(direction) or self.tariffs(direction)
        energies = [sensor.energy for sensor in sensors if sensor.energy is not None]
        return sum(energies, Decimal(0)) if energies else None


@callback
def energy_sensors(hass: HomeAssistant, entry: OneMeterConfigEntry) -> EnergySensors:
    """Return the sensors of a meter that is read."""
    registers = entry.runtime_data.data.registers
    usable: dict[str, Sensor] = {}
    related: dict[str, set[str]] = defaultdict(set)
    derived: dict[str, Sensor] = {}
    balanced = _balanced(entry)
    replacing: dict[str, Sensor] = {}
    for text, entity_id in _enabled(hass, entry):
        if (name := _DERIVED.get(text)) is not None:
            related[name].add(entity_id)
            derived[name] = Sensor(entity_id)
            continue
        if text in balanced:
            line_key, scope, amount = balanced[text]
            related[line_key].add(entity_id)
            replacing[f"{line_key}{scope}"] = Sensor(entity_id, amount)
            continue
        if not text.endswith(_CURRENT_PERIOD):
            continue
        key = parse_key(text)
        for line in _LINES:
            if may_be(line, key):
                related[line.key].add(entity_id)
                energy = _energy(key, registers)
                if energy is not None or line.key in POWERS:
                    usable.setdefault(_name(key, registers), Sensor(entity_id, energy))
    if replacing:
        usable = {name: it for name, it in usable.items() if not name.startswith((IMPORT, EXPORT))}
    return EnergySensors(derived | usable | replacing, related, _media(hass, entry))


@callback
def is_balanced(entry: OneMeterConfigEntry) -> bool:
    """Return whether balanced energy takes the place of the meter's totals."""
    return bool(_balanced(entry))


def _balanced(entry: OneMeterConfigEntry) -> Mapping[str, tuple[str, str, Decimal]]:
    """Return what balanced energy replaces: line, scope and kWh, by the keys of its sensors."""
    if (billing := entry.runtime_data.data.billing) is None:
        return {}
    return {
        f"{name}{scope}": (line, scope, energy)
        for scope, balance in billing.balances.items()
        for name, line, energy in (
            (BALANCED_IMPORT, IMPORT, balance.imported),
            (BALANCED_EXPORT, EXPORT, balance.exported),
        )
    }


def has_tariffs(registers: Mapping[Key, Register]) -> bool:
    """Return whether a meter sends the total of its imports and also its tariffs."""
    names = {_name(key, registers) for key in registers if may_be(_LINES[0], key)}
    return {IMPORT, f"{IMPORT} T1", f"{IMPORT} T2"} <= names


def _enabled(hass: HomeAssistant, entry: OneMeterConfigEntry) -> Iterator[tuple[str, str]]:
    """Yield the key and the entity id of each enabled sensor."""
    for entity in er.async_entries_for_config_entry(er.async_get(hass), entry.entry_id):
        if entity.domain == Platform.SENSOR and not entity.disabled:
            yield entity.unique_id.removeprefix(f"{entry.unique_id}-"), entity.entity_id


def _media(hass: HomeAssistant, entry: OneMeterConfigEntry) -> dict[str, list[str]]:
    """Return the entity ids of the totals of meters on the M-Bus, by their medium."""
    found: dict[str, list[str]] = defaultdict(list)
    for text, entity_id in _enabled(hass, entry):
        if (medium := _medium(parse_key(text), entry.runtime_data.data)) is not None:
            found[medium].append(entity_id)
    return found


def _medium(key: Key, data: MeterData) -> str | None:
    """Return the medium of MEDIA of which a register is the total; None if it is none."""
    channel = channel_of(key)
    meter = None if channel is None else data.mbus_meters.get(channel)
    if meter is None or meter.medium not in MEDIA or (register := data.registers.get(key)) is None:
        return None
    if Total.counted(register) is None:
        return None
    line, _ = describe_register(key, data.registers)
    return meter.medium if line.key == MBUS_TOTAL else None


def _energy(key: Key, registers: Mapping[Key, Register]) -> Decimal | None:
    """Return the energy of a register in kWh; None where there is no such value."""
    total = Total.of(registers.get(key))
    return None if total is None else total.amount


def _name(key: Key, registers: Mapping[Key, Register]) -> str:
    """Return what a register is used for; anything else where it cannot be used."""
    if key not in registers:
        return ""
    line, scope = describe_register(key, registers)
    return f"{line.key}{scope}"
