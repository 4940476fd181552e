"""The counter of impulses: their number, the energy, and the state that outlives a restart."""

from collections.abc import Mapping
from decimal import Context, Decimal
from fractions import Fraction
from typing import Final, Self

from .constant import ImpulseConstant
from .counting import CountingSource
from .missed import MissedEstimate
from .power import ZERO_AFTER, Power

#: Default of the maximum power (W): 3 × 63 A × 230 V, a large house connection.
MAX_POWER: Final = 43_470
#: Impulses may be closer than at the maximum power, by this factor: meters are not exact.
_SPACING: Final = Fraction(4, 5)
#: Decimal places of energy at most; only energy that is no decimal number would have more.
_DECIMALS: Final = 9
#: A context of its own, so that the precision is not that of the caller: any total fits.
_CONTEXT: Final = Context(prec=100)
#: Keys of a state for a source that counts itself.
_SOURCE: Final = ("total", "largest")
_SOURCE_CLOCK: Final = "source_clock"
SOURCE_STATE: Final = frozenset({_SOURCE_CLOCK, *(f"source_{name}" for name in _SOURCE)})


class ImpulseCounter:
    """Counts the impulses of a meter.

    Impulses are added one by one (``impulse``), several at once (``add``), or as the total of a
    source that counts itself (``total``). Times are nanoseconds of a monotonic clock. The number
    of impulses never decreases; the energy only by ``calibrate``.
    """

    def __init__(
        self,
        constant: ImpulseConstant,
        *,
        edges: int = 1,
        max_power: int = MAX_POWER,
        zero_after: int | None = ZERO_AFTER,
        offset: Decimal = Decimal(0),
    ) -> None:
        """Begin with a reading of the meter's display, ``offset`` (kWh).

        ``edges`` (1 or 2) is the number of edges that are counted for each impulse; ``max_power``
        (W) determines the shortest interval of impulses; ``zero_after`` is that of Power.
        """
        if edges not in (1, 2):
            raise ValueError("an impulse has one or two edges")
        self.constant = constant
        self.edges = edges
        #: The shortest time from one impulse to the next (ns).
        self.spacing = max(int(constant.nanoseconds_at(max_power) * _SPACING), 1)
        #: Impulses counted so far; a calibration does not change them.
        self.impulses = 0
        #: Impulses not counted, since they came faster than at the maximum power: the LED, or its
        #: detector, flickered.
        self.rejected = 0
        self.power = Power(constant, self.spacing, zero_after)
        self._missed = MissedEstimate()
        #: Edges of an incomplete impulse.
        self._remainder = 0
        #: The energy (kWh) and the number of impulses at the last calibration.
        self._offset = _exact(offset)
        self._base = 0
        #: The earliest possible time of the last impulse (ns).
        self._earliest: int | None = None
        self._last_interval = 0
        self._stopped: int | None = None
        self._source = CountingSource(self.spacing // edges or 1)
        #: The time stamp of the last impulse by the source's own clock, if it has one (ms).
        self.source_clock: int | None = None

    @property
    def missed(self) -> int:
        """The estimated number of impulses that were missed; they are not counted."""
        return self._missed.impulses

    @property
    def exact_energy(self) -> Fraction:
        """The exact energy (kWh)."""
        return self._offset + (self.impulses - self._base) * self.constant.energy

    @property
    def energy(self) -> Decimal:
        """The energy (kWh): exact with up to nine decimals, otherwise rounded down to nine."""
        decimals = max(_decimals(self._offset), _decimals(self.constant.energy))
        return _CONTEXT.scaleb(Decimal(int(self.exact_energy * 10**decimals)), -decimals)

    def impulse(self, at: int, late: int = 0) -> bool:
        """Add one edge, as add() does; return whether it completed an impulse that counts."""
        return self.add(1, at, late) > 0

    def add(self, edges: int, at: int, late: int = 0) -> int:
        """Add edges seen at a time (ns); return the number of impulses that count.

        ``late`` (ns) is how much earlier they may have come. An impulse is rejected only if it must
        have come too soon after the one before all the same.
        """
        impulses, self._remainder = divmod(self._remainder + edges, self.edges)
        if not impulses:
            return 0
        accepted = self._accept(impulses, at, late)
        self.rejected += impulses - accepted
        if accepted:
            interval = self._count(accepted, at)
            if interval is None or accepted > 1:
                self._missed.restart()
            else:
                self._missed.add(interval)
        return accepted

    def total(self, value: int, at: int) -> int:
        """Add the total of a source that counts edges itself; return the impulses since the last.

        Counting begins at the first total. A source may wrap at 2^16 or 2^32, or restart; a rise
        above the maximum power does not count.
        """
        impulses, self._remainder = divmod(
            self._remainder + self._source.passed(value, at), self.edges
        )
        if impulses:
            self._count(impulses, at, reported=True)
        return impulses

    def add_elapsed(self, duration: int) -> None:
        """Add time (ns) since the last total during which the clock stood still.

        The monotonic clock may stand still while the machine sleeps.
        """
        self._source.add_elapsed(duration)

    def calibrate(self, reading: Decimal) -> Decimal:
        """Set the energy to a reading of the meter's display (kWh); return the difference.

        It is positive if the energy was too low. Raises ValueError below zero.
        """
        offset = _exact(reading)
        off = _CONTEXT.subtract(reading, self.energy)
        self._offset, self._base = offset, self.impulses
        return off

    def continue_from(self, energy: Decimal) -> None:
        """Replace the energy (kWh) of a restored state that is out of date.

        A source that counts itself begins with its next total: what it has counted since that
        state is included in the energy. Raises ValueError below zero.
        """
        self.calibrate(energy)
        self._remainder = 0
        self._source = CountingSource(self.spacing // self.edges or 1)

    def stop(self, at: int) -> None:
        """Note that impulses are not observed from a time on (ns), until start()."""
        self._stopped = at

    def start(self, at: int) -> None:
        """Note that impulses are observed again from a time on (ns)."""
        if self._stopped is not None:
            self.add_unobserved(at - self._stopped)
            self._stopped = None

    def add_unobserved(self, duration: int) -> None:
        """Note that impulses were not observed for a time (ns).

        The number of missed impulses is estimated from the last interval. A new series begins.
        """
        if self._last_interval:
            self._missed.impulses += duration // self._last_interval
        self._missed.restart()
        self.power.restart()

    def state(self) -> dict[str, int | str]:
        """Return what must survive a restart, as values that JSON has."""
        state: dict[str, int | str] = {
            "impulses": self.impulses,
            "remainder": self._remainder,
            "edges": self.edges,
            "rejected": self.rejected,
            "missed": self.missed,
            "interval": self._last_interval,
            "energy": str(self.exact_energy),
            "constant": str(self.constant.energy),
            "offset": str(self._offset),
            "base": self._base,
        }
        if (source := self._source.state) is not None:
            state |= {f"source_{name}": number for name, number in source.items()}
        if self.source_clock is not None:
            state[_SOURCE_CLOCK] = self.source_clock
        return state

    def restore(self, state: Mapping[str, int | str], stored_at: int) -> None:
        """Continue from a state; the impulse constant may have changed since.

        ``stored_at`` is the time of the state by the present clock (ns), so it may be negative. It
        limits what a source that counts itself can have counted since then. Raises ValueError for
        an invalid state.
        """
        try:
            self._restore(state, stored_at)
        except (ArithmeticError, KeyError, TypeError) as err:
            raise ValueError("not the state of a counter") from err

    @classmethod
    def restored(
        cls,
        state: Mapping[str, int | str],
        constant: ImpulseConstant,
        *,
        stored_at: int,
        edges: int = 1,
        max_power: int = MAX_POWER,
        zero_after: int | None = ZERO_AFTER,
    ) -> Self:
        """Return a counter that continues from a state, as restore() does."""
        counter = cls(constant, edges=edges, max_power=max_power, zero_after=zero_after)
        counter.restore(state, stored_at)
        return counter

    def _restore(self, state: Mapping[str, int | str], stored_at: int) -> None:
        self.impulses = int(state["impulses"])
        self.rejected = int(state["rejected"])
        self._missed = MissedEstimate(int(state["missed"]))
        self._last_interval = int(state["interval"])
        if int(state["edges"]) == self.edges:
            self._remainder = int(state["remainder"])
        if Fraction(state["constant"]) == self.constant.energy:
            self._offset, self._base = Fraction(state["offset"]), int(state["base"])
        else:
            self._offset, self._base = Fraction(state["energy"]), self.impulses
        if "source_total" in state:
            source = {name: int(state[f"source_{name}"]) for name in _SOURCE}
            self._source = CountingSource(self.spacing // self.edges or 1, source, stored_at)
        if _SOURCE_CLOCK in state:
            self.source_clock = int(state[_SOURCE_CLOCK])

    def _accept(self, impulses: int, at: int, late: int) -> int:
        """Return how many of these impulses are possible in the time since the last one."""
        earliest = at - late
        if self._earliest is not None:
            earliest = max(earliest, self._earliest + self.spacing)
        accepted = min(impulses, (at - earliest) // self.spacing + 1)
        if accepted > 0:
            self._earliest = earliest + (accepted - 1) * self.spacing
        return max(accepted, 0)

    def _count(self, impulses: int, at: int, *, reported: bool = False) -> int | None:
        """Add impulses; return the mean interval since the last one, if there was one."""
        self.impulses += impulses
        before = self.power.last_at
        self.power.add(impulses, at, reported=reported)
        if before is None:
            return None
        self._last_interval = max(at - before, 0) // impulses
        return self._last_interval


def _exact(energy: Decimal) -> Fraction:
    if not energy.is_finite() or energy < 0:
        raise ValueError("not a reading of a meter")
    return Fraction(energy)


def _decimals(energy: Fraction) -> int:
    """Return the decimal places of a number, at most _DECIMALS."""
    for decimals in range(_DECIMALS):
        if 10**decimals % energy.denominator == 0:
            return decimals
    return _DECIMALS
