"""COSEM objects (Blue Book): their attributes as encoded values, and the list of objects."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from . import axdr
from .obis import logical_name
from .profile import CLOCK

DATA: Final = 1
REGISTER: Final = 3
EXTENDED_REGISTER: Final = 4
DEMAND_REGISTER: Final = 5
PROFILE: Final = 7
CLOCK_CLASS: Final = 8
ASSOCIATION: Final = 15
SAP_ASSIGNMENT: Final = 17
SECURITY_SETUP: Final = 64
MBUS_CLIENT: Final = 72

LOAD_PROFILE: Final = "1-0:99.1.0*255"
CURRENT_ASSOCIATION: Final = "0-0:40.0.0*255"
LOGICAL_DEVICE_NAME: Final = "0-0:42.0.0*255"
SECURITY: Final = "0-0:43.0.0*255"
#: By value group E.
INVOCATION_COUNTERS: Final = tuple(f"0-0:43.1.{client}*255" for client in range(8))
SERIAL: Final = "0-0:96.1.0*255"

#: Objects that the public client may read.
PUBLIC: Final = frozenset(
    {CLOCK, LOGICAL_DEVICE_NAME, *INVOCATION_COUNTERS, CURRENT_ASSOCIATION, "0-0:41.0.0*255"}
)

#: Access to an attribute or a method.
_READ_ONLY: Final = 1

#: Short names: of the current association, and the first one of all other objects. The names of
#: consecutive attributes differ by a step.
_ASSOCIATION_NAME: Final = 0xFA00
_FIRST_NAME: Final = 0x0100
NAME_STEP: Final = 8

type Attributes = Mapping[int, Callable[[int], bytes]]


@dataclass(frozen=True, slots=True)
class CosemObject:
    """An object. Attributes, from the second on, return their encoded values by time.

    Times are in seconds since 1970.
    """

    class_id: int
    code: str
    attributes: Attributes
    version: int = 0
    #: By attribute: the selectors of selective access that it supports.
    selectors: Mapping[int, tuple[int, ...]] = field(default_factory=dict)
    methods: tuple[int, ...] = ()

    def attribute(self, number: int, time: int) -> bytes | None:
        """Return the encoded value of an attribute; None if there is no such attribute."""
        if number == 1:
            return axdr.octets(logical_name(self.code))
        found = self.attributes.get(number)
        return None if found is None else found(time)

    def element(self) -> bytes:
        """Encode its element in the object list of an association."""
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


def always(value: bytes) -> Callable[[int], bytes]:
    """Return an attribute with a constant value."""
    return lambda _time: value


def scaler_unit(scaler: int, unit: int) -> bytes:
    """Encode a scaler with its unit."""
    return axdr.structure(axdr.i8(scaler), axdr.enum(unit))


def number(value: int, size: int, *, signed: bool) -> bytes:
    """Encode the number of a register in a size in bytes."""
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


def base_names(objects: Iterable[CosemObject]) -> dict[str, int]:
    """Return the short names of objects, by their codes."""
    names, name = {CURRENT_ASSOCIATION: _ASSOCIATION_NAME}, _FIRST_NAME
    for entry in objects:
        names[entry.code] = name
        name += NAME_STEP * max(entry.attributes)
    return names


def association(
    code: str,
    visible: Callable[[], Iterable[CosemObject]],
    *,
    partners: tuple[int, int],
    names: tuple[bytes, bytes],
    context: bytes,
) -> CosemObject:
    """Return the object of an association (class 15).

    ``visible`` returns the objects that its client may read, ``partners`` are client and logical
    device, ``names`` those of application context and mechanism, ``context`` is attribute 5.
    """

    def object_list(_time: int) -> bytes:
        return axdr.array(entry.element() for entry in visible())

    return CosemObject(
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
