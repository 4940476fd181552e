"""The totals of one meter: judged, remembered over restarts, and kept apart from their steps."""

import asyncio
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from dataclasses import replace
from decimal import Decimal
import logging
from typing import Any, override

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import CoreState, HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.storage import Store

from ..access.issues import Issue, async_clear_issue, async_raise_issue
from ..const import (
    CONF_MAX_POWER,
    CONF_MULTIPLIER,
    DEFAULT_MAX_POWER,
    DEFAULT_MULTIPLIER,
    DOMAIN,
)
from ..meter import Key, Obis, Register
from ..meter.obis import ELECTRICITY
from .guard import Proof, TotalsGuard
from .last_rows import LastRow, async_last_rows
from .limits import Rule, limit_power, look_up, rule_of
from .moment import Moment
from .statistics_correction import SumCorrection
from .total import Step, Total

_LOGGER = logging.getLogger(__name__)

_VERSION = 1
_MINOR_VERSION = 2
#: Seconds that a new value may stay unwritten. A crash only makes the guard forget the last ones;
#: what nobody could find out again is written before it is published.
_SAVE_DELAY = 300


class Totals:
    """Judges the totals of each telegram, and sees to what follows from that."""

    #: Whether states after the last row of the statistics count, too.
    _counts_states = False

    def __init__(
        self,
        hass: HomeAssistant,
        entry: ConfigEntry,
        rule: Callable[[Key, Mapping[Key, Register], int], Rule | None] = rule_of,
    ) -> None:
        """Know nothing yet: load what was remembered before anything is judged."""
        self._hass = hass
        self._entry = entry
        self._store = _store(hass, entry.entry_id)
        self._writing = asyncio.Lock()
        self._guard = TotalsGuard(
            entry.options.get(CONF_MAX_POWER, DEFAULT_MAX_POWER),
            Decimal(entry.options.get(CONF_MULTIPLIER, DEFAULT_MULTIPLIER)),
            rule,
        )
        self._correction = SumCorrection(hass, str(entry.unique_id), self._async_save_soon)
        self._save_due = False
        #: How many first totals and steps were accepted, and how many of these are written.
        self._accepted = self._written = 0
        self._told: Mapping[Key, object] = {}
        self._told_overload: int | None = None

    async def async_load(self) -> None:
        """Go on from what was remembered, and from what the statistics hold."""
        async_clear_issue(self._hass, self._entry, Issue.OVERLOAD)
        if (memory := await self._store.async_load()) is not None:
            try:
                self._restore(memory)
            except ArithmeticError, AttributeError, KeyError, TypeError, ValueError:
                _LOGGER.exception("What was remembered of %s is damaged", self._entry.title)
        rows = await async_last_rows(
            self._hass, self._entry, self.steps, with_states=self._counts_states
        )
        self._async_compare(rows)
        self._async_see_to_steps()

    @callback
    def _restore(self, memory: Mapping[str, Any]) -> None:
        self._guard.restore(memory["guard"])
        self._correction.async_add(map(Step.from_dict, memory["steps"]))

    @callback
    def _async_compare(self, rows: dict[Key, LastRow]) -> None:
        """Hold what was remembered against what the statistics hold."""
        self._guard.rows = rows

    async def async_close(self) -> None:
        """Write down what is to be remembered, and leave the rest of the steps for later."""
        self._correction.async_stop()
        if self._save_due:
            await self.async_save()

    @callback
    def async_look_up(self, key: Key, registers: Mapping[Key, Register]) -> None:
        """Look up what limits a register; a review of hundreds of new ones takes too long."""
        look_up(key, registers, self._guard.max_power)

    @callback
    def async_review(
        self, registers: MutableMapping[Key, Register], proof: Proof = Proof.CHECKSUM
    ) -> frozenset[Key]:
        """Replace what is not to be trusted: totals by their last accepted values, power by none.

        Returns what the totals are known by that are held back.
        """
        limit_power(registers, self._guard.max_power)
        known = self._guard.known
        withheld, has_news = self._guard.review(registers, Moment.now(), proof)
        self._accepted += self._guard.known - known
        if has_news:
            self._async_see_to_steps()
        # Also where nothing has changed, time has passed.
        self._async_save_soon()
        if withheld or self._told_overload is not None:
            self._async_see_to_overload()
        return withheld

    @callback
    def async_accept(self, registers: MutableMapping[Key, Register]) -> None:
        """Let the totals that have jumped go on from where they are, as the user has said."""
        for key, total in self._guard.accept(Moment.now()).items():
            if key in registers:
                registers[key] = replace(registers[key], value=total.value, unit=total.unit)
        self._async_see_to_steps()

    @property
    def must_be_stored(self) -> bool:
        """Whether something must be written before anything more is published."""
        return self._written != self._accepted

    async def async_store(self) -> bool:
        """Write what must be written before it is published; return whether it is written."""
        return not self.must_be_stored or await self.async_save()

    async def async_save(self) -> bool:
        """Write down what is to be remembered; return whether it was written.

        Home Assistant does not tell: what it cannot write it logs, and while it stops it writes
        later. So the file is read again.
        """
        async with self._writing:
            accepted, memory = self._accepted, self._memory()
            await self._store.async_save(memory)
            is_written = await self._async_is_written(memory)
        if is_written:
            self._written = accepted
            async_clear_issue(self._hass, self._entry, Issue.NOT_WRITTEN)
        elif self._hass.state is not CoreState.stopping:
            async_raise_issue(self._hass, self._entry, Issue.NOT_WRITTEN)
        return is_written

    async def _async_is_written(self, memory: Mapping[str, Any]) -> bool:
        try:
            return await _store(self._hass, self._entry.entry_id).async_load() == memory
        except HomeAssistantError:
            return False

    @property
    def jumped(self) -> Mapping[Key, tuple[Total, Total]]:
        """The totals that wait for the user's consent: last accepted and newest value."""
        return self._guard.jumped

    def jumped_placeholders(self) -> dict[str, str]:
        """Return what the user is told of the totals that wait for consent."""
        lines = [
            f"- {_name(key)}: {last.amount:f} → {newest.amount:f} {newest.amount_unit or ''}"
            for key, (last, newest) in self.jumped.items()
        ]
        return {"totals": "\n".join(line.rstrip() for line in lines)}

    @property
    def overload(self) -> int | None:
        """The least maximum power (W) that lets all totals through; None where the present does."""
        return self._guard.overload

    def overload_placeholders(self, power: int) -> dict[str, str]:
        """Return what the user is told of an overload that needs so much power."""
        return {"max_power": str(self._guard.max_power), "power": str(power)}

    @property
    def steps(self) -> Sequence[Step]:
        """Jumps that were accepted, but are still in the sums of the statistics."""
        return self._correction.steps

    @callback
    def _async_see_to_steps(self) -> None:
        """Have accepted steps taken out of the statistics, and ask about those that wait."""
        self._accepted += len(self._guard.steps)
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
    def _async_see_to_overload(self) -> None:
        """Tell the user of more power than the option allows."""
        power = self._guard.overload
        if power == self._told_overload:
            return
        self._told_overload = power
        if power is None:
            async_clear_issue(self._hass, self._entry, Issue.OVERLOAD)
            return
        placeholders = self.overload_placeholders(power)
        async_raise_issue(self._hass, self._entry, Issue.OVERLOAD, placeholders, **placeholders)

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


def _name(key: Key) -> str:
    """Return what a register is called beside others of its meter."""
    return key.short if isinstance(key, Obis) and key.a == ELECTRICITY else str(key)


class _Store(Store[dict[str, Any]]):
    """What is remembered of one entry."""

    @override
    async def _async_migrate_func(
        self, old_major_version: int, old_minor_version: int, old_data: dict[str, Any]
    ) -> dict[str, Any]:
        """Bring marks of minor version 1 into the present form."""
        guard = old_data["guard"]
        multiplier = guard.pop("multiplier")
        for mark in guard["marks"].values():
            mark |= {
                "seen": mark["time"],
                "measured": None,
                "multiplier": multiplier,
                "most_per_hour": None,
                "is_approximate": False,
                "step": mark["step"] and [*mark["step"], mark["time"]],
            }
        return old_data


def _store(hass: HomeAssistant, entry_id: str) -> _Store:
    """Return an entry's memory, which is on the disk as soon as it is written."""
    key = f"{DOMAIN}.{entry_id}"
    return _Store(hass, _VERSION, key, minor_version=_MINOR_VERSION, atomic_writes=True)
