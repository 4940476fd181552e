"""Meters on the M-Bus of a meter."""

from itertools import pairwise

import pytest

from simulator.dlms import DlmsMeter, MbusMeter, axdr, times
from simulator.dlms.session import Session
from tests.helpers.dlms_probe import get

from .test_session import NOON, associated, respond

HOUR = NOON - NOON % 3600


@pytest.fixture
def meter() -> DlmsMeter:
    gas = MbusMeter(number="00004711", manufacturer="KAM")
    free = MbusMeter(channel=2, number="", manufacturer="", device_type=0)
    return DlmsMeter(clock=lambda: NOON, mbus=(gas, free), max_pdu=0xFFFF)


def read(session: Session, class_id: int, code: str, attribute: int) -> axdr.Data:
    answer = respond(session, get(class_id, code, attribute))
    assert answer[3] == 0, answer.hex()
    return axdr.Reader(answer[4:]).value()


async def test_clients(meter: DlmsMeter) -> None:
    """Numbers are packed BCD, letters have five bits each (EN 13757-3)."""
    session = associated(meter)
    for channel, expected in ((1, [0x4711, 0x2C2D, 3]), (2, [0, 0, 0])):
        code = f"0-{channel}:24.1.0*255"
        assert [read(session, 72, code, number) for number in (6, 7, 9)] == expected
    assert "0-2:24.2.1*255" not in meter.objects


async def test_total_and_profile(meter: DlmsMeter) -> None:
    [gas, _] = meter.mbus
    session = associated(meter)
    assert read(session, 4, gas.total_code, 2) == gas.captured("", HOUR)
    assert read(session, 4, gas.total_code, 3) == [-3, 13]
    assert read(session, 4, gas.total_code, 5) == times.encode(HOUR)
    rows = read(session, 7, gas.profile_code, 2)
    assert isinstance(rows, list)
    assert len(rows) == gas.days * 24
    assert rows[-2:] == [
        [times.encode(end), 0, gas.captured("", end)] for end in (HOUR - 3600, HOUR)
    ]
    assert read(session, 7, gas.profile_code, 4) == 3600


def test_totals_rise_each_hour() -> None:
    gas = MbusMeter()
    values = [gas.captured("", HOUR + 3600 * hour) for hour in range(1000)]
    assert all(40 < later - earlier < 234 for earlier, later in pairwise(values))
