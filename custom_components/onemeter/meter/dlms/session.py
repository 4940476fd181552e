"""An association while it lasts: questions and answers, one by one or in lists."""

from collections.abc import Awaitable, Callable, Mapping, Sequence, Set as AbstractSet
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
from .apdu.axdr import Data
from .apdu.results import LASTING, ExceptionError, ServiceError
from .apdu.xdlms import AccessResult, Conformance, descriptor, parse_result
from .association import Association, Operation
from .connection import Link
from .cosem import CURRENT_ASSOCIATION, ObjectClass
from .link.wrapper_link import WrapperLink
from .memory import Memory

#: Bytes of a question in a list, and what is around all of them, ciphered.
_QUESTION: Final = 10
_AROUND: Final = 40
#: Bytes of an answer in a list, where it has to fit into one message.
_ANSWER: Final = 20
#: More than a list can count in one byte.
_LIST_MAX: Final = 127
#: How many are asked for at once before more are, since some meters answer no more than that, and
#: each attempt in vain takes time.
_LIST_SIZES: Final = (5, 10)
#: In place of what was not answered at all.
_OTHER_REASON: Final = AccessResult(250)
#: What every association can read: the name of its own object.
_OWN_NAME: Final = descriptor(ObjectClass.ASSOCIATION, CURRENT_ASSOCIATION, 1)
#: In place of an attribute where an exception is made of a list.
_LISTS: Final = b""


class SessionEndedError(Exception):
    """The meter has ended the association, or broke off over a list: another session may do."""

    def __init__(self, error: MeterError) -> None:
        """Take what is raised where another session fails as well."""
        super().__init__()
        self.error = error


class Session:
    """Asks a meter with which there is an association."""

    def __init__(
        self,
        link: Link,
        association: Association,
        memory: Memory,
        supply: Callable[[], Awaitable[None]],
    ) -> None:
        """Take the connection, the association, and what sets invocation counters apart."""
        self.link = link
        self.association = association
        self._memory = memory
        self._supply = supply
        #: The last attribute that was answered without an exception.
        self._answered = _OWN_NAME

    async def run[T](self, operation: Operation[T]) -> T:
        """Run an operation of the association."""
        association, request = self.association, self.link.request
        answer: bytes | None = None
        try:
            while True:
                if association.uses_numbers:
                    await self._supply()
                # A generator takes nothing but None before it has begun.
                message = operation.send(answer)  # type: ignore[arg-type]
                if message and answer is not None:
                    # Something more to ask: what was asked before is answered.
                    self.link.channel.advance()
                answer = await request(message)
        except StopIteration as done:
            self.link.channel.advance()
            result: T = done.value
            return result
        except AccessError, ExceptionError, ServiceError:
            self.link.channel.advance()
            raise

    async def ask[T](self, operation: Operation[T]) -> T:
        """Run an operation of an association that there was before. Raises SessionEndedError."""
        try:
            return await self.run(operation)
        except (ConnectionEndedError, PortLostError) as err:
            raise SessionEndedError(err) from err

    async def get(self, attribute: bytes) -> Data:
        """Read one attribute. Raises AccessError, ExceptionError."""
        return await self.run(self.association.get(attribute))

    async def get_all(
        self, attributes: Sequence[bytes], *, unlisted: AbstractSet[bytes] = frozenset()
    ) -> dict[bytes, Data | AccessResult]:
        """Read many attributes, those left out that the meter refuses for good.

        Those of objects that it does not list are asked for alone: some meters answer nothing to a
        list with such a one in it. Where it refuses one, there is its reason instead.
        Raises SessionEndedError.
        """
        memory = self._memory
        wanted = [attribute for attribute in attributes if attribute not in memory.refused]
        found = {key: await self._single(key) for key in wanted if key in unlisted}
        wanted = [attribute for attribute in wanted if attribute not in found]
        while wanted:
            size = min(len(wanted), self._list_size())
            chunk = wanted[:size]
            results = await self._list(chunk) if size > 1 else [await self._single(chunk[0])]
            if results is None:
                # The same ones again, fewer at once.
                continue
            del wanted[:size]
            for attribute, result in zip(chunk, results, strict=True):
                found[attribute] = result
                is_refused = isinstance(result, AccessResult)
                if size > 1 and is_refused and attribute not in memory.refused_alone:
                    # What is refused in a list may be given alone.
                    found[attribute] = await self._single(attribute)
        memory.list_failed = False
        self._learn_refusals(found)
        return found

    def _learn_refusals(self, found: Mapping[bytes, Data | AccessResult]) -> None:
        """Remember what is refused for good: twice, while other attributes can be read."""
        memory = self._memory
        refused = {key: value for key, value in found.items() if isinstance(value, AccessResult)}
        memory.refused_alone -= found.keys() - refused.keys()
        if len(refused) == len(found):
            return
        for attribute, result in refused.items():
            if result in LASTING and attribute in memory.refused_alone:
                memory.refused.add(attribute)
        memory.refused_alone |= refused.keys()

    def _list_size(self) -> int:
        """Return how many questions may be asked at once."""
        association, memory = self.association, self._memory
        if Conformance.MULTIPLE_REFERENCES not in association.conformance:
            return 1
        next_size = next((size for size in _LIST_SIZES if size > memory.longest_list), _LIST_MAX)
        size = min(memory.list_size, next_size)
        if association.max_pdu:
            fits = association.max_pdu - _AROUND
            has_blocks = Conformance.BLOCK_TRANSFER_WITH_GET in association.conformance
            size = min(size, fits // (_QUESTION if has_blocks else _ANSWER))
        return max(size, 1)

    async def _list(self, attributes: Sequence[bytes]) -> list[Data | AccessResult] | None:
        """Read several attributes at once; None where the meter does not answer that rightly."""
        memory = self._memory
        size = len(attributes)
        try:
            results = await self.ask(self.association.get_list(attributes))
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
            # Beyond the last step any size is right.
            worked = size if size <= _LIST_SIZES[-1] else memory.list_size
            memory.longest_list = max(memory.longest_list, worked)
            memory.exceptions.discard(_LISTS)
            return results
        return None

    def _shorten_lists(self, size: int, *, is_too_long: bool = False) -> None:
        """Ask for fewer attributes at once; where so many have worked, begin with few again."""
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
        """Read one attribute, for parse_result(), a second time after an exception.

        None where that is an exception again. Raises SessionEndedError.
        """
        exceptions = self._memory.exceptions
        for is_last in (attribute in exceptions, True):
            try:
                content = await self.ask(self.association.get_encoded(attribute))
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
        """Find out whether an exception is about an attribute only.

        Raises SessionEndedError if not: the meter has ended the association.
        """
        if attribute in self._memory.exceptions:
            return
        self._memory.exceptions.add(attribute)
        await self._ask_again(error)

    async def stay(self) -> None:
        """Let the meter know that we are still there. Raises SessionEndedError."""
        if isinstance(self.link, WrapperLink):
            await self._ask_again()
            return
        try:
            await self.link.stay()
        except ConnectionEndedError as err:
            raise SessionEndedError(err) from err

    async def _ask_again(self, reason: ExceptionError | ServiceError | None = None) -> None:
        """Ask for what the meter has answered before, which it does again in this association."""
        try:
            await self.ask(self.association.get_result(self._answered))
        except (ExceptionError, ServiceError) as err:
            if err.is_about_ciphering:
                raise
            raise SessionEndedError(reason or err) from err
