"""Reading attributes within an association, one by one or in lists."""

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence, Set as AbstractSet
from contextlib import contextmanager
from typing import Final

from ..errors import (
    AccessError,
    ChecksumError,
    ConnectionEndedError,
    MeterError,
    MeterSilentError,
    PortLostError,
    TelegramError,
)
from ..obis import Obis
from .apdu.data_types import Data
from .apdu.results import OTHER_REASON, PERMANENT_RESULTS, ExceptionError, ServiceError
from .apdu.xdlms import AccessResult, Conformance, descriptor, parse_result
from .association import Association, Operation
from .connection import Link
from .cosem import CURRENT_ASSOCIATION, ObjectClass
from .link.wrapper_link import WrapperLink
from .memory import ENDED_MAX, Memory

#: Bytes of a list request per attribute, and of what is around them, ciphered.
_REQUEST_ITEM: Final = 10
_REQUEST_OVERHEAD: Final = 40
#: Bytes of a list response per attribute, if it has to fit into one message.
_RESPONSE_ITEM: Final = 20
#: The most attributes of a list, whose length field has one byte.
_LIST_MAX: Final = 127
#: Sizes of the first lists: some meters answer no longer ones, and each failed attempt takes time.
_LIST_SIZES: Final = (5, 10)
#: Result of an attribute for which the meter sends an exception.
_OTHER_REASON: Final = AccessResult(OTHER_REASON)
#: An attribute that every association can read: the logical name of its own object.
_OWN_NAME: Final = descriptor(ObjectClass.ASSOCIATION, CURRENT_ASSOCIATION, 1)
#: Stands for all list requests among the attributes answered with an exception.
_LISTS: Final = b""


class SessionEndedError(Exception):
    """The meter has ended the session; a new one may succeed."""

    def __init__(self, error: MeterError) -> None:
        """Take the error that is raised if new sessions fail as well."""
        super().__init__()
        self.error = error


class Session:
    """Reads attributes of a meter in one association."""

    def __init__(
        self,
        link: Link,
        association: Association,
        memory: Memory,
        ensure_counters: Callable[[], Awaitable[None]],
    ) -> None:
        """Take the connection, the association, and what reserves counters for an exchange."""
        self.link = link
        self.association = association
        self._memory = memory
        self._ensure_counters = ensure_counters
        #: The last attribute that was answered without an exception.
        self._answered = _OWN_NAME

    async def run[T](self, operation: Operation[T]) -> T:
        """Run an operation of the association, and return its result."""
        association, request = self.association, self.link.request
        answer: bytes | None = None
        try:
            while True:
                if association.uses_counters:
                    await self._ensure_counters()
                # A generator accepts only None before its first yield.
                message = operation.send(answer)  # type: ignore[arg-type]
                if message and answer is not None:
                    # A further request means that the previous one is answered.
                    self.link.channel.advance()
                answer = await request(message)
        except StopIteration as done:
            self.link.channel.advance()
            result: T = done.value
            return result
        except AccessError, ExceptionError, ServiceError:
            self.link.channel.advance()
            raise

    async def run_established[T](self, operation: Operation[T]) -> T:
        """Run an operation, and raise SessionEndedError if the connection is lost."""
        try:
            return await self.run(operation)
        except (ConnectionEndedError, PortLostError) as err:
            raise SessionEndedError(err) from err

    async def get(self, attribute: bytes) -> Data:
        """Read one attribute. Raises AccessError, ExceptionError."""
        return await self.run(self.association.get(attribute))

    def is_avoided(self, obis: Obis) -> bool:
        """Return whether an object is not to be read, because it ends sessions."""
        return self._memory.ended_by[obis] >= ENDED_MAX

    @contextmanager
    def dispensable(self, obis: Obis) -> Iterator[None]:
        """Read an object that readings can do without; see is_avoided().

        Raises SessionEndedError also if the meter does not answer: it may answer everything else.
        """
        ended_by = self._memory.ended_by
        try:
            yield
        except SessionEndedError:
            ended_by[obis] += 1
            raise
        except MeterSilentError as err:
            ended_by[obis] += 1
            raise SessionEndedError(err) from err
        del ended_by[obis]

    async def get_all(
        self,
        attributes: Sequence[bytes],
        *,
        unlisted: AbstractSet[bytes] = frozenset(),
        follows_others: bool = False,
    ) -> dict[bytes, Data | AccessResult]:
        """Read attributes, except those that the meter refuses permanently.

        A refused attribute has an AccessResult as its value. ``unlisted`` attributes, of objects
        that are not in the object list, are read one by one, because some meters do not answer a
        list with such an attribute in it. ``follows_others``: the meter has just returned others,
        so that it may refuse all of these permanently. Raises SessionEndedError.
        """
        memory = self._memory
        remaining = [attribute for attribute in attributes if attribute not in memory.refused]
        found = {key: await self._single(key) for key in remaining if key in unlisted}
        remaining = [attribute for attribute in remaining if attribute not in found]
        while remaining:
            size = min(len(remaining), self._list_size())
            chunk = remaining[:size]
            results = await self._list(chunk) if size > 1 else [await self._single(chunk[0])]
            if results is None:
                # Try again with a shorter list.
                continue
            del remaining[:size]
            for attribute, result in zip(chunk, results, strict=True):
                found[attribute] = result
                is_refused = isinstance(result, AccessResult)
                if size > 1 and is_refused and attribute not in memory.refused_alone:
                    # Some meters refuse in a list what they return alone.
                    found[attribute] = await self._single(attribute)
        memory.list_failed = False
        self._learn_refusals(found, follows_others=follows_others)
        return found

    def _learn_refusals(
        self, found: Mapping[bytes, Data | AccessResult], *, follows_others: bool
    ) -> None:
        """Remember permanent refusals: those that repeat while other attributes can be read."""
        memory = self._memory
        refused = {key: value for key, value in found.items() if isinstance(value, AccessResult)}
        memory.refused_alone -= found.keys() - refused.keys()
        if len(refused) == len(found) and not follows_others:
            return
        for attribute, result in refused.items():
            if result in PERMANENT_RESULTS and attribute in memory.refused_alone:
                memory.refused.add(attribute)
        memory.refused_alone |= refused.keys()

    def _list_size(self) -> int:
        """Return how many attributes the next list may have."""
        association, memory = self.association, self._memory
        if Conformance.MULTIPLE_REFERENCES not in association.conformance:
            return 1
        next_size = next((size for size in _LIST_SIZES if size > memory.longest_list), _LIST_MAX)
        size = min(memory.list_size, next_size)
        if association.max_pdu:
            space = association.max_pdu - _REQUEST_OVERHEAD
            has_blocks = Conformance.BLOCK_TRANSFER_WITH_GET in association.conformance
            size = min(size, space // (_REQUEST_ITEM if has_blocks else _RESPONSE_ITEM))
        return max(size, 1)

    async def _list(self, attributes: Sequence[bytes]) -> list[Data | AccessResult] | None:
        """Read several attributes in one request; None if a shorter list is to be tried."""
        memory = self._memory
        size = len(attributes)
        try:
            results = await self.run_established(self.association.get_list(attributes))
        except (ExceptionError, ServiceError) as err:
            if err.is_about_ciphering:
                raise
            await self._check(_LISTS, err)
            self._shorten_lists(size, is_too_long=err.is_about_length)
        except ChecksumError:
            raise
        except AccessError, TelegramError:
            self._shorten_lists(size)
        except SessionEndedError:
            self._shorten_lists(size)
            raise
        except MeterSilentError as err:
            self._shorten_lists(size)
            raise SessionEndedError(err) from err
        else:
            # Beyond the first sizes, one success is enough for any size.
            worked = size if size <= _LIST_SIZES[-1] else memory.list_size
            memory.longest_list = max(memory.longest_list, worked)
            memory.exceptions.discard(_LISTS)
            return results
        return None

    def _shorten_lists(self, size: int, *, is_too_long: bool = False) -> None:
        """Shorten the next lists; after a size that has worked, start over with the first size."""
        memory = self._memory
        if is_too_long:
            memory.list_size = max(size // 2, 1)
        elif memory.list_failed or size > memory.longest_list:
            memory.list_size = max((fewer for fewer in _LIST_SIZES if fewer < size), default=1)
        memory.longest_list, memory.list_failed = 0, True

    async def _single(self, attribute: bytes) -> Data | AccessResult:
        content = await self.get_encoded(attribute)
        return _OTHER_REASON if content is None else parse_result(content)

    async def get_encoded(self, attribute: bytes) -> bytes | None:
        """Read one attribute without decoding it, for parse_result().

        Tries again after an exception; None if that ends in an exception again. Raises
        SessionEndedError.
        """
        exceptions = self._memory.exceptions
        for is_last in (attribute in exceptions, True):
            try:
                content = await self.run_established(self.association.get_encoded(attribute))
            except (ExceptionError, ServiceError) as err:
                if err.is_about_ciphering:
                    raise
                if is_last:
                    await self._check(attribute, err)
                    return None
            else:
                self._answered = attribute
                exceptions.discard(attribute)
                return content
        return None

    async def _check(self, attribute: bytes, error: ExceptionError | ServiceError) -> None:
        """Check that the association still exists after an exception.

        Raises SessionEndedError if not: then the exception does not concern the attribute.
        """
        if attribute in self._memory.exceptions:
            return
        self._memory.exceptions.add(attribute)
        await self._probe(error)

    async def keep_alive(self) -> None:
        """Prevent the meter from ending the session as inactive. Raises SessionEndedError."""
        if isinstance(self.link, WrapperLink):
            await self._probe()
            return
        try:
            await self.link.keep_alive()
        except ConnectionEndedError as err:
            raise SessionEndedError(err) from err

    async def _probe(self, reason: ExceptionError | ServiceError | None = None) -> None:
        """Read an attribute again that the meter has answered in this association."""
        try:
            await self.run_established(self.association.get_result(self._answered))
        except (ExceptionError, ServiceError) as err:
            if err.is_about_ciphering:
                raise
            raise SessionEndedError(reason or err) from err
