"""The totals of a meter's registers: reviewed, stored, and corrected in the statistics."""

from collections.abc import Mapping, MutableMapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant, callback

from ..access.issues import Issue, async_clear_issue, async_raise_issue
from ..access.numbers import async_number_text
from ..const import (
    CONF_MAX_POWER,
    CONF_MULTIPLIER,
    DEFAULT_MAX_POWER,
    DEFAULT_MULTIPLIER,
)
from ..meter import Key, Obis, Register
from ..meter.obis import ELECTRICITY
from .guard import Proof, TotalsGuard
from .last_rows import async_last_rows
from .moment import Moment
from .statistics_correction import SumCorrection
from .storage import Companion, Content, TotalsStorage
from .total import Total


class Totals:
    """Reviews the totals of each telegram, stores them, and raises repairs."""

    def __init__(self, hass: HomeAssistant, entry: ConfigEntry) -> None:
        """Create it empty; async_load must be called before the first review."""
        self._hass = hass
        self._entry = entry
        self._guard = TotalsGuard(
            entry.options.get(CONF_MAX_POWER, DEFAULT_MAX_POWER),
            Decimal(entry.options.get(CONF_MULTIPLIER, DEFAULT_MULTIPLIER)),
        )
        self._storage = TotalsStorage(hass, entry, self._content)
        self._correction = SumCorrection(hass, str(entry.unique_id), self._storage.async_save_soon)
        #: How many first totals, steps and results of the companion there were, and how many of
        #: these are stored.
        self._accepted = self._stored = 0
        self._reported_jumps: Mapping[Key, object] = {}
        self._reported_overload: int | None = None

    def keep(self, companion: Companion) -> None:
        """Keep also what is calculated from the totals; to be called before async_load."""
        self._storage.companion = companion

    async def async_load(self) -> None:
        """Restore the stored totals, and read the statistics."""
        async_clear_issue(self._hass, self._entry, Issue.OVERLOAD)
        await self._storage.async_restore(self._restore)
        self._guard.rows = await async_last_rows(self._hass, self._entry, self._correction.steps)
        self._async_handle_steps()

    @callback
    def _restore(self, content: Content) -> None:
        self._guard.restore(content["guard"])
        self._correction.restore(content["steps"])

    def _content(self) -> dict[str, Any]:
        return {"guard": self._guard.as_dict(), "steps": self._correction.as_list()}

    async def async_close(self) -> None:
        """Save what is not saved yet, and stop the correction of the statistics."""
        self._correction.async_stop()
        await self._storage.async_save_planned()

    @callback
    def async_examine(self, key: Key, registers: Mapping[Key, Register]) -> None:
        """Look up what a review needs of a register, which takes a while the first time."""
        self._guard.examine(key, registers)

    @callback
    def async_review(
        self, registers: Mapping[Key, Register], proof: Proof = Proof.CHECKSUM
    ) -> tuple[dict[Key, Register], frozenset[Key]]:
        """Return the registers of a telegram as they may be published, and the withheld totals.

        These have their last accepted values; power that is implausible has none.
        """
        reviewed = dict(registers)
        count = self._guard.count
        withheld, is_changed = self._guard.review(reviewed, Moment.now(), proof)
        self._accepted += self._guard.count - count
        if is_changed:
            self._async_handle_steps()
        # Without a change, the time of the last telegram is still new.
        self._storage.async_save_soon()
        if withheld or self._reported_overload is not None:
            self._async_report_overload()
        return reviewed, withheld

    @callback
    def async_accept(self, registers: MutableMapping[Key, Register]) -> None:
        """Continue from the totals that have jumped, with the user's consent."""
        for key, total in self._guard.accept(Moment.now()).items():
            if key in registers:
                registers[key] = replace(registers[key], value=total.value, unit=total.unit)
        self._async_handle_steps()

    def is_corrected(self, key: Key) -> bool:
        """Return whether no accepted step of a total is left in its statistics."""
        return all(step.key != key for step in self._correction.steps)

    @property
    def must_be_stored(self) -> bool:
        """Whether the totals must be stored before more is published."""
        return self._stored != self._accepted

    @callback
    def async_must_store(self) -> None:
        """Store the companion before more is published."""
        self._accepted += 1

    async def async_store(self) -> bool:
        """Store what must be stored before it is published; return whether it is stored."""
        if self.must_be_stored:
            accepted = self._accepted
            if not await self._storage.async_save():
                return False
            self._stored = accepted
        return True

    @property
    def jumped(self) -> Mapping[Key, tuple[Total, Total]]:
        """The totals that wait for the user's consent: last accepted and newest value."""
        return self._guard.jumped

    def jumped_placeholders(self) -> dict[str, str]:
        """Return the placeholders of the repair for totals that wait for consent."""
        lines = []
        for key, (last, newest) in self.jumped.items():
            before, after = (async_number_text(self._hass, it.amount) for it in (last, newest))
            lines.append(f"- {_name(key)}: {before} → {after} {newest.amount_unit or ''}".rstrip())
        return {"totals": "\n".join(lines)}

    @property
    def overload(self) -> int | None:
        """The lowest maximum power (W) that would accept all totals; None without an overload."""
        return self._guard.overload

    def overload_placeholders(self, power: int) -> dict[str, str]:
        """Return the placeholders of the repair for an overload that needs this power (W)."""
        return {"max_power": str(self._guard.max_power), "power": str(power)}

    @callback
    def _async_handle_steps(self) -> None:
        """Start to correct the statistics for accepted steps, and report those that wait."""
        self._accepted += len(self._guard.steps)
        self._storage.async_add_steps(self._guard.steps)
        self._correction.async_add(self._guard.steps)
        self._guard.steps.clear()
        jumped = self._guard.jumped
        if jumped.keys() == self._reported_jumps.keys():
            return
        self._reported_jumps = jumped
        if not jumped:
            async_clear_issue(self._hass, self._entry, Issue.TOTALS_JUMPED)
            return
        async_raise_issue(self._hass, self._entry, Issue.TOTALS_JUMPED, self.jumped_placeholders())

    @callback
    def _async_report_overload(self) -> None:
        power = self._guard.overload
        if power == self._reported_overload:
            return
        self._reported_overload = power
        if power is None:
            async_clear_issue(self._hass, self._entry, Issue.OVERLOAD)
            return
        placeholders = self.overload_placeholders(power)
        async_raise_issue(self._hass, self._entry, Issue.OVERLOAD, placeholders, **placeholders)


def _name(key: Key) -> str:
    """Return the short code of an electricity register, and the full key of any other."""
    return key.short if isinstance(key, Obis) and key.a == ELECTRICITY else str(key)
