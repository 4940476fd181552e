"""Jobs in the recorder's thread: between its own, each in one transaction, or not at all."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, override

from sqlalchemy.orm.session import Session

from homeassistant.components.recorder import Recorder, get_instance
from homeassistant.components.recorder.tasks import RecorderTask
from homeassistant.core import HomeAssistant
from homeassistant.helpers.recorder import session_scope

#: Versions of the recorder's schema that the tests cover: those of 2026.10 and 2026.11.
SCHEMA_VERSIONS: Final = frozenset({53})


def is_supported(hass: HomeAssistant) -> bool:
    """Return whether the recorder's tables are those that the tests cover."""
    return get_instance(hass).schema_version in SCHEMA_VERSIONS


class UnsupportedSchemaError(Exception):
    """The recorder's tables are none that the tests cover."""


@dataclass(slots=True)
class _Job[T](RecorderTask):
    """What is done with a session, and who waits for its result."""

    job: Callable[[Session], T]
    future: asyncio.Future[T] = field()

    @override
    def run(self, instance: Recorder) -> None:
        """Do the job; an error in it undoes all of it, and is its result."""
        try:
            if instance.schema_version not in SCHEMA_VERSIONS:
                raise UnsupportedSchemaError(str(instance.schema_version))  # noqa: TRY301
            with session_scope(session=instance.get_session()) as session:
                result = self.job(session)
        except Exception as err:  # noqa: BLE001  it is raised where the result is waited for
            self._resolve(instance, self.future.set_exception, err)
        else:
            self._resolve(instance, self.future.set_result, result)

    def _resolve[V](self, instance: Recorder, resolve: Callable[[V], None], value: V) -> None:
        def resolve_if_wanted() -> None:
            if not self.future.done():
                resolve(value)

        instance.hass.loop.call_soon_threadsafe(resolve_if_wanted)


async def async_in_recorder[T](hass: HomeAssistant, job: Callable[[Session], T]) -> T:
    """Return the result of a job in the recorder's thread; what it raises is raised here.

    Raises UnsupportedSchemaError without running it.
    """
    future: asyncio.Future[T] = hass.loop.create_future()
    get_instance(hass).queue_task(_Job(job, future))
    return await future
