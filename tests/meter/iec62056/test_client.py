"""The polled client at a line: modes, addresses, sessions, profiles, shared ports."""

import asyncio
from collections.abc import Callable
from contextlib import aclosing, suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from custom_components.onemeter.meter import LineSettings, Obis
from custom_components.onemeter.meter.errors import (
    FixedSpeedError,
    MeterSilentError,
    NoReadoutError,
    NoRegisterError,
    RefusedError,
    UnknownDataError,
)
from custom_components.onemeter.meter.iec62056.client import Iec62056Client
from custom_components.onemeter.meter.iec62056.settings import SignOn
from custom_components.onemeter.meter.port import Port
from simulator.household import Household
from simulator.iec62056 import Checksum, Mode, Programming, serve
from simulator.memory import MemoryBridge, MemoryLine
from simulator.push import push
from simulator.sml.meter import SmlMeter

from ...helpers.lines import LINE, client_at, meter, plugged_in, serving, value

BERLIN = ZoneInfo("Europe/Berlin")


async def until(condition: Callable[[], bool], seconds: float = 5) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - logs of simulated meters have no events
            await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    ("mode", "start", "speed"),
    [
        (Mode.A, 2400, 2400),
        (Mode.B, 1200, 9600),
        (Mode.C, 1200, 9600),
        (Mode.C, 1200, 19200),
        (Mode.C, 9600, 9600),
        (Mode.E, 1200, 4800),
    ],
)
async def test_modes(mode: Mode, start: int, speed: int) -> None:
    simulated = meter(mode=mode, start_baudrate=start, baudrate=speed)
    async with plugged_in(simulated) as line:
        client = client_at(line, start)
        reading = await client.read()
    assert reading.meter.manufacturer == "DMO"
    assert reading.meter.meter_id == "12345678"
    assert reading.meter.unique_id == "DMO12345678"
    assert isinstance(value(reading, "1.8.0"), Decimal)
    total = reading.get(Obis.parse("1-0:1.8.0"))
    assert total is not None
    assert total.unit == "kWh"
    assert reading.time is not None
    assert reading.raw.startswith(b"/DMO") or reading.raw[0] == 0xAF
    assert client.duration is not None


async def test_mode_e_hands_the_port_over_at_the_speed_that_was_agreed_on() -> None:
    simulated = meter(mode=Mode.E, start_baudrate=1200)
    async with plugged_in(simulated) as line:
        async with client_at(line, 1200).open_mode_e() as port:
            assert port.baudrate == 9600
            await port.write(b"\x7e\xa0\x07")
            await until(lambda: simulated.count("hdlc") > 0)
        acknowledgements = [e.detail for e in simulated.log if e.what == "acknowledgement"]
        assert acknowledgements == ["252"]


async def test_speed_is_kept_where_it_shall_not_change() -> None:
    simulated = meter(start_baudrate=2400)
    async with plugged_in(simulated) as line:
        client = client_at(line, 2400, switch_speed=False)
        assert isinstance(value(await client.read(), "1.8.0"), Decimal)
        assert [e.detail for e in simulated.log if e.what == "acknowledgement"] == ["030"]


async def test_bridge_of_fixed_speed() -> None:
    simulated = meter(start_baudrate=9600)
    async with MemoryBridge(9600) as line:
        task = asyncio.create_task(serve(line, simulated))
        client = Iec62056Client(line.url, LineSettings(9600, LINE.framing), SignOn())
        assert isinstance(value(await client.read(), "1.8.0"), Decimal)
        task.cancel()
        with pytest.raises(MeterSilentError) as caught:
            await client.read()
    assert type(caught.value) is MeterSilentError


async def test_bridge_of_another_speed_than_the_meter_begins_at() -> None:
    simulated = meter()
    async with (
        MemoryBridge(simulated.start_baudrate, set_to=9600) as line,
        serving(line, simulated),
    ):
        started = asyncio.get_running_loop().time()
        with pytest.raises(FixedSpeedError) as caught:
            await client_at(line).read()
        assert asyncio.get_running_loop().time() - started < 8
    assert caught.value.details == {"port": line.url}


async def test_settings_of_the_speed_change() -> None:
    simulated = meter(start_baudrate=2400, reaction_time=0.5)
    async with plugged_in(simulated) as line:
        client = client_at(line, 2400, switch_delay=0.3)
        assert isinstance(value(await client.read(), "1.8.0"), Decimal)


async def test_battery_meter_is_woken() -> None:
    simulated = meter(battery=True)
    async with plugged_in(simulated) as line:
        with pytest.raises(MeterSilentError):
            await client_at(line).read()
        client = client_at(line, wake_up=True)
        assert isinstance(value(await client.read(), "1.8.0"), Decimal)
        assert client.duration is not None
        assert client.duration < 3


async def test_readout_table() -> None:
    simulated = meter(start_baudrate=2400, tables={"2": "1.8.0(000007.5*kWh)\r\n"})
    async with plugged_in(simulated) as line:
        reading = await client_at(line, 2400, table="2").read()
        assert [register.value for register in reading.registers] == [Decimal("7.5")]


async def test_meters_on_one_line_take_turns() -> None:
    first = meter(serial="11111111", start_baudrate=2400)
    second = meter(serial="22222222", start_baudrate=2400)
    async with plugged_in(first, second) as line:
        clients = [client_at(line, 2400, address=m.serial) for m in (first, second)]
        readings = await asyncio.gather(*(client.read() for client in clients * 2))
        ids = [reading.meter.meter_id for reading in readings]
        assert ids == ["11111111", "22222222"] * 2


async def test_no_checksum() -> None:
    simulated = meter(checksum=Checksum.NONE, start_baudrate=2400)
    async with plugged_in(simulated) as line:
        client = client_at(line, 2400)
        for sign_ons in (2, 3):
            # The first reading needs two equal readouts.
            assert isinstance(value(await client.read(), "1.8.0"), Decimal)
            assert simulated.count("sign-on") == sign_ons


async def test_meter_that_answers_but_sends_nothing() -> None:
    simulated = meter(mode=Mode.E, start_baudrate=2400)
    # It supports HDLC only: after the acknowledgement it is silent.
    simulated.readout = lambda *_: b""  # type: ignore[method-assign]
    async with plugged_in(simulated) as line:
        with pytest.raises(NoReadoutError):
            await client_at(line, 2400).read()


async def test_another_protocol() -> None:
    async with MemoryLine(9600) as line:
        task = asyncio.create_task(push(line, SmlMeter(household=Household()).telegram))
        with pytest.raises(UnknownDataError) as caught:
            await client_at(line, 9600).read()
        task.cancel()
        assert caught.value.details["looks_like"] == "SML"


async def test_another_meter_must_be_there_twice() -> None:
    simulated = meter(start_baudrate=2400)
    async with plugged_in(simulated) as line:
        client = client_at(line, 2400)
        await client.read()
        simulated.serial = "87654321"
        signed_on = simulated.count("sign-on")
        assert (await client.read()).meter.meter_id == "87654321"
        assert simulated.count("sign-on") == signed_on + 2


async def test_watched_registers() -> None:
    simulated = meter()
    async with plugged_in(simulated) as line:
        client = client_at(line)
        own = (await client.read()).meter
        wanted = ["1.8.0", "16.7.0", "99.99.99"]
        polls = 4
        async with aclosing(client.watch(wanted, 0)) as readings:
            await anext(readings)
            started = asyncio.get_running_loop().time()
            for _ in range(polls):
                reading = await anext(readings)
                assert [r.address for r in reading.registers] == ["1.8.0", "16.7.0"]
                assert reading.meter == own
        # The duration of a poll is measured elsewhere; here it must not include another sign-on.
        assert asyncio.get_running_loop().time() - started < 1.5 * polls
        assert simulated.count("sign-on") == 2
        await until(lambda: simulated.count("break") == 1)
        # The unknown one is not requested again.
        assert sum("99.99.99" in entry.detail for entry in simulated.log) == 1
        assert (await client.read()).meter == own


async def test_watching_gives_way_to_others() -> None:
    first = meter(serial="11111111", start_baudrate=2400)
    second = meter(serial="22222222", start_baudrate=2400)
    async with plugged_in(first, second) as line:
        watching = client_at(line, 2400, address="11111111")
        async with aclosing(watching.watch(["1.8.0"], 0.1)) as readings:
            await anext(readings)
            other = asyncio.create_task(client_at(line, 2400, address="22222222").read())
            async for _ in readings:
                if other.done():
                    break
            assert (await other).meter.meter_id == "22222222"
            assert value(await anext(readings), "1.8.0") is not None


@pytest.mark.parametrize("programming", [Programming.REFUSED, Programming.IGNORED])
async def test_no_programming_mode(programming: Programming) -> None:
    simulated = meter(programming=programming, start_baudrate=2400)
    async with plugged_in(simulated) as line:
        client = client_at(line, 2400)
        with pytest.raises(RefusedError):
            await anext(client.watch(["1.8.0"], 0))
        assert isinstance(value(await client.read(), "1.8.0"), Decimal)


async def test_no_session_goes_on_with_another_meter() -> None:
    """After the end of a session, a readout checks whether the meter was replaced."""
    simulated = meter(session_timeout=1, start_baudrate=2400)
    async with plugged_in(simulated) as line:
        client = client_at(line, 2400)
        await client.read()
        async with aclosing(client.watch(["1.8.0"], 2)) as readings:
            assert value(await anext(readings), "1.8.0") is not None
            simulated.serial = "87654321"
            with pytest.raises(MeterSilentError):
                await anext(readings)
        assert (await client.read()).meter.meter_id == "87654321"
        async with aclosing(client.watch(["1.8.0"], 0)) as readings:
            assert (await anext(readings)).meter.meter_id == "87654321"


async def test_no_such_registers() -> None:
    async with plugged_in(meter(start_baudrate=2400)) as line:
        with pytest.raises(NoRegisterError):
            await anext(client_at(line, 2400).watch(["99.99.99"], 0))


async def test_password() -> None:
    simulated = meter(password="12345678", start_baudrate=2400)
    async with plugged_in(simulated) as line:
        client = client_at(line, 2400, password="12345678")
        async with aclosing(client.watch(["1.8.0"], 0)) as readings:
            assert value(await anext(readings), "1.8.0") is not None


async def test_canceled_while_the_password_is_checked() -> None:
    simulated = meter(password="12345678", start_baudrate=2400, reaction_time=0.5)
    async with plugged_in(simulated) as line:
        client = client_at(line, 2400, password="12345678")
        watching = asyncio.create_task(anext(client.watch(["1.8.0"], 0)))
        await until(lambda: simulated.count("password") + simulated.count("wrong password") > 0)
        watching.cancel()
        with pytest.raises(asyncio.CancelledError):
            await watching
        async with aclosing(client.watch(["1.8.0"], 0)) as readings:
            assert value(await anext(readings), "1.8.0") is not None


async def test_watching_meters_on_one_line() -> None:
    first = meter(serial="11111111", start_baudrate=4800)
    second = meter(serial="22222222", start_baudrate=4800)
    async with plugged_in(first, second) as line:

        async def watch(serial: str) -> int:
            count = 0
            watching = client_at(line, 4800, address=serial).watch(["1.8.0"], 0)
            with suppress(TimeoutError):
                async with asyncio.timeout(12), aclosing(watching) as readings:
                    async for _ in readings:
                        count += 1
            return count

        assert min(await asyncio.gather(watch("11111111"), watch("22222222"))) >= 2


async def test_load_profile() -> None:
    simulated = meter(start_baudrate=9600)
    async with plugged_in(simulated) as line:
        client = client_at(line, 9600)
        present = datetime.fromtimestamp(simulated.clock(), BERLIN)
        now = present.replace(minute=0, second=0, microsecond=0, tzinfo=None)
        start = now - timedelta(hours=6)
        rows = await client.read_profile(start, now, BERLIN)
    assert len(rows) == 24
    assert rows[0].start == start
    assert rows[-1].end == now
    assert rows[-1].end_utc == now.replace(tzinfo=BERLIN).astimezone(UTC)
    assert {register.unit for row in rows for register in row.values} == {"kW"}


async def test_load_profile_that_is_not_there() -> None:
    async with plugged_in(meter(start_baudrate=9600, profile_requests=())) as line:
        client = client_at(line, 9600)
        with pytest.raises(RefusedError):
            await client.read_profile(datetime(1999, 1, 1), datetime(1999, 1, 2))  # noqa: DTZ001


async def test_port_is_closed_between_readings() -> None:
    async with plugged_in(meter(start_baudrate=9600)) as line:
        await client_at(line, 9600).read()
        assert not line.listened_to
        async with Port(line.url, LINE):
            assert line.listened_to
