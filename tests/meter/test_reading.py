import pytest

from custom_components.onemeter.meter.obis import Obis
from custom_components.onemeter.meter.reading import Identity, Reading, Register

TOTAL = Obis.parse("1-0:1.8.0")
POWER = Obis.parse("1-0:16.7.0")


def reading(*registers: Register) -> Reading:
    return Reading(Identity(), None, registers, b"")


def test_get_returns_the_first_current_value() -> None:
    telegram = reading(
        Register(None, "text", address="1.6.0,5"),
        Register(TOTAL, "21-05-01", group=1),
        Register(TOTAL, 1),
        Register(TOTAL, 2),
    )
    assert telegram.get(TOTAL) == Register(TOTAL, 1)
    assert telegram.get(POWER) is None


@pytest.mark.parametrize(
    ("identity", "unique_id", "name"),
    [
        (Identity(), None, None),
        (
            Identity("0a01545354000000000007", "TST", device_id="1TST0000000007"),
            "1TST0000000007",
            "1 TST00 0000 0007",
        ),
        (Identity("31303031"), "31303031", "31303031"),
        (Identity(" 1 tst 7 "), "1TST7", " 1 tst 7 "),
        (Identity("  "), None, "  "),
    ],
)
def test_identity(identity: Identity, unique_id: str | None, name: str | None) -> None:
    assert identity.unique_id == unique_id
    assert identity.name == name
