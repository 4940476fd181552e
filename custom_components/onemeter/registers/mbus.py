"""The meters on the M-Bus of an electricity meter, each in a channel of its own (value group B)."""

from collections import defaultdict
from collections.abc import Mapping
import re
from typing import Final, NamedTuple

from ..meter import Identity, Key, Obis, Register, Value
from ..meter.identity import identity_from_text
from ..meter.obis import ABSTRACT, C
from .lookup import describe_register, device_type, is_number, state_of
from .table import DEVICE_TYPE, MBUS_TOTAL

#: Value group C of M-Bus meters.
_MBUS: Final = 24
#: Value groups C and D of ids, and groups C, D and E of those of the meter, the best first.
_IDS: Final = (C.SERVICE, 1)
_SERIAL_NUMBERS: Final = ((*_IDS, 0), (*_IDS, 1))
_FLAG_AND_NUMBER: Final = re.compile(r"([A-Z]{3})(\d{8})", re.ASCII)


class MbusMeter(NamedTuple):
    """A meter on the M-Bus, as far as its registers show it."""

    #: The translation key of the device type.
    medium: str | None
    #: As printed on the meter.
    serial_number: str | None
    #: FLAG code.
    manufacturer: str | None


def channel_of(key: Key) -> int | None:
    """Return the channel of a register of an M-Bus meter; None for any other register.

    The registers show whether there is a meter at a channel (`mbus_meters`).
    """
    if isinstance(key, str) or key.a != ABSTRACT or key.b == 0:
        return None
    return key.b if key.c == _MBUS or (key.c, key.d) == _IDS else None


def mbus_meters(registers: Mapping[Key, Register]) -> dict[int, MbusMeter | None]:
    """Return the meters on the M-Bus by channel; None for a channel that is not connected.

    Electricity meters also send the type, an empty id and a zero of channels that are not.
    """
    channels: dict[int, list[Obis]] = defaultdict(list)
    for key in registers:
        if isinstance(key, Obis) and key.c == _MBUS and (channel := channel_of(key)) is not None:
            channels[channel].append(key)
    return {channel: _meter(channels[channel], registers) for channel in sorted(channels)}


def _meter(keys: list[Obis], registers: Mapping[Key, Register]) -> MbusMeter | None:
    """Return the meter at a channel, of which these are the registers without ids."""
    channel = keys[0].b
    identity = Identity()
    for groups in _SERIAL_NUMBERS:
        register = registers.get(Obis(ABSTRACT, channel, *groups))
        if register is not None and (found := _identity(register.value)) is not None:
            identity = found
            break
    if identity.name is None and not any(_is_total(key, registers) for key in keys):
        return None
    manufacturer = identity.manufacturer or (identity.device_id and identity.device_id[1:4])
    medium = state_of(DEVICE_TYPE, device_type(keys[0], registers))
    return MbusMeter(medium, identity.name, manufacturer)


def _is_total(key: Key, registers: Mapping[Key, Register]) -> bool:
    """Return whether a register is a number of which the meaning is known."""
    register = registers[key]
    return is_number(register.value) and (
        register.unit is not None or describe_register(key, registers)[0].key == MBUS_TOTAL
    )


def _identity(value: Value) -> Identity | None:
    """Return the identity in an id; None for an empty one, and for zeros.

    DLMS meters that are polled return a FLAG code and eight digits.
    """
    text = value.hex().upper() if isinstance(value, bytes) else str("" if value is None else value)
    text = Identity(meter_id=text.strip("\0 ")).name or ""
    if (parts := _FLAG_AND_NUMBER.fullmatch(text)) is not None:
        return Identity(meter_id=parts[2], manufacturer=parts[1])
    return identity_from_text(text, None, None) if text.strip("0 ") else None
