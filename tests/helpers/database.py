"""Rows and bytes that meters add to Home Assistant's database: run by scripts/benchmark database.

One hour is simulated, from 18:00 local time on, and multiplied by 24.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
import os
from pathlib import Path
import site
import sqlite3
import sys
from types import MappingProxyType
from typing import Any, Final, NamedTuple
from unittest.mock import AsyncMock, MagicMock, patch

from freezegun.api import FrozenDateTimeFactory
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_fire_time_changed
from pytest_homeassistant_custom_component.components.recorder.common import (
    async_wait_recording_done,
)

from custom_components.onemeter.const import CONF_PUBLISH_INTERVAL
from custom_components.onemeter.meter import Identity, Obis, Reading, Register
from custom_components.onemeter.meter.dlms.push.decoder import DlmsDecoder
from custom_components.onemeter.meter.iec62056 import Iec62056Decoder
from custom_components.onemeter.meter.sml import SmlDecoder
from custom_components.onemeter.meter.stream import Decoder
from homeassistant.components.recorder import get_instance
from homeassistant.components.recorder.tasks import StatisticsTask
from homeassistant.core import HomeAssistant
from simulator.blink import BlinkingMeter as Light
from simulator.dlms.layouts import Layout
from simulator.dlms.push import PushMeter
from simulator.dlms.registers import Registers as DlmsRegisters
from simulator.household import Household
from simulator.iec62056 import Iec62056Meter, Registers
from simulator.iec62056.encoder import data_set, p1_crc
from simulator.iec62056.registers import day_tariff
from simulator.sml.meter import SmlMeter, Style

from .blinking import SOURCE, BlinkingMeter
from .callbacks import settle
from .polled import PolledMeter
from .pushed import PushedMeter, reading
from .usb import stub_usb

if peers := os.environ.get("ONEMETER_PEERS"):
    # Behind Home Assistant's own packages, which win.
    site.addsitedir(peers)

_BEGIN: Final = datetime(2026, 11, 23, 17, tzinfo=UTC)
_SECONDS: Final = 60 if os.environ.get("ONEMETER_QUICK") else 3600
#: Seconds between two short-term statistics.
_SHORT_TERM: Final = 300
_PER_DAY: Final = 86_400 / _SECONDS
_HOUSE: Final = Household(utc_offset=3600)
_KWH: Final = Decimal(36_000_000)

type Feed = Callable[[int], Awaitable[None]]


def _seconds(time: datetime) -> int:
    return int(time.timestamp())


# --- telegrams ------------------------------------------------------------------------------------


def p1_telegram(time: int) -> bytes:
    """Return a telegram of DSMR 5, with three phases and gas."""
    imported, exported = _HOUSE.energy(time)
    day = day_tariff(_HOUSE, time)
    measured = _HOUSE.measure(time)
    # When the gas meter has sent its total: each 5 minutes.
    gas_time = time - time % 300

    def stamp(time: int) -> str:
        return f"{datetime.fromtimestamp(time, UTC) + timedelta(hours=1):%y%m%d%H%M%S}W"

    def energy(tenths: int) -> str:
        return f"{tenths / _KWH:010.3f}*kWh"

    def power(tenths: int) -> str:
        return f"{max(tenths, 0) / 10_000:06.3f}*kW"

    total = sum(measured.power)
    sets = [
        ("1-3:0.2.8", ["50"]),
        ("0-0:1.0.0", [stamp(time)]),
        ("0-0:96.1.1", ["4530303434303037313331363530363138"]),
        ("1-0:1.8.1", [energy(imported - day)]),
        ("1-0:1.8.2", [energy(day)]),
        ("1-0:2.8.1", [energy(exported // 3)]),
        ("1-0:2.8.2", [energy(exported - exported // 3)]),
        ("0-0:96.14.0", ["0002"]),
        ("1-0:1.7.0", [power(total)]),
        ("1-0:2.7.0", [power(-total)]),
        ("0-0:96.7.21", ["00006"]),
        ("0-0:96.7.9", ["00002"]),
        *((f"1-0:{c}.32.0", ["00001"]) for c in (32, 52, 72)),
        *((f"1-0:{c}.36.0", ["00000"]) for c in (32, 52, 72)),
        ("0-0:96.13.0", [""]),
        *(
            (f"1-0:{c}.7.0", [f"{tenths / 10:05.1f}*V"])
            for c, tenths in zip((32, 52, 72), measured.voltage, strict=True)
        ),
        *(
            (f"1-0:{c}.7.0", [f"{hundredths / 100:03.0f}*A"])
            for c, hundredths in zip((31, 51, 71), measured.current, strict=True)
        ),
        *(
            (f"1-0:{c}.7.0", [power(watts)])
            for c, watts in zip((21, 41, 61), measured.power, strict=True)
        ),
        *(
            (f"1-0:{c}.7.0", [power(-watts)])
            for c, watts in zip((22, 42, 62), measured.power, strict=True)
        ),
        ("0-1:24.1.0", ["003"]),
        ("0-1:96.1.0", ["4730303339303031373333373635343137"]),
        ("0-1:24.2.1", [stamp(gas_time), f"{3000 + gas_time % 86_400 / 20_000:09.3f}*m3"]),
    ]
    lines = "\r\n".join(data_set(code, values) for code, values in sets)
    telegram = b"/ISK5\\2M550E-1012\r\n\r\n" + lines.encode() + b"\r\n!"
    return telegram + p1_crc(telegram)


def _decoded(decoder: Decoder, data: bytes) -> Reading:
    found: Sequence[Reading] = [*decoder.feed(data), *decoder.finish()]
    return found[0]


def dlms_object_reading(time: int) -> Reading:
    """Return the reading of a polled DLMS meter."""
    registers = DlmsRegisters(household=_HOUSE)
    units = {27: "W", 29: "var", 30: "Wh", 32: "varh", 33: "A", 35: "V", 44: "Hz"}
    return reading(
        *(
            Register(Obis.parse(code), registers.value(code, time), units.get(quantity.unit))
            for code, quantity in registers.quantities.items()
        )
    )


class Case(NamedTuple):
    """A meter, and how often it sends or is read."""

    name: str
    interval: int
    telegram: Callable[[int], Reading]
    data: Mapping[str, Any] = MappingProxyType({})
    is_polled: bool = False
    options: Mapping[str, Any] = MappingProxyType({})


def _sml(style: Style) -> Callable[[int], Reading]:
    meter = SmlMeter(household=_HOUSE, style=style)
    return lambda time: _decoded(SmlDecoder(), meter.telegram(time))


def _readout(time: int) -> Reading:
    meter = Iec62056Meter(registers=Registers(household=_HOUSE), clock=lambda: time)
    return _decoded(Iec62056Decoder(), meter.identification + b"\r\n" + meter.readout())


def _p1(time: int) -> Reading:
    return _decoded(Iec62056Decoder(), p1_telegram(time))


def _pushed(layout: Layout) -> Callable[[int], Reading]:
    meter = PushMeter(registers=DlmsRegisters(household=_HOUSE), layout=layout)
    return lambda time: _decoded(DlmsDecoder(), meter.telegram(time))


CASES: Final = (
    Case("SML, EDL, each 2 s", 2, _sml(Style.EDL)),
    Case("SML, FNN with PIN, each 1 s", 1, _sml(Style.FNN)),
    Case("IEC 62056-21, polled, each 60 s", 60, _readout, {"protocol": "iec62056"}, is_polled=True),
    Case("P1 (DSMR 5), each 1 s", 1, _p1, {"protocol": "iec62056", "mode": "pushed"}),
    # As often as dsmr does.
    Case(
        "P1 (DSMR 5), published each 30 s",
        1,
        _p1,
        {"protocol": "iec62056", "mode": "pushed"},
        options={CONF_PUBLISH_INTERVAL: 30},
    ),
    Case(
        "DLMS, pushed (Norway), each 10 s",
        10,
        _pushed(Layout.LIST),
        {"protocol": "dlms", "mode": "pushed"},
    ),
    Case(
        "DLMS, pushed (Austria), each 5 s",
        5,
        _pushed(Layout.EVN),
        {"protocol": "dlms", "mode": "pushed"},
    ),
    Case("DLMS, polled, each 60 s", 60, dlms_object_reading, {"protocol": "dlms"}, is_polled=True),
)

# --- the simulated hour ---------------------------------------------------------------------------


class Size(NamedTuple):
    """The size of a database."""

    states: int
    statistics: int
    size: int

    def per_day(self, before: Size) -> str:
        """Return what was added, for a day."""
        states, statistics, size = (
            round((now - then) * _PER_DAY) for now, then in zip(self, before, strict=True)
        )
        return f"{states:8} states {statistics:7} statistics {size / 1e6:8.2f} MB per day"


@pytest.fixture
def recorder_db_url(tmp_path: Path, hass_fixture_setup: list[bool]) -> str:
    """Record into a file."""
    assert not hass_fixture_setup
    return f"sqlite:///{tmp_path / 'recorder.db'}"


@pytest.fixture
def recorder_config() -> dict[str, Any]:
    """Record all but what is no sensor of the meter."""
    return {"exclude": {"entities": [SOURCE]}}


async def _size(hass: HomeAssistant, file: Path) -> Size:
    await async_wait_recording_done(hass)

    def read() -> Size:
        with sqlite3.connect(file) as connection:
            count = "SELECT count(*) FROM "
            tables = ("states", "statistics", "statistics_short_term")
            states, hours, short = (
                connection.execute(count + table).fetchone()[0] for table in tables
            )
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            pages, size, free = (
                connection.execute(f"PRAGMA {name}").fetchone()[0]
                for name in ("page_count", "page_size", "freelist_count")
            )
        return Size(states, hours + short, (pages - free) * size)

    return await hass.async_add_executor_job(read)


async def _run(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, file: Path, interval: int, feed: Feed
) -> str:
    """Feed telegrams for an hour; return what was added to the database."""
    time = datetime.now(UTC)
    before = await _size(hass, file)
    for _ in range(_SECONDS // interval):
        time += timedelta(seconds=interval)
        freezer.move_to(time)
        await feed(_seconds(time))
        # The telegram before the timers, which are fired up to half a second too early.
        await settle(hass)
        async_fire_time_changed(hass)
        await settle(hass)
        if _seconds(time) % _SHORT_TERM == 0:
            await async_wait_recording_done(hass)
            start = time - timedelta(seconds=_SHORT_TERM)
            get_instance(hass).queue_task(StatisticsTask(start, fire_events=False))
    return (await _size(hass, file)).per_day(before)


def _print(name: str, text: str, enabled: int) -> None:
    sys.stdout.write(f"\n{name:34} {enabled:3} sensors {text}")


@pytest.fixture(autouse=True)
async def _berlin(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> None:
    freezer.move_to(_BEGIN)
    await hass.config.async_set_time_zone("Europe/Berlin")


@pytest.mark.timeout(900)
@pytest.mark.usefixtures("recorder_mock")
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_onemeter(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, tmp_path: Path, case: Case
) -> None:
    meter = (PolledMeter if case.is_polled else PushedMeter)(hass, freezer)
    first = case.telegram(_seconds(_BEGIN))
    identity = Identity("12345678", "DMO", None, "1DMO0012345678")

    def telegram(time: int) -> Reading:
        sent = case.telegram(time)
        return Reading(identity, sent.time, sent.registers, sent.raw)

    meter.make_entry(identity.unique_id, options=dict(case.options), **case.data)
    if isinstance(meter, PolledMeter):
        meter.client.usual = telegram(_seconds(_BEGIN))
        assert await meter.set_up()
    else:
        assert await meter.start(telegram(_seconds(_BEGIN)))
    assert first.registers

    async def feed(time: int) -> None:
        if isinstance(meter, PolledMeter):
            meter.client.usual = telegram(time)
        else:
            meter.client.said.put_nowait(telegram(time))

    added = await _run(hass, freezer, tmp_path / "recorder.db", case.interval, feed)
    _print(case.name, added, len(hass.states.async_all("sensor")))


@pytest.mark.timeout(900)
@pytest.mark.usefixtures("recorder_mock")
async def test_blink(hass: HomeAssistant, freezer: FrozenDateTimeFactory, tmp_path: Path) -> None:
    meter = BlinkingMeter(hass, freezer)
    light = Light(household=_HOUSE)
    begin = light.impulses(_seconds(_BEGIN))
    hass.states.async_set(SOURCE, "0")
    assert await meter.set_up()

    async def feed(time: int) -> None:
        hass.states.async_set(SOURCE, str(light.impulses(time) - begin))

    added = await _run(hass, freezer, tmp_path / "recorder.db", 1, feed)
    _print("BLINK, 1000 imp/kWh", added, len(hass.states.async_all("sensor")) - 1)


@pytest.mark.timeout(900)
@pytest.mark.usefixtures("recorder_mock")
@pytest.mark.parametrize(("style", "interval"), [(Style.EDL, 2), (Style.FNN, 1)])
async def test_edl21(
    hass: HomeAssistant,
    freezer: FrozenDateTimeFactory,
    tmp_path: Path,
    *,
    style: Style,
    interval: int,
) -> None:
    pytest.importorskip("sml")
    from sml.asyncio import SmlProtocol  # noqa: PLC0415 - only in the benchmark's environment

    protocols: list[Any] = []

    async def connect(protocol: Any, _: object) -> None:
        protocols.append(protocol)

    stub_usb(hass)
    entry = MockConfigEntry(domain="edl21", data={"serial_port": "/dev/null", "name": ""})
    entry.add_to_hass(hass)
    meter = SmlMeter(household=_HOUSE, style=style)
    with patch.object(SmlProtocol, "connect", connect):
        assert await hass.config_entries.async_setup(entry.entry_id)
        await hass.async_block_till_done()
    (protocol,) = protocols
    protocol._impl.data_received(meter.telegram(_seconds(_BEGIN)))
    await hass.async_block_till_done()

    async def feed(time: int) -> None:
        protocol._impl.data_received(meter.telegram(time))

    added = await _run(hass, freezer, tmp_path / "recorder.db", interval, feed)
    name = f"edl21: SML, {style.upper()}, each {interval} s"
    _print(name, added, len(hass.states.async_all("sensor")))


@pytest.mark.timeout(900)
@pytest.mark.usefixtures("recorder_mock")
async def test_dsmr(hass: HomeAssistant, freezer: FrozenDateTimeFactory, tmp_path: Path) -> None:
    pytest.importorskip("dsmr_parser")
    from dsmr_parser import telegram_specifications  # noqa: PLC0415 - likewise
    from dsmr_parser.parsers import TelegramParser  # noqa: PLC0415 - likewise

    parser = TelegramParser(telegram_specifications.V5)
    never = hass.loop.create_future()
    protocol = MagicMock(wait_closed=AsyncMock(side_effect=lambda: never))
    stub_usb(hass)
    data = {
        "port": "/dev/null",
        "dsmr_version": "5",
        "protocol": "dsmr_protocol",
        "serial_id": "1",
        "serial_id_gas": "2",
    }
    entry = MockConfigEntry(domain="dsmr", data=data, unique_id="/dev/null")
    entry.add_to_hass(hass)
    create = AsyncMock(return_value=(MagicMock(), protocol))
    with patch("homeassistant.components.dsmr.sensor.create_dsmr_reader", create):
        assert await hass.config_entries.async_setup(entry.entry_id)
        await hass.async_block_till_done()
        take = create.call_args.args[2]

    async def feed(time: int) -> None:
        take(parser.parse(p1_telegram(time).decode()))

    freezer.tick(31)
    await feed(_seconds(_BEGIN) + 31)
    await hass.async_block_till_done()
    added = await _run(hass, freezer, tmp_path / "recorder.db", 1, feed)
    _print("dsmr: P1, each 1 s", added, len(hass.states.async_all("sensor")))
    never.set_result(None)
