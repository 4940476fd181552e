"""An integration with which a test has statistics without a wait for the next five minutes."""

from datetime import timedelta

from homeassistant.components.recorder import get_instance
from homeassistant.components.recorder.tasks import StatisticsTask
from homeassistant.core import HomeAssistant, ServiceCall
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.typing import ConfigType
from homeassistant.util import dt as dt_util

DOMAIN = "statistics_now"
CONFIG_SCHEMA = cv.empty_config_schema(DOMAIN)


async def async_setup(hass: HomeAssistant, config: ConfigType) -> bool:  # noqa: ARG001
    """Offer the action that compiles the statistics of the present five minutes."""

    async def compile_statistics(_: ServiceCall) -> None:
        now = dt_util.utcnow().replace(second=0, microsecond=0)
        start = now - timedelta(minutes=now.minute % 5)
        # As the recorder itself does when they are over.
        get_instance(hass).queue_task(StatisticsTask(start, fire_events=True))

    hass.services.async_register(DOMAIN, "compile", compile_statistics)
    return True
