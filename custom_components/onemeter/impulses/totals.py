"""What counts the impulses of an entry, and what it remembers of them over restarts."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
import logging
from time import monotonic_ns
from typing import Any, Final, override

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant, callback
from homeassistant.util import dt as dt_util

from ..const import CONF_MAX_POWER, DEFAULT_MAX_POWER
from ..meter import Key, Register
from ..meter.blink.counter import SOURCE_STATE, ImpulseCounter
from ..meter.blink.settings import Source
from ..meter.obis import ENERGY_EXPORT, ENERGY_IMPORT
from ..settings import BlinkEntrySettings
from ..totals import Moment, Step, Totals
from ..totals.last_rows import LastRow
from ..totals.limits import fits
from ..totals.moment import LONGEST

_LOGGER = logging.getLogger(__name__)

#: What the impulses of a meter are called, imported and exported.
_ENERGIES: Final = (ENERGY_IMPORT, ENERGY_EXPORT)
IMPULSES_TODAY: Final = "impulses_today"
_MINUTE: Final = 60 * 10**9
_MICROSECOND: Final = timedelta(microseconds=1)


def make_counter(settings: BlinkEntrySettings, options: Mapping[str, Any]) -> ImpulseCounter:
    """Make what counts, before anything is restored."""
    usual = settings.source.edges if isinstance(settings.source, Source) else 1
    return ImpulseCounter(
        settings.constant,
        edges=settings.edges or usual,
        max_power=options.get(CONF_MAX_POWER, DEFAULT_MAX_POWER),
        offset=settings.reading or Decimal(0),
    )


class ImpulseStatistics:
    """What a counter alone does not know: the day, and the time of the last impulse."""

    def __init__(self, counter: ImpulseCounter) -> None:
        """Begin with a counter that knows nothing yet."""
        self.counter = counter
        #: When the last impulse came (UTC).
        self.last: datetime | None = None
        self._last_at: int | None = None
        self._day: date | None = None
        #: The impulses at the beginning of the day.
        self._base = 0
        self._counted = 0

    @callback
    def async_note(self) -> None:
        """Notice what the counter has counted since this was called last."""
        counter = self.counter
        if (day := dt_util.now().date()) != self._day:
            # Impulses since midnight are few; they are of the day before only if nobody looked.
            self._day, self._base = day, self._counted
        self._counted = counter.impulses
        at = counter.power.last_at
        if at is not None and at != self._last_at:
            self._last_at = at
            ago = max(monotonic_ns() - at, 0) // 1000 * _MICROSECOND
            self.last = (dt_util.utcnow() - ago).replace(microsecond=0)

    def registers(self) -> dict[Key, Register]:
        """Return what is told of impulses besides energy and power."""
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
        """Return what must survive a restart, ready for JSON."""
        return {
            "counter": self.counter.state(),
            "saved": dt_util.utcnow().isoformat(),
            "last": self.last and self.last.isoformat(),
            "day": self._day and self._day.isoformat(),
            "base": self._base,
        }

    def restore(self, memory: Mapping[str, Any]) -> None:
        """Go on from what as_dict() has returned."""
        away = Moment(datetime.fromisoformat(memory["saved"])).until(Moment.now())
        self.counter.restore(memory["counter"], monotonic_ns() - away // _MICROSECOND * 1000)
        self.last = memory["last"] and datetime.fromisoformat(memory["last"])
        self._day = memory["day"] and date.fromisoformat(memory["day"])
        self._base, self._counted = memory["base"], self.counter.impulses

    def go_on_from(self, energy: Decimal) -> None:
        """Take that what was restored is out of date, and the energy (kWh) is this one."""
        self.counter.go_on_from(energy)
        # Its impulses may be in the sums already.
        self._day = None


class ImpulseTotals(Totals):
    """The total of impulses, which needs no judge, and is stored before it is published."""

    _counts_states = True

    def __init__(
        self,
        hass: HomeAssistant,
        entry: ConfigEntry,
        settings: BlinkEntrySettings,
        tally: ImpulseStatistics,
    ) -> None:
        """Take what counts."""
        super().__init__(hass, entry, lambda *_: None)
        self._tally = tally
        #: What the total is known by.
        self.energy = _ENERGIES[settings.export]
        #: What counts by itself is another thing where this has changed.
        self._source = [settings.source.value, settings.source_id]
        self._stored: tuple[int, Decimal] | None = None
        #: When what was restored was written.
        self._restored: Moment | None = None

    @callback
    @override
    def _restore(self, memory: Mapping[str, Any]) -> None:
        counter = memory["impulses"]["counter"]
        if memory["source"] != self._source:
            counter = {key: value for key, value in counter.items() if key not in SOURCE_STATE}
        self._tally.restore({**memory["impulses"], "counter": counter})
        super()._restore(memory)
        self._restored = Moment(datetime.fromisoformat(memory["impulses"]["saved"]))

    @callback
    @override
    def _async_compare(self, rows: dict[Key, LastRow]) -> None:
        """Go on from what the recorder has, where what was restored is older or does not fit."""
        if (row := rows.get(self.energy)) is None:
            return
        known = list(row.amounts("kWh"))
        if not known or known[0] < 0 or any(self._follows(amount, row) for amount in known):
            return
        _LOGGER.warning(
            "What was remembered of %s is lost or out of date; its total goes on from %s kWh, "
            "which the recorder has",
            self._entry.title,
            f"{known[0].normalize():f}",
        )
        self._tally.go_on_from(known[0])

    def _follows(self, amount: Decimal, row: LastRow) -> bool:
        """Tell whether what was restored is what a row has, or can have followed from it."""
        if (restored := self._restored) is None:
            return False
        if row.end > dt_util.utcnow():
            # Nobody knows which is newer: the clock is behind now, or was ahead then.
            restored = Moment(row.start + LONGEST)
        counter = self._tally.counter
        impulse = counter.constant.energy
        # What a sensor shows may be rounded, in another unit.
        slack = Decimal(impulse.numerator) / impulse.denominator / 2
        change = counter.energy - amount
        if abs(change) <= slack:
            return True
        most_per_hour = Decimal(self._guard.max_power).scaleb(-3)
        time = Moment(row.start).until(restored)
        is_newer = restored.time >= row.end
        return is_newer and change > 0 and fits(change, most_per_hour, time, slack)

    @property
    @override
    def must_be_stored(self) -> bool:
        return self._total != self._stored or super().must_be_stored

    @override
    async def async_store(self) -> bool:
        if not self.must_be_stored:
            return True
        total = self._total
        if not await self.async_save():
            return False
        self._stored = total
        # Nobody knows when Home Assistant ends, but then it writes what is to be written soon.
        self._async_save_soon()
        return True

    @property
    def _total(self) -> tuple[int, Decimal]:
        counter = self._tally.counter
        return counter.impulses, counter.energy

    @override
    async def async_close(self) -> None:
        """Write down also what nobody was told of."""
        self._save_due = True
        await super().async_close()

    @callback
    def async_calibrate(self, reading: Decimal) -> Decimal:
        """Set the energy to what the meter shows (kWh); return by how much it was off.

        The step is taken out of the statistics. It is written down together with the new total,
        which is to be stored after this.
        """
        if off := self._tally.counter.calibrate(reading):
            step = Step(self.energy, dt_util.utcnow(), off, "kWh")
            self._correction.async_add([step])
        return off

    @override
    def _memory(self) -> dict[str, Any]:
        return super()._memory() | {"source": self._source, "impulses": self._tally.as_dict()}
