"""Reading the registers of a meter from its objects."""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set as AbstractSet
from dataclasses import replace
from datetime import datetime
from functools import lru_cache
import logging
from typing import Final

from ..clock import SET_CLOCK_YEARS
from ..errors import AccessError, ChecksumError, NoRegisterError, TelegramError
from ..obis import DEVICE_ID_1, LOGICAL_DEVICE_NAME, Obis
from ..reading import Reading, Register, Value
from .apdu.data_types import Data
from .apdu.results import OBJECT_UNDEFINED, access_error
from .apdu.times import STATUS_INVALID, STATUS_UNSPECIFIED
from .apdu.xdlms import AccessResult, descriptor
from .cosem import (
    CAPTURE_TIME,
    IDENTIFICATION_NUMBER,
    LAST_AVERAGE,
    SCALER_UNIT,
    VALUE,
    CosemObject,
    ObjectClass,
    ScalerUnit,
    parse_scaler_unit,
    plain_value,
    register_value,
    time_of,
)
from .mbus_clients import (
    DEVICE_TYPE,
    MANUFACTURER_ID,
    MbusClient,
    device_type_of,
    id_code,
    manufacturer_of,
    number_of,
    registers_of_client,
)
from .memory import Memory
from .object_list import list_objects
from .object_selection import (
    CLOCK,
    OBJECTS_TO_READ_MAX,
    default_objects,
    objects_to_read,
    objects_to_remember,
    readable,
)
from .push.identity import identity_of
from .session import Session

_LOGGER = logging.getLogger(__name__)

_CLOCK_TIME: Final = descriptor(ObjectClass.CLOCK, CLOCK, VALUE)
_ID: Final = descriptor(ObjectClass.DATA, DEVICE_ID_1, VALUE)
_NAME: Final = descriptor(ObjectClass.DATA, LOGICAL_DEVICE_NAME, VALUE)
#: Attributes that identify the meter.
_IDENTITY: Final = (_NAME, _ID)
#: Attributes that are read even if their objects are not listed.
_ALWAYS: Final = {_NAME: LOGICAL_DEVICE_NAME, _ID: DEVICE_ID_1, _CLOCK_TIME: CLOCK}

#: Stands for the objects of the meters on the M-Bus.
_MBUS_CLIENTS: Final = Obis(0, 0, 24, 1, 0)

#: Objects whose registers are made before other tasks run.
_IN_A_TURN: Final = 16

type Results = Mapping[bytes, Data | AccessResult]


class Reader:
    """Reads the registers of a meter in one session, and remembers what does not change."""

    def __init__(self, session: Session, memory: Memory, *, invert_deviation: bool) -> None:
        """Take the session, the memory of the meter, and the sign of its deviation from UTC."""
        self._session = session
        self._memory = memory
        self._invert = invert_deviation
        #: Whether the meter has refused its object list in this session.
        self._has_no_list = False

    async def discover(self) -> Sequence[CosemObject]:
        """Return the objects of the meter, or default objects if it has no object list.

        The list is read once, and only then all objects are returned; later calls return those that
        are remembered. Raises AccessError for a meter with short names and without a list.
        """
        memory = self._memory
        is_known = memory.objects is not None and self._knows_names()
        if not is_known and not self._has_no_list:
            listed = await list_objects(self._session, memory)
            if listed is not None:
                memory.objects = objects_to_remember(listed)
                left_out = sum(1 for _ in readable(listed)) - OBJECTS_TO_READ_MAX
                if left_out > 0:
                    _LOGGER.warning("%d of the meter's registers are left out", left_out)
                return listed
            if memory.has_short_names:
                raise AccessError("the meter refuses the list of its objects and short names")
            self._has_no_list = True
        return memory.objects or default_objects()

    def _knows_names(self) -> bool:
        """Return whether the remembered base names are valid, if the meter uses short names."""
        memory = self._memory
        if not memory.has_short_names:
            return True
        # Without an id, a change of the meter would not be noticed.
        has_id = memory.meter is not None and memory.meter.meter_id is not None
        return bool(memory.base_names) and has_id

    async def read(self, addresses: Sequence[str] | None = None) -> Reading:
        """Read the registers with these addresses, or all registers of a reading.

        Raises NoRegisterError if the meter has none of them, AccessError if it refuses all.
        """
        memory = self._memory
        known = memory.meter
        found = await self._read(addresses)
        if known is not None and found.meter.meter_id != known.meter_id:
            # Another meter may have other objects.
            memory.forget_objects()
            self._has_no_list = False
            found = await self._read(addresses)
        elif known is not None and found.meter.manufacturer is None:
            # Some meters do not always return their name.
            found = replace(found, meter=known)
        memory.meter = found.meter
        return found

    async def _read(self, addresses: Sequence[str] | None) -> Reading:
        objects = objects_to_read(await self.discover())
        if addresses is not None:
            by_address = {_address_of(entry.obis): entry for entry in objects}
            objects = tuple(by_address[address] for address in addresses if address in by_address)
        attributes = dict.fromkeys(_IDENTITY)
        if addresses is None:
            attributes[_CLOCK_TIME] = None
        attributes |= dict.fromkeys(
            attribute for entry in objects for attribute in _attributes(entry)
        )
        results = await self._session.get_all(list(attributes), unlisted=self._unlisted())
        number, name = _identifier(results.get(_ID)), _identifier(results.get(_NAME))
        meter = identity_of((number, name), name, self._session.association.meter_title)
        await self.learn_scalers(objects, results)
        await self._learn_clients(objects)
        registers: list[Register] = []
        for number, entry in enumerate(objects, 1):
            registers += self._registers(entry, results)
            if number % _IN_A_TURN == 0:
                await asyncio.sleep(0)
        if not registers and addresses is not None and not objects:
            raise NoRegisterError("the meter has none of these registers")
        if not registers:
            refusals = [result for result in results.values() if isinstance(result, AccessResult)]
            raise access_error(refusals[0] if refusals else OBJECT_UNDEFINED)
        return Reading(meter, self._time(results), tuple(registers), b"")

    def _unlisted(self) -> AbstractSet[bytes]:
        """Return the attributes to read whose objects are not in the meter's list."""
        if self._memory.objects is None:
            return frozenset()
        listed = {entry.obis for entry in self._memory.objects}
        return {found for found, obis in _ALWAYS.items() if obis not in listed}

    async def learn_scalers(self, objects: Iterable[CosemObject], results: Results | None) -> None:
        """Read the unknown scalers and units of registers that have a value.

        ``results`` are the values by their descriptors; None: of all registers.
        """
        scalers = self._memory.scalers
        attributes = {
            descriptor(entry.class_id, entry.obis, SCALER_UNIT[entry.class_id]): entry
            for entry in objects
            if entry.class_id in SCALER_UNIT
            and entry.obis not in scalers
            and (results is None or _is_value(results.get(_value_of(entry))))
        }
        if not attributes:
            return
        found = await self._session.get_all(list(attributes))
        for attribute, entry in attributes.items():
            result = found.get(attribute)
            if not isinstance(result, AccessResult):
                scalers[entry.obis] = parse_scaler_unit(result)
            elif attribute in self._memory.refused:
                scalers[entry.obis] = None

    async def _learn_clients(self, objects: Iterable[CosemObject]) -> None:
        """Read the meters on the M-Bus after all else, since readings can do without them.

        Meters that are not answered now are unknown: another one may have replaced them.
        """
        found = [entry.obis for entry in objects if entry.class_id == ObjectClass.MBUS_CLIENT]
        if not found:
            return
        if self._session.is_avoided(_MBUS_CLIENTS):
            self._memory.mbus.clear()
            return
        try:
            with self._session.dispensable(_MBUS_CLIENTS):
                await self._read_clients(found)
        except ChecksumError:
            raise
        except TelegramError:
            self._memory.mbus.clear()

    async def _read_clients(self, found: Iterable[Obis]) -> None:
        """Read the identification numbers; medium and manufacturer where they are not known yet.

        Each reading has the numbers, so that a replaced meter is noticed.
        """
        clients = self._memory.mbus
        by_client = {obis: _of_client(obis, IDENTIFICATION_NUMBER) for obis in found}
        answers = await self._session.get_all([*by_client.values()], follows_others=True)
        numbers: dict[Obis, str | None] = {}
        for obis, attribute in by_client.items():
            answer, known = answers.get(attribute), clients.get(obis)
            if known is not None and isinstance(answer, AccessResult):
                # It may be refused only for now, and the meter is still the same.
                continue
            number = number_of(_data(answers, attribute))
            if known is None or known.number != number or not known.is_complete:
                numbers[obis] = number
        if not numbers:
            return
        attributes = {
            obis: (_of_client(obis, MANUFACTURER_ID), _of_client(obis, DEVICE_TYPE))
            for obis in numbers
        }
        answers = await self._session.get_all(
            [one for pair in attributes.values() for one in pair], follows_others=True
        )
        for obis, pair in attributes.items():
            manufacturer, device_type = pair
            clients[obis] = MbusClient(
                number := numbers[obis],
                manufacturer_of(_data(answers, manufacturer)),
                device_type_of(_data(answers, device_type)),
                is_complete=all(
                    one in self._memory.refused or _is_final(answers.get(one), number)
                    for one in pair
                ),
            )

    def _registers(self, entry: CosemObject, results: Results) -> Iterator[Register]:
        """Yield the registers of an object; none if the meter refuses it."""
        if entry.class_id == ObjectClass.MBUS_CLIENT:
            if (client := self._memory.mbus.get(entry.obis)) is not None:
                own = results.get(descriptor(ObjectClass.DATA, id_code(entry.obis), VALUE))
                yield from registers_of_client(
                    entry.obis, client, has_id=_identifier(own) is not None
                )
            return
        value = results.get(_value_of(entry), _UNDEFINED)
        if isinstance(value, AccessResult):
            return
        if entry.class_id == ObjectClass.DATA:
            if not isinstance(value, list | tuple):
                yield Register(entry.obis, plain_value(value), address=_address_of(entry.obis))
            return
        scaler_unit = self._memory.scalers.get(entry.obis)
        if scaler_unit is None:
            # A number without scaler and unit has no meaning.
            return
        time = None
        if (number := CAPTURE_TIME.get(entry.class_id)) is not None:
            captured = results.get(descriptor(entry.class_id, entry.obis, number))
            time = None if isinstance(captured, AccessResult) else self._time_of(captured)
        yield self._register(entry, value, scaler_unit, 0, time)
        if entry.class_id == ObjectClass.DEMAND_REGISTER:
            last = results.get(descriptor(entry.class_id, entry.obis, LAST_AVERAGE), _UNDEFINED)
            if not isinstance(last, AccessResult):
                yield self._register(entry, last, scaler_unit, 1, None)

    def _register(
        self,
        entry: CosemObject,
        data: Data,
        scaler_unit: ScalerUnit,
        group: int,
        time: datetime | None,
    ) -> Register:
        value = register_value(data, scaler_unit)
        return Register(
            entry.obis,
            value,
            scaler_unit.unit,
            address=_address_of(entry.obis),
            group=group,
            time=time,
        )

    def _time_of(self, data: Data) -> datetime | None:
        return time_of(data, invert=self._invert)

    def _time(self, results: Results) -> datetime | None:
        """Return the meter's clock; None if it is invalid or was never set."""
        data = results.get(_CLOCK_TIME)
        if not isinstance(data, bytes) or not data or _is_invalid(data[-1]):
            return None
        time = self._time_of(data)
        return time if time is not None and time.year in SET_CLOCK_YEARS else None


#: Stands for the result of an attribute that was not read.
_UNDEFINED: Final = AccessResult(OBJECT_UNDEFINED)


def _identifier(result: Data | AccessResult) -> Value:
    """Return an id or a name; None if the meter refuses it."""
    return result if isinstance(result, bytes | str | int) and _is_value(result) else None


def _is_value(result: Data | AccessResult) -> bool:
    return result is not None and not isinstance(result, AccessResult)


def _data(results: Results, attribute: bytes) -> Data:
    """Return the data of an attribute; None if the meter refuses it."""
    result = results.get(attribute)
    return None if isinstance(result, AccessResult) else result


def _is_final(answer: Data | AccessResult, number: str | None) -> bool:
    """Return whether an attribute of a meter with this number will not change.

    Zeros become values with the first telegram of the meter.
    """
    return not isinstance(answer, AccessResult) and (bool(answer) or number is None)


#: The address of the registers of an object.
_address_of: Final[Callable[[Obis], str]] = lru_cache(maxsize=4096)(str)


def _value_of(entry: CosemObject) -> bytes:
    return descriptor(entry.class_id, entry.obis, VALUE)


def _of_client(obis: Obis, attribute: int) -> bytes:
    return descriptor(ObjectClass.MBUS_CLIENT, obis, attribute)


def _attributes(entry: CosemObject) -> Iterator[bytes]:
    """Yield the attributes of an object that each reading needs, except M-Bus clients."""
    if entry.class_id == ObjectClass.MBUS_CLIENT:
        return
    yield _value_of(entry)
    if entry.class_id == ObjectClass.DEMAND_REGISTER:
        yield descriptor(entry.class_id, entry.obis, LAST_AVERAGE)
    if (number := CAPTURE_TIME.get(entry.class_id)) is not None:
        yield descriptor(entry.class_id, entry.obis, number)


def _is_invalid(status: int) -> bool:
    return status != STATUS_UNSPECIFIED and bool(status & STATUS_INVALID)
