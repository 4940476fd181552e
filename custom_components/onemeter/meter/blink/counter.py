"""What impulses add up to: their number, the energy, and all that has to outlive a restart."""

from collections.abc import Mapping
from decimal import Context, Decimal
from fractions import Fraction
from typing import Final, Self

from .constant import ImpulseConstant
from .counting import CountingSource
from .missed import MissedEstimate
from .power import ZERO_AFTER, Power

#: What may pass a meter at the most (W): 3 × 63 A × 230 V.
MAX_POWER: Final = 43_470
#: Impulses may follow each other a little faster than the maximum power would make them.
_SPACING: Final = Fraction(4, 5)
#: Most decimal places of energy that are shown; more has only energy that no decimal number is.
_DECIMALS: Final = 9
#: Any total that there can be fits, and no caller can change that.
_CONTEXT: Final = Context(prec=100)
#: What a state holds of a source that counts by itself.
_SOURCE: Final = ("total", "largest")
_SOURCE_CLOCK: Final = "source_clock"
SOURCE_STATE: Final = frozenset({_SOURCE_CLOCK, *(f"source_{name}" for name in _SOURCE)})


class ImpulseCounter:
    """Counts the impulses of a meter, for as long as there is one.

    Impulses come one by one (``impulse``), several at once (``add``), or as the total of something
    that counts by itself (``total``). Times are nanoseconds of a monotonic clock. Neither the
    number of impulses nor the energy ever goes down, but for ``calibrate``.
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
        """Begin with what the meter's display shows (kWh).

        ``edges`` is how often what is counted changes with each impulse, once or twice; the maximum
        power (W) tells how fast impulses can follow each other; ``zero_after`` is that of Power.
        """
        if edges not in (1, 2):
            raise ValueError("an impulse has one or two edges")
        self.constant = constant
        self.edges = edges
        #: The shortest time from one impulse to the next (ns).
        self.spacing = max(int(constant.nanoseconds_at(max_power) * _SPACING), 1)
        #: Impulses counted so far; a calibration does not change them.
        self.impulses = 0
        #: Impulses not counted, since they came faster than the maximum power allows: the meter's
        #: light, or what sees it, flashed twice.
        self.rejected = 0
        self.power = Power(constant, self.spacing, zero_after)
        self._missed = MissedEstimate()
        #: Edges of an impulse that is not complete.
        self._remainder = 0
        # The energy and the number of impulses at the last calibration.
        self._offset = _exact(offset)
        self._base = 0
        #: The earliest time at which the last impulse can have come.
        self._earliest: int | None = None
        self._last_interval = 0
        self._stopped: int | None = None
        self._source = CountingSource(self.spacing // edges or 1)
        #: The time stamp of the last impulse by the clock of a source that has its own (ms).
        self.source_clock: int | None = None

    @property
    def missed(self) -> int:
        """An estimate of how many impulses were not seen. They are not counted."""
        return self._missed.impulses

    @property
    def exact_energy(self) -> Fraction:
        """The energy, kWh."""
        return self._offset + (self.impulses - self._base) * self.constant.energy

    @property
    def energy(self) -> Decimal:
        """The energy, kWh: exact with up to nine decimals, else rounded down to nine."""
        decimals = max(_decimals(self._offset), _decimals(self.constant.energy))
        return _CONTEXT.scaleb(Decimal(int(self.exact_energy * 10**decimals)), -decimals)

    def impulse(self, at: int, late: int = 0) -> bool:
        """Take one edge, as add() does. Return whether it completed an impulse that counts."""
        return self.add(1, at, late) > 0

    def add(self, edges: int, at: int, late: int = 0) -> int:
        """Take edges that were seen at a time; return how many impulses they completed that count.

        They came then or earlier, by ``late`` at the most (ns). An impulse is rejected only if even
        so it must have come too soon after the one before.
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
        """Take what a source shows that counts edges by itself; return the impulses since the last.

        The first value is where counting begins. A source that wraps at 2^16 or 2^32, or that
        begins again, is followed; a rise that is more than the maximum power allows does not count.
        """
        impulses, self._remainder = divmod(
            self._remainder + self._source.passed(value, at), self.edges
        )
        if impulses:
            self._count(impulses, at, reported=True)
        return impulses

    def allow(self, duration: int) -> None:
        """Take that more time has passed since the last total than the clock shows (ns).

        The clock may have stood still while the machine slept.
        """
        self._source.allow(duration)

    def calibrate(self, reading: Decimal) -> Decimal:
        """Set the energy to what the meter's display shows (kWh); return by how much it was off.

        That is positive where the energy was too low. Raises ValueError below zero.
        """
        offset = _exact(reading)
        off = _CONTEXT.subtract(reading, self.energy)
        self._offset, self._base = offset, self.impulses
        return off

    def go_on_from(self, energy: Decimal) -> None:
        """Take that the state that was restored is out of date, and the energy (kWh) is this one.

        A source that counts by itself begins with what it shows next: what it has counted since
        that state is in the energy. Raises ValueError below zero.
        """
        self.calibrate(energy)
        self._remainder = 0
        self._source = CountingSource(self.spacing // self.edges or 1)

    def stop(self, at: int) -> None:
        """Take that nobody looks for impulses from a time on, until start()."""
        self._stopped = at

    def start(self, at: int) -> None:
        """Take that impulses are looked for again."""
        if self._stopped is not None:
            self.unseen(at - self._stopped)
            self._stopped = None

    def unseen(self, duration: int) -> None:
        """Take that impulses could not be seen for a while (ns).

        How many were missed is estimated by the last interval. What begins is a new series.
        """
        if self._last_interval:
            self._missed.impulses += duration // self._last_interval
        self._missed.restart()
        self.power.restart()

    def state(self) -> dict[str, int | str]:
        """Return all that must survive a restart, ready for JSON."""
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
        """Go on from a state, maybe with another constant, which holds from now on.

        ``stored_at`` is when that state was, by the present clock, so mostly a time before its
        beginning: the most that a source which counts by itself can have counted since then follows
        from it. Raises ValueError for what is no state.
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
        """Return a counter that goes on from a state, as restore() does."""
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
        """Return how many of these impulses can have come, one after the other."""
        earliest = at - late
        if self._earliest is not None:
            earliest = max(earliest, self._earliest + self.spacing)
        accepted = min(impulses, (at - earliest) // self.spacing + 1)
        if accepted > 0:
            self._earliest = earliest + (accepted - 1) * self.spacing
        return max(accepted, 0)

    def _count(self, impulses: int, at: int, *, reported: bool = False) -> int | None:
        """Add impulses; return the mean time between them, where it is known."""
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
    """Return how many decimals a number has that are to be shown."""
    for decimals in range(_DECIMALS):
        if 10**decimals % energy.denominator == 0:
            return decimals
    return _DECIMALS
