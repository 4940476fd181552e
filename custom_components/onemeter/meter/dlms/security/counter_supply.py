"""Supply of invocation counters to the associations with one meter."""

from typing import Final

from ...errors import CounterNeededError, InvocationCounterError
from .counters import InvocationCounter
from .protection import InvocationCounterRange

#: Counters that are reserved at once, because storing them takes longer than using them.
_RESERVED: Final = 100
#: Counters from here on are not accepted from a meter, since too few would be left.
COUNTER_MAX: Final = 0xFFFF_0000


class CounterSupply:
    """Reserves invocation counters, none below the lowest one that the meter accepts."""

    def __init__(self, source: InvocationCounter | None, port: str) -> None:
        """Take the source, None if nothing is ciphered, and the port as errors name it."""
        self.counters = InvocationCounterRange()
        #: The lowest counter that the meter accepts; 0: unknown.
        self.at_least = 0
        self._source = source
        self._port = port

    async def ensure(self, count: int) -> None:
        """Make ``count`` counters available.

        Raises CounterNeededError if it is unknown which ones were used before, and
        InvocationCounterError if none are left or they cannot be stored.
        """
        counters = self.counters
        if counters.left >= count and counters.next >= self.at_least:
            return
        if self._source is None:
            raise ValueError("ciphering needs an invocation counter")
        at_least = max(counters.next, self.at_least)
        try:
            first = await self._source.reserve(_RESERVED, at_least=at_least)
        except LookupError:
            message = "it is not known which invocation counters were used already"
            raise CounterNeededError(message, port=self._port) from None
        except OverflowError, OSError, ValueError:
            message = "no invocation counters can be reserved: none are left, or storing them fails"
            raise InvocationCounterError(message, port=self._port) from None
        counters.refill(first, _RESERVED)

    def accept_proposal(self, counter: int | None) -> bool:
        """Continue with the counter that the meter proposes; return whether that is possible."""
        if counter is None or not self.counters.next <= counter < COUNTER_MAX:
            return False
        self.at_least = counter
        return True
