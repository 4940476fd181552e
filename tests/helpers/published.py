"""An entry whose readings the test publishes, without port, client and our coordinator."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
import logging
from typing import Any
from unittest.mock import patch

from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.onemeter.const import DOMAIN
from custom_components.onemeter.coordinator.meter_data import MeterData
from custom_components.onemeter.coordinator.status import Status
from custom_components.onemeter.events.events import MeterEvents
from custom_components.onemeter.meter import Identity, Key, Obis, Protocol, Register, Value
from custom_components.onemeter.settings import MINOR_VERSION
from custom_components.onemeter.totals import Moment
from homeassistant.const import CONF_PORT, CONF_PROTOCOL
from homeassistant.core import HomeAssistant
from homeassistant.helpers.update_coordinator import DataUpdateCoordinator

from .usb import stub_usb

METER = Identity(
    meter_id="0a01454d480000bc614e",
    manufacturer="EMH",
    device_id="1EMH0012345678",
)


def register(
    code: str,
    value: Value,
    unit: str | None = None,
    *,
    signed: Decimal | int | None = None,
    time: datetime | None = None,
) -> Register:
    """Return a register; with a unit, a value given as text is a Decimal.

    A ``code`` that is no OBIS code is the address of a register without one.
    """
    if unit is not None and isinstance(value, str):
        value = Decimal(value)
    try:
        return Register(Obis.parse(code), value, unit, signed_value=signed, time=time)
    except ValueError:
        return Register(None, value, unit, address=code, time=time)


class _Coordinator(DataUpdateCoordinator[MeterData]):
    """A coordinator that reads nothing."""

    status = Status.OK
    events: MeterEvents


class PublishedMeter:
    """An entry whose readings the test publishes."""

    def __init__(
        self,
        hass: HomeAssistant,
        meter: Identity,
        options: dict[str, Any],
        protocol: Protocol = Protocol.SML,
    ) -> None:
        self._hass = hass
        self._meter = meter
        #: The newest registers, and when each was received.
        self._read: dict[Key, tuple[Register, Moment]] = {}
        self.entry = MockConfigEntry(
            domain=DOMAIN,
            minor_version=MINOR_VERSION,
            title="Meter",
            unique_id=meter.unique_id,
            data={CONF_PORT: "socket://meter.local:3333", CONF_PROTOCOL: protocol.value},
            options=options,
        )
        self._coordinator = _Coordinator(
            hass, logging.getLogger(__name__), config_entry=self.entry, name="Meter"
        )
        self._coordinator.events = MeterEvents(hass, self.entry)

    async def start(self, *registers: Register) -> None:
        """Set up the entry with these registers in its first telegram."""
        self._coordinator.data = self._data(registers)
        self.entry.add_to_hass(self._hass)
        stub_usb(self._hass)
        await self._set_up()

    async def reload(self, *registers: Register) -> None:
        """Reload the entry, as after a change of its options."""
        await self._hass.config_entries.async_unload(self.entry.entry_id)
        self._coordinator.data = self._data(registers)
        await self._set_up()

    async def _set_up(self) -> None:
        self.entry.runtime_data = self._coordinator
        with patch("custom_components.onemeter.async_setup_entry", _forward):
            assert await self._hass.config_entries.async_setup(self.entry.entry_id)
            await self._hass.async_block_till_done()

    async def publish(
        self,
        *registers: Register,
        clock: datetime | None = None,
        received: datetime | None = None,
        withheld: frozenset[Key] = frozenset(),
    ) -> None:
        """Publish a telegram of these registers."""
        data = replace(self._data(registers, clock, received), withheld=withheld)
        self._coordinator.async_set_updated_data(data)
        await self._hass.async_block_till_done()

    def take_without_news(self, *registers: Register, received: datetime) -> None:
        """Replace the data without updating the listeners, as for an unchanged telegram."""
        self._coordinator.data = self._data(registers, None, received)

    async def fall_silent(self) -> None:
        """Publish that the meter cannot be read."""
        self._coordinator.async_set_update_error(TimeoutError("silent"))
        await self._hass.async_block_till_done()

    def _data(
        self,
        registers: tuple[Register, ...],
        clock: datetime | None = None,
        received: datetime | None = None,
    ) -> MeterData:
        named: dict[Key, Register] = {
            register.obis or str(register.address): register for register in registers
        }
        received = received or datetime.now(UTC)
        moment = Moment(received, round(received.timestamp() * 10**9))
        # The same register again is one of an earlier reading.
        read: dict[Key, tuple[Register, Moment]] = {}
        for key, item in named.items():
            before = self._read.get(key)
            is_same = before is not None and before[0] is item
            read[key] = (item, before[1] if before and is_same else moment)
        self._read |= read
        read_at = {key: at for key, (_, at) in read.items()}
        return MeterData(self._meter, named, moment, clock, read_at=read_at)


async def _forward(hass: HomeAssistant, entry: MockConfigEntry) -> bool:
    await hass.config_entries.async_forward_entry_setups(entry, ["binary_sensor", "sensor"])
    return True


async def publish(
    hass: HomeAssistant,
    *registers: Register,
    meter: Identity = METER,
    options: dict[str, Any] | None = None,
) -> PublishedMeter:
    """Set up an entry whose meter sends these registers."""
    published = PublishedMeter(hass, meter, options or {})
    await published.start(*registers)
    return published
