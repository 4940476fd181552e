"""A totals guard, with telegrams and clocks that the test sets."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
import json

from custom_components.onemeter.meter import Key, Obis, Register, Value
from custom_components.onemeter.totals import Moment, Proof, Step, Total
from custom_components.onemeter.totals.guard import Review, TotalsGuard

IMPORT = Obis.parse("1-0:1.8.0")
TARIFF = Obis.parse("1-0:1.8.1")
NET = Obis.parse("1-0:16.8.0")
POWER = Obis.parse("1-0:16.7.0")
START = datetime(2026, 11, 23, 12, tzinfo=UTC)
#: 36 kW is 10 Wh per second.
MAX_POWER = 36_000


class Meter:
    """A totals guard, and clocks that advance with each telegram."""

    def __init__(self, multiplier: str = "1", proof: Proof = Proof.CHECKSUM) -> None:
        self.now = Moment(START, 0)
        self.proof = proof
        self.guard = self._new(multiplier)
        self.steps: list[Step] = []

    @staticmethod
    def _new(multiplier: str) -> TotalsGuard:
        return TotalsGuard(MAX_POWER, Decimal(multiplier))

    def tell(
        self, value: Value, after: float = 0, obis: Key = IMPORT, unit: str | None = "Wh"
    ) -> Value:
        """Send a telegram some seconds after the last one; return the value after the guard."""
        self.pass_time(after)
        if isinstance(value, str):
            value = Decimal(value)
        registers: dict[Key, Register] = {
            obis: Register(obis if isinstance(obis, Obis) else None, value, unit)
        }
        self.review(registers)
        return registers[obis].value

    def review(self, registers: dict[Key, Register]) -> Review:
        return self.guard.review(registers, self.now, self.proof)

    def pass_time(self, seconds: float, *, steady: bool = True) -> None:
        """Advance the clocks; the steady one only if the machine is not suspended."""
        assert self.now.steady is not None
        self.now = Moment(
            self.now.time + timedelta(seconds=seconds),
            self.now.steady + round(seconds * 10**9) * steady,
        )

    def set_clock(self, by: float) -> None:
        """Set the system clock forward or back."""
        self.pass_time(by, steady=False)

    def restart(self, after: float = 0, multiplier: str = "1") -> None:
        """Restart Home Assistant with the stored data; its clock may be wrong after that."""
        memory = json.loads(json.dumps(self.guard.as_dict()))
        self.collect()
        self.set_clock(after)
        self.guard = self._new(multiplier)
        self.guard.restore(memory)

    def start_over(self) -> None:
        """Replace the meter by another one."""
        memory = self.guard.as_dict()
        for mark in memory["marks"].values():
            mark["start_over"] = True
        self.guard.restore(memory)

    def collect(self) -> None:
        self.steps += self.guard.steps
        self.guard.steps.clear()

    @property
    def jumped(self) -> dict[Key, tuple[Total, Total]]:
        return self.guard.jumped
