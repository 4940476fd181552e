"""What is found out about a meter, so that it need not be found out again."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from ..obis import Obis
from ..reading import Identity
from .cosem import CosemObject, ScalerUnit
from .settings import Transport

#: Questions that are asked at once at first.
LIST_SIZE: Final = 64


@dataclass(slots=True)
class Memory:
    """What was found out about a meter; it outlives the connection."""

    transport: Transport | None = None
    #: Its HDLC address, as on the wire.
    address: bytes | None = None
    meter: Identity | None = None
    #: What is needed of its own list of objects; None where it has not given that yet.
    objects: tuple[CosemObject, ...] | None = None
    #: It knows its objects by short names, and the base names of those that it lists, by class and
    #: code as in a descriptor; empty while it has not listed them.
    has_short_names: bool = False
    base_names: dict[bytes, int] = field(default_factory=dict)
    #: Scalers and units of its registers; None where it does not tell.
    scalers: dict[Obis, ScalerUnit | None] = field(default_factory=dict)
    #: Attributes, by their descriptors: those that it refuses for good, those that it has refused
    #: when asked for nothing else, and those that it has answered by an exception.
    refused: set[bytes] = field(default_factory=set)
    refused_alone: set[bytes] = field(default_factory=set)
    exceptions: set[bytes] = field(default_factory=set)
    #: How many questions are asked at once, how many have been answered at once, and whether that
    #: went wrong in this reading.
    list_size: int = LIST_SIZE
    longest_list: int = 0
    list_failed: bool = False
    #: It connects (SNRM) with parameters, and answers when it is taken leave of (RLRQ).
    takes_parameters: bool = True
    answers_release: bool = True
    #: It has refused the password, which is never tried again.
    password_rejected: bool = False

    def forget_objects(self) -> None:
        """Begin anew with another meter, or with one that has changed."""
        self.objects = None
        self.meter = None
        self.scalers.clear()
        self.base_names.clear()
        for attributes in (self.refused, self.refused_alone, self.exceptions):
            attributes.clear()
        self.list_size, self.longest_list, self.list_failed = LIST_SIZE, 0, False

    def as_json(self) -> dict[str, Any]:
        """Return what is worth keeping beyond the process, of JSON's types only.

        Scalers and base names are not: a meter that was given new ones would be read wrongly for
        good.
        """
        meter = self.meter or Identity()
        return {
            "transport": self.transport,
            "address": None if self.address is None else self.address.hex(),
            "meter_id": meter.meter_id,
            "manufacturer": meter.manufacturer,
            "device_id": meter.device_id,
            "objects": [_line(entry) for entry in self.objects or ()],
            "list_size": self.list_size,
            "short_names": self.has_short_names,
        }

    def recall(self, content: Mapping[str, Any]) -> None:
        """Take what as_json() has returned.

        Raises ValueError, KeyError or TypeError for anything else, and has taken nothing then.
        """
        transport, address = content["transport"], content["address"]
        meter_id, manufacturer = content["meter_id"], content["manufacturer"]
        list_size, has_short_names = content["list_size"], content.get("short_names", False)
        if list_size not in range(1, LIST_SIZE + 1):
            raise ValueError("no size of a list")
        if not isinstance(has_short_names, bool):
            raise TypeError("neither short names nor logical ones")
        kept = Memory(
            transport=None if transport is None else Transport(transport),
            address=None if address is None else bytes.fromhex(address),
            meter=Identity(meter_id, manufacturer, device_id=content["device_id"]),
            objects=tuple(map(_object, content["objects"])) or None,
        )
        self.forget_objects()
        self.transport, self.address = kept.transport, kept.address
        self.has_short_names = has_short_names
        self.meter, self.objects = kept.meter, kept.objects
        self.list_size = self.longest_list = list_size


def _line(entry: CosemObject) -> list[int | str]:
    return [entry.class_id, entry.version, bytes(entry.obis).hex()]


def _object(line: tuple[int, int, str]) -> CosemObject:
    class_id, version, name = line
    return CosemObject(class_id, version, Obis.from_bytes(bytes.fromhex(name)))
