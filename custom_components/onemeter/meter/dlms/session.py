"""An association while it lasts: questions and answers, one by one or in lists."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from ..errors import AccessError, MeterSilentError, TelegramError
from .association import Association, Operation
from .axdr import Data
from .connection import Link
from .memory import Memory
from .results import (
    PDU_TOO_LONG,
    TEMPORARY,
    ExceptionError,
    ServiceError,
)
from .xdlms import AccessResult, Conformance

#: Bytes of a question in a list, and what is around all of them, ciphered.
_QUESTION: Final = 10
_AROUND: Final = 40
#: Bytes of an answer in a list, where it has to fit into one message.
_ANSWER: Final = 20
#: More than a list can count in one byte.
_LIST_MAX: Final = 127
#: In place of what was not answered at all.
_OTHER_REASON: Final = AccessResult(250)


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
                    self.link.line.advance()
                answer = await request(message)
        except StopIteration as done:
            self.link.line.advance()
            result: T = done.value
            return result
        except AccessError, ExceptionError, ServiceError:
            self.link.line.advance()
            raise

    async def get(self, attribute: bytes) -> Data:
        """Read one attribute. Raises AccessError, ExceptionError."""
        return await self.run(self.association.get(attribute))

    async def get_all(self, attributes: Sequence[bytes]) -> dict[bytes, Data | AccessResult]:
        """Read many attributes, those left out that the meter never gives away.

        Where it refuses one, there is its reason instead.
        """
        memory = self._memory
        wanted = [attribute for attribute in attributes if attribute not in memory.refused]
        found: dict[bytes, Data | AccessResult] = {}
        while wanted:
            size = min(len(wanted), self._list_size())
            chunk, wanted = wanted[:size], wanted[size:]
            results = await (self._list(chunk) if size > 1 else self._single(chunk[0]))
            if results is None:
                # The same ones again, fewer at once.
                wanted = chunk + wanted
                continue
            found.update(zip(chunk, results, strict=True))
        for attribute, result in found.items():
            if isinstance(result, AccessResult) and result not in TEMPORARY:
                memory.refused.add(attribute)
        return found

    def _list_size(self) -> int:
        """Return how many questions may be asked at once."""
        association, memory = self.association, self._memory
        if not memory.takes_lists or Conformance.MULTIPLE_REFERENCES not in association.conformance:
            return 1
        size = min(memory.list_size, _LIST_MAX)
        if association.max_pdu:
            fits = association.max_pdu - _AROUND
            has_blocks = Conformance.BLOCK_TRANSFER_WITH_GET in association.conformance
            size = min(size, fits // (_QUESTION if has_blocks else _ANSWER))
        return max(size, 1)

    async def _list(self, attributes: Sequence[bytes]) -> list[Data | AccessResult] | None:
        """Read several attributes at once; None where the meter does not like that."""
        memory = self._memory
        try:
            return await self.run(self.association.get_list(attributes))
        except ExceptionError as err:
            if err.is_about_ciphering:
                raise
            memory.takes_lists &= err.service == PDU_TOO_LONG
        except ServiceError as err:
            if err.is_about_ciphering:
                raise
            memory.takes_lists = False
        except TelegramError:
            memory.takes_lists = False
        except MeterSilentError:
            if memory.meter is not None:
                raise
            # Some meters take no notice of what they do not know: then one question will do.
            await self._single(attributes[0])
            memory.takes_lists = False
        except AccessError:
            pass
        memory.list_size = max(len(attributes) // 2, 1)
        return None

    async def _single(self, attribute: bytes) -> list[Data | AccessResult]:
        try:
            return [await self.run(self.association.get_result(attribute))]
        except (ExceptionError, ServiceError) as err:
            if err.is_about_ciphering:
                raise
        return [_OTHER_REASON]
