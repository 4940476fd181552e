"""The field in which the user chooses old statistics that sensors continue."""

from collections.abc import Mapping, Sequence
from typing import Any

import probatio

from homeassistant.core import HomeAssistant
from homeassistant.helpers.selector import (
    SelectOptionDict,
    SelectSelector,
    SelectSelectorConfig,
    SelectSelectorMode,
)

from ..const import CONF_TAKE_OVER
from ..takeover import Offer
from .schemas import FormError


def take_over_field(hass: HomeAssistant, offers: Sequence[Offer]) -> dict[probatio.Marker, Any]:
    """Return the field for these offers, of which none is chosen; empty without any."""
    if not offers:
        return {}
    options = [
        SelectOptionDict(value=offer.choice, label=offer.async_label(hass)) for offer in offers
    ]
    return {
        probatio.Optional(CONF_TAKE_OVER, default=list): SelectSelector(
            SelectSelectorConfig(options=options, multiple=True, mode=SelectSelectorMode.LIST)
        )
    }


def taken_over(form: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """Return the option for what was chosen in a form; empty where nothing was.

    Raises FormError where a sensor, or an old statistic, was chosen twice.
    """
    pairs = [choice.rsplit(" ", 1) for choice in form.get(CONF_TAKE_OVER, ())]
    if any(len(set(column)) < len(pairs) for column in zip(*pairs, strict=True)):
        raise FormError(CONF_TAKE_OVER, "chosen_twice")
    return {CONF_TAKE_OVER: dict(pairs)} if pairs else {}
