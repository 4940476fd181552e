"""The objects of a meter, except those of its associations."""

from collections.abc import Callable, Iterable
from typing import Final

from . import axdr, times
from .cosem import (
    CLOCK_CLASS,
    DATA,
    DEMAND_REGISTER,
    EXTENDED_REGISTER,
    INVOCATION_COUNTERS,
    LOAD_PROFILE,
    LOGICAL_DEVICE_NAME,
    PROFILE,
    REGISTER,
    SAP_ASSIGNMENT,
    SECURITY,
    SECURITY_SETUP,
    SERIAL,
    CosemObject,
    always,
    number,
    scaler_unit,
)
from .profile import CLOCK, STATUS, Captured, Profile
from .registers import DEMAND, MAXIMUM_DEMAND, PERIOD, W
from .settings import MeterSettings

_CRYSTAL: Final = 1
_PERCENT: Final = 56
#: Sort methods of a profile.
_FIRST_IN_FIRST_OUT: Final = 1
_LAST_IN_FIRST_OUT: Final = 2
#: Minutes from standard time to UTC, and from standard time to summer time.
_STANDARD_TIME: Final = -60
_SUMMER_TIME: Final = 60
#: The last Sundays of March and October, at 2:00 and 3:00.
_SUMMER_BEGINS: Final = bytes.fromhex("ffff03fe0702000000ffc400")
_SUMMER_ENDS: Final = bytes.fromhex("ffff0afe0703000000ff8880")


def objects(meter: MeterSettings) -> dict[str, CosemObject]:
    """Return all objects but the associations, by their codes."""
    found = [
        *_identities(meter),
        _clock(meter),
        *_harmonics(meter),
        *_registers(meter),
        *(entry for other in meter.mbus for entry in other.objects(meter.clock_style)),
        *(_profile(meter, code, *found) for code, found in profiles(meter).items()),
    ]
    return {entry.code: entry for entry in found}


def _identities(meter: MeterSettings) -> Iterable[CosemObject]:
    def data(code: str, attribute: Callable[[int], bytes]) -> CosemObject:
        return CosemObject(DATA, code, {2: attribute})

    yield data(LOGICAL_DEVICE_NAME, lambda _: axdr.octets(meter.logical_device_name))
    yield data(SERIAL, lambda _: axdr.octets(meter.serial.encode()))
    yield data("1-0:0.2.0*255", always(axdr.octets(b"1.00-DEMO")))
    yield data("0-0:97.97.0*255", lambda _: axdr.u32(meter.error))
    yield data("0-0:96.7.21*255", always(axdr.u16(2)))
    if meter.profile.with_status:
        yield data(STATUS, always(axdr.u8(0)))
    yield data(
        INVOCATION_COUNTERS[meter.counter_instance], lambda _: axdr.u32(meter.client_counter)
    )
    yield CosemObject(
        SAP_ASSIGNMENT,
        "0-0:41.0.0*255",
        {
            2: lambda _: axdr.array(
                [
                    axdr.structure(
                        axdr.u16(meter.logical_device), axdr.octets(meter.logical_device_name)
                    )
                ]
            )
        },
    )
    yield CosemObject(
        SECURITY_SETUP,
        SECURITY,
        {
            2: lambda _: axdr.enum(meter.policy >> 4 & 3),
            3: lambda _: axdr.enum(meter.suite),
            4: lambda _: axdr.octets(meter.client_title),
            5: lambda _: axdr.octets(meter.title),
        },
    )


def _harmonics(meter: MeterSettings) -> Iterable[CosemObject]:
    percent = always(scaler_unit(-1, _PERCENT))
    for place in range(meter.harmonics):
        phase, order = divmod(place, 120)
        code = f"1-0:{20 * phase + 31}.7.{order + 1}*255"
        yield CosemObject(REGISTER, code, {2: always(axdr.u16(order)), 3: percent})


def _clock(meter: MeterSettings) -> CosemObject:
    def time(now: int) -> bytes:
        return axdr.octets(times.encode(now, meter.clock_style))

    return CosemObject(
        CLOCK_CLASS,
        CLOCK,
        {
            2: time,
            3: always(axdr.i16(_STANDARD_TIME)),
            4: lambda now: axdr.u8(times.encode(now, meter.clock_style)[-1]),
            5: always(axdr.octets(_SUMMER_BEGINS)),
            6: always(axdr.octets(_SUMMER_ENDS)),
            7: always(axdr.i8(_SUMMER_TIME)),
            8: lambda _: axdr.boolean(meter.clock_style is not times.ClockStyle.UNSPECIFIED),
            9: always(axdr.enum(_CRYSTAL)),
        },
    )


def _registers(meter: MeterSettings) -> Iterable[CosemObject]:
    for code, quantity in meter.registers.quantities.items():

        def value(now: int, code: str = code, size: int = quantity.size) -> bytes:
            signed = meter.registers.quantities[code].signed
            return number(meter.registers.numbers(now)[code], size, signed=signed)

        unit = always(scaler_unit(quantity.scaler, quantity.unit))
        yield CosemObject(REGISTER, code, {2: value, 3: unit})

    def at(time: int) -> bytes:
        return axdr.octets(times.encode(time, meter.clock_style))

    watts = always(scaler_unit(0, W))
    yield CosemObject(
        EXTENDED_REGISTER,
        MAXIMUM_DEMAND,
        {
            2: lambda now: axdr.u32(meter.registers.maximum(now).power),
            3: watts,
            4: always(axdr.u8(0)),
            5: lambda now: at(meter.registers.maximum(now).time),
        },
    )
    yield CosemObject(
        DEMAND_REGISTER,
        DEMAND,
        {
            2: lambda now: axdr.u32(meter.registers.demand(now).present),
            3: lambda now: axdr.u32(meter.registers.demand(now).last),
            4: watts,
            5: always(axdr.u8(0)),
            6: at,
            7: lambda now: at(meter.registers.demand(now).start),
            8: always(axdr.u32(PERIOD)),
            9: always(axdr.u16(1)),
        },
    )


def profiles(meter: MeterSettings) -> dict[str, tuple[Profile, Captured]]:
    """Return all profiles by their codes, each with what it captures."""
    found: dict[str, tuple[Profile, Captured]] = {LOAD_PROFILE: (meter.profile, meter.registers)}
    for other in meter.mbus:
        if other.number:
            found[other.profile_code] = other.profile, other
    return found


def _profile(meter: MeterSettings, code: str, profile: Profile, captured: Captured) -> CosemObject:
    unsorted = axdr.structure(axdr.u16(0), axdr.octets(bytes(6)), axdr.i8(0), axdr.u16(0))
    selectors = tuple(
        selector for selector, obeyed in ((1, profile.by_range), (2, profile.by_entry)) if obeyed
    )
    return CosemObject(
        PROFILE,
        code,
        {
            2: lambda now: profile.buffer(captured, meter.clock_style, now),
            3: lambda _: profile.capture_objects(),
            4: always(axdr.u32(profile.period)),
            5: always(
                axdr.enum(_LAST_IN_FIRST_OUT if profile.newest_first else _FIRST_IN_FIRST_OUT)
            ),
            6: always(unsorted),
            7: lambda now: axdr.u32(len(profile.ends(now))),
            8: lambda _: axdr.u32(profile.days * 86_400 // profile.period),
        },
        version=1,
        selectors={2: selectors},
    )
