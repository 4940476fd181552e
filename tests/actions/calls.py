"""Calling the actions of a meter's device."""

from typing import Any

import pytest

from custom_components.onemeter.const import DOMAIN
from homeassistant.core import Context
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers.translation import async_get_exception_message
from tests.helpers.pushed import PushedMeter


async def respond(
    meter: PushedMeter, action: str, context: Context | None = None, **data: Any
) -> dict[str, Any]:
    """Call an action, and return its response."""
    (device,) = dr.async_entries_for_config_entry(dr.async_get(meter.hass), meter.entry.entry_id)
    response: Any = await meter.hass.services.async_call(
        DOMAIN,
        action,
        {"device_id": device.id, **data},
        blocking=True,
        return_response=True,
        context=context,
    )
    await meter.settle()
    return dict(response)


async def refused(meter: PushedMeter, action: str, **data: Any) -> str:
    """Call an action that is refused, and return the translation key of the text."""
    with pytest.raises(HomeAssistantError) as error:
        await respond(meter, action, **data)
    raised = error.value
    key = raised.translation_key
    assert raised.translation_domain is not None
    assert key is not None
    text = async_get_exception_message(
        raised.translation_domain, key, raised.translation_placeholders
    )
    assert text != key
    assert "{" not in text
    return key
