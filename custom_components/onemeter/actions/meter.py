"""What the actions have in common: their meter, and the errors that refuse them."""

import asyncio
from collections.abc import Callable, Coroutine
from math import ceil
from typing import Any

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import DOMAIN as HOMEASSISTANT_DOMAIN, HomeAssistant, ServiceCall
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers.service import (
    async_extract_config_entry_ids,
    async_get_config_entry,
    async_get_device_and_config_entry,
)
from homeassistant.helpers.target import TargetSelection
from homeassistant.helpers.translation import async_get_translations

from ..access.error_texts import as_meter_error, update_failed
from ..const import DOMAIN
from ..coordinator.base import OneMeterConfigEntry
from ..coordinator.polled import PolledCoordinator
from ..meter import MeterError
from ..meter.errors import MeterAuthenticationError


def refusal(key: str, **placeholders: str) -> ServiceValidationError:
    """Return the error that refuses an action, with its text."""
    return ServiceValidationError(
        translation_domain=DOMAIN,
        translation_key=key,
        translation_placeholders=placeholders,
    )


async def _async_targeted(call: ServiceCall) -> list[OneMeterConfigEntry]:
    """Return the entries of the meters in the target, at least one.

    Areas, floors and labels may contain devices of other integrations, too, and meters that the
    user has disabled, which are left out beside others. Raises ServiceValidationError, also for a
    device that is targeted by itself and is no meter.
    """
    hass = call.hass
    found = await async_extract_config_entry_ids(call)
    for device_id in TargetSelection(call.data).device_ids:
        _, entry = async_get_device_and_config_entry(hass, DOMAIN, device_id)
        found.add(entry.entry_id)
    targeted = [
        entry for entry in hass.config_entries.async_entries(DOMAIN) if entry.entry_id in found
    ]
    if not targeted:
        raise refusal("no_meter")
    enabled = [entry for entry in targeted if entry.disabled_by is None]
    return enabled or targeted


async def async_entry(call: ServiceCall) -> OneMeterConfigEntry:
    """Return the loaded entry of the one meter in the target. Raises ServiceValidationError."""
    entry, *others = [_loaded(call.hass, entry) for entry in await _async_targeted(call)]
    if others:
        raise refusal("several_meters", count=str(1 + len(others)))
    return entry


def _loaded(hass: HomeAssistant, entry: OneMeterConfigEntry) -> OneMeterConfigEntry:
    """Return an entry that is loaded. Raises ServiceValidationError."""
    return async_get_config_entry(hass, DOMAIN, entry.entry_id)


async def async_for_each_meter[T](
    call: ServiceCall, run: Callable[[OneMeterConfigEntry], Coroutine[Any, Any, T]]
) -> tuple[list[T], list[Any]]:
    """Run a job for each meter in the target, one after another, also after one has failed.

    Returns the results, and for the response which meters have failed and why. Raises
    HomeAssistantError if none has succeeded, and for failures that no response would show.
    """
    results: list[T] = []
    failures: list[tuple[OneMeterConfigEntry, HomeAssistantError]] = []
    entries = await _async_targeted(call)
    for entry in entries:
        try:
            results.append(await run(_loaded(call.hass, entry)))
        except HomeAssistantError as err:
            failures.append((entry, err))
    if failures and len(entries) == 1:
        raise failures[0][1]
    failed = [(entry.title, await _async_text(call.hass, err)) for entry, err in failures]
    if failures and not (results and call.return_response):
        raise HomeAssistantError(
            translation_domain=DOMAIN,
            translation_key="meters_failed",
            translation_placeholders={
                "done": str(len(results)),
                "count": str(len(entries)),
                "failed": "; ".join(f"{title} ({text})" for title, text in failed),
            },
        ) from failures[0][1]
    return results, [{"meter": title, "error": text} for title, text in failed]


async def _async_text(hass: HomeAssistant, err: HomeAssistantError) -> str:
    """Return the text of an error in the language of Home Assistant, without a full stop."""
    domain = str(err.translation_domain)
    texts = await async_get_translations(hass, hass.config.language, "exceptions", {domain})
    text = texts.get(f"component.{domain}.exceptions.{err.translation_key}.message")
    if text is None:
        return str(err)
    return text.format(**(err.translation_placeholders or {})).rstrip(".")


def polled_coordinator(entry: OneMeterConfigEntry, otherwise: str) -> PolledCoordinator:
    """Return the coordinator of a meter that may be polled now.

    Raises ServiceValidationError: with the key ``otherwise`` for a meter that is never polled, and
    for one that has rejected the password, or whose battery must be spared.
    """
    coordinator = entry.runtime_data
    if not isinstance(coordinator, PolledCoordinator):
        raise refusal(otherwise)
    if coordinator.is_rejected:
        raise refusal("was_rejected")
    if rest := coordinator.rest:
        raise refusal("battery_rests", minutes=str(ceil(rest / 60)))
    return coordinator


async def async_poll[T](
    call: ServiceCall, coordinator: PolledCoordinator, job: Coroutine[Any, Any, T]
) -> T:
    """Run a job that polls the meter; it ends when the entry is unloaded.

    Raises HomeAssistantError with a translated text.
    """
    entry: ConfigEntry = coordinator.config_entry
    task = entry.async_create_background_task(call.hass, job, f"{DOMAIN} {call.service}")
    try:
        return await task
    except MeterError as err:
        if isinstance(err, MeterAuthenticationError):
            entry.async_start_reauth(call.hass)
        raise update_failed(as_meter_error(err, coordinator.client.url)) from err
    except asyncio.CancelledError:
        current = asyncio.current_task()
        if current is None or current.cancelling():
            raise
        raise HomeAssistantError(
            translation_domain=HOMEASSISTANT_DOMAIN,
            translation_key="service_config_entry_not_loaded",
            translation_placeholders={"domain": DOMAIN, "entry_title": entry.title},
        ) from None
