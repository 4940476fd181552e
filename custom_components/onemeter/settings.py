"""What an entry keeps of how its meter is read: entry data as typed settings, and back.

Each field has the name of its key in the entry data, where it is kept only if it differs from the
default.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from decimal import Decimal
from enum import StrEnum
from typing import Any, ClassVar, Final, Self, override

from homeassistant.const import CONF_PORT, CONF_PROTOCOL

from .const import CONF_GRID_QUALITY, CONF_IMPULSES, CONF_SOURCE, CONF_SOURCE_ID
from .meter import Framing, LineSettings, Protocol
from .meter.blink.constant import ImpulseConstant
from .meter.blink.settings import Source
from .meter.dlms.settings import Authentication, Protection, Transport

#: Of the entries that are written today.
VERSION: Final = 1
MINOR_VERSION: Final = 3


class Mode(StrEnum):
    """Whether a meter pushes or is polled, in protocols with both."""

    PUSHED = "pushed"
    POLLED = "polled"


class HassSource(StrEnum):
    """What shows impulses to Home Assistant, where it is no port."""

    ENTITY = "entity"
    EVENT = "event"
    MQTT = "mqtt"


@dataclass(frozen=True, slots=True)
class Connection:
    """Where a meter is read, and how that line differs from what is usual for the protocol."""

    #: The path or URL of a port, kept as CONF_PORT, where Home Assistant looks for who uses it;
    #: or the id of an entity, the type of events, or a topic with the sender's address behind it.
    source_id: str
    #: Baud; None, here and below: as usual.
    baudrate: int | None = None
    framing: Framing | None = None
    #: True is high.
    dtr: bool | None = None
    rts: bool | None = None

    def line(self, usual: LineSettings) -> LineSettings:
        """Return the line settings, with what is usual where nothing else is set."""
        changes = {name: getattr(self, name) for name in ("baudrate", "framing", "dtr", "rts")}
        return replace(usual, **{name: to for name, to in changes.items() if to is not None})


@dataclass(frozen=True, slots=True, kw_only=True)
class EntrySettings:
    """What the entries of all protocols keep."""

    protocol: ClassVar[Protocol]

    connection: Connection

    @classmethod
    def from_entry(cls, data: Mapping[str, Any]) -> Self:
        """Return the settings that entry data of this protocol hold.

        Raises KeyError and ValueError for data that no release has written.
        """
        source_id = data[CONF_SOURCE_ID] if CONF_SOURCE_ID in data else data[CONF_PORT]
        connection = Connection(**{**_read(Connection, data), CONF_SOURCE_ID: source_id})
        return cls(connection=connection, **_read(cls, data))

    def to_entry(self) -> dict[str, Any]:
        """Return the entry data for these settings, ready for JSON."""
        data = {**_written(self.connection), **_written(self)}
        source_id = data.pop(CONF_SOURCE_ID)
        key = CONF_PORT if self.has_port else CONF_SOURCE_ID
        return {key: source_id, CONF_PROTOCOL: self.protocol.value, **data}

    def with_mode(self, _: Mode) -> Self:
        """Return the settings for a meter that was found to be pushed or polled."""
        return self

    @property
    def source_id(self) -> str:
        """Where the meter is read: a port in most cases."""
        return self.connection.source_id

    @property
    def has_port(self) -> bool:
        """Whether the meter is read at a port."""
        return True

    @property
    def is_polled(self) -> bool:
        """Whether the meter sends only when it is polled."""
        return False

    @property
    def on_battery(self) -> bool:
        """Whether the meter must be woken up and its battery spared."""
        return False

    @property
    def writes_units(self) -> bool:
        """Whether a number without unit has none; otherwise its code may imply one."""
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class SmlEntrySettings(EntrySettings):
    """How a meter is read that pushes SML."""

    protocol: ClassVar[Protocol] = Protocol.SML

    @property
    @override
    def writes_units(self) -> bool:
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class _PushedOrPolledSettings(EntrySettings):
    """What the protocols have in common that know both."""

    #: None while a flow has to find out.
    mode: Mode | None = None

    @property
    @override
    def is_polled(self) -> bool:
        return self.mode is Mode.POLLED

    @override
    def with_mode(self, mode: Mode) -> Self:
        return replace(self, mode=mode)


@dataclass(frozen=True, slots=True, kw_only=True)
class Iec62056EntrySettings(_PushedOrPolledSettings):
    """How a meter of IEC 62056-21 is read; what the library has in SignOn is meant as there."""

    protocol: ClassVar[Protocol] = Protocol.IEC62056

    battery: bool = False
    address: str = ""
    table: str = ""
    password: str | None = field(default=None, repr=False)
    switch_speed: bool = True
    #: Seconds
    switch_delay: float = 0.0
    acknowledgement: str = ""

    @property
    @override
    def on_battery(self) -> bool:
        return self.battery


@dataclass(frozen=True, slots=True, kw_only=True)
class DlmsEntrySettings(_PushedOrPolledSettings):
    """How a DLMS meter is read; what the library has in DlmsSettings is meant as there."""

    protocol: ClassVar[Protocol] = Protocol.DLMS

    transport: Transport | None = None
    #: None: the usual one for the authentication and keys.
    client: int | None = None
    logical_device: int | None = None
    physical_device: int | None = None
    address_length: int | None = None
    #: Device address of the mode E sign-on.
    address: str = ""
    #: None: none.
    authentication: Authentication | None = None
    #: As it was entered.
    password: str | None = field(default=None, repr=False)
    encryption_key: bytes | None = field(default=None, repr=False)
    authentication_key: bytes | None = field(default=None, repr=False)
    protection: Protection | None = None
    suite: int | None = None
    dedicated_key: bool = False
    #: The client's; None: another one in each run of Home Assistant.
    system_title: bytes | None = field(default=None, repr=False)
    counter_instance: int = 0
    invert_deviation: bool = False

    @override
    def with_mode(self, mode: Mode) -> DlmsEntrySettings:
        """Return the settings for this mode; for a meter that pushes, only keys are needed."""
        if mode is Mode.POLLED:
            return replace(self, mode=mode)
        return DlmsEntrySettings(
            connection=self.connection,
            mode=mode,
            encryption_key=self.encryption_key,
            authentication_key=self.authentication_key,
        )

    @property
    @override
    def writes_units(self) -> bool:
        return self.is_polled


@dataclass(frozen=True, slots=True, kw_only=True)
class BlinkEntrySettings(EntrySettings):
    """How the impulses of a meter are counted; also those of a second source, in the options."""

    protocol: ClassVar[Protocol] = Protocol.BLINK

    source: Source | HassSource
    #: Either of both.
    impulses_per_kwh: Decimal | None = None
    wh_per_impulse: Decimal | None = None
    #: Edges for each impulse, 1 or 2; None: what the source usually has.
    edges: int | None = None
    #: Whether impulses are energy fed in.
    export: bool = False
    #: What the meter's display showed (kWh) when the entry was made.
    reading: Decimal | None = None

    @property
    @override
    def has_port(self) -> bool:
        return isinstance(self.source, Source)

    @property
    def constant(self) -> ImpulseConstant:
        """The impulse constant. Raises ValueError for one that no meter has."""
        if self.wh_per_impulse is not None:
            return ImpulseConstant.watt_hours(self.wh_per_impulse)
        if self.impulses_per_kwh is not None:
            return ImpulseConstant.per_kwh(self.impulses_per_kwh)
        raise ValueError("without an impulse constant")


type AnySettings = SmlEntrySettings | Iec62056EntrySettings | DlmsEntrySettings | BlinkEntrySettings


_KINDS: Final[Mapping[Protocol, type[AnySettings]]] = {
    kind.protocol: kind
    for kind in (SmlEntrySettings, Iec62056EntrySettings, DlmsEntrySettings, BlinkEntrySettings)
}


def from_entry(data: Mapping[str, Any]) -> AnySettings:
    """Return the settings that entry data hold, of the class of their protocol."""
    return _KINDS[Protocol(data[CONF_PROTOCOL])].from_entry(data)


def second_source(options: Mapping[str, Any]) -> BlinkEntrySettings | None:
    """Return what the options of an entry hold of a second source, which counts impulses."""
    impulses = options.get(CONF_IMPULSES)
    return None if impulses is None else BlinkEntrySettings.from_entry(impulses)


def migrate_from_1_1(
    data: Mapping[str, Any], options: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return data and options of an entry of version 1.1 as version 1.2 has them.

    Before, CONF_PORT held whatever impulses come from. Entries of meters at a port stay as they
    are.
    """
    options = dict(options)
    if CONF_IMPULSES in options:
        impulses = _with_source_id(options[CONF_IMPULSES])
        options[CONF_IMPULSES] = {CONF_PROTOCOL: Protocol.BLINK.value, **impulses}
    return _with_source_id(data), options


def migrate_from_1_2(data: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """Return options of an entry of version 1.2 as version 1.3 has them.

    Before, sensors of grid quality were enabled from the start. They stay so, and those that such a
    meter sends later, for instance of a phase, are like the ones it has.
    """
    is_blink = data[CONF_PROTOCOL] == Protocol.BLINK
    return dict(options) if is_blink else {CONF_GRID_QUALITY: True, **options}


def _with_source_id(data: Mapping[str, Any]) -> dict[str, Any]:
    renamed = CONF_SOURCE_ID if data.get(CONF_SOURCE) in HassSource else CONF_PORT
    return {renamed if key == CONF_PORT else key: value for key, value in data.items()}


def _source(text: str) -> Source | HassSource:
    return HassSource(text) if text in HassSource else Source(text)


#: What makes the value of a field from entry data, where it is not kept as it is.
_READERS: Final[Mapping[str, Callable[[Any], object]]] = {
    "framing": Framing,
    "mode": Mode,
    "transport": Transport,
    "authentication": Authentication,
    "protection": Protection,
    "encryption_key": bytes.fromhex,
    "authentication_key": bytes.fromhex,
    "system_title": bytes.fromhex,
    "source": _source,
    "impulses_per_kwh": Decimal,
    "wh_per_impulse": Decimal,
    "reading": Decimal,
}


def _read(kind: type[Connection | EntrySettings], data: Mapping[str, Any]) -> dict[str, Any]:
    """Return those fields that data hold."""
    kept = {field.name: data[field.name] for field in fields(kind) if field.name in data}
    read = {name: _READERS[name](value) for name, value in kept.items() if name in _READERS}
    return {**kept, **read}


def _written(settings: Connection | EntrySettings) -> dict[str, Any]:
    """Return the data for what is not the default."""
    return {
        field.name: _as_json(value)
        for field in fields(settings)
        if not isinstance(value := getattr(settings, field.name), Connection)
        and value != field.default
    }


def _as_json(value: object) -> object:
    match value:
        case StrEnum():
            return value.value
        case bytes():
            return value.hex()
        case Decimal():
            return f"{value:f}"
    return value
