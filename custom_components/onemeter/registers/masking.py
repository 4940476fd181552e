"""Telegrams and registers for bug reports, without ids of meters and customers."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any, Final

from homeassistant.helpers.redact import REDACTED

from ..meter import Protocol, Reading, Register
from ..meter.iec62056.masking import mask_readout
from ..meter.reading import as_text
from ..meter.sml.masking import mask
from .lookup import describe_register

#: Registers that may identify a meter or a customer, and unknown ones.
_PRIVATE: Final = {"identification", "message", "public_key", "register"}
#: Shorter values do not identify a meter (bytes).
SHORTEST: Final = 4
#: The number of a meter within the 14 characters of DIN 43863-5, as text and as bytes.
_NUMBER_DIGITS: Final = 8
_NUMBER_BYTES: Final = 4
#: First byte of a readout, which some P1 ports encrypt as DLMS.
_READOUT: Final = b"/"


def masked_telegrams(protocol: Protocol, readings: Sequence[Reading]) -> Iterator[bytes]:
    """Yield the telegrams of readings with masked ids, of the protocols where that is possible."""
    if protocol is Protocol.SML:
        secrets = {secret for reading in readings for secret in _secrets(reading)}
        yield from (mask(reading.raw, secrets) for reading in readings)
        return
    if protocol is Protocol.DLMS:
        # The ids in notifications have too many forms to be masked; those in readouts do not.
        readings = [reading for reading in readings if reading.raw.startswith(_READOUT)]
    elif protocol is Protocol.BLINK:
        return
    texts = {text for reading in readings for text in _secret_texts(reading)}
    for reading in readings:
        yield mask_readout(reading.raw, {text.encode() for text in texts})


def masked_register(register: Register) -> dict[str, Any]:
    """Return a register; its value is masked if it may identify the meter."""
    return {
        "obis": register.obis and str(register.obis),
        "address": register.address,
        "value": REDACTED if _is_private(register) else as_text(register.value),
        "unit": register.unit,
        "signed_value": as_text(register.signed_value),
    }


def _is_private(register: Register) -> bool:
    """Return whether a register may contain an id: a text, or a number without unit."""
    key = register.obis or register.address
    if key is None:
        return True
    line, _ = describe_register(key, {key: register})
    return line.key in _PRIVATE and register.unit is None


def _secrets(reading: Reading) -> Iterator[bytes]:
    """Yield the ids of the meter, in each form that a telegram may contain."""
    for text in (reading.meter.meter_id, reading.meter.device_id, reading.meter.name):
        if text is not None:
            yield from _forms(text)
    if (device_id := reading.meter.device_id) is not None:
        number = device_id[-_NUMBER_DIGITS:]
        yield number.encode()
        yield int(number).to_bytes(_NUMBER_BYTES)
    for register in reading.registers:
        if _is_private(register):
            match register.value:
                case bytes() as value if len(value) >= SHORTEST:
                    yield value
                    yield from _forms(value.hex())
                case str() as value if len(value) >= SHORTEST:
                    yield from _forms(value)
                case int() as value if value >= 1 << 8 * (SHORTEST - 1):
                    yield value.to_bytes((value.bit_length() + 7) // 8)
                    yield str(value).encode()


def _secret_texts(reading: Reading) -> Iterator[str]:
    """Yield the ids of the meter, in each form that a readout may contain."""
    texts = [reading.meter.meter_id, reading.meter.device_id, reading.meter.name]
    texts += [as_text(register.value) for register in reading.registers if _is_private(register)]
    for text in texts:
        if text is not None and len(text) >= SHORTEST:
            yield from (text, text.upper(), text.lower())
            # Meters pad their numbers with zeros in some registers only.
            if len(number := text.lstrip("0 ")) >= SHORTEST:
                yield number


def _forms(text: str) -> Iterator[bytes]:
    """Yield a text in each case, and its bytes if it consists of hexadecimal digits."""
    yield from (form.encode() for form in (text, text.upper(), text.lower()))
    with suppress(ValueError):
        yield bytes.fromhex(text)
