"""Being let in: the invocation counter, the association, and which of the secrets is wrong."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace
from typing import Final

from ..errors import (
    AccessError,
    AssociationError,
    CounterNeededError,
    InvocationCounterError,
    MeterAuthenticationError,
    MeterConnectionError,
    MeterError,
    MeterSilentError,
    NotAuthenticatedError,
    PortLostError,
    WrongAuthenticationKeyError,
    WrongKeysError,
)
from ..obis import Obis
from ..redaction import redact
from .apdu.results import (
    COUNTER_ERROR,
    DECIPHERING_ERROR,
    ContextError,
    ExceptionError,
    ServiceError,
)
from .apdu.xdlms import descriptor
from .association import NUMBERS_AT_ONCE, Association
from .connection import Connector, Link
from .cosem import VALUE, ObjectClass
from .memory import Memory
from .object_list import list_objects
from .security.authenticity import Authenticity
from .security.counters import InvocationCounter
from .security.protection import Numbers, protection_of
from .session import Session, SessionEndedError
from .settings import (
    PUBLIC_CLIENT,
    Authentication,
    DlmsSettings,
    Keys,
    Protection,
    Transport,
)

#: Invocation counters that are set apart at a time: storing them takes longer than using them.
_NUMBERS: Final = 100
#: A meter's counter beyond it is not believed, since ours would have no room left.
_NUMBER_MAX: Final = 0xFFFF_0000
#: Seconds that meters need after a connection over a network before they take the next one.
_NETWORK_PAUSE: Final = 0.5
#: The same for those that were not ready after it.
_BUSY_SECONDS: Final = 2.5
#: Seconds until a farewell is answered, and bytes of both.
_FAREWELL_SECONDS: Final = 3.0
_FAREWELL_LENGTH: Final = 200
#: With the client's instance as value group E, and the instances that meters have.
_COUNTER: Final = Obis(0, 0, 43, 1, 0, 255)
_COUNTERS: Final = range(8)


class Access:
    """Lets a client in, one session after the other."""

    def __init__(
        self,
        connector: Connector,
        settings: DlmsSettings,
        memory: Memory,
        counter: InvocationCounter | None,
        *,
        authenticity: Authenticity,
        url: str,
    ) -> None:
        """Take how the meter is reached and spoken to, and where invocation counters come from.

        What is known of its authenticity goes on from there.

        Raises ValueError where the counter, a key, a password or a system title is missing.
        """
        self._connector = connector
        self._settings = settings
        self._memory = memory
        self._counter = counter
        self._authenticity = authenticity
        self._port = redact(url)
        self._numbers = Numbers()
        #: No invocation counter may be below.
        self._at_least = 0
        self._knows_counter = not Association(settings).uses_numbers
        if counter is None and not self._knows_counter:
            raise ValueError("what is ciphered needs an invocation counter")

    @asynccontextmanager
    async def session(self) -> AsyncGenerator[Session]:
        """Associate, and release again; what breaks off is disconnected without farewell.

        Raises MeterAuthenticationError, WrongEncryptionKeyError, WrongAuthenticationKeyError,
        InvocationCounterError, AssociationError, and what Connector.connected() raises.
        """
        if self._memory.password_rejected:
            raise self._password_rejected()
        try:
            async with self._session() as session:
                yield session
        except MeterError as err:
            if isinstance(err, NotAuthenticatedError):
                self._connector.counters.not_authenticated += 1
            # What was found out without a port lacks it.
            err.details.setdefault("port", self._port)
            raise

    @asynccontextmanager
    async def _session(self) -> AsyncGenerator[Session]:
        if not self._knows_counter:
            await self._learn_counter()
            self._knows_counter = True
        async with AsyncExitStack() as stack:
            session = await self._enter(stack, self._settings.client, self._associated)
            try:
                yield session
            except ExceptionError as err:
                if err.service == COUNTER_ERROR:
                    self._take_hint(err.counter)
                    raise self._counter_rejected() from err
                if err.service == DECIPHERING_ERROR:
                    raise self._wrong_keys() from err
                raise
            except ServiceError as err:
                if err.is_about_ciphering:
                    raise self._wrong_keys() from err
                raise
            await self._release(session)

    async def _enter(
        self, stack: AsyncExitStack, client: int, associate: Callable[[Link], Awaitable[Session]]
    ) -> Session:
        """Connect and associate, once more where the meter may still hold the last connection."""
        connected = self._connector.connected
        try:
            return await associate(await stack.enter_async_context(connected(client)))
        except MeterConnectionError:
            if not self._connector.is_hasty:
                raise
        await stack.aclose()
        await asyncio.sleep(_BUSY_SECONDS)
        return await associate(await stack.enter_async_context(connected(client)))

    async def _release(self, session: Session) -> None:
        """Take leave, unless the meter takes no notice: then the connection just ends."""
        if not self._memory.answers_release:
            return
        seconds = _FAREWELL_SECONDS + session.link.channel.wire_time(_FAREWELL_LENGTH)
        try:
            async with asyncio.timeout(seconds):
                await session.run(session.association.release())
        except TimeoutError, MeterSilentError:
            self._memory.answers_release = False
        except MeterError:
            # It may have hung up already.
            return

    async def _associated(self, link: Link) -> Session:
        """Associate, once more with the invocation counter that the meter proposes."""
        hint: int | None = None
        for has_hint in (False, True):
            try:
                return await self._associate(link, self._settings, self._memory)
            except ExceptionError as err:
                if err.service == DECIPHERING_ERROR:
                    raise await self._which_key(link) from err
                if err.service != COUNTER_ERROR:
                    message = f"the meter refuses the association: {err.details['reason']}"
                    raise AssociationError(message, **err.details) from err
                hint = err.counter
                if has_hint or not self._take_hint(hint):
                    break
            except ServiceError as err:
                if err.is_about_ciphering:
                    raise await self._which_key(link) from err
                raise
            except MeterAuthenticationError as err:
                self._memory.password_rejected = True
                raise self._password_rejected() from err
        raise self._counter_rejected(is_known=hint is not None or self._at_least > 0)

    async def _associate(self, link: Link, settings: DlmsSettings, memory: Memory) -> Session:
        """Associate by the kind of names that the meter is known to use, or else by the other.

        Raises SessionEndedError where that needs another connection.
        """
        is_short = memory.has_short_names
        session = self._new_session(link, settings, memory, is_short=is_short)
        try:
            await session.run(session.association.associate())
        except (ContextError, ServiceError) as err:
            if not err.is_about_context:
                raise
            refusal = err
        else:
            return session
        session = self._new_session(link, settings, memory, is_short=not is_short)
        try:
            await session.run(session.association.associate())
        except (ContextError, ServiceError) as err:
            if not err.is_about_context:
                raise
            raise refusal from None
        except MeterSilentError, PortLostError:
            # It may take one request in each connection: short names are tried first in the next.
            memory.has_short_names = not is_short
            if is_short:
                raise refusal from None
            raise SessionEndedError(refusal) from None
        memory.has_short_names = not is_short
        return session

    def _new_session(
        self, link: Link, settings: DlmsSettings, memory: Memory, *, is_short: bool
    ) -> Session:
        names = memory.base_names if is_short else None
        association = Association(settings, self._numbers, self._authenticity, names)
        return Session(link, association, memory, self._supply)

    async def _which_key(self, link: Link) -> MeterError:
        """Find out which key is wrong, with a message that only the encryption key has to do with.

        Whatever the meter makes of it, unless it cannot decipher that either, the key is right.
        """
        if protection_of(self._settings) is not Protection.BOTH:
            return self._wrong_keys()
        settings = replace(self._settings, protection=Protection.ENCRYPTED)
        memory = self._memory
        session = self._new_session(link, settings, memory, is_short=memory.has_short_names)
        try:
            await session.run(session.association.associate())
        except ExceptionError, MeterSilentError:
            return self._wrong_keys()
        except MeterError:
            if not session.association.is_agreed:
                return self._wrong_keys()
        message = f"the meter at {self._port} does not take the authentication key"
        return WrongAuthenticationKeyError(message, port=self._port)

    # --- invocation counter

    async def _supply(self) -> None:
        """Set invocation counters apart where they run out."""
        numbers = self._numbers
        if numbers.left >= NUMBERS_AT_ONCE and numbers.next >= self._at_least:
            return
        if self._counter is None:
            raise ValueError("what is ciphered needs an invocation counter")
        at_least = max(numbers.next, self._at_least)
        try:
            first = await self._counter.reserve(_NUMBERS, at_least=at_least)
        except LookupError:
            message = "it is not known which invocation counters were used already"
            raise CounterNeededError(message, port=self._port) from None
        except OverflowError, OSError, ValueError:
            message = (
                "no invocation counters can be set apart: they are used up, or not to be stored"
            )
            raise InvocationCounterError(message, port=self._port) from None
        numbers.refill(first, _NUMBERS)

    async def _learn_counter(self) -> None:
        """Ask, as the public client, for the last counter that the meter has taken.

        Where it does not tell, what is stored has to do.
        """
        settings = replace(
            self._settings,
            client=PUBLIC_CLIENT,
            authentication=Authentication.NONE,
            keys=Keys(),
            protection=None,
            dedicated_key=False,
        )

        # What the public client sees is not what this one does.
        memory = Memory(has_short_names=self._memory.has_short_names)

        async def associated(link: Link) -> Session:
            return await self._associate(link, settings, memory)

        try:
            async with AsyncExitStack() as stack:
                session = await self._enter(stack, PUBLIC_CLIENT, associated)
                if memory.has_short_names:
                    await list_objects(session, memory)
                found = await self._counters(session)
                await self._release(session)
        except MeterConnectionError:
            raise
        except MeterError, SessionEndedError:
            # Who lets no public client in may let this one in.
            return
        finally:
            if self._memory.transport is Transport.WRAPPER:
                await asyncio.sleep(_NETWORK_PAUSE)
        self._at_least = max([self._at_least, *found])

    async def _counters(self, session: Session) -> list[int]:
        """Return the counters that would be accepted by this client's object, or else by others."""
        own = self._settings.counter_instance
        found: list[int] = []
        for instances in ([own], [other for other in _COUNTERS if other != own]):
            for instance in instances:
                obis = _COUNTER._replace(e=instance)
                with suppress(AccessError, ExceptionError):
                    last = await session.get(descriptor(ObjectClass.DATA, obis, VALUE))
                    if isinstance(last, int) and 0 <= last < _NUMBER_MAX:
                        found.append(last + 1)
            if found:
                break
        return found

    def _take_hint(self, counter: int | None) -> bool:
        """Take the counter that a meter would accept; whether it makes a difference."""
        if counter is None or not self._numbers.next <= counter < _NUMBER_MAX:
            return False
        self._at_least = counter
        return True

    # --- errors

    def _password_rejected(self) -> MeterAuthenticationError:
        message = f"the meter at {self._port} does not take the password"
        return MeterAuthenticationError(message, port=self._port)

    def _wrong_keys(self) -> WrongKeysError:
        message = f"the meter at {self._port} cannot decipher what it is sent"
        return WrongKeysError(message, port=self._port)

    def _counter_rejected(self, *, is_known: bool = True) -> InvocationCounterError:
        # Another program may have gone on with it, so the meter is asked for its own again.
        self._knows_counter = False
        message = f"the meter at {self._port} does not take the invocation counter"
        if is_known:
            return InvocationCounterError(message, port=self._port)
        message += ", and does not tell which it would take"
        return CounterNeededError(message, port=self._port)
