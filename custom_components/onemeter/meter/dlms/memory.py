"""What is found out about a meter, so that it need not be found out again."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from ..obis import Obis
from ..reading import Identity
from .cosem import CosemObject, ScalerUnit
from .settings import Transport


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
        """Return what is worth keeping beyond the process, of JSON's types only."""
        meter = self.meter or Identity()
        return {
            "transport": self.transport,
            "address": None if self.address is None else self.address.hex(),
            "meter_id": meter.meter_id,
            "manufacturer": meter.manufacturer,
            "device_id": meter.device_id,
            "objects": None if self.objects is None else [_line(entry) for entry in self.objects],
            "scalers": {
                str(obis): None if found is None else [found.scaler, found.unit]
                for obis, found in self.scalers.items()
            },
            "refused": sorted(attribute.hex() for attribute in self.refused),
            "takes_lists": self.takes_lists,
            "list_size": self.list_size,
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """Take what as_json() has returned.

        Raises ValueError, KeyError or TypeError for anything else.
        """
        objects = content["objects"]
        transport, address = content["transport"], content["address"]
        return cls(
            transport=None if transport is None else Transport(transport),
            address=None if address is None else bytes.fromhex(address),
            meter=Identity(
                content["meter_id"], content["manufacturer"], device_id=content["device_id"]
            ),
            objects=None if objects is None else tuple(map(_object, objects)),
            scalers={
                Obis.parse(code): None if found is None else ScalerUnit(*found)
                for code, found in content["scalers"].items()
            },
            refused={bytes.fromhex(attribute) for attribute in content["refused"]},
            takes_lists=bool(content["takes_lists"]),
            list_size=int(content["list_size"]),
        )


def _line(entry: CosemObject) -> list[int | str]:
    return [entry.class_id, entry.version, str(entry.obis)]


def _object(line: tuple[int, int, str]) -> CosemObject:
    class_id, version, code = line
    return CosemObject(class_id, version, Obis.parse(code))
