"""Each repair, provoked by a simulated meter at a port, and what ends it."""

from collections.abc import AsyncGenerator, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
import time
from typing import Any
from unittest.mock import patch

from freezegun.api import FrozenDateTimeFactory
import pytest

from custom_components.onemeter.const import (
    CONF_AUTHENTICATION_KEY,
    CONF_ENCRYPTION_KEY,
    CONF_MAX_POWER,
    DOMAIN,
)
from homeassistant.components import usb
from homeassistant.components.repairs.const import DOMAIN as REPAIRS_DOMAIN
from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import CONF_MODE, CONF_PORT, CONF_PROTOCOL, STATE_UNAVAILABLE
from homeassistant.core import DOMAIN as HOMEASSISTANT_DOMAIN, HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers import issue_registry as ir
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util
from simulator.dlms import PushMeter
from simulator.household import Household
from simulator.iec62056.encoder import p1_crc
from simulator.pty import PtyLine
from simulator.sml.meter import SmlMeter
from simulator.tcp import TcpLine

from .helpers.simulated import SimulatedMeter

pytestmark = pytest.mark.real_time("a port of the kernel")

HOUSEHOLD = Household(solar=False)
SML = SmlMeter(household=HOUSEHOLD)
OTHER = SmlMeter(household=HOUSEHOLD, serial=99_999_999)
OWN_ID, OTHER_ID = "1DMO0012345678", "1DMO0099999999"
LIGHT = "sensor.flashes"
EK, AK, NEW_KEY = (bytes(range(first, first + 16)) for first in (0, 16, 32))
ADAPTER = "usb-Head_FT7XQ2LM-if00-port0"


def at(now: float = 0, meter: SmlMeter = SML) -> bytes:
    """Return the telegram of now, or of some seconds later than that."""
    return meter.telegram(int(time.time() + now))


def damaged(telegram: bytes) -> bytes:
    middle = len(telegram) // 2
    return telegram[:middle] + bytes([telegram[middle] ^ 0x10]) + telegram[middle + 1 :]


def p1(clock: datetime, *lines: str) -> bytes:
    """Return a P1 telegram of a meter whose clock shows a local time."""
    body = [
        "/DMO5METER",
        "",
        "1-3:0.2.8(50)",
        f"0-0:1.0.0({clock:%y%m%d%H%M%S}W)",
        "0-0:96.1.1(3132333435363738)",
        "1-0:1.8.1(000123.456*kWh)",
        "1-0:1.7.0(00.321*kW)",
        *lines,
        "!",
    ]
    telegram = "\r\n".join(body).encode()
    return telegram + p1_crc(telegram)


@pytest.fixture
async def line(tmp_path: Path) -> AsyncGenerator[PtyLine]:
    async with PtyLine(tmp_path / "head") as line:
        yield line


@pytest.fixture
async def make(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, line: PtyLine
) -> AsyncGenerator[Callable[..., SimulatedMeter]]:
    """Return a function that makes the entry of a meter at the line."""
    assert await async_setup_component(hass, REPAIRS_DOMAIN, {})
    freezer.move_to(datetime(2026, 11, 30, 17, tzinfo=UTC))
    made: list[SimulatedMeter] = []

    def make(unique_id: str = OWN_ID, **settings: Any) -> SimulatedMeter:
        made.append(SimulatedMeter(hass, freezer, line, unique_id, **settings))
        return made[-1]

    yield make
    for entry in hass.config_entries.async_entries(DOMAIN):
        await hass.config_entries.async_unload(entry.entry_id)


def repairs(hass: HomeAssistant) -> list[str]:
    issues = ir.async_get(hass).issues.values()
    return [str(issue.translation_key) for issue in issues if issue.domain == DOMAIN]


async def fix(hass: HomeAssistant, *steps: str) -> dict[str, Any]:
    """Open the fix flow of the only repair, choose these steps in its menu, and confirm."""
    [issue] = [issue for issue in ir.async_get(hass).issues.values() if issue.domain == DOMAIN]
    assert issue.is_fixable
    manager = hass.data[REPAIRS_DOMAIN]["flow_manager"]
    result: dict[str, Any] = await manager.async_init(DOMAIN, context={"issue_id": issue.issue_id})
    for step in steps:
        assert step in result["menu_options"]
        result = await manager.async_configure(result["flow_id"], {"next_step_id": step})
    assert result["type"] is FlowResultType.FORM
    result = await manager.async_configure(result["flow_id"], {})
    assert result["type"] is FlowResultType.CREATE_ENTRY
    return result


async def reloaded(meter: SimulatedMeter, telegram: bytes) -> None:
    """Wait until the entry is set up again, while the meter sends this telegram."""
    async with meter.sending(telegram):
        await meter.settle()
        await meter.until(lambda: meter.state() is ConfigEntryState.LOADED)
    await meter.settle()


async def test_replaced_meter(hass: HomeAssistant, make: Callable[..., SimulatedMeter]) -> None:
    meter = make()
    await meter.begin(at())
    for _ in range(12):
        await meter.send(at(meter=OTHER), after=1)
    assert repairs(hass) == ["other_meter"]
    await meter.send(at())
    assert repairs(hass) == [], "the head is back"
    for _ in range(12):
        await meter.send(at(meter=OTHER), after=1)
    async with meter.sending(at(meter=OTHER)):
        await fix(hass, "replaced")
        await meter.settle()
        await meter.until(lambda: meter.state() is ConfigEntryState.LOADED)
    assert repairs(hass) == []
    assert meter.entry.unique_id == OTHER_ID


async def test_jumped_totals(hass: HomeAssistant, make: Callable[..., SimulatedMeter]) -> None:
    meter = make()
    await meter.begin(at())
    before = meter.value()
    reset = SmlMeter(household=HOUSEHOLD, restart=int(time.time()) - 86_400)
    for _ in range(7):
        await meter.send(at(meter=reset), after=10)
    assert repairs(hass) == ["totals_jumped"]
    assert float(meter.value()) == pytest.approx(float(before), abs=0.1)
    await fix(hass)
    await meter.settle()
    assert repairs(hass) == []
    assert float(meter.value()) == pytest.approx(reset.totals(int(time.time()))[0] / 1e4, abs=0.1)


async def test_maximum_power_that_is_too_low(
    hass: HomeAssistant, make: Callable[..., SimulatedMeter]
) -> None:
    meter = make(options={CONF_MAX_POWER: 1000})
    await meter.begin(at())
    ahead = 0
    for _ in range(35):
        # Each ten seconds, the consumption of twenty minutes.
        ahead += 1200
        await meter.send(at(ahead), after=10)
    assert repairs(hass) == ["overload"]
    await fix(hass)
    await reloaded(meter, at(ahead))
    assert meter.entry.options[CONF_MAX_POWER] > 1000
    await meter.send(at(ahead), after=10)
    assert repairs(hass) == []


async def test_missing_pin(hass: HomeAssistant, make: Callable[..., SimulatedMeter]) -> None:
    locked = SmlMeter(household=HOUSEHOLD, locked=True)
    meter = make()
    await meter.begin(at(meter=locked))
    for _ in range(7):
        await meter.send(at(meter=locked), after=10)
    assert repairs(hass) == ["meter_locked"]
    await meter.send(at(), after=1)
    assert repairs(hass) == []


@pytest.mark.parametrize(
    ("wrong", "text", "shown"),
    [
        (timedelta(minutes=7.5), "clock_off_ahead", "7 min"),
        (timedelta(minutes=-66), "clock_off_behind", "6 min"),
        (timedelta(days=-400), "clock_off_behind", "400 d"),
    ],
)
async def test_clock_that_is_wrong(
    hass: HomeAssistant,
    make: Callable[..., SimulatedMeter],
    wrong: timedelta,
    text: str,
    shown: str,
) -> None:
    def local(off: timedelta) -> datetime:
        return dt_util.now().replace(tzinfo=None) + off

    await hass.config.async_set_time_zone("Europe/Berlin")
    meter = make("DMO3132333435363738", **{CONF_PROTOCOL: "iec62056", CONF_MODE: "pushed"})
    await meter.begin(p1(local(wrong)))
    for _ in range(24):
        await meter.wait(24)
        await meter.send(p1(local(wrong)))
        assert repairs(hass) == []
    for _ in range(2):
        await meter.wait(24)
        await meter.send(p1(local(wrong)))
    assert repairs(hass) == [text]
    [issue] = ir.async_get(hass).issues.values()
    assert not issue.is_fixable
    assert issue.translation_placeholders == {"title": "Meter", "off": shown}
    # Full hours are another time zone.
    await meter.send(p1(local(timedelta(hours=-1, minutes=4))), after=10)
    assert repairs(hass) == []


async def test_poor_signal(hass: HomeAssistant, make: Callable[..., SimulatedMeter]) -> None:
    meter = make()
    await meter.begin(at())
    for _ in range(28):
        # One of five telegrams.
        await meter.send(*[at()] * 4, damaged(at()), after=20)
    assert repairs(hass) == [], "not for ten minutes yet"
    for _ in range(4):
        await meter.send(*[at()] * 4, damaged(at()), after=20)
    assert repairs(hass) == ["poor_signal"]
    [issue] = ir.async_get(hass).issues.values()
    assert issue.translation_placeholders is not None
    assert 19 <= int(issue.translation_placeholders["share"]) <= 21
    for _ in range(17):
        await meter.send(*[at()] * 5, after=20)
    assert repairs(hass) == []
    for _ in range(10):
        await meter.send(*[damaged(at())] * 5, at(), after=20)
    assert repairs(hass) == [], "too short"


async def test_events_of_a_meter_at_the_port(
    hass: HomeAssistant, make: Callable[..., SimulatedMeter]
) -> None:
    def telegram(tariff: int, failures: int, log: str = "(0)(0-0:96.7.19)") -> bytes:
        return p1(
            datetime.now(UTC).replace(tzinfo=None),
            f"0-0:96.14.0({tariff:04})",
            f"0-0:96.7.21({failures:05})",
            f"1-0:99.97.0{log}",
        )

    def event() -> dict[str, Any]:
        state = hass.states.get("event.meter_meter_event")
        assert state is not None
        return dict(state.attributes)

    meter = make("DMO3132333435363738", **{CONF_PROTOCOL: "iec62056", CONF_MODE: "pushed"})
    await meter.begin(telegram(1, 4))
    assert event()["event_type"] is None
    await meter.send(telegram(2, 4), after=1)
    assert event()["event_type"] == "tariff_changed"
    assert event()["tariff"] == "0002"
    await meter.send(damaged(telegram(2, 9)), telegram(2, 4), after=1)
    assert event()["event_type"] == "tariff_changed"
    restored = telegram(2, 5, "(1)(0-0:96.7.19)(261130170000W)(0000000240*s)")
    await meter.send(restored, restored, after=1)
    assert event()["event_type"] == "power_restored"
    assert (event()["time"], event()["duration"]) == ("2026-11-30T17:00:00", 240)


async def test_changed_key(hass: HomeAssistant, make: Callable[..., SimulatedMeter]) -> None:
    old = PushMeter(encryption_key=EK, authentication_key=AK)
    new = replace(old, encryption_key=NEW_KEY)
    keys = {CONF_ENCRYPTION_KEY: EK.hex(), CONF_AUTHENTICATION_KEY: AK.hex()}
    meter = make(old.serial, **{CONF_PROTOCOL: "dlms", CONF_MODE: "pushed"}, **keys)

    async def push(source: PushMeter, seconds: int) -> None:
        for _ in range(0, seconds, 10):
            await meter.wait(10)
            await meter.offer(source.telegram(int(time.time())))

    def raised() -> list[str]:
        """Return all repairs; Home Assistant raises its own for a flow that asks for keys."""
        issues = ir.async_get(hass).issues.values()
        domains = {DOMAIN, HOMEASSISTANT_DOMAIN}
        return [str(issue.translation_key) for issue in issues if issue.domain in domains]

    await meter.begin(old.telegram(int(time.time())))
    await push(old, 60)
    assert raised() == []
    await push(new, 120)
    assert meter.value() == STATE_UNAVAILABLE
    assert meter.value("status") == "wrong_key"
    await push(new, 1200)
    assert raised() == ["config_entry_reauth"], "it is the only one"

    [flow] = hass.config_entries.flow.async_progress()
    shown = await hass.config_entries.flow.async_configure(flow["flow_id"])
    assert shown["step_id"] == "reauth_dlms_pushed"
    assert shown["errors"] == {"base": "wrong_encryption_key"}
    entered = {**keys, CONF_ENCRYPTION_KEY: NEW_KEY.hex()}
    async with meter.sending(new.telegram(int(time.time()))):
        result = await hass.config_entries.flow.async_configure(flow["flow_id"], entered)
        assert result["reason"] == "reauth_successful"
        await meter.until(lambda: meter.state() is ConfigEntryState.LOADED)
    await push(new, 20)
    read = new.registers.value("1-0:1.8.0*255", int(time.time()))
    # Totals are stored before they are published.
    await meter.until(lambda: meter.value() == str(read.scaleb(-3)))
    assert raised() == []
    assert meter.value("status") == "ok"


def adapter_at(device: str) -> usb.USBDevice:
    return usb.USBDevice(
        device=device,
        vid="0403",
        pid="6001",
        serial_number="FT7XQ2LM",
        manufacturer="Head",
        description=None,
    )


def rescan(hass: HomeAssistant) -> None:
    """Let Home Assistant look for adapters soon."""
    notify = getattr(usb, "async_notify_serial_ports_changed", None)
    assert notify is not None
    notify(hass)


@pytest.mark.usefixtures("socket_enabled")
@pytest.mark.skipif(
    not hasattr(usb, "async_find_moved_serial_port"), reason="Home Assistant before 2026.11"
)
async def test_moved_port(
    hass: HomeAssistant,
    make: Callable[..., SimulatedMeter],
    line: PtyLine,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The adapter is moved from this machine to another one that serves its ports."""
    adapters: list[usb.USBDevice] = []
    monkeypatch.setattr(usb.utils, "SERIAL_BY_ID_DIR", f"{tmp_path}/")
    line.path = tmp_path / ADAPTER
    line.close()
    await line.open()
    with patch.object(usb, "scan_serial_ports", lambda: adapters):
        adapters[:] = [adapter_at(line.url)]
        assert await async_setup_component(hass, "usb", {})
        meter = make()
        await meter.begin(at())
        assert repairs(hass) == []

        line.close()
        adapters.clear()
        rescan(hass)
        await meter.wait(30)
        assert meter.value() == STATE_UNAVAILABLE
        assert meter.value("status") == "port_missing"
        assert repairs(hass) == [], "unplugged"

        async with TcpLine() as remote:
            moved = f"{remote.url}/?port_udev_id={ADAPTER}"
            adapters[:] = [adapter_at(moved)]
            rescan(hass)
            await meter.wait(90)
            assert repairs(hass) == ["port_moved"]
            [issue] = ir.async_get(hass).issues.values()
            assert issue.translation_placeholders is not None
            assert issue.translation_placeholders["port"] == line.url
            await meter.wait(1000)
            assert repairs(hass) == ["port_moved"], "the one repair, with the remedy"

            meter.line = remote
            await fix(hass)
            await reloaded(meter, at())
            assert meter.entry.data[CONF_PORT] == moved
            await meter.send(at(), after=10)
            assert repairs(hass) == []
            assert meter.value("status") == "ok"
            assert float(meter.value()) == pytest.approx(
                SML.totals(int(time.time()))[0] / 1e4, abs=0.1
            )
            await hass.config_entries.async_unload(meter.entry.entry_id)
