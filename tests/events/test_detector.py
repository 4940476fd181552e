"""Which changes between telegrams are events, and which are not."""

from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from itertools import pairwise
import json

import pytest

from custom_components.onemeter.events.detector import EventDetector, MeterEvent
from custom_components.onemeter.events.sources import EventType
from custom_components.onemeter.meter import Identity, Reading, Register
from custom_components.onemeter.meter.iec62056.decoder import Iec62056Decoder
from custom_components.onemeter.registers.lookup import with_implied_unit
from simulator.household import Household
from simulator.sml.meter import SmlMeter

from ..helpers.published import register

FAILURES = "0-0:96.7.21*255"
LONG_FAILURES = "0-0:96.7.9*255"
ALL_PHASES = "1-0:96.7.0*255"
L2 = "1-0:96.7.2*255"
TARIFF = "0-0:96.14.0*255"
RESETS = "1-0:0.1.0*255"
RESET_TIME = "1-0:0.1.2*255"
COVER_OPENED = "0-0:96.20.5*255"
CLOCK_SET = "0-0:96.2.12*255"
#: Three phases with voltage, load present.
FNN = 0x1C0104
NOON = datetime(2026, 11, 30, 12)  # noqa: DTZ001 - a meter's clock


def telegram(*registers: Register, status: int | None = None, checked: bool = True) -> Reading:
    return Reading(Identity("1"), None, registers, b"", status, checked)


def p1(*lines: str) -> Reading:
    """Return the reading of a P1 telegram of these lines, as if its checksum were right."""
    text = "\r\n".join(["/DMO5METER", "", "1-0:1.8.1(000001.000*kWh)", *lines, "!", ""])
    decoder = Iec62056Decoder()
    [reading] = [*decoder.feed(text.encode()), *decoder.finish()]
    return replace(reading, checked=True)


def take(detector: EventDetector, reading: Reading) -> list[MeterEvent]:
    registers = {key: with_implied_unit(key, item) for key, item in reading.current().items()}
    return detector.take(reading, registers)


def events(*readings: Reading) -> list[tuple[str, dict[str, object]]]:
    """Return the events of these telegrams, received by a new detector."""
    detector = EventDetector()
    return [
        (event.type.value, dict(event.attributes))
        for reading in readings
        for event in take(detector, reading)
    ]


@pytest.mark.parametrize(
    ("before", "after", "event"),
    [
        (
            register(TARIFF, "0001"),
            register(TARIFF, "0002"),
            ("tariff_changed", {"tariff": "0002", "previous_tariff": "0001"}),
        ),
        (
            register(TARIFF, b"\x00\x01"),
            register(TARIFF, b"\x00\x02"),
            ("tariff_changed", {"tariff": "0002", "previous_tariff": "0001"}),
        ),
        (
            register(FAILURES, 4),
            register(FAILURES, 6),
            ("power_failure", {"count": 6, "previous_count": 4}),
        ),
        (
            register(LONG_FAILURES, 4),
            register(LONG_FAILURES, Decimal(5)),
            ("long_power_failure", {"count": 5, "previous_count": 4}),
        ),
        (
            register(L2, 4),
            register(L2, 5),
            ("power_failure", {"count": 5, "previous_count": 4, "phases": ["L2"]}),
        ),
        (
            register(RESETS, 11),
            register(RESETS, 12),
            ("billing_reset", {"count": 12, "previous_count": 11}),
        ),
        (
            register(RESET_TIME, NOON.replace(month=10)),
            register(RESET_TIME, NOON),
            ("billing_reset", {"time": "2026-11-30T12:00:00"}),
        ),
        (
            register(COVER_OPENED, "0003"),
            register(COVER_OPENED, "0004"),
            ("terminal_cover_opened", {"count": 4, "previous_count": 3}),
        ),
        (
            register(CLOCK_SET, NOON.replace(day=1)),
            register(CLOCK_SET, NOON),
            ("clock_set", {"time": "2026-11-30T12:00:00"}),
        ),
    ],
)
def test_registers_that_report_an_event(
    before: Register, after: Register, event: tuple[str, dict[str, object]]
) -> None:
    first, second = telegram(before), telegram(after)
    assert events(first) == []
    assert events(first, first, second, second, second) == [event]


@pytest.mark.parametrize(
    ("code", "before", "after"),
    [
        # Bits and codes of the manufacturer.
        ("0-0:97.97.0*255", "00000000", "00000040"),
        ("0-0:96.11.0*255", 1, 2),
        ("1-0:96.5.5*255", "82", "A2"),
        ("1-0:96.5.0*255", 0x0182, 0x0582),
        # A past billing period, and a meter on the M-Bus.
        ("1-0:0.1.2*1", NOON.replace(month=10), NOON),
        ("0-1:96.14.0*255", "0001", "0002"),
        # No count, no time, no name.
        (FAILURES, "4 failures", "5 failures"),
        (FAILURES, Decimal("4.5"), Decimal("5.5")),
        (CLOCK_SET, "yesterday", "today"),
        (TARIFF, "1" * 40, "2" * 40),
        (TARIFF, None, None),
    ],
)
def test_registers_that_report_none(code: str, before: object, after: object) -> None:
    detector = EventDetector()
    for value in (before, after, before, after):
        assert not take(detector, telegram(register(code, value)))  # type: ignore[arg-type]
    assert not detector.types
    assert not detector.is_changed


def test_count_that_falls_is_no_event_and_one_old_telegram_repeats_none() -> None:
    four, five, one, two = (telegram(register(FAILURES, count)) for count in (4, 5, 1, 2))
    assert len(events(four, five, four, five, five)) == 1
    # A reset meter counts anew.
    assert events(five, one, one) == []
    assert events(five, one, one, two) == [("power_failure", {"count": 2, "previous_count": 1})]


def test_telegram_without_checksum_must_be_repeated() -> None:
    four, five, nine = (telegram(register(FAILURES, count), checked=False) for count in (4, 5, 9))
    assert events(nine, four, four, five) == []
    assert events(four, four, nine, four, five, four, five) == []
    assert len(events(four, four, five, five, five)) == 1


def test_one_failure_in_several_counters_is_one_event() -> None:
    def counts(every: int, second: int, any_phase: int | None = None) -> Reading:
        found = [register(ALL_PHASES, every), register(L2, second)]
        return telegram(*found, *([] if any_phase is None else [register(FAILURES, any_phase)]))

    assert events(counts(1, 3), counts(2, 4)) == [
        ("power_failure", {"count": 2, "previous_count": 1, "phases": ["L2"]})
    ]
    assert events(counts(1, 3, 4), counts(1, 4, 5)) == [
        ("power_failure", {"count": 5, "previous_count": 4, "phases": ["L2"]})
    ]
    assert events(counts(1, 3, 4), counts(1, 4, 4)) == [], "the other one reports it"


def test_reset_is_described_by_its_time() -> None:
    before = telegram(register(RESETS, 11), register(RESET_TIME, NOON.replace(month=10)))
    after = telegram(register(RESETS, 12), register(RESET_TIME, NOON))
    assert events(before, after) == [
        ("billing_reset", {"count": 12, "previous_count": 11, "time": "2026-11-30T12:00:00"})
    ]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (FNN, FNN | 1 << 10, [("terminal_cover_opened", {})]),
        (FNN | 1 << 10, FNN, []),
        (FNN, FNN & ~(1 << 19), [("power_failure", {"phases": ["L2"]})]),
        (0x0104, FNN, [("power_restored", {"phases": ["L1", "L2", "L3"]})]),
        # Load and direction.
        (FNN, FNN | 0x7800, []),
        (FNN, FNN & ~0x100, []),
        # EDL, and a layout with bits that are reserved in that of the FNN.
        (0x0182, 0x0582, []),
        (FNN | 1 << 30, FNN | 1 << 30 | 1 << 10, []),
    ],
)
def test_status_word(before: int, after: int, expected: list[object]) -> None:
    readings = [telegram(status=word) for word in (before, before, after, after)]
    assert events(*readings) == expected
    words = [telegram(register("1-0:96.5.0*255", f"{word:08X}")) for word in (before, after)]
    assert events(*words) == expected
    numbers = [telegram(register("1-0:96.5.0*255", word)) for word in (before, after)]
    assert events(*numbers) == expected


def test_status_word_of_a_meter() -> None:
    """It travels with the energy registers, not as a register of its own."""
    from custom_components.onemeter.meter.sml.decoder import SmlDecoder  # noqa: PLC0415

    meter = SmlMeter(household=Household())
    [reading] = SmlDecoder().feed(meter.telegram(1_780_000_000))
    assert reading.status_word is not None
    detector = EventDetector()
    assert not take(detector, reading)
    assert detector.types == ["power_failure", "power_restored", "terminal_cover_opened"]
    opened = replace(reading, status_word=reading.status_word | 1 << 10)
    assert [event.type for event in take(detector, opened)] == ["terminal_cover_opened"]


COUNTS = ("0-0:96.7.21(00004)", "0-0:96.7.9(00002)")
OLD = "(101208152415W)(0000000240*s)"
NEW = "(260725151004S)(0000000301*s)"
RESTORED = ("power_restored", {"time": "2026-07-25T15:10:04", "duration": 301})


@pytest.mark.parametrize("entries", [OLD + NEW, NEW + OLD], ids=["last", "first"])
def test_power_failure_at_a_p1_port(entries: str) -> None:
    before = p1(*COUNTS, f"1-0:99.97.0(1)(0-0:96.7.19){OLD}")
    after = p1("0-0:96.7.21(00005)", "0-0:96.7.9(00003)", f"1-0:99.97.0(2)(0-0:96.7.19){entries}")
    assert events(before, before, after, after, before, after) == [
        ("power_failure", {"count": 5, "previous_count": 4}),
        ("long_power_failure", {"count": 3, "previous_count": 2}),
        RESTORED,
    ]


def test_first_entry_of_a_failure_log() -> None:
    empty = p1("1-0:99.97.0(0)(0-0:96.7.19)")
    assert events(empty, empty) == []
    assert events(empty, p1(f"1-0:99.97.0(1)(0:96.7.19){NEW}")) == [RESTORED]


@pytest.mark.parametrize(
    "log",
    [
        f"1-0:99.97.0(2)(0-0:96.7.19){NEW}",
        "1-0:99.97.0(1)(0-0:96.7.19)(260725151004S)",
        "1-0:99.97.0(1)(0-0:96.7.19)(260725151004S)(301)",
        f"1-0:99.97.0(1)(0-0:96.7.99){NEW}",
        "1-0:99.97.0()",
    ],
)
def test_failure_log_that_is_incomplete_is_ignored(log: str) -> None:
    assert events(p1("1-0:99.97.0(0)(0-0:96.7.19)"), p1(log), p1(log)) == []


def test_memory_survives_a_restart() -> None:
    before = EventDetector()
    readings = [p1(*COUNTS, f"1-0:99.97.0(1)(0-0:96.7.19){OLD}"), telegram(status=FNN)]
    for reading in readings:
        assert not take(before, reading)
    after = EventDetector()
    after.restore(json.loads(json.dumps(before.memory)))
    assert after.types == before.types
    assert [event for reading in readings for event in take(after, reading)] == []
    assert not after.is_changed
    [event] = take(after, telegram(status=FNN | 1 << 10))
    assert event.type == EventType.TERMINAL_COVER_OPENED
    assert after.is_changed


def test_log_that_grows_is_remembered_as_far_as_meters_keep_it() -> None:
    detector = EventDetector()
    logs = [
        p1(
            "1-0:99.97.0(10)(0-0:96.7.19)"
            + "".join(f"(2601{day:02}120000W)(00{day:02}*s)" for day in range(first, first + 10))
        )
        for first in range(1, 21)
    ]
    take(detector, logs[0])
    for before, log in pairwise(logs):
        assert len(take(detector, log)) == 1
        assert not take(detector, before)
    assert len(detector.memory["failure_log"]) == 29
