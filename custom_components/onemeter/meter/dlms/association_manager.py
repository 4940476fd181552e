"""Opening and releasing sessions: invocation counter, association, and diagnosis of refusals."""

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
    WrongEncryptionKeyError,
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
from .association import COUNTERS_PER_EXCHANGE, Association
from .connection import Connector, Link
from .cosem import VALUE, ObjectClass
from .memory import Memory
from .object_list import list_objects
from .security.authenticity import Authenticity
from .security.counter_supply import COUNTER_MAX, CounterSupply
from .security.counters import InvocationCounter
from .security.protection import protection_of
from .session import Session, SessionEndedError
from .settings import (
    PUBLIC_CLIENT,
    Authentication,
    DlmsSettings,
    Keys,
    Protection,
    Transport,
)

#: Seconds that meters need after a connection over a network before they accept the next one.
_NETWORK_PAUSE: Final = 0.5
#: The same for a meter that was not ready by then.
_BUSY_SECONDS: Final = 2.5
#: Seconds until the meter answers a release request, and the bytes of both on the wire.
_RELEASE_SECONDS: Final = 3.0
_RELEASE_LENGTH: Final = 200
#: Code of the meter's invocation counter; value group E is the counter instance of the client.
_COUNTER: Final = Obis(0, 0, 43, 1, 0, 255)
#: Counter instances that meters have.
_COUNTER_INSTANCES: Final = range(8)


class AssociationManager:
    """Opens sessions with one meter, one after the other."""

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
        """Take what opens connections, the settings, and the source of invocation counters.

        ``authenticity`` is what earlier sessions have learned about the meter's tags.

        Raises ValueError if the counter, a key, the password or the system title is missing.
        """
        self._connector = connector
        self._settings = settings
        self._memory = memory
        self._authenticity = authenticity
        self._port = redact(url)
        self._supply = CounterSupply(counter, self._port)
        self._knows_counter = not Association(settings).uses_counters
        if counter is None and not self._knows_counter:
            raise ValueError("ciphering needs an invocation counter")

    @asynccontextmanager
    async def session(self) -> AsyncGenerator[Session]:
        """Open an association and release it; after an error the meter is only disconnected.

        Raises MeterAuthenticationError, WrongEncryptionKeyError, WrongAuthenticationKeyError,
        InvocationCounterError, AssociationError, and what Connector.connected() raises.
        """
        if self._memory.password_rejected:
            raise self._password_rejected()
        try:
            async with self._session() as session:
                yield session
        except MeterError as err:
            counters = self._connector.counters
            match err:
                case NotAuthenticatedError():
                    counters.not_authenticated += 1
                case WrongEncryptionKeyError():
                    counters.wrong_encryption_key += 1
                case WrongAuthenticationKeyError():
                    counters.wrong_authentication_key += 1
            # Errors of codecs do not know the port.
            err.details.setdefault("port", self._port)
            raise

    @asynccontextmanager
    async def _session(self) -> AsyncGenerator[Session]:
        if not self._knows_counter:
            await self._read_counter()
            self._knows_counter = True
        async with AsyncExitStack() as stack:
            session = await self._open(stack, self._settings.client, self._associate)
            try:
                yield session
            except ExceptionError as err:
                if err.service == COUNTER_ERROR:
                    self._supply.accept_proposal(err.counter)
                    raise self._counter_rejected() from err
                if err.service == DECIPHERING_ERROR:
                    raise self._wrong_keys() from err
                raise
            except ServiceError as err:
                if err.is_about_ciphering:
                    raise self._wrong_keys() from err
                raise
            await self._release(session)

    async def _open(
        self, stack: AsyncExitStack, client: int, associate: Callable[[Link], Awaitable[Session]]
    ) -> Session:
        """Connect and associate; retry once if the meter may still hold the last connection."""
        connected = self._connector.connected
        try:
            return await associate(await stack.enter_async_context(connected(client)))
        except MeterConnectionError:
            if not self._connector.is_early:
                raise
        await stack.aclose()
        await asyncio.sleep(_BUSY_SECONDS)
        return await associate(await stack.enter_async_context(connected(client)))

    async def _release(self, session: Session) -> None:
        if not self._memory.answers_release:
            return
        seconds = _RELEASE_SECONDS + session.link.channel.wire_time(_RELEASE_LENGTH)
        try:
            async with asyncio.timeout(seconds):
                await session.run(session.association.release())
        except TimeoutError, MeterSilentError:
            self._memory.answers_release = False
        except MeterError:
            # The meter may have closed the connection already.
            return

    async def _associate(self, link: Link) -> Session:
        """Associate; retry once with the invocation counter that the meter proposes."""
        proposal: int | None = None
        for is_retry in (False, True):
            try:
                return await self._try_both_names(link, self._settings, self._memory)
            except ExceptionError as err:
                if err.service == DECIPHERING_ERROR:
                    raise await self._find_wrong_key(link) from err
                if err.service != COUNTER_ERROR:
                    message = f"the meter refuses the association: {err.details['reason']}"
                    raise AssociationError(message, **err.details) from err
                proposal = err.counter
                if is_retry or not self._supply.accept_proposal(proposal):
                    break
            except ServiceError as err:
                if err.is_about_ciphering:
                    raise await self._find_wrong_key(link) from err
                raise
            except MeterAuthenticationError as err:
                self._memory.password_rejected = True
                raise self._password_rejected() from err
        is_known = proposal is not None or self._supply.at_least > 0
        raise self._counter_rejected(is_known=is_known)

    async def _try_both_names(self, link: Link, settings: DlmsSettings, memory: Memory) -> Session:
        """Associate with the kind of names that the meter is known to use, else with the other.

        Raises SessionEndedError if the other kind needs a new connection.
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
            # Some meters accept one request per connection: the next begins with the other kind.
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
        association = Association(settings, self._supply.counters, self._authenticity, names)
        return Session(link, association, memory, self._ensure_counters)

    async def _ensure_counters(self) -> None:
        await self._supply.ensure(COUNTERS_PER_EXCHANGE)

    async def _find_wrong_key(self, link: Link) -> MeterError:
        """Return the error for the wrong key, found with a request without authentication tag.

        Only the encryption key matters for it: unless the meter cannot decipher it either, that key
        is right, whatever else the meter answers.
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
        message = f"the meter at {self._port} rejects the authentication key"
        return WrongAuthenticationKeyError(message, port=self._port)

    # --- the meter's invocation counter

    async def _read_counter(self) -> None:
        """Read the last accepted counter from the meter, as the public client.

        If that fails, the stored counter is used.
        """
        settings = replace(
            self._settings,
            client=PUBLIC_CLIENT,
            authentication=Authentication.NONE,
            keys=Keys(),
            protection=None,
            dedicated_key=False,
        )

        # A memory of its own: the public client has other access rights.
        memory = Memory(has_short_names=self._memory.has_short_names)

        async def associate(link: Link) -> Session:
            return await self._try_both_names(link, settings, memory)

        try:
            async with AsyncExitStack() as stack:
                session = await self._open(stack, PUBLIC_CLIENT, associate)
                if memory.has_short_names:
                    await list_objects(session, memory)
                found = await self._accepted_counters(session)
                await self._release(session)
        except MeterConnectionError:
            raise
        except MeterError, SessionEndedError:
            # A meter that refuses the public client may still accept this one.
            return
        finally:
            if self._memory.transport is Transport.WRAPPER:
                await asyncio.sleep(_NETWORK_PAUSE)
        self._supply.at_least = max([self._supply.at_least, *found])

    async def _accepted_counters(self, session: Session) -> list[int]:
        """Return the counters that the meter accepts, of this client's or other instances."""
        own = self._settings.counter_instance
        found: list[int] = []
        for instances in ([own], [other for other in _COUNTER_INSTANCES if other != own]):
            for instance in instances:
                obis = _COUNTER._replace(e=instance)
                with suppress(AccessError, ExceptionError):
                    last = await session.get(descriptor(ObjectClass.DATA, obis, VALUE))
                    if isinstance(last, int) and 0 <= last < COUNTER_MAX:
                        found.append(last + 1)
            if found:
                break
        return found

    # --- errors

    def _password_rejected(self) -> MeterAuthenticationError:
        message = f"the meter at {self._port} rejects the password"
        return MeterAuthenticationError(message, port=self._port)

    def _wrong_keys(self) -> WrongKeysError:
        message = f"the meter at {self._port} cannot decipher the client's messages"
        return WrongKeysError(message, port=self._port)

    def _counter_rejected(self, *, is_known: bool = True) -> InvocationCounterError:
        # Another program may have used higher counters, so the meter's is read again next time.
        self._knows_counter = False
        message = f"the meter at {self._port} rejects the invocation counter"
        if is_known:
            return InvocationCounterError(message, port=self._port)
        message += ", and does not say which one it expects"
        return CounterNeededError(message, port=self._port)
