"""An integration with which a test has statistics without a wait for the next five minutes."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import func, select

from homeassistant.components.recorder import get_instance
from homeassistant.components.recorder.db_schema import StatisticsRuns
from homeassistant.components.recorder.tasks import StatisticsTask
from homeassistant.components.recorder.util import session_scope
from homeassistant.core import HomeAssistant, ServiceCall
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.typing import ConfigType
from homeassistant.util import dt as dt_util

DOMAIN = "statistics_now"
CONFIG_SCHEMA = cv.empty_config_schema(DOMAIN)
FIVE_MINUTES = timedelta(minutes=5)


async def async_setup(hass: HomeAssistant, config: ConfigType) -> bool:  # noqa: ARG001
    """Offer the action that compiles the statistics of the first five minutes without any.

    These are the present five minutes, or later ones where it was called before.
    """

    def next_start() -> datetime:
        with session_scope(hass=hass, read_only=True) as session:
            last = session.execute(select(func.max(StatisticsRuns.start))).scalar()
        now = dt_util.utcnow().replace(second=0, microsecond=0)
        start = now - timedelta(minutes=now.minute % 5)
        return start if last is None else max(start, last.replace(tzinfo=UTC) + FIVE_MINUTES)

    async def compile_statistics(_: ServiceCall) -> None:
        recorder = get_instance(hass)
        start = await recorder.async_add_executor_job(next_start)
        # As the recorder itself does when they are over.
        recorder.queue_task(StatisticsTask(start, fire_events=True))
        await recorder.async_block_till_done()

    hass.services.async_register(DOMAIN, "compile", compile_statistics)
    return True
