"""The objects of a meter (Blue Book): what their attributes hold, encoded."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from . import axdr, times
from .obis import logical_name
from .profile import CLOCK, STATUS
from .registers import DEMAND, MAXIMUM_DEMAND, PERIOD, W

if TYPE_CHECKING:
    from .meter import DlmsMeter

DATA: Final = 1
REGISTER: Final = 3
EXTENDED_REGISTER: Final = 4
DEMAND_REGISTER: Final = 5
PROFILE: Final = 7
CLOCK_CLASS: Final = 8
ASSOCIATION: Final = 15
SAP_ASSIGNMENT: Final = 17
SECURITY_SETUP: Final = 64

LOAD_PROFILE: Final = "1-0:99.1.0*255"
CURRENT_ASSOCIATION: Final = "0-0:40.0.0*255"
LOGICAL_DEVICE_NAME: Final = "0-0:42.0.0*255"
SECURITY: Final = "0-0:43.0.0*255"
#: Of each client, in the order of value group E.
INVOCATION_COUNTERS: Final = tuple(f"0-0:43.1.{client}*255" for client in range(8))
SERIAL: Final = "0-0:96.1.0*255"

#: What anybody may read.
PUBLIC: Final = frozenset(
    {CLOCK, LOGICAL_DEVICE_NAME, *INVOCATION_COUNTERS, CURRENT_ASSOCIATION, "0-0:41.0.0*255"}
)

#: How an attribute may be accessed.
_NO_ACCESS: Final = 0
_READ_ONLY: Final = 1
_CRYSTAL: Final = 1
_PERCENT: Final = 56
#: How a profile's rows are sorted.
_FIRST_IN_FIRST_OUT: Final = 1
_LAST_IN_FIRST_OUT: Final = 2
#: In minutes: what UTC is ahead of standard time, and summer time of that.
_STANDARD_TIME: Final = -60
_SUMMER_TIME: Final = 60
#: The last Sundays of March and October, at two and three o'clock.
_SUMMER_BEGINS: Final = bytes.fromhex("ffff03fe0702000000ffc400")
_SUMMER_ENDS: Final = bytes.fromhex("ffff0afe0703000000ff8880")

#: Short names: of the current association, and the first one of all others. An attribute's name is
#: a step after that of the one before it.
_ASSOCIATION_NAME: Final = 0xFA00
_FIRST_NAME: Final = 0x0100
NAME_STEP: Final = 8

type Attributes = Mapping[int, Callable[[int], bytes]]


@dataclass(frozen=True, slots=True)
class CosemObject:
    """An object: its class with the version, its code, and its attributes from the second on.

    Each attribute gives its encoded value in a second since 1970.
    """

    class_id: int
    version: int
    code: str
    attributes: Attributes
    #: The selectors of attributes that obey some.
    selectors: Mapping[int, tuple[int, ...]]
    methods: tuple[int, ...]

    def attribute(self, number: int, time: int) -> bytes | None:
        """Return the value of an attribute, the code itself as the first; None without one."""
        if number == 1:
            return axdr.octets(logical_name(self.code))
        found = self.attributes.get(number)
        return None if found is None else found(time)

    def element(self) -> bytes:
        """Encode what an object list says of it."""
        return axdr.structure(
            axdr.u16(self.class_id),
            axdr.u8(self.version),
            axdr.octets(logical_name(self.code)),
            axdr.structure(
                axdr.array(self._access(number) for number in (1, *self.attributes)),
                axdr.array(
                    axdr.structure(axdr.i8(number), axdr.enum(_READ_ONLY))
                    for number in self.methods
                ),
            ),
        )

    def _access(self, number: int) -> bytes:
        selectors = axdr.NULL
        if number in self.selectors:
            selectors = axdr.array(axdr.i8(selector) for selector in self.selectors[number])
        return axdr.structure(axdr.i8(number), axdr.enum(_READ_ONLY), selectors)


def _object(
    class_id: int,
    code: str,
    attributes: Attributes,
    *,
    version: int = 0,
    selectors: Mapping[int, tuple[int, ...]] | None = None,
    methods: tuple[int, ...] = (),
) -> CosemObject:
    return CosemObject(class_id, version, code, attributes, selectors or {}, methods)


def always(value: bytes) -> Callable[[int], bytes]:
    """Return an attribute that never changes."""
    return lambda _time: value


def scaler_unit(scaler: int, unit: int) -> bytes:
    """Encode a scaler with its unit."""
    return axdr.structure(axdr.i8(scaler), axdr.enum(unit))


def number(value: int, size: int, *, signed: bool) -> bytes:
    """Encode a register's number in so many bytes."""
    encoders = {
        (1, False): axdr.u8,
        (2, False): axdr.u16,
        (4, False): axdr.u32,
        (8, False): axdr.u64,
        (1, True): axdr.i8,
        (2, True): axdr.i16,
        (4, True): axdr.i32,
        (8, True): axdr.i64,
    }
    return encoders[size, signed](value)


def objects(meter: DlmsMeter) -> dict[str, CosemObject]:
    """Return all objects but the association, by their codes."""
    found = [
        *_identities(meter),
        _clock(meter),
        *_harmonics(meter),
        *_registers(meter),
        _load_profile(meter),
    ]
    return {entry.code: entry for entry in found}


def base_names(objects: Iterable[CosemObject]) -> dict[str, int]:
    """Give each object its short name, by codes."""
    names, name = {CURRENT_ASSOCIATION: _ASSOCIATION_NAME}, _FIRST_NAME
    for entry in objects:
        names[entry.code] = name
        name += NAME_STEP * max(entry.attributes)
    return names


def _identities(meter: DlmsMeter) -> Iterable[CosemObject]:
    def data(code: str, attribute: Callable[[int], bytes]) -> CosemObject:
        return _object(DATA, code, {2: attribute})

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
    yield _object(
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
    yield _object(
        SECURITY_SETUP,
        SECURITY,
        {
            2: lambda _: axdr.enum(meter.policy >> 4 & 3),
            3: lambda _: axdr.enum(meter.suite),
            4: lambda _: axdr.octets(meter.client_title),
            5: lambda _: axdr.octets(meter.title),
        },
    )


def _harmonics(meter: DlmsMeter) -> Iterable[CosemObject]:
    percent = always(scaler_unit(-1, _PERCENT))
    for place in range(meter.harmonics):
        phase, order = divmod(place, 120)
        code = f"1-0:{20 * phase + 31}.7.{order + 1}*255"
        yield _object(REGISTER, code, {2: always(axdr.u16(order)), 3: percent})


def _clock(meter: DlmsMeter) -> CosemObject:
    def time(now: int) -> bytes:
        return axdr.octets(times.encode(now, meter.clock_style))

    return _object(
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


def _registers(meter: DlmsMeter) -> Iterable[CosemObject]:
    for code, quantity in meter.registers.quantities.items():

        def value(now: int, code: str = code, size: int = quantity.size) -> bytes:
            signed = meter.registers.quantities[code].signed
            return number(meter.registers.numbers(now)[code], size, signed=signed)

        unit = always(scaler_unit(quantity.scaler, quantity.unit))
        yield _object(REGISTER, code, {2: value, 3: unit})

    def at(time: int) -> bytes:
        return axdr.octets(times.encode(time, meter.clock_style))

    watts = always(scaler_unit(0, W))
    yield _object(
        EXTENDED_REGISTER,
        MAXIMUM_DEMAND,
        {
            2: lambda now: axdr.u32(meter.registers.maximum(now).power),
            3: watts,
            4: always(axdr.u8(0)),
            5: lambda now: at(meter.registers.maximum(now).time),
        },
    )
    yield _object(
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


def _load_profile(meter: DlmsMeter) -> CosemObject:
    profile = meter.profile
    unsorted = axdr.structure(axdr.u16(0), axdr.octets(bytes(6)), axdr.i8(0), axdr.u16(0))
    selectors = tuple(
        selector for selector, obeyed in ((1, profile.by_range), (2, profile.by_entry)) if obeyed
    )
    return _object(
        PROFILE,
        LOAD_PROFILE,
        {
            2: lambda now: profile.buffer(meter.registers, meter.clock_style, now),
            3: lambda _: profile.capture_objects(),
            4: always(axdr.u32(PERIOD)),
            5: always(
                axdr.enum(_LAST_IN_FIRST_OUT if profile.newest_first else _FIRST_IN_FIRST_OUT)
            ),
            6: always(unsorted),
            7: lambda now: axdr.u32(len(profile.ends(now))),
            8: lambda _: axdr.u32(profile.days * 86_400 // PERIOD),
        },
        version=1,
        selectors={2: selectors},
    )


def association(
    code: str,
    visible: Callable[[], Iterable[CosemObject]],
    *,
    partners: tuple[int, int],
    names: tuple[bytes, bytes],
    context: bytes,
) -> CosemObject:
    """Return the object of an association.

    ``visible`` gives what its client sees, ``partners`` are client and logical device, ``names``
    those of application context and mechanism, ``context`` is the structure of attribute 5.
    """

    def object_list(_time: int) -> bytes:
        return axdr.array(entry.element() for entry in visible())

    return _object(
        ASSOCIATION,
        code,
        {
            2: object_list,
            3: always(axdr.structure(axdr.i8(partners[0]), axdr.u16(partners[1]))),
            4: always(axdr.octets(names[0])),
            5: always(context),
            6: always(axdr.octets(names[1])),
            8: always(axdr.enum(2)),
            9: always(axdr.octets(logical_name(SECURITY))),
        },
        version=1,
        methods=(1,),
    )
