"""The totals of one meter: judged, remembered over restarts, and kept apart from their steps."""

from collections.abc import Callable, Mapping, MutableMapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cache
from time import monotonic_ns
from typing import Any

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.storage import Store
from homeassistant.util import dt as dt_util

from ..const import (
    CONF_MAX_POWER,
    CONF_MULTIPLIER,
    DEFAULT_MAX_POWER,
    DEFAULT_MULTIPLIER,
    DOMAIN,
)
from ..issues import Issue, async_clear_issue, async_raise_issue
from ..meaning import is_net, is_total
from ..meter import Key, Obis, Register
from .guard import Step, Total, TotalsGuard
from .statistics_correction import SumCorrection

_VERSION = 1
#: Seconds that a new value may stay unwritten; a crash only makes the guard forget the last ones.
_SAVE_DELAY = 300
#: A clock that has gained or lost this much against the steady time was set.
_CLOCK_SET = timedelta(seconds=1)


@cache
def _may_fall(obis: Obis) -> bool | None:
    """Say whether a total may also fall; None for other registers."""
    return False if is_total(obis) else True if is_net(obis) else None


class Totals:
    """Judges the totals of each telegram, and sees to what follows from that."""

    def __init__(
        self,
        hass: HomeAssistant,
        entry: ConfigEntry,
        may_fall: Callable[[Obis], bool | None] = _may_fall,
    ) -> None:
        """Know nothing yet: load what was remembered before anything is judged."""
        self._hass = hass
        self._entry = entry
        self._store = _store(hass, entry.entry_id)
        self._guard = TotalsGuard(
            may_fall,
            entry.options.get(CONF_MAX_POWER, DEFAULT_MAX_POWER),
            Decimal(entry.options.get(CONF_MULTIPLIER, DEFAULT_MULTIPLIER)),
        )
        self._correction = SumCorrection(hass, str(entry.unique_id), self._async_save_soon)
        self._save_due = False
        self._told: Mapping[Obis, object] = {}
        self._clock_zero = _clock_zero()

    async def async_load(self) -> None:
        """Go on from what was remembered."""
        if (memory := await self._store.async_load()) is not None:
            self._restore(memory)

    @callback
    def _restore(self, memory: Mapping[str, Any]) -> None:
        self._guard.restore(memory["guard"], self._now())
        self._correction.async_add(map(Step.from_dict, memory["steps"]))
        if self._guard.steps:
            self._async_save_soon()
        self._async_see_to_steps()

    async def async_close(self) -> None:
        """Write down what is to be remembered, and leave the rest of the steps for later."""
        self._correction.async_stop()
        if self._save_due:
            await self.async_save()

    @callback
    def async_review(self, registers: MutableMapping[Key, Register]) -> frozenset[Key]:
        """Replace the totals that are not to be trusted by their last accepted values.

        Returns their codes.
        """
        judged = {key: register for key, register in registers.items() if isinstance(key, Obis)}
        news = self._guard.review(judged, self._now())
        withheld = {key for key, register in judged.items() if register is not registers[key]}
        registers.update(judged.items())
        if news:
            self._async_see_to_steps()
            self._async_save_soon()
        return frozenset(withheld)

    @callback
    def async_accept(self, registers: MutableMapping[Key, Register]) -> None:
        """Let the totals that have jumped go on from where they are, as the user has said."""
        for obis, total in self._guard.accept(self._now()).items():
            if obis in registers:
                registers[obis] = replace(registers[obis], value=total.value, unit=total.unit)
        self._async_see_to_steps()

    async def async_save(self) -> None:
        """Write down what is to be remembered."""
        await self._store.async_save(self._memory())

    @property
    def jumped(self) -> Mapping[Obis, tuple[Total, Total]]:
        """The totals that wait for the user's consent: last accepted and newest value."""
        return self._guard.jumped

    def jumped_placeholders(self) -> dict[str, str]:
        """Return what the user is told of the totals that wait for consent."""
        lines = [
            f"- {obis.short}: {last.kilo:f} → {newest.kilo:f} {newest.kilo_unit}"
            for obis, (last, newest) in self.jumped.items()
        ]
        return {"totals": "\n".join(lines)}

    @property
    def steps(self) -> Sequence[Step]:
        """Jumps that were accepted, but are still in the sums of the statistics."""
        return self._correction.steps

    def _now(self) -> datetime:
        """Return the time (UTC), for the guard, which learns first whether the clock was set."""
        zero = _clock_zero()
        if abs(zero - self._clock_zero) >= _CLOCK_SET:
            self._guard.clock_set(zero - self._clock_zero)
            self._clock_zero = zero
            self._async_see_to_steps()
        return dt_util.utcnow()

    @callback
    def _async_see_to_steps(self) -> None:
        """Have accepted steps taken out of the statistics, and ask about those that wait."""
        self._correction.async_add(self._guard.steps)
        self._guard.steps.clear()
        jumped = self._guard.jumped
        if jumped.keys() == self._told.keys():
            return
        self._told = jumped
        if not jumped:
            async_clear_issue(self._hass, self._entry, Issue.TOTALS_JUMPED)
            return
        async_raise_issue(self._hass, self._entry, Issue.TOTALS_JUMPED, self.jumped_placeholders())

    @callback
    def _async_save_soon(self) -> None:
        # Every call moves a delayed save further away.
        if not self._save_due:
            self._save_due = True
            self._store.async_delay_save(self._memory, _SAVE_DELAY)

    def _memory(self) -> dict[str, Any]:
        self._save_due = False
        return {
            "guard": self._guard.as_dict(),
            "steps": [step.as_dict() for step in self._correction.steps],
        }


async def async_start_over(hass: HomeAssistant, entry_id: str) -> None:
    """Let each total go on from whatever value it has next, since another meter is in.

    Only for an entry that is not loaded.
    """
    store = _store(hass, entry_id)
    if (memory := await store.async_load()) is not None:
        for mark in memory["guard"]["marks"].values():
            mark["start_over"] = True
        await store.async_save(memory)


async def async_forget(hass: HomeAssistant, entry_id: str) -> None:
    """Remove what was remembered of an entry that is gone."""
    await _store(hass, entry_id).async_remove()


def _clock_zero() -> datetime:
    """Return the time (UTC) at the zero of the steady time: the same until the clock is set."""
    return dt_util.utcnow() - timedelta(microseconds=monotonic_ns() // 1000)


def _store(hass: HomeAssistant, entry_id: str) -> Store[dict[str, Any]]:
    return Store(hass, _VERSION, f"{DOMAIN}.{entry_id}")
