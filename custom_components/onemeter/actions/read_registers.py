"""Reads registers of a polled meter at once."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import probatio

from homeassistant.core import ServiceCall, ServiceResponse
from homeassistant.helpers import config_validation as cv
from homeassistant.util import dt as dt_util

from ..coordinator.polled import PolledCoordinator
from ..meter import Key, Register
from ..meter.errors import NoRegisterError
from ..meter.iec62056.codes import parse_address
from ..meter.iec62056.settings import is_register
from ..meter.reading import as_text
from ..registers.lookup import with_implied_unit
from ..settings import DlmsEntrySettings
from .meter import async_entry, async_poll, polled_coordinator, refusal

ATTR_REGISTERS: Final = "registers"
FIELDS: Final = {probatio.Required(ATTR_REGISTERS): probatio.All(cv.ensure_list, [cv.string])}
#: More would keep the port from readouts for too long.
_MOST: Final = 32


async def async_read_registers(call: ServiceCall) -> ServiceResponse:
    """Read registers at once; respond with their values, and with the codes that have none."""
    coordinator = polled_coordinator(await async_entry(call), "not_polled")
    codes: list[str] = list(dict.fromkeys(call.data[ATTR_REGISTERS]))
    if not 0 < len(codes) <= _MOST:
        raise refusal("number_of_registers", most=str(_MOST))
    addresses = {_address(code, coordinator): code for code in codes}
    found = await async_poll(
        call, coordinator, _async_read(coordinator, _known_first(addresses, coordinator))
    )
    units = coordinator.settings.writes_units
    answered = {register.address for register in found}
    registers: list[Any] = [
        _shown(register if units else _with_unit(register)) for register in found
    ]
    missing: list[Any] = [code for address, code in addresses.items() if address not in answered]
    return {
        "read_at": dt_util.utcnow().isoformat(),
        "registers": registers,
        "missing": missing,
    }


async def _async_read(
    coordinator: PolledCoordinator, addresses: Sequence[str]
) -> Sequence[Register]:
    """Return the registers that the meter has; none is no error here. Raises MeterError."""
    try:
        return (await coordinator.async_read_registers(addresses)).registers
    except NoRegisterError:
        return ()


def _address(code: str, coordinator: PolledCoordinator) -> str:
    """Return the address under which the meter has a code. Raises ServiceValidationError."""
    key = parse_address(code)
    if isinstance(coordinator.settings, DlmsEntrySettings):
        if key is None:
            raise refusal("invalid_register", register=code)
        return str(key)
    if not is_register(code):
        raise refusal("invalid_register", register=code)
    known: Mapping[Key, Register] = coordinator.newest.registers
    register = known.get(key or code)
    return code if register is None or register.address is None else register.address


def _known_first(addresses: Iterable[str], coordinator: PolledCoordinator) -> list[str]:
    """Return the addresses of the last readout first.

    Some meters do not answer for an unknown register, and seem to be silent if it is the first.
    """
    known = {register.address for register in coordinator.newest.registers.values()}
    return sorted(addresses, key=lambda address: address not in known)


def _with_unit(register: Register) -> Register:
    key = register.obis or register.address
    return register if key is None else with_implied_unit(key, register)


def _shown(register: Register) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "obis": register.obis and str(register.obis),
        "address": register.address,
        "value": as_text(register.value),
        "unit": register.unit,
    }
    return shown if register.time is None else shown | {"time": register.time.isoformat()}
