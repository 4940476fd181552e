"""The power in a gap."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from custom_components.onemeter.history.power import EXPORTED, IMPORTED, power_in
from custom_components.onemeter.history.samples import HOUR, Gap, Sample
from custom_components.onemeter.history.series import Anchor, Boundary, Kind, Series
from custom_components.onemeter.meter import Key

BEGIN = datetime(2026, 11, 2, 10, tzinfo=UTC)
QUARTER = timedelta(minutes=15)


def series(per_quarter: str) -> Series:
    """Return a register that rises by so much, in kWh."""
    run = tuple(
        Boundary(BEGIN + number * QUARTER, number * Decimal(per_quarter), Anchor.BOTH)
        for number in range(13)
    )
    return Series(Kind.REGISTER, (run,), is_fine=True)


def test_each_sensor_of_power_has_that_of_its_totals() -> None:
    first = Sample(BEGIN + 3 * HOUR, Decimal(4))
    gap = Gap(IMPORTED, "kWh", (Sample(BEGIN, Decimal(0)),), (first,), QUARTER)
    totals: dict[Key, Series] = {IMPORTED: series("0.5"), EXPORTED: series("0.125")}
    powers = power_in(gap, totals, [IMPORTED, EXPORTED], QUARTER)
    means = {name: {hour.mean for hour in hours} for name, hours in powers.items()}
    net = {Decimal(1500)}
    assert means == {
        "1-0:1.7.0*255": {Decimal(2000)},
        "1-0:2.7.0*255": {Decimal(500)},
        "1-0:16.7.0*255": net,
        "power": net,
        "net_power": net,
        "derived_power": net,
    }
