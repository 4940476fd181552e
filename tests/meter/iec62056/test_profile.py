"""Load profiles and event logs: headers, rows, gaps, changes to and from summer time."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from zoneinfo import ZoneInfo

from hypothesis import given, strategies as st
import pytest

from custom_components.onemeter.meter.errors import ChecksumError, TelegramError
from custom_components.onemeter.meter.iec62056.profile import (
    Profile,
    decode_profile,
    profile_text,
)
from simulator.household import Household
from simulator.iec62056.encoder import Checksum, answer, command, with_even_parity
from simulator.iec62056.profile import Memory

BERLIN = ZoneInfo("Europe/Berlin")
HOUR, QUARTER = 3600, 900
#: Beginning and end of summer time, in seconds since 1970.
SPRING = int(datetime(2026, 3, 29, 1, tzinfo=UTC).timestamp())
AUTUMN = int(datetime(2026, 10, 25, 1, tzinfo=UTC).timestamp())

HEADER = "P.01(0260315001500)(00)(15)(2)(1.5)(kW)(2.5)(kW)\r\n"


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def lines(
    span: tuple[int, int],
    *,
    seasons: bool,
    outages: tuple[tuple[int, int], ...] = (),
    channels: int = 1,
) -> list[str]:
    """Return the load profile of a span as a meter sends it."""
    memory = Memory(channels=("1.5.0", "2.5.0")[:channels], seasons=seasons, outages=outages)
    return memory.load_profile(Household(utc_offset=HOUR), span[1], span)


def ends(profile: Profile) -> list[int]:
    """Return the ends of the intervals in seconds since 1970."""
    found = []
    for interval in profile.intervals:
        assert interval.end_utc is not None
        found.append(int(interval.end_utc.timestamp()))
    return found


def values(profile: Profile) -> list[list[object]]:
    return [[register.value for register in interval.values] for interval in profile.intervals]


# --- headers and rows -----------------------------------------------------------------------------


def test_profile() -> None:
    profile = decode_profile(HEADER + "(0.116)(0.060)\r\n(0.078)(0.000)\r\n")
    header = profile.header
    assert (header.object, header.time, header.season) == ("P.01", at("2026-03-15T00:15"), "winter")
    assert (header.status, header.capture_period) == ("00", timedelta(minutes=15))
    assert [(str(c.obis), c.address, c.unit, c.value) for c in header.channels] == [
        ("1-0:1.5.0*255", "1.5", "kW", None),
        ("1-0:2.5.0*255", "2.5", "kW", None),
    ]
    first, second = profile.intervals
    assert (first.start, first.end) == (at("2026-03-15T00:00"), at("2026-03-15T00:15"))
    assert (second.start, second.end) == (at("2026-03-15T00:15"), at("2026-03-15T00:30"))
    assert (first.season, first.status, first.end_utc) == ("winter", "00", None)
    assert [(r.value, r.unit, r.address) for r in first.values] == [
        (Decimal("0.116"), "kW", "1.5"),
        (Decimal("0.060"), "kW", "2.5"),
    ]
    assert profile.events == ()


@pytest.mark.parametrize(
    ("stamp", "time", "season"),
    [
        ("2603150015", "2026-03-15T00:15", None),
        ("260315001500", "2026-03-15T00:15", None),
        ("202603150015", "2026-03-15T00:15", None),
        ("02603150015", "2026-03-15T00:15", "winter"),
        ("1260315001500", "2026-03-15T00:15", "summer"),
        ("2260315001507", "2026-03-15T00:15:07", "utc"),
        (" 0260315001500 ", "2026-03-15T00:15", "winter"),
    ],
)
def test_time_stamp(stamp: str, time: str, season: str | None) -> None:
    profile = decode_profile(f"P.01({stamp})(80)(15)(1)(1.5)(kW)(1)")
    assert (profile.header.time, profile.header.season) == (at(time), season)


@pytest.mark.parametrize(
    ("channel", "value", "expected"),
    [
        ("1.5)(kW", "0.50000", Decimal("0.50000")),
        ("1.5)(kW", "-0,5", Decimal("-0.5")),
        ("1.5)(kW", " 1.5*kW", Decimal("1.5")),
        ("X)(", "7", Decimal(7)),
        ("1.5)(kW", "", None),
        ("1.5)(kW", "---.--", "---.--"),
        ("1.5)(kW", "x", "x"),
        # names are text
        ("0-0:C.11.0)(", "0004", "0004"),
        ("0.9.1)(", "003000", "003000"),
        ("C.6.1)(V", "3.00", Decimal("3.00")),
    ],
)
def test_value(channel: str, value: str, expected: object) -> None:
    profile = decode_profile(f"P.01(2603150015)(80)(15)(1)({channel})\r\n({value})\r\n")
    assert values(profile) == [[expected]]


@pytest.mark.parametrize("begin", ["C.1.0(00000008)", "/TST5DEMO\r\n0.0.0(8)\r\n", "\r\n", "x\r\n"])
@pytest.mark.parametrize("name", ["P.01", "1-0:P.01", "P.01*01", "P.02"])
def test_what_is_before_the_profile(begin: str, name: str) -> None:
    profile = decode_profile(begin + HEADER.replace("P.01", name) + "(1)(2)\r\n")
    assert profile.header.object == name.removeprefix("1-0:").removesuffix("*01")
    assert values(profile) == [[1, 2]]


def test_rows_without_lines() -> None:
    text = HEADER.replace("\r\n", "") + "(1)(2)(3)(4)"
    assert values(decode_profile(text)) == [[1, 2], [3, 4]]


def test_gap_and_status() -> None:
    text = "".join(
        f"P.01(02603150{stamp}00)({status})(15)(1)(1.5)(kW)\r\n{rows}\r\n"
        for stamp, status, rows in (
            ("015", "00", "(1)\r\n(2)"),
            ("045", "80", "(3)"),
            ("100", "00", ""),
            ("300", "00", "(4)\r\n(5)"),
        )
    )
    profile = decode_profile(text, BERLIN)
    assert [(f"{i.end:%H:%M}", i.status, i.values[0].value) for i in profile.intervals] == [
        ("00:15", "00", 1),
        ("00:30", "00", 2),
        ("00:45", "80", 3),
        ("03:00", "00", 4),
        ("03:15", "00", 5),
    ]
    assert [end % (24 * HOUR) // QUARTER for end in ends(profile)] == [93, 94, 95, 8, 9]


def test_another_set_of_channels() -> None:
    text = HEADER + "(1)(2)\r\n" + "P.01(0260315003000)(00)(15)(1)(1.5)(kW)\r\n(3)\r\n(4)\r\n"
    assert values(decode_profile(text)) == [[1, 2], [3], [4]]


@pytest.mark.parametrize("end", range(1, 60))
def test_cut_off(end: int) -> None:
    text = HEADER + "(0.116)(0.060)\r\n(0.078)(0.000)\r\n" + HEADER
    whole = values(decode_profile(text))
    try:
        cut_off = values(decode_profile(text[:-end]))
    except TelegramError:
        pytest.fail("the first header is still there")
    assert cut_off == whole[: len(cut_off)]
    assert len(cut_off) == 2 - (end > len(HEADER) + 2)


def test_cut_off_in_the_header() -> None:
    for end in range(len(HEADER.strip())):
        with pytest.raises(TelegramError):
            decode_profile(HEADER[:end])


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "P.01",
            "P.01()",
            "1.8.0(7*kWh)",
            "(ER01)",
            "P.01(ERROR)",
            "P.1(2603150015)(00)(15)(0)",
        ),
        "P.01(2613150015)(00)(15)(1)(1.5)(kW)(1)",
        "P.01(0000000000)(00)(15)(1)(1.5)(kW)(1)",
        "P.01(999912312359)(00)(15)(1)(1.5)(kW)(1)",
        "P.01(3260315001500)(00)(15)(1)(1.5)(kW)(1)",
        "P.01(2603150015)(00)(x)(1)(1.5)(kW)(1)",
        "P.01(2603150015)(00)(15)(x)(1.5)(kW)(1)",
        "P.01(2603150015)(00)(15)()(1.5)(kW)(1)",
        "P.01(2603150015)(00)(-15)(1)(1.5)(kW)(1)",
        "P.01(2603150015)(00)(1441)(1)(1.5)(kW)(1)",
        "P.01(2603150015)(00)(99999999999)(1)(1.5)(kW)(1)",
        f"P.01(2603150015)(00)({'1' * 5000})(1)(1.5)(kW)(1)",
        f"P.01(2603150015)(00)(15)({'1' * 5000})(1.5)(kW)(1)",
        HEADER + "(1)(2)" + HEADER.replace("P.01", "P.02"),
    ],
)
def test_no_profile(text: str) -> None:
    with pytest.raises(TelegramError):
        decode_profile(text, BERLIN)


def test_profile_without_channels_or_rows() -> None:
    assert decode_profile(HEADER).intervals == ()
    assert decode_profile("P.01(2603150015)(00)(15)(0)(1)(2)").intervals == ()


# --- event logs -----------------------------------------------------------------------------------


def test_event_log() -> None:
    text = (
        "P.98(1260315123456)(00002000)()(0)\r\n"
        "P.98(0260315123457)(04)()(2)(0-0:C.11.0)()(1.8.0)(kWh)(0004)(000.5)\r\n"
        "P.98(260315123458)(08)()(1)(0-0:C.11.0)()\r\n"
    )
    profile = decode_profile(text, BERLIN)
    assert profile.intervals == ()
    assert profile.header.capture_period is None
    assert [(event.time, event.season, event.status) for event in profile.events] == [
        (at("2026-03-15T12:34:56"), "summer", "00002000"),
        (at("2026-03-15T12:34:57"), "winter", "04"),
        (at("2026-03-15T12:34:58"), None, "08"),
    ]
    assert [[(r.address, r.value) for r in event.entries] for event in profile.events] == [
        [],
        [("0-0:C.11.0", "0004"), ("1.8.0", Decimal("0.5"))],
        [],
    ]


# --- clock changes --------------------------------------------------------------------------------


@pytest.mark.parametrize("seasons", [False, True])
@pytest.mark.parametrize("change", [SPRING, AUTUMN])
@pytest.mark.parametrize("hours", [1, 7])
def test_no_hour_is_missing_or_double(change: int, hours: int, *, seasons: bool) -> None:
    """For any begin and end of a profile."""
    for start in range(change - 3 * HOUR, change + 2 * HOUR, QUARTER):
        end = start + hours * HOUR
        if not seasons and change <= start and end <= change + HOUR and change is AUTUMN:
            # It lies in the repeated hour, so it is ambiguous.
            continue
        profile = decode_profile("\r\n".join(lines((start, end), seasons=seasons)), BERLIN)
        assert ends(profile) == list(range(start, end + 1, QUARTER)), start


@pytest.mark.parametrize("seasons", [False, True])
@pytest.mark.parametrize("change", [SPRING, AUTUMN])
def test_gaps_around_the_change(change: int, *, seasons: bool) -> None:
    span = (change - 3 * HOUR, change + 3 * HOUR)
    for quarters in (1, 4, 5):
        for down in range(change - 2 * HOUR, change + HOUR, QUARTER):
            if not seasons and change is AUTUMN and quarters == 4 and down >= change - HOUR:
                # The next row has the same time as without the outage.
                continue
            up = down + quarters * QUARTER
            sent = [end for end in range(span[0], span[1] + 1, QUARTER) if not down < end <= up]
            text = "\r\n".join(lines(span, seasons=seasons, outages=((down, up),)))
            assert ends(decode_profile(text, BERLIN)) == sent, (quarters, (down - change) / HOUR)


def test_ten_days_with_each_change() -> None:
    for change in (SPRING, AUTUMN):
        span = (change - 5 * 24 * HOUR, change + 5 * 24 * HOUR)
        for seasons in (False, True):
            text = "".join(f"{line}\r\n" for line in lines(span, seasons=seasons, channels=2))
            profile = decode_profile(text, BERLIN)
            assert ends(profile) == list(range(span[0], span[1] + 1, QUARTER))
            assert all(i.end - i.start == timedelta(seconds=QUARTER) for i in profile.intervals)


def test_rows_that_end_at_the_change_in_the_new_time() -> None:
    """Some meters format the time of the change as after the change."""
    for before, new, after in (("010000", "030000", "031500"), ("024500", "020000", "021500")):
        day = "260329" if new == "030000" else "261025"
        text = "".join(
            f"P.01({day}{time})(00)(15)(1)(1.5)(kW)({number})\r\n"
            for number, time in enumerate((before, new, after))
        )
        found = ends(decode_profile(text.replace("010000", "014500"), BERLIN))
        assert [later - earlier for earlier, later in pairwise(found)] == [QUARTER] * 2


def test_meter_without_a_header_at_the_change() -> None:
    """Without another header the rows continue without a gap, whatever the clock shows."""
    for change in (SPRING, AUTUMN):
        begin = change - 2 * HOUR
        start = datetime.fromtimestamp(begin, BERLIN)
        text = f"P.01({start:%y%m%d%H%M%S})(00)(15)(1)(1.5)(kW)" + "(1)" * 12
        found = ends(decode_profile(text, BERLIN))
        assert found == list(range(begin, begin + 12 * QUARTER, QUARTER))


def test_the_hour_that_comes_twice_begins_again() -> None:
    text = (
        "P.01(261025021500)(00)(15)(1)(1.5)(kW)(1)(2)(3)\r\n"
        "P.01(261025030000)(28)(15)(1)(1.5)(kW)(4)\r\n"
        "P.01(261025021500)(00)(15)(1)(1.5)(kW)(5)(6)(7)(8)(9)\r\n"
    )
    first, old, again = text.splitlines()
    whole = [AUTUMN + (number - 3) * QUARTER for number in range(9)]
    assert ends(decode_profile(text, BERLIN)) == whole
    assert ends(decode_profile(old + again, BERLIN)) == whole[3:]
    assert ends(decode_profile(first + again, BERLIN)) == whole[:3] + whole[4:]
    assert ends(decode_profile(again, BERLIN)) == whole[4:]


@pytest.mark.parametrize(
    ("stamp", "zone", "end"),
    [
        ("0260715120000", "Europe/Berlin", "2026-07-15T11:00"),
        ("1260715120000", "Europe/Berlin", "2026-07-15T10:00"),
        ("2260715120000", "Europe/Berlin", "2026-07-15T12:00"),
        ("260715120000", "Europe/Berlin", "2026-07-15T10:00"),
        ("260715120000", "Etc/GMT-1", "2026-07-15T11:00"),
        ("1260715120000", "Etc/GMT-1", "2026-07-15T10:00"),
        ("0260115120000", "Europe/Dublin", "2026-01-15T12:00"),
        ("1260715120000", "Europe/Dublin", "2026-07-15T11:00"),
        ("0260715120000", "America/Santiago", "2026-07-15T16:00"),
        ("1260115120000", "America/Santiago", "2026-01-15T15:00"),
        ("260115120000", "America/Santiago", "2026-01-15T15:00"),
    ],
)
def test_zones(stamp: str, zone: str, end: str) -> None:
    profile = decode_profile(f"P.01({stamp})(00)(15)(1)(1.5)(kW)(1)", ZoneInfo(zone))
    assert profile.intervals[0].end_utc == at(end).replace(tzinfo=UTC)


# --- frames ---------------------------------------------------------------------------------------

ROWS = HEADER + "(1)(2)\r\n(3)(4)\r\n"
PARTS = (HEADER + "(1)(", "2)\r\n", "(3)(4)\r\n")


def blocks(checksum: Checksum) -> list[bytes]:
    return [answer(part, checksum, last=part is PARTS[-1]) for part in PARTS]


@pytest.mark.parametrize("checksum", [Checksum.XOR, Checksum.SUM])
def test_blocks(checksum: Checksum) -> None:
    request = command("R6", "P.01(2603150000;2603160000)", checksum)
    end = command("B0", None, checksum)
    for data in (
        answer(ROWS, checksum),
        b"".join(blocks(checksum)),
        request + b"\x06".join(blocks(checksum)) + end,
        b"\x7f" + with_even_parity(b"\r\n".join(blocks(checksum))),
        answer(ROWS, checksum)[:-1],
        answer(ROWS, checksum)[:-2],
        ROWS.encode(),
        with_even_parity(ROWS.encode()),
    ):
        assert profile_text(data) == ROWS


def test_damaged_block() -> None:
    for place in range(3):
        parts = blocks(Checksum.XOR)
        parts[place] = parts[place][:-1] + bytes([parts[place][-1] ^ 1])
        with pytest.raises(ChecksumError):
            profile_text(b"".join(parts))


@pytest.mark.parametrize("wanted", [0x02, 0x03, 0x04, 0x01, 0x06, 0x15])
def test_check_character_that_looks_like_something_else(wanted: int) -> None:
    for filler in range(0x20, 0x7F):
        block = answer(f"{HEADER}({chr(filler)})\r\n", Checksum.XOR, last=False)
        if block[-1] == wanted:
            assert profile_text(block + answer("(5)", Checksum.XOR)).endswith(
                f"({chr(filler)})\r\n(5)"
            )
            return
    pytest.fail("no such block")


# --- anything at all ------------------------------------------------------------------------------

STAMPS = st.from_regex(
    r"[012]?(26(0329|1025|0715)0[0-3](00|15|30|45)00|\d{10}|\d{12})", fullmatch=True
)
GROUPS = st.one_of(
    STAMPS,
    st.sampled_from(
        ["0", "1", "2", "15", "60", "1.5", "kW", "00", "", "P.01", "x", "99999", "1441"]
    ),
    st.text(st.characters(max_codepoint=0x7F), max_size=6),
)
NAMES = st.sampled_from(["P.01", "P.01", "\r\n", "P.98", "1.8.0", "", "1-0:P.01"])
SECTIONS = st.builds(
    lambda name, stamp, period, count, rest: (
        f"{name}({stamp})(00)({period})({count})({')('.join(rest)})"
    ),
    NAMES,
    STAMPS,
    st.sampled_from(["15", "5", "60", "1440", "", "0"]),
    st.integers(0, 3),
    st.lists(st.sampled_from(["1.5", "kW", "1", "2.5"]) | GROUPS, max_size=12),
)
ANYTHING = st.builds(lambda name, groups: f"{name}({')('.join(groups)})", NAMES, st.lists(GROUPS))


@given(
    st.lists(SECTIONS | ANYTHING, max_size=6).map("\r\n".join),
    st.sampled_from([None, BERLIN, ZoneInfo("Europe/Dublin"), ZoneInfo("Etc/GMT-1")]),
)
def test_any_text(text: str, zone: ZoneInfo | None) -> None:
    try:
        profile = decode_profile(text, zone)
    except TelegramError:
        return
    for interval in profile.intervals:
        assert interval.end > interval.start
        assert (interval.end_utc is None) == (zone is None)
        assert len(interval.values) > 0
    for earlier, later in pairwise(profile.intervals):
        if later.start == earlier.end and earlier.end_utc and later.end_utc:
            same_season = earlier.season == later.season
            assert later.end_utc - earlier.end_utc == later.end - later.start or not same_season


@given(st.binary(max_size=300))
def test_any_bytes(data: bytes) -> None:
    with suppress(TelegramError):
        decode_profile(profile_text(data), BERLIN)


@given(st.data())
def test_any_damage(data: st.DataObject) -> None:
    damaged = bytearray(b"".join(blocks(Checksum.XOR)))
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(damaged)))
        match data.draw(st.sampled_from(["change", "remove", "insert", "cut"])):
            case "change":
                damaged[place : place + 1] = bytes([data.draw(st.integers(0, 255))])
            case "remove":
                del damaged[place : place + 1]
            case "insert":
                damaged.insert(place, data.draw(st.integers(0, 255)))
            case _:
                del damaged[place + 1 :]
    with suppress(TelegramError):
        decode_profile(profile_text(bytes(damaged)), BERLIN)
