"""Requests for load profiles, and what meters answer that know one form of them only."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from hypothesis import given, settings, strategies as st
import pytest

from custom_components.onemeter.meter.errors import RefusedError, TelegramError
from custom_components.onemeter.meter.iec62056.profile import decode_profile
from custom_components.onemeter.meter.iec62056.profile_request import FORMS, ProfileForm
from custom_components.onemeter.meter.iec62056.programming import has_no_entries
from simulator.iec62056 import Memory, ProfileRequest
from simulator.iec62056.profile import parse_span

from ...helpers.lines import client_at, meter, plugged_in

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 2, 12)  # noqa: DTZ001  as the meter's clock counts
QUARTER = timedelta(minutes=15)


@pytest.mark.parametrize("form", ProfileRequest)
async def test_meter_that_understands_one_form(form: ProfileRequest) -> None:
    memory = Memory(channels=("1.8.0",), dated_rows=form is ProfileRequest.R2_DATES)
    simulated = meter(
        start_baudrate=9600,
        memory=memory,
        profile_requests=(form,),
        clock=lambda: NOW.replace(tzinfo=BERLIN).timestamp(),
    )
    start = NOW - timedelta(hours=6)
    async with plugged_in(simulated) as line:
        client = client_at(line, 9600)
        rows = await client.read_profile(start, NOW, BERLIN)
        asked = simulated.count("command")
        # Now the form is known, also after a restart.
        later = client_at(line, 9600)
        later.restore(client.findings())
        assert await later.read_profile(start, NOW, BERLIN) == rows
        assert simulated.count("command") == asked + 1
    assert [row.end - start for row in rows] == [number * QUARTER for number in range(1, 25)]
    assert rows[-1].end_utc == NOW.replace(tzinfo=BERLIN).astimezone(UTC)
    assert {row.end - row.start for row in rows} == {QUARTER}
    household = simulated.registers.household
    for row in rows:
        assert row.end_utc is not None
        energy = household.energy(int(row.end_utc.timestamp())).imported
        assert row.values[0].value == Decimal(energy // 36_000).scaleb(-3)


@pytest.mark.parametrize("answer", ["P.01(ERROR)", "P.01()", "1-0:P.01(ERROR)"])
async def test_no_entries(answer: str) -> None:
    async with plugged_in(meter(start_baudrate=9600, no_entries=answer)) as line:
        client = client_at(line, 9600)
        assert await client.read_profile(datetime(1999, 1, 1), datetime(1999, 1, 2)) == ()  # noqa: DTZ001


async def test_password_is_sent_once_and_only_if_there_is_one() -> None:
    async with plugged_in(simulated := meter(start_baudrate=9600, password="secret")) as line:
        with pytest.raises(RefusedError):
            await client_at(line, 9600).read_profile(NOW, NOW + QUARTER, BERLIN)
        assert simulated.count("password") == simulated.count("wrong password") == 0
        await client_at(line, 9600, password="secret").read_profile(NOW, NOW + QUARTER, BERLIN)
        assert simulated.count("password") == 1


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("P.01(ERROR)", True),
        ("P.01()", True),
        ("1-0:P.01(ERROR)", True),
        ("(ERROR)", False),
        ("(ER01)", False),
        ("P.01(ER01)", False),
        ("P.02(ERROR)", False),
        ("", False),
    ],
)
def test_answers_without_entries(answer: str, expected: bool) -> None:
    assert has_no_entries(answer, "P.01") is expected


#: Years have two digits, of which 69 is 1969.
times = st.datetimes(datetime(2000, 1, 1), datetime(2068, 1, 1))  # noqa: DTZ001


@given(st.sampled_from(FORMS), times, st.timedeltas(timedelta(), timedelta(days=60)))
def test_times_of_a_request_are_those_that_were_asked_for(
    form: ProfileForm, start: datetime, span: timedelta
) -> None:
    text = form.data("P.01", start, start + span, None)
    name, _, rest = text.rstrip(")").partition("(")
    parts = rest.split(";")
    assert name == "P.01"
    assert len(parts) == 2 + (form.lines is not None)
    digits = [part.translate(str.maketrans("", "", "-,:")) for part in parts[:2]]
    found = parse_span(";".join(digits))
    assert found is not None
    assert found[1] - found[0] == pytest.approx(span.total_seconds(), abs=3660)
    for part, time in zip(digits, (start, start + span), strict=True):
        without_season = part[len(part) % 2 :]
        assert f"{time:%y%m%d%H%M%S}".startswith(without_season)
        assert len(without_season) >= 10


counts = st.lists(st.decimals(0, 999_999, places=3), min_size=2, max_size=40)


@given(counts, st.sampled_from([1, 5, 15, 30, 60]), times, st.integers(1, 4))
def test_rows_with_time_stamps(
    amounts: list[Decimal], minutes: int, start: datetime, width: int
) -> None:
    start = start.replace(second=0, microsecond=0)
    period = timedelta(minutes=minutes)
    ends = [start + number * period for number in range(len(amounts))]
    text = "".join(
        f"({end:%y-%m-%d,%H:%M})" + width * f"({amount:f})" + "\r\n"
        for end, amount in zip(ends, amounts, strict=True)
    )
    profile = decode_profile(text, UTC)
    assert [row.end for row in profile.intervals] == ends
    assert {row.end - row.start for row in profile.intervals} == {period}
    assert [row.end_utc for row in profile.intervals] == [end.replace(tzinfo=UTC) for end in ends]
    for row, amount in zip(profile.intervals, amounts, strict=True):
        assert [(register.obis, register.value) for register in row.values] == width * [
            (None, amount)
        ]


@settings(max_examples=200)
@given(st.text("()0123456789-,:P.\r\n*kWh", max_size=120))
def test_anything_is_a_profile_or_an_error(text: str) -> None:
    for beginning in ("", "(26-11-02,12:00)", "P.01(26-11-02,12:00)(1)(26-11-02,12:15)"):
        try:
            profile = decode_profile(beginning + text, BERLIN)
        except TelegramError:
            continue
        for row in profile.intervals:
            assert row.start < row.end


def test_hour_that_comes_twice_in_rows_with_time_stamps() -> None:
    ends = ["02:00", "02:30", "02:00", "02:30", "03:00"]
    text = "".join(f"(26-10-25,{end})(1)" for end in ends)
    profile = decode_profile(text, BERLIN)
    first = datetime(2026, 10, 25, tzinfo=UTC)
    ends_utc = [row.end_utc for row in profile.intervals]
    assert ends_utc == [first + number * timedelta(minutes=30) for number in range(5)]
