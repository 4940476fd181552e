"""The counter of an entry's impulses, and its total, which is kept over restarts."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
import logging
from time import monotonic_ns
from typing import Any, Final

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant, callback
from homeassistant.util import dt as dt_util

from ..const import CONF_MAX_POWER, DEFAULT_MAX_POWER
from ..meter import Key, Register
from ..meter.blink.counter import SOURCE_STATE, ImpulseCounter
from ..meter.blink.settings import Source
from ..meter.obis import ENERGY_EXPORT, ENERGY_IMPORT
from ..settings import BlinkEntrySettings
from ..totals import Moment, Proof, Step
from ..totals.last_rows import LastRow, async_last_rows
from ..totals.limits import fits, limited
from ..totals.moment import LONGEST
from ..totals.statistics_correction import SumCorrection
from ..totals.storage import Companion, Content, TotalsStorage

_LOGGER = logging.getLogger(__name__)

#: The code of the total: imported, exported.
_ENERGIES: Final = (ENERGY_IMPORT, ENERGY_EXPORT)
IMPULSES_TODAY: Final = "impulses_today"
_MINUTE: Final = 60 * 10**9
_MICROSECOND: Final = timedelta(microseconds=1)


def make_counter(settings: BlinkEntrySettings, options: Mapping[str, Any]) -> ImpulseCounter:
    """Return a counter with the settings of an impulse source; nothing is restored yet."""
    usual = settings.source.edges if isinstance(settings.source, Source) else 1
    return ImpulseCounter(
        settings.constant,
        edges=settings.edges or usual,
        max_power=options.get(CONF_MAX_POWER, DEFAULT_MAX_POWER),
        offset=settings.reading or Decimal(0),
    )


class ImpulseStatistics:
    """Registers that the counter alone does not have: of the day, and of the last impulse."""

    def __init__(self, counter: ImpulseCounter) -> None:
        """Take the counter before anything is restored."""
        self.counter = counter
        #: When the last impulse occurred (UTC).
        self.last: datetime | None = None
        self._last_at: int | None = None
        self._day: date | None = None
        #: The impulses at the beginning of the day.
        self._base = 0
        self._counted = 0

    @callback
    def async_update(self) -> None:
        """Take over what the counter has counted since the last update."""
        counter = self.counter
        if (day := dt_util.now().date()) != self._day:
            # Impulses since midnight are few, unless there was no update for long.
            self._day, self._base = day, self._counted
        self._counted = counter.impulses
        at = counter.power.last_at
        if at is not None and at != self._last_at:
            self._last_at = at
            ago = max(monotonic_ns() - at, 0) // 1000 * _MICROSECOND
            self.last = (dt_util.utcnow() - ago).replace(microsecond=0)

    def registers(self) -> dict[Key, Register]:
        """Return the registers of impulses other than energy and power."""
        power = self.counter.power.at(monotonic_ns())
        rate = None
        if power is not None:
            per_minute = power * _MINUTE / Decimal(int(self.counter.constant.nanoseconds_at(1)))
            rate = per_minute.quantize(Decimal("0.1"))
        values = {
            IMPULSES_TODAY: (self.counter.impulses - self._base, "imp"),
            "impulse_rate": (rate, "imp/min"),
            "last_impulse": (self.last, None),
        }
        return {
            key: Register(None, value, unit, address=key) for key, (value, unit) in values.items()
        }

    def as_dict(self) -> dict[str, Any]:
        """Return the state for the JSON storage."""
        return {
            "counter": self.counter.state(),
            "saved": dt_util.utcnow().isoformat(),
            "last": self.last and self.last.isoformat(),
            "day": self._day and self._day.isoformat(),
            "base": self._base,
        }

    def restore(self, stored: Mapping[str, Any]) -> None:
        """Restore what as_dict has returned."""
        away = Moment(datetime.fromisoformat(stored["saved"])).until(Moment.now())
        self.counter.restore(stored["counter"], monotonic_ns() - away // _MICROSECOND * 1000)
        self.last = stored["last"] and datetime.fromisoformat(stored["last"])
        self._day = stored["day"] and date.fromisoformat(stored["day"])
        self._base, self._counted = stored["base"], self.counter.impulses

    def continue_from(self, energy: Decimal) -> None:
        """Continue from this energy (kWh) instead of what was restored, which is out of date."""
        self.counter.continue_from(energy)
        # The sums may contain the impulses of the day already.
        self._day = None


class ImpulseTotals:
    """The total of counted impulses, which is stored before it is published.

    It has the interface of Totals, but no guard: impulses are counted by OneMeter itself.
    """

    def __init__(
        self,
        hass: HomeAssistant,
        entry: ConfigEntry,
        settings: BlinkEntrySettings,
        impulses: ImpulseStatistics,
    ) -> None:
        """Take the counter with its statistics; nothing is restored yet."""
        self._hass = hass
        self._entry = entry
        self._impulses = impulses
        self._max_power: int = entry.options.get(CONF_MAX_POWER, DEFAULT_MAX_POWER)
        self._storage = TotalsStorage(hass, entry, self._content)
        self._correction = SumCorrection(hass, str(entry.unique_id), self._storage.async_save_soon)
        #: The code of the total.
        self.energy = _ENERGIES[settings.export]
        #: The stored state of the source is valid only for the same source.
        self._source = [settings.source.value, settings.source_id]
        self._stored: tuple[int, Decimal, int] | None = None
        #: How many results of the companion there were.
        self._results = 0
        #: When the restored content was saved.
        self._restored: Moment | None = None

    def keep(self, companion: Companion) -> None:
        """Keep also what is calculated from the total; to be called before async_load."""
        self._storage.companion = companion

    async def async_load(self) -> None:
        """Restore the stored total, and compare it with the recorder."""
        await self._storage.async_restore(self._restore)
        rows = await async_last_rows(
            self._hass, self._entry, self._correction.steps, with_states=True
        )
        if (row := rows.get(self.energy)) is not None:
            self._reconcile(row)

    @callback
    def _restore(self, content: Content) -> None:
        counter = content["impulses"]["counter"]
        if content["source"] != self._source:
            counter = {key: value for key, value in counter.items() if key not in SOURCE_STATE}
        self._impulses.restore({**content["impulses"], "counter": counter})
        self._correction.restore(content["steps"])
        self._restored = Moment(datetime.fromisoformat(content["impulses"]["saved"]))

    def _content(self) -> dict[str, Any]:
        return {
            "steps": self._correction.as_list(),
            "source": self._source,
            "impulses": self._impulses.as_dict(),
        }

    def _reconcile(self, row: LastRow) -> None:
        """Continue from the recorder's total if the restored one is older or contradicts it."""
        known = list(row.amounts("kWh"))
        if not known or known[0] < 0 or any(self._follows(amount, row) for amount in known):
            return
        _LOGGER.warning(
            "The stored total of %s is lost or out of date; counting continues from %s kWh, "
            "which the recorder has",
            self._entry.title,
            f"{known[0].normalize():f}",
        )
        self._impulses.continue_from(known[0])

    def _follows(self, amount: Decimal, row: LastRow) -> bool:
        """Return whether the restored total equals that of a row, or can have followed it."""
        if (restored := self._restored) is None:
            return False
        if row.end > dt_util.utcnow():
            # It is unknown which is newer: the clock is behind now, or was ahead then.
            restored = Moment(row.start + LONGEST)
        counter = self._impulses.counter
        impulse = counter.constant.energy
        # The state of a sensor may be rounded, in another unit.
        slack = Decimal(impulse.numerator) / impulse.denominator / 2
        change = counter.energy - amount
        if abs(change) <= slack:
            return True
        most_per_hour = Decimal(self._max_power).scaleb(-3)
        time = Moment(row.start).until(restored)
        is_newer = restored.time >= row.end
        return is_newer and change > 0 and fits(change, most_per_hour, time, slack)

    @callback
    def async_review(
        self, registers: Mapping[Key, Register], _: Proof = Proof.CHECKSUM
    ) -> tuple[dict[Key, Register], frozenset[Key]]:
        """Return the registers without implausible power; the total is never withheld."""
        reviewed = {key: limited(key, it, self._max_power) for key, it in registers.items()}
        self._storage.async_save_soon()
        return reviewed, frozenset()

    @property
    def must_be_stored(self) -> bool:
        """Whether the total has changed since it was stored."""
        return self._total != self._stored

    @callback
    def async_must_store(self) -> None:
        """Store the companion before more is published."""
        self._results += 1

    async def async_store(self) -> bool:
        """Store the total before it is published; return whether it is stored."""
        if not self.must_be_stored:
            return True
        total = self._total
        if not await self._storage.async_save():
            return False
        self._stored = total
        # Home Assistant writes planned saves when it stops, which may be at any time.
        self._storage.async_save_soon()
        return True

    @property
    def _total(self) -> tuple[int, Decimal, int]:
        counter = self._impulses.counter
        return counter.impulses, counter.energy, self._results

    async def async_close(self) -> None:
        """Save the total, including impulses that were not published."""
        self._correction.async_stop()
        await self._storage.async_save()

    @callback
    def async_calibrate(self, reading: Decimal) -> Decimal:
        """Set the total to the meter's display (kWh); return the correction.

        The step is removed from the statistics. It is stored together with the new total, for which
        async_store must be called.
        """
        if off := self._impulses.counter.calibrate(reading):
            step = Step(self.energy, dt_util.utcnow(), off, "kWh")
            self._correction.async_add([step])
            self._storage.async_add_steps([step])
        return off
