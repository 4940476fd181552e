"""A process that settles one period after the other, until it is killed."""

import asyncio
from datetime import UTC, timedelta
from decimal import Decimal
from multiprocessing.connection import Connection
from pathlib import Path
from types import MappingProxyType
from typing import Any

from custom_components.onemeter.billing.billing import Billing, BillingOptions
from custom_components.onemeter.meter import Key, Obis, Register
from custom_components.onemeter.totals import Totals
from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant
from homeassistant.helpers import (
    device_registry as dr,
    entity_registry as er,
    frame,
    issue_registry as ir,
)

from .meters import START

_CODES = Obis.parse("1-0:1.8.0"), Obis.parse("1-0:2.8.0")
_OPTIONS = {"balancing_period": "15", "max_power": 10**15}


def totals_at(number: int) -> tuple[int, int]:
    """Return what the meter has counted (Wh) at the end of a period."""
    return 5000 + 7 * number * number % 1000 + 1000 * number, 300 + 1100 * number


def settle_forever(pipe: Connection[Any, Any], folder: Path, number: int) -> None:
    """Settle periods from a number on; send the number and what is published (Wh)."""
    asyncio.run(_settle_forever(pipe, folder, number))


async def _settle_forever(pipe: Connection[Any, Any], folder: Path, number: int) -> None:
    hass = HomeAssistant(str(folder))
    frame.async_setup(hass)
    dr.async_setup(hass)
    await dr.async_load(hass, load_empty=True)
    await er.async_load(hass, load_empty=True)
    await ir.async_load(hass, read_only=True)
    entry = ConfigEntry(
        version=1,
        minor_version=2,
        domain="onemeter",
        title="Meter",
        source="user",
        unique_id="meter",
        entry_id="0",
        data={},
        discovery_keys=MappingProxyType({}),
        subentries_data=(),
        options=_OPTIONS,
    )
    billing = Billing(BillingOptions.of(_OPTIONS, UTC))
    totals = Totals(hass, entry)
    totals.keep(billing)
    await totals.async_load()
    while True:
        registers: dict[Key, Register] = {
            code: Register(code, Decimal(total), "Wh")
            for code, total in zip(_CODES, totals_at(number), strict=True)
        }
        reviewed, withheld = totals.async_review(registers)
        now = START + number * timedelta(minutes=15) - timedelta(seconds=1)
        if billing.accept(reviewed, withheld, now):
            totals.async_must_store()
        assert await totals.async_store()
        values = billing.values()
        assert values is not None
        balance = values.balances[""]
        amounts = (balance.imported, balance.exported, balance.net)
        pipe.send((number, *(int(amount * 1000) for amount in amounts)))
        number += 1
