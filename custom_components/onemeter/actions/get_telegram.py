"""Shows the last telegram or readout of a meter, as a bug report needs it."""

import asyncio
from dataclasses import asdict
from typing import Any

from homeassistant.core import ServiceCall, ServiceResponse

from ..meter import Protocol, Reading
from ..meter.dlms.push.notification import describe_list
from ..registers.masking import masked_register, masked_telegrams
from .meter import async_entry


async def async_get_telegram(call: ServiceCall) -> ServiceResponse:
    """Respond with the last telegram and its registers, without ids.

    Of DLMS it is the structure of the deciphered list, since ids in its bytes cannot be masked.
    """
    coordinator = (await async_entry(call)).runtime_data
    reading = coordinator.readings[-1]
    received = coordinator.reading_received
    masked = await asyncio.to_thread(_masked, coordinator.settings.protocol, reading)
    return {
        "protocol": coordinator.settings.protocol.value,
        "received": received and received.isoformat(),
        "meter_time": reading.time and reading.time.isoformat(),
        "manufacturer": reading.meter.manufacturer,
        **masked,
    }


def _masked(protocol: Protocol, reading: Reading) -> dict[str, Any]:
    telegram = next(masked_telegrams(protocol, [reading]), None)
    is_dlms = protocol is Protocol.DLMS and telegram is None
    described = describe_list(reading.raw) if is_dlms else None
    return {
        "telegram": telegram and telegram.hex(),
        "structure": described and asdict(described),
        "registers": [masked_register(register) for register in reading.registers],
    }
