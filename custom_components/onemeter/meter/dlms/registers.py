"""From a meter's objects to the registers of a reading."""

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set as AbstractSet
from dataclasses import replace
from datetime import datetime
import logging
from typing import Final

from ..clock import SET_CLOCK_YEARS
from ..errors import AccessError
from ..interleaving import find_in_turns
from ..obis import DEVICE_ID_1, LOGICAL_DEVICE_NAME
from ..reading import Reading, Register, Value
from .apdu.axdr import Data
from .apdu.results import access_error
from .apdu.xdlms import AccessResult, descriptor
from .cosem import (
    CAPTURE_TIME,
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
from .memory import Memory
from .object_list import list_objects
from .object_selection import (
    CLOCK,
    MOST,
    needed,
    readable,
    usual_objects,
    wanted,
)
from .push.identity import identity_of
from .session import Session

_LOGGER = logging.getLogger(__name__)

_CLOCK_TIME: Final = descriptor(ObjectClass.CLOCK, CLOCK, VALUE)
_ID: Final = descriptor(ObjectClass.DATA, DEVICE_ID_1, VALUE)
_NAME: Final = descriptor(ObjectClass.DATA, LOGICAL_DEVICE_NAME, VALUE)
#: What tells which meter it is.
_WHO: Final = (_NAME, _ID)
#: What is asked for in any case, with its object.
_ALWAYS: Final = {_NAME: LOGICAL_DEVICE_NAME, _ID: DEVICE_ID_1, _CLOCK_TIME: CLOCK}
#: Bits of a clock's status: invalid, and that nothing is told.
_INVALID: Final = 0x01
_UNTOLD: Final = 0xFF

type Results = Mapping[bytes, Data | AccessResult]


class Reader:
    """Reads the registers of a meter, and remembers what does not change."""

    def __init__(self, session: Session, memory: Memory, *, invert_deviation: bool) -> None:
        """Take the session, what is known of the meter, and how it counts its deviation."""
        self._session = session
        self._memory = memory
        self._invert = invert_deviation
        #: The meter was asked for its objects in this session, in vain.
        self._has_no_list = False

    async def discover(self) -> Sequence[CosemObject]:
        """Return what the meter has, or else what meters usually have.

        The meter is asked once, and all that it has is returned only then: what is needed is kept.
        """
        memory = self._memory
        is_known = memory.objects is not None and self._knows_names()
        if not is_known and not self._has_no_list:
            listed = await list_objects(self._session, memory)
            if listed is not None:
                memory.objects = needed(listed)
                left_out = sum(1 for _ in readable(listed)) - MOST
                if left_out > 0:
                    _LOGGER.warning("%d of the meter's registers are left out", left_out)
                return listed
            if memory.has_short_names:
                raise AccessError("the meter does not list its objects: it has no other names")
            self._has_no_list = True
        return memory.objects or usual_objects()

    def _knows_names(self) -> bool:
        """Whether base names that were learned are this meter's, if it has such."""
        memory = self._memory
        if not memory.has_short_names:
            return True
        # Without an id it may be another meter each time.
        has_id = memory.meter is not None and memory.meter.meter_id is not None
        return bool(memory.base_names) and has_id

    async def read(self, addresses: Sequence[str] | None = None) -> Reading:
        """Read the registers of these addresses, or all that make a reading.

        Raises AccessError where the meter gives none of them away.
        """
        memory = self._memory
        known = memory.meter
        found = await self._read(addresses)
        if known is not None and found.meter.meter_id != known.meter_id:
            # It is another meter, which may have others.
            memory.forget_objects()
            self._has_no_list = False
            found = await self._read(addresses)
        elif known is not None and found.meter.manufacturer is None:
            # It does not always tell its name.
            found = replace(found, meter=known)
        memory.meter = found.meter
        return found

    async def _read(self, addresses: Sequence[str] | None) -> Reading:
        objects = wanted(await self.discover())
        if addresses is not None:
            by_address = {str(entry.obis): entry for entry in objects}
            objects = tuple(by_address[address] for address in addresses if address in by_address)
        attributes = dict.fromkeys(_WHO)
        if addresses is None:
            attributes[_CLOCK_TIME] = None
        attributes |= dict.fromkeys(
            attribute for entry in objects for attribute in _attributes(entry)
        )
        results = await self._session.get_all(list(attributes), unlisted=self._unlisted())
        number, name = _told(results.get(_ID)), _told(results.get(_NAME))
        meter = identity_of((number, name), name, self._session.association.meter_title)
        await self.learn_scalers(objects, results)
        steps = (step for entry in objects for step in (*self._registers(entry, results), None))
        registers = tuple(await find_in_turns(steps))
        if not registers:
            refusals = [result for result in results.values() if isinstance(result, AccessResult)]
            raise access_error(refusals[0] if refusals else 4)
        return Reading(meter, self._time(results), registers, b"")

    def _unlisted(self) -> AbstractSet[bytes]:
        """Return what is asked for though the meter does not list it."""
        if self._memory.objects is None:
            return frozenset()
        listed = {entry.obis for entry in self._memory.objects}
        return {found for found, obis in _ALWAYS.items() if obis not in listed}

    async def learn_scalers(self, objects: Iterable[CosemObject], results: Results | None) -> None:
        """Ask for scalers and units that are not known yet, of registers that have a value."""
        scalers = self._memory.scalers
        attributes = {
            descriptor(entry.class_id, entry.obis, SCALER_UNIT[ObjectClass(entry.class_id)]): entry
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

    def _registers(self, entry: CosemObject, results: Results) -> Iterator[Register]:
        """Yield what an object adds to the reading; nothing where the meter refuses it."""
        value = results.get(_value_of(entry), _REFUSED)
        if isinstance(value, AccessResult):
            return
        address = str(entry.obis)
        if entry.class_id == ObjectClass.DATA:
            if not isinstance(value, list | tuple):
                yield Register(entry.obis, plain_value(value), address=address)
            return
        scaler_unit = self._memory.scalers.get(entry.obis)
        if scaler_unit is None:
            # Without its scaler a number may mean anything.
            return
        time = None
        if (number := CAPTURE_TIME.get(ObjectClass(entry.class_id))) is not None:
            captured = results.get(descriptor(entry.class_id, entry.obis, number))
            time = None if isinstance(captured, AccessResult) else self._moment(captured)
        yield self._register(entry, value, scaler_unit, 0, time)
        if entry.class_id == ObjectClass.DEMAND_REGISTER:
            last = results.get(descriptor(entry.class_id, entry.obis, LAST_AVERAGE), _REFUSED)
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
            entry.obis, value, scaler_unit.unit, address=str(entry.obis), group=group, time=time
        )

    def _moment(self, data: Data) -> datetime | None:
        return time_of(data, invert=self._invert)

    def _time(self, results: Results) -> datetime | None:
        """Return what the meter's clock shows, unless the meter itself doubts it."""
        data = results.get(_CLOCK_TIME)
        if not isinstance(data, bytes) or not data or _is_doubted(data[-1]):
            return None
        time = self._moment(data)
        return time if time is not None and time.year in SET_CLOCK_YEARS else None


_REFUSED: Final = AccessResult(4)


def _told(result: Data | AccessResult) -> Value:
    """Return an id or a name; None where the meter refuses it."""
    return result if isinstance(result, bytes | str | int) and _is_value(result) else None


def _is_value(result: Data | AccessResult) -> bool:
    return result is not None and not isinstance(result, AccessResult)


def _value_of(entry: CosemObject) -> bytes:
    return descriptor(entry.class_id, entry.obis, VALUE)


def _attributes(entry: CosemObject) -> Iterator[bytes]:
    """Yield what is read of an object each time."""
    yield _value_of(entry)
    if entry.class_id == ObjectClass.DEMAND_REGISTER:
        yield descriptor(entry.class_id, entry.obis, LAST_AVERAGE)
    number = CAPTURE_TIME.get(entry.class_id)  # type: ignore[call-overload]
    if number is not None:
        yield descriptor(entry.class_id, entry.obis, number)


def _is_doubted(status: int) -> bool:
    return status != _UNTOLD and bool(status & _INVALID)
