"""Meters at or beyond the limits of the standard are read at the first attempt."""

import asyncio
from contextlib import aclosing
import json
from typing import Any
from unittest.mock import patch

import pytest

from custom_components.onemeter.meter import Reading
from custom_components.onemeter.meter.errors import MeterError, MeterSilentError
from custom_components.onemeter.meter.iec62056.client import Iec62056Client
from custom_components.onemeter.meter.iec62056.settings import SignOn
from simulator.iec62056 import HABITS, Iec62056Meter, Mode, Registers
from simulator.line import Line

from ...helpers.lines import LINE, client_at, meter, plugged_in, value

#: Seconds until the first reading of about 250 characters at 300 and 9600 baud, and until later
#: ones; the line and the reaction times take 1.9 s of them.
USUAL = 2.1
#: The same for habits that have to take longer.
SLOW = {
    "slow": (3.2, 3.2),
    "slowest": (4.6, 4.6),
    # at 300 baud
    "missed-acknowledgement": (13, USUAL),
    "no-fall-back": (4.5, USUAL),
    "damaged-identification": (4.5, USUAL),
    "late-line-feed": (3.5, 3.5),
    "missed-requests": (10, USUAL),
    "no-ack": (12.5, 12.5),
    "other-speed": (6, 2.8),
    "old-speed": (21.5, 12),
}
SETTINGS: dict[str, dict[str, Any]] = {
    "ack-256": {"acknowledgement": "256"},
    "no-ack": {"acknowledgement": "none"},
}
READ = [
    *("slow", "slowest", "missed-acknowledgement", "no-fall-back", "damaged-identification"),
    *("late-line-feed", "missed-requests", "ack-256", "no-ack", "other-speed", "old-speed"),
    "blocks",
]


def with_habit(name: str) -> Iec62056Meter:
    simulated = meter()
    HABITS[name][1](simulated)
    return simulated


def client_for(line: Line, habit: str) -> Iec62056Client:
    return client_at(line, **SETTINGS.get(habit, {}))


async def read(client: Iec62056Client, simulated: Iec62056Meter, seconds: float) -> None:
    started = asyncio.get_running_loop().time()
    reading = await client.read()
    assert reading.meter.meter_id == simulated.serial
    assert value(reading, "1.8.0") is not None
    assert asyncio.get_running_loop().time() - started < seconds


@pytest.mark.parametrize("habit", READ)
async def test_readings(habit: str) -> None:
    first, later = SLOW.get(habit, (USUAL, USUAL))
    simulated = with_habit(habit)
    async with plugged_in(simulated) as line:
        client = client_for(line, habit)
        await read(client, simulated, first)
        await read(client, simulated, later)
        signed_on = simulated.count("sign-on")
        findings = json.loads(json.dumps(client.findings()))
        restarted = client_for(line, habit)
        restarted.restore(findings)
        await read(restarted, simulated, later)
        assert simulated.count("sign-on") == signed_on + 1
        assert restarted.findings() == findings


async def test_readout_after_a_damaged_identification() -> None:
    """It follows at the old speed; its serial number is that of the known meter."""
    simulated = meter(accepts_repeated_requests=False, start_baudrate=4800)
    async with plugged_in(simulated) as line:
        client = client_at(line, 4800)
        # That of an unknown meter is skipped.
        simulated.faults.damage_identifications = 1
        first = await client.read()
        assert simulated.count("sign-on") == simulated.count("readout") == 2

        simulated.faults.damage_identifications = 1
        reading = await client.read()
        assert simulated.count("sign-on") == simulated.count("readout") == 3
        assert reading.meter == first.meter

        # That of another meter, too.
        simulated.faults.damage_identifications = 1
        simulated.serial = "87654321"
        other = await client.read()
        assert other.meter.manufacturer == "DMO"
        assert other.meter.meter_id == "87654321"


async def test_speed_is_learned_only_after_an_acknowledgement() -> None:
    """Without an acknowledgement, nothing is learned about the speed."""
    simulated = meter(acknowledgement_timeout=1.6)
    async with plugged_in(simulated) as line:
        client = client_at(line)
        simulated.faults.lose_acknowledgements = 1
        await client.read()
        assert client.findings()["data_speed"] == 0
        await read(client, simulated, USUAL)


async def test_short_list() -> None:
    async with plugged_in(simulated := meter()) as line:
        reading = await client_at(line, acknowledgement="0Z6").read()
        assert simulated.log[-2].detail == "056"
        assert len(reading.registers) < len((await client_at(line).read()).registers)


async def test_programming_mode_is_selected_as_usual() -> None:
    async with plugged_in(meter()) as line:
        client = client_at(line, acknowledgement="none")
        async with aclosing(client.watch(["1.8.0"], 0)) as readings:
            assert value(await anext(readings), "1.8.0") is not None


LIVE = ["1.8.0", "2.8.0", "32.7.0"]


async def live(client: Iec62056Client, cycles: int) -> list[tuple[float, Reading]]:
    """Read registers in one session; return the duration of each cycle."""
    found = []
    clock = asyncio.get_running_loop().time
    async with aclosing(client.watch(LIVE, 0)) as readings:
        started = clock()
        for _ in range(cycles):
            reading = await anext(readings)
            found.append((clock() - started, reading))
            started = clock()
    return found


def addresses(reading: Reading) -> list[str | None]:
    return [register.address for register in reading.registers]


async def usual_cycle() -> float:
    """Return the duration of a cycle without faults."""
    async with plugged_in(meter(registers=Registers(history=0))) as line:
        return (await live(client_at(line), 2))[1][0]


@pytest.mark.parametrize("fault", ["flip_bits_of_answers", "partial_answers"])
async def test_what_costs_one_round_trip(fault: str) -> None:
    usual = await usual_cycle()
    simulated = meter(registers=Registers(history=0))
    async with plugged_in(simulated) as line:
        client = client_at(line)
        async with aclosing(client.watch(LIVE, 0)) as readings:
            assert addresses(await anext(readings)) == LIVE
            if fault == "partial_answers":
                simulated.partial_answers = True
                # The first time, the client waits for further blocks.
                assert addresses(await anext(readings)) == LIVE
            else:
                simulated.faults.flip_bits_of_answers = 1
            started = asyncio.get_running_loop().time()
            assert addresses(await anext(readings)) == LIVE
            assert asyncio.get_running_loop().time() - started < usual * 4 / 3 + 0.05
    assert simulated.count("session") == 1


async def test_answer_in_several_blocks() -> None:
    simulated = meter(registers=Registers(history=0))
    blocks = ["32.7.0(230.0*V)", "(231.0*V)", "(232.0*V)"]
    simulated.own_answers = {"32.7.0": blocks}
    async with plugged_in(simulated) as line:
        [(_, reading)] = await live(client_at(line), 1)
    values = [(r.address, r.group, str(r.value)) for r in reading.registers]
    assert values[2:] == [("32.7.0", 0, "230.0"), ("32.7.0", 1, "231.0"), ("32.7.0", 2, "232.0")]


async def test_command_that_is_not_received() -> None:
    simulated = meter(registers=Registers(history=0))
    HABITS["missed-command"][1](simulated)
    async with plugged_in(simulated) as line:
        cycles = await live(client_at(line), 3)
        assert [addresses(reading) for _, reading in cycles] == [LIVE] * 3
        assert simulated.count("session") == 1


async def test_register_that_is_never_answered() -> None:
    simulated = meter(registers=Registers(history=0))
    simulated.own_answers = {"2.8.0": []}
    async with plugged_in(simulated) as line:
        cycles = await live(client_at(line), 4)
        assert [addresses(reading) for _, reading in cycles] == [["1.8.0", "32.7.0"]] * 4
        assert simulated.count("session") == 1
        assert cycles[-1][0] < await usual_cycle()


async def test_session_that_is_not_answered_any_more() -> None:
    simulated = meter(registers=Registers(history=0))
    async with (
        plugged_in(simulated) as line,
        aclosing(client_at(line).watch(["1.8.0"], 0)) as readings,
    ):
        await anext(readings)
        simulated.own_answers = {"1.8.0": []}
        with pytest.raises(MeterSilentError):
            await anext(readings)


def test_findings_without_a_meter() -> None:
    client = Iec62056Client("/dev/null", LINE, SignOn())
    before = client.findings()
    client.restore({"sign_on_speed": "9600", "data_speed": -1, "readout_size": True, "check": "?"})
    client.restore({"check": ["xor"], "unknown": 1})
    assert client.findings() == before


@pytest.mark.parametrize(
    ("habit", "translation_key", "details"),
    [
        ("empty-readout", "empty_readout", {}),
        ("error-readout", "readout_refused", {"code": "ER12"}),
        ("pushes", "meter_pushes", {}),
        ("odd-parity", "wrong_parity", {}),
    ],
)
@pytest.mark.parametrize("baudrate", [300, 9600])
async def test_what_cannot_be_read_has_a_text_of_its_own(
    habit: str, translation_key: str, details: dict[str, str], baudrate: int
) -> None:
    simulated = meter(start_baudrate=baudrate)
    HABITS[habit][1](simulated)
    async with plugged_in(simulated) as line:
        client = client_at(line, baudrate)
        for _ in range(2):
            with pytest.raises(MeterError) as caught:
                await client.read()
            assert caught.value.translation_key == translation_key
            assert caught.value.details == {"port": line.url} | details


async def test_meter_that_sends_its_readout_at_once() -> None:
    """It proposes a speed, but does not wait for an acknowledgement."""
    simulated = meter(start_baudrate=9600, mode=Mode.A, ident="DEMO-21")
    async with plugged_in(simulated) as line:
        client = client_at(line, 9600)
        with patch.object(Iec62056Meter, "identification", b"/DMO5DEMO-21\r\n"):
            assert (await client.read()).meter.meter_id == simulated.serial
            assert simulated.count("sign-on") == 1
            await read(client, simulated, 1.2)
