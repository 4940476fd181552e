"""What is found out about a meter, so that it need not be found out again."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..obis import Obis
from ..reading import Identity
from .cosem import CosemObject, ScalerUnit
from .settings import Transport
from .wanted import needed, usual_objects


@dataclass(slots=True)
class Memory:
    """What was found out about a meter; it outlives the connection."""

    transport: Transport | None = None
    #: Its HDLC address, as on the wire.
    address: bytes | None = None
    meter: Identity | None = None
    #: What it has; None before the first reading.
    objects: tuple[CosemObject, ...] | None = None
    #: Scalers and units of its registers; None where it does not tell.
    scalers: dict[Obis, ScalerUnit | None] = field(default_factory=dict)
    #: Attributes that it does not give away, by their descriptors.
    refused: set[bytes] = field(default_factory=set)
    #: It answers several questions at once, and so many.
    takes_lists: bool = True
    list_size: int = 64
    #: It connects (SNRM) with parameters, and answers when it is taken leave of (RLRQ).
    takes_parameters: bool = True
    takes_leave: bool = True
    #: It has refused the password, which is never tried again.
    password_rejected: bool = False

    def forget_objects(self) -> None:
        """Begin anew with another meter, or with one that has changed."""
        self.objects = None
        self.meter = None
        self.scalers.clear()
        self.refused.clear()
        self.takes_lists, self.list_size = True, 64

    def as_json(self) -> dict[str, Any]:
        """Return what is worth keeping beyond the process, of JSON's types only.

        Scalers are not: a meter that was given new ones would be read wrongly for good.
        """
        meter = self.meter or Identity()
        is_guess = self.objects is None or self.objects == usual_objects()
        return {
            "transport": self.transport,
            "address": None if self.address is None else self.address.hex(),
            "meter_id": meter.meter_id,
            "manufacturer": meter.manufacturer,
            "device_id": meter.device_id,
            "objects": [] if is_guess else [_line(entry) for entry in needed(self.objects or ())],
        }

    def recall(self, content: Mapping[str, Any]) -> None:
        """Take what as_json() has returned.

        Raises ValueError, KeyError or TypeError for anything else, and has taken nothing then.
        """
        transport, address = content["transport"], content["address"]
        meter_id, manufacturer = content["meter_id"], content["manufacturer"]
        kept = Memory(
            transport=None if transport is None else Transport(transport),
            address=None if address is None else bytes.fromhex(address),
            meter=Identity(meter_id, manufacturer, device_id=content["device_id"]),
            objects=tuple(map(_object, content["objects"])) or None,
        )
        self.forget_objects()
        self.transport, self.address = kept.transport, kept.address
        self.meter, self.objects = kept.meter, kept.objects


def _line(entry: CosemObject) -> list[int | str]:
    return [entry.class_id, entry.version, bytes(entry.obis).hex()]


def _object(line: tuple[int, int, str]) -> CosemObject:
    class_id, version, name = line
    return CosemObject(class_id, version, Obis.from_bytes(bytes.fromhex(name)))
