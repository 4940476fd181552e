"""Discoveries about a meter, kept so that later sessions need not repeat them."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from ..obis import Obis
from ..reading import Identity
from .cosem import CosemObject, ScalerUnit
from .mbus_clients import MBUS_PROFILE, MbusClient
from .settings import Transport

#: Attributes in one list request, unless the meter answers only shorter lists.
LIST_SIZE: Final = 64
#: Number of sessions in a row that end at an object, after which it is not read any more.
ENDED_MAX: Final = 2
#: Version of the selection of objects. Stored objects of another one are not complete, so that the
#: object list is read again.
_SELECTION: Final = 2


@dataclass(slots=True)
class Memory:
    """Discoveries about one meter; they outlive the connection."""

    transport: Transport | None = None
    #: The encoded HDLC address of the meter.
    address: bytes | None = None
    meter: Identity | None = None
    #: The objects of a reading, the clock and profiles, from the object list; None: not read yet.
    objects: tuple[CosemObject, ...] | None = None
    #: Whether the meter uses short names.
    has_short_names: bool = False
    #: Base names by the descriptors of objects without their last byte; empty: not read yet.
    base_names: dict[bytes, int] = field(default_factory=dict)
    #: Scalers and units of registers; None if the meter does not return one.
    scalers: dict[Obis, ScalerUnit | None] = field(default_factory=dict)
    #: The meters on its M-Bus by the codes of their client objects.
    mbus: dict[Obis, MbusClient] = field(default_factory=dict)
    #: Descriptors of attributes that the meter refuses permanently, ...
    refused: set[bytes] = field(default_factory=set)
    #: ... that it has refused in a request of their own, ...
    refused_alone: set[bytes] = field(default_factory=set)
    #: ... and that it has answered with an exception.
    exceptions: set[bytes] = field(default_factory=set)
    #: Attributes per list request, the most that were answered, and whether a list has failed in
    #: this reading.
    list_size: int = LIST_SIZE
    longest_list: int = 0
    list_failed: bool = False
    #: How often in a row the meter has ended the session, or not answered, while an object was read
    #: that readings can do without.
    ended_by: Counter[Obis] = field(default_factory=Counter)
    #: Whether the meter answers SNRM with parameters, and release requests.
    accepts_parameters: bool = True
    answers_release: bool = True
    #: Whether the meter takes a selection of columns of its load profile.
    selects_columns: bool = True
    #: Whether the meter has rejected the password, which is then never tried again.
    password_rejected: bool = False

    def forget_objects(self) -> None:
        """Forget all that may differ in another meter, or in one that was reconfigured."""
        self.objects = None
        self.meter = None
        self.scalers.clear()
        self.base_names.clear()
        self.mbus.clear()
        self.ended_by.clear()
        for attributes in (self.refused, self.refused_alone, self.exceptions):
            attributes.clear()
        self.list_size, self.longest_list, self.list_failed = LIST_SIZE, 0, False
        self.selects_columns = True

    def retry_profiles(self) -> None:
        """Allow one more reading of the profiles on the M-Bus that have ended sessions."""
        for obis in self.ended_by:
            if (obis.c, obis.d) == MBUS_PROFILE:
                self.ended_by[obis] = ENDED_MAX - 1

    def as_json(self) -> dict[str, Any]:
        """Return the discoveries that are stored over restarts, as JSON types.

        Scalers and base names are not stored: after a reconfiguration of the meter they would make
        all later readings wrong. Neither are the meters on the M-Bus, which may be replaced.
        """
        meter = self.meter or Identity()
        return {
            "transport": self.transport,
            "address": None if self.address is None else self.address.hex(),
            "meter_id": meter.meter_id,
            "manufacturer": meter.manufacturer,
            "device_id": meter.device_id,
            "objects": [_object_as_json(entry) for entry in self.objects or ()],
            "selection": _SELECTION,
            "list_size": self.list_size,
            "short_names": self.has_short_names,
        }

    def restore(self, content: Mapping[str, Any]) -> None:
        """Restore what as_json() has returned.

        Raises ValueError, KeyError or TypeError for anything else, and then changes nothing.
        """
        transport, address = content["transport"], content["address"]
        meter_id, manufacturer = content["meter_id"], content["manufacturer"]
        list_size, has_short_names = content["list_size"], content.get("short_names", False)
        if list_size not in range(1, LIST_SIZE + 1):
            raise ValueError("invalid list_size")
        if not isinstance(has_short_names, bool):
            raise TypeError("invalid short_names")
        kept = Memory(
            transport=None if transport is None else Transport(transport),
            address=None if address is None else bytes.fromhex(address),
            meter=Identity(meter_id, manufacturer, device_id=content["device_id"]),
            objects=tuple(map(_object_from_json, content["objects"])) or None,
        )
        if content.get("selection") != _SELECTION:
            kept.objects = None
        self.forget_objects()
        self.transport, self.address = kept.transport, kept.address
        self.has_short_names = has_short_names
        self.meter, self.objects = kept.meter, kept.objects
        self.list_size = self.longest_list = list_size


def _object_as_json(entry: CosemObject) -> list[int | str]:
    return [entry.class_id, entry.version, bytes(entry.obis).hex()]


def _object_from_json(values: tuple[int, int, str]) -> CosemObject:
    class_id, version, name = values
    return CosemObject(class_id, version, Obis.from_bytes(bytes.fromhex(name)))
