"""Helpers for tests of what is billed: the samples of a meter in whole Wh."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
import json

from custom_components.onemeter.billing.balance import Balance
from custom_components.onemeter.billing.peaks import Peaks
from custom_components.onemeter.billing.sample import Sample

#: A boundary of all periods, in zones with any offset of quarter hours.
START = datetime(2026, 11, 2, 10, tzinfo=UTC)


def sample(seconds: float, watt_hours: int) -> Sample:
    """Return a sample so many seconds after the start."""
    time = START + timedelta(seconds=seconds)
    return Sample(time, Decimal(watt_hours).scaleb(-3), ("1.8.0",), ("2.8.0",))


def watt_hours(energy: Decimal) -> int:
    """Return energy in whole Wh; fail if it is not whole."""
    result = energy.scaleb(3)
    assert result == int(result)
    return int(result)


def restarted[M: (Balance, Peaks)](machine: M, content: str) -> M:
    """Return a machine with the same options, as it is restored from a file."""
    if isinstance(machine, Balance):
        again = Balance(machine.periods)
    else:
        again = Peaks(machine.periods, machine.hours, machine.days)
    again.restore(json.loads(content))
    return again


def stored(machine: Balance | Peaks) -> str:
    """Return the content of the file."""
    return json.dumps(machine.as_dict())
