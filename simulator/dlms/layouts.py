"""Layouts of pushed telegrams of meters on the market.

Each layout returns the encoded body of a telegram and the registers that a decoder must read.
"""

from collections.abc import Sequence
from decimal import Decimal
from enum import StrEnum
from typing import Final

from . import axdr
from .obis import logical_name
from .pushed_values import Body, Expected, Source, expected_of, items_of
from .registers import NO_UNIT, VAR, VARH, WH, A, V, W

_CLOCK: Final = "0-0:1.0.0*255"
_SERIAL: Final = "0-0:96.1.0*255"
_DEVICE_NAME: Final = "0-0:42.0.0*255"


class Layout(StrEnum):
    """How the values are arranged."""

    #: An array of structures: code, value, scaler with unit (Aidon and many others).
    LIST = "list"
    #: Alternating codes and values, without scalers (Kamstrup).
    KAMSTRUP = "kamstrup"
    #: Alternating codes, values and scalers with units, the meter id at the end (Austria).
    EVN = "evn"
    #: Values only, identified by their number in the list (Kaifa in Norway).
    POSITIONAL = "positional"
    #: The push object list, then the values only (Swiss meters).
    PUSH_LIST = "push-list"
    #: Descriptors without tags, and values (Czech meters); not valid A-XDR.
    UNTAGGED = "untagged"
    #: Text, as at P1 ports.
    P1 = "p1"
    #: Text with a readable head and an encrypted rest, without a DLMS tag (Polish meters).
    P1_HEAD = "p1-head"


def _codes(prefix: str, *groups: str) -> list[str]:
    return [f"{prefix}:{group}*255" for group in groups]


_POWERS: Final = ("1.7.0", "2.7.0", "3.7.0", "4.7.0")
_ENERGIES: Final = ("1.8.0", "2.8.0", "3.8.0", "4.8.0")
_CURRENTS: Final = ("31.7.0", "51.7.0", "71.7.0")
_VOLTAGES: Final = ("32.7.0", "52.7.0", "72.7.0")
_POWER_UNITS: Final = (W, W, VAR, VAR)
_ENERGY_UNITS: Final = (WH, WH, VARH, VARH)

type _Table = list[tuple[str, int, int, int]]


def _table(
    prefix: str, groups: Sequence[str], units: int | Sequence[int], scaler: int, size: int
) -> _Table:
    """Return rows of code, unit, scaler and size."""
    each = [units] * len(groups) if isinstance(units, int) else units
    codes = _codes(prefix, *groups)
    return [(code, unit, scaler, size) for code, unit in zip(codes, each, strict=True)]


_LIST: Final = (
    _table("1-0", _POWERS, _POWER_UNITS, 0, 4)
    + _table("1-0", _ENERGIES, _ENERGY_UNITS, 0, 4)
    + _table("1-0", _VOLTAGES, V, -1, 2)
    + _table("1-0", _CURRENTS, A, -2, 2)
)
_EVN: Final = (
    _table("1-0", ("1.8.0", "2.8.0"), WH, 0, 4)
    + _table("1-0", ("1.7.0", "2.7.0"), W, 0, 4)
    + _table("1-0", _VOLTAGES, V, -1, 2)
    + _table("1-0", _CURRENTS, A, -2, 2)
    + _table("1-0", ("13.7.0",), NO_UNIT, -3, 2)
)
_KAMSTRUP_POWERS: Final = (
    _table("1-1", _POWERS, _POWER_UNITS, 0, 4)
    + _table("1-1", _CURRENTS, A, -2, 4)
    + _table("1-1", _VOLTAGES, V, 0, 2)
)
_KAMSTRUP_ENERGIES: Final = _table("1-1", _ENERGIES, _ENERGY_UNITS, 1, 4)
_POSITIONAL_POWERS: Final = _table("1-0", _POWERS, _POWER_UNITS, 0, 4)
_POSITIONAL_ENERGIES: Final = _table("1-0", _ENERGIES, _ENERGY_UNITS, 0, 4)
_PUSH_LIST: Final = (
    _table("1-1", _ENERGIES, _ENERGY_UNITS, 0, 4)
    + _table("1-0", ("1.7.0", "2.7.0"), W, 0, 4)
    + _table("1-0", _VOLTAGES, V, -1, 2)
    + _table("1-0", _CURRENTS, A, -2, 2)
)
_UNTAGGED: Final = (
    _table("1-0", ("1.7.0", "21.7.0", "41.7.0", "61.7.0"), W, 0, 4)
    + _table("1-0", ("2.7.0", "22.7.0", "42.7.0", "62.7.0"), W, 0, 4)
    + _table("1-0", ("1.8.0", "1.8.1", "1.8.2", "2.8.0"), WH, 0, 4)
)

_KAMSTRUP_LIST: Final = "Kamstrup_V0001"
_KAIFA_LIST: Final = b"KFM_001"
_ONE_PHASE: Final = 1


def structures(source: Source, *, with_clock: bool) -> Body:
    """Return an array of structures, the first with the clock; or a structure without clock."""
    items = items_of(source, _LIST)
    serial = source.serial
    elements = [axdr.structure(axdr.octets(logical_name(_CLOCK)), source.clock)] * with_clock
    elements.append(
        axdr.structure(axdr.octets(logical_name(_SERIAL)), axdr.octets(serial.encode()))
    )
    elements += [axdr.structure(item.name, item.value, item.scaler_unit) for item in items]
    data = axdr.array(elements) if with_clock else axdr.structure(*elements)
    return Body(data, (Expected(_SERIAL, serial, None), *expected_of(items)), serial)


def kamstrup(source: Source, *, with_energies: bool) -> Body:
    """Return alternating codes and values; energies, in tens of watt hours, are optional."""
    number_code, type_code, clock_code = "1-1:0.0.5*255", "1-1:96.1.1*255", "0-1:1.0.0*255"
    meter_type = "6000000DM000000000"
    elements = [
        axdr.visible(_KAMSTRUP_LIST),
        axdr.octets(logical_name(number_code)),
        axdr.visible(source.serial),
        axdr.octets(logical_name(type_code)),
        axdr.visible(meter_type),
    ]
    items = items_of(source, _KAMSTRUP_POWERS)
    elements += [part for item in items for part in (item.name, item.value)]
    if with_energies:
        energies = items_of(source, _KAMSTRUP_ENERGIES)
        elements += [axdr.octets(logical_name(clock_code)), source.clock]
        elements += [part for item in energies for part in (item.name, item.value)]
        items += energies
    expected = (
        Expected(number_code, source.serial, None),
        Expected(type_code, meter_type, None),
        *expected_of(items),
    )
    return Body(axdr.structure(*elements), expected, source.serial)


def evn(source: Source) -> Body:
    """Return the clock, alternating codes, values and scalers, and the serial number."""
    items = items_of(source, _EVN)
    elements = [part for item in items for part in (item.name, item.value, item.scaler_unit)]
    data = axdr.structure(source.clock, *elements, axdr.octets(source.serial.encode()))
    return Body(data, expected_of(items), source.serial)


def positional(source: Source, size: int) -> Body:
    """Return 1, 9, 13, 14 or 18 values: power; one phase or three; energies."""
    if size not in (1, 9, 13, 14, 18):
        raise ValueError(f"there is no list of {size} values")
    if size == 1:
        items = items_of(source, _POSITIONAL_POWERS[:1])
        return Body(axdr.structure(items[0].value), expected_of(items), None)
    phases = _ONE_PHASE if size in (9, 14) else None
    items = items_of(
        source,
        _POSITIONAL_POWERS
        + _table("1-0", _CURRENTS[:phases], A, -3, 4)
        + _table("1-0", _VOLTAGES[:phases], V, -1, 4),
    )
    meter_type = "MA000DM0"
    elements = [
        axdr.octets(_KAIFA_LIST),
        axdr.octets(source.serial.encode()),
        axdr.octets(meter_type.encode()),
        *(item.value for item in items),
    ]
    if size in (14, 18):
        energies = items_of(source, _POSITIONAL_ENERGIES)
        elements += [source.clock, *(item.value for item in energies)]
        items += energies
    expected = (
        Expected(_SERIAL, source.serial, None),
        Expected("0-0:96.1.7*255", meter_type, None),
        *expected_of(items),
    )
    return Body(axdr.structure(*elements), expected, source.serial)


def push_list(source: Source) -> Body:
    """Return the push object list, which begins with itself, and the values of the others."""
    items = items_of(source, _PUSH_LIST)
    name = f"LGZ{source.serial[-13:]:0>13}"
    objects = [
        (40, "0-6:25.9.0*255"),
        (1, _DEVICE_NAME),
        *((3, item.code) for item in items),
    ]
    descriptors = [
        axdr.structure(axdr.u16(class_id), axdr.octets(logical_name(code)), axdr.i8(2), axdr.u16(0))
        for class_id, code in objects
    ]
    values = [axdr.octets(name.encode()), *(item.value for item in items)]
    data = axdr.structure(axdr.array(descriptors), *values)
    return Body(data, (Expected(_DEVICE_NAME, name, None), *expected_of(items)), name)


def untagged(source: Source) -> Body:
    """Return structures of a descriptor without A-XDR tags and a value."""
    items = items_of(source, _UNTAGGED)

    def entry(class_id: int, code: str, value: bytes) -> bytes:
        return b"\x02\x02" + class_id.to_bytes(2) + logical_name(code) + b"\x02" + value

    number_code, relay_code = "0-0:96.1.1*255", "0-0:96.3.10*255"
    entries = [
        entry(1, number_code, axdr.octets(source.serial.encode())),
        entry(70, relay_code, axdr.enum(1)),
        *(entry(3, item.code, item.value) for item in items),
    ]
    data = b"\x02\x02" + axdr.enum(1) + axdr.array(entries)
    return Body(
        data,
        (
            Expected(number_code, source.serial, None),
            Expected(relay_code, Decimal(1), None),
            *expected_of(items),
        ),
        source.serial,
    )
