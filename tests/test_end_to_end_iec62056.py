"""The whole way, with nothing replaced, for meters of IEC 62056-21 that are as quick as can be."""

import asyncio
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager
from dataclasses import fields
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import combinations
from pathlib import Path
from random import Random
import sys
from typing import Any, override
from unittest.mock import patch

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.components.recorder.common import (
    async_wait_recording_done,
)

from custom_components.onemeter.access.issues import Issue
from custom_components.onemeter.const import (
    CONF_BAUDRATE,
    CONF_LIVE_REGISTERS,
    CONF_POLL_INTERVAL,
    CONF_PUBLISH_INTERVAL,
    DOMAIN,
)
from custom_components.onemeter.coordinator.schedule import next_due
from custom_components.onemeter.flow.schemas import SECTION_EXPERT, SECTION_LINE
from homeassistant.components.recorder import get_instance
from homeassistant.components.recorder.statistics import get_last_short_term_statistics
from homeassistant.components.recorder.tasks import StatisticsTask
from homeassistant.components.repairs.const import DOMAIN as REPAIRS_DOMAIN
from homeassistant.config_entries import (
    SOURCE_REAUTH,
    ConfigEntry,
    ConfigEntryState,
)
from homeassistant.const import (
    CONF_MODE,
    CONF_PASSWORD,
    CONF_PORT,
    CONF_PROTOCOL,
    EVENT_STATE_CHANGED,
    STATE_OFF,
    STATE_ON,
    STATE_UNAVAILABLE,
    STATE_UNKNOWN,
)
from homeassistant.core import (
    DOMAIN as HOMEASSISTANT_DOMAIN,
    Event,
    EventStateChangedData,
    HomeAssistant,
    State,
    callback,
)
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.exceptions import ServiceValidationError
from homeassistant.helpers import device_registry as dr, issue_registry as ir
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util
from simulator.days import Phases
from simulator.household import Energy, Household
from simulator.iec62056 import HABITS, Faults, Iec62056Meter, Mode, Programming, Registers
from simulator.iec62056.registers import ZONE
from simulator.pty import PtyLine

from .helpers import at_the_port
from .helpers.at_the_port import rows_of_this_hour, state, until
from .helpers.lines import at_a_pty
from .helpers.usb import stub_usb

TOTAL = "sensor.dmo_energy_import"
POWER = "sensor.dmo_power"
ERROR = "binary_sensor.dmo_error"
BUTTON = "button.dmo_read_now"

#: Which register a sensor shows, by the end of its entity id.
REGISTERS = {
    "_energy_import": "1.8.0",
    "_energy_import_t1": "1.8.1",
    "_energy_import_t2": "1.8.2",
    "_energy_export": "2.8.0",
    "_maximum_demand_import_t1": "1.6.1",
    "_power": "16.7.0",
}
#: Seconds between what a meter has told and when it is shown, at the most and on a busy machine.
LATE = 15

#: Options of an entry whose power is live.
LIVE: dict[str, Any] = {CONF_LIVE_REGISTERS: ["16.7.0"], CONF_PUBLISH_INTERVAL: 1}

pytestmark = pytest.mark.real_time("a port of the kernel")

_INSTALLED = 1_704_063_600


class Rising(Household):
    """A household whose power rises each second of a minute, from so many watts on."""

    def __init__(self, watts: int = 4000) -> None:
        super().__init__()
        self.watts = watts

    @override
    def power(self, time: int) -> Phases:
        return (10 * self.watts + 100 * (time % 60), 0, 0)

    @override
    def energy(self, time: int) -> Energy:
        minutes, seconds = divmod(time - _INSTALLED, 60)
        rise = 1770 * minutes + seconds * (seconds - 1) // 2
        return Energy(10 * self.watts * (60 * minutes + seconds) + 100 * rise, 0)


class Steady(Rising):
    """A household whose power is always the same."""

    @override
    def power(self, time: int) -> Phases:
        return (10 * self.watts, 0, 0)

    @override
    def energy(self, time: int) -> Energy:
        return Energy(10 * self.watts * (time - _INSTALLED), 0)


def registers(household: Household, **options: Any) -> Registers:
    return Registers(household=household, history=0, with_grid=False, **options)


def simulate(**options: Any) -> Iec62056Meter:
    """Make a meter that reacts within 20 ms, and never speaks as slowly as at 300 baud."""
    quick: dict[str, Any] = {
        "manufacturer": "DMo",
        "start_baudrate": 9600,
        "registers": registers(Rising()),
    }
    return Iec62056Meter(**quick | options)


class Shown:
    """All that Home Assistant shows of meters."""

    def __init__(self, hass: HomeAssistant) -> None:
        """See what comes from now on."""
        self.states: list[State] = []
        hass.bus.async_listen(EVENT_STATE_CHANGED, self._take)

    @callback
    def _take(self, event: Event[EventStateChangedData]) -> None:
        if (new := event.data["new_state"]) is not None:
            self.states.append(new)

    def of(self, entity_id: str) -> list[str]:
        """Return what one entity has shown."""
        return [shown.state for shown in self.states if shown.entity_id == entity_id]

    def unavailable(self, name: str = "") -> set[str]:
        """Return which entities, with this in their ids, could not be had at times."""
        return {
            shown.entity_id
            for shown in self.states
            if name in shown.entity_id and shown.state == STATE_UNAVAILABLE
        }

    def wrong(self, meter: Iec62056Meter) -> list[State]:
        """Return the numbers that a meter had not just told when they were shown."""
        return [shown for shown in self.states if not _is_right(shown, meter)]


def _is_right(shown: State, meter: Iec62056Meter) -> bool:
    code = next((code for end, code in REGISTERS.items() if shown.entity_id.endswith(end)), None)
    if code is None or shown.state in {STATE_UNAVAILABLE, STATE_UNKNOWN}:
        return True
    at = int(shown.last_updated_timestamp)
    # Meters tell kW, sensors show W.
    number = Decimal(shown.state) / (1000 if shown.attributes["device_class"] == "power" else 1)
    return number in {
        Decimal(values[0].partition("*")[0])
        for second in range(at - LATE, at + 1)
        for address, values in meter.registers.data_sets(second, meter.serial)
        if address == code
    }


@pytest.fixture
def shown(hass: HomeAssistant) -> Shown:
    return Shown(hass)


@pytest.fixture(autouse=True)
def no_frontend() -> Generator[None]:
    """Do not wait for a dialog that nobody opens."""
    with patch("custom_components.onemeter.flow.progress.SHORTEST_PROGRESS", 0):
        yield


@pytest.fixture(autouse=True)
async def home_assistant(hass: HomeAssistant) -> None:
    """Have the usual actions, and let the integration's dependency seem set up.

    It would look for the machine's devices.
    """
    stub_usb(hass)
    assert await async_setup_component(hass, HOMEASSISTANT_DOMAIN, {})


async def add_meter(hass: HomeAssistant, line: PtyLine) -> ConfigEntry:
    form = {CONF_PORT: line.url, CONF_PROTOCOL: "iec62056", SECTION_LINE: {CONF_BAUDRATE: "9600"}}
    return await at_the_port.add_meter(hass, form, {SECTION_EXPERT: {}})


async def set_options(hass: HomeAssistant, entry: ConfigEntry, **options: Any) -> None:
    """Go through the dialog of the options, which sets the entry up again."""
    result = await hass.config_entries.options.async_init(entry.entry_id)
    result = await hass.config_entries.options.async_configure(result["flow_id"], options)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    await hass.async_block_till_done()
    assert entry.state is ConfigEntryState.LOADED


@asynccontextmanager
async def entry_of(
    hass: HomeAssistant,
    line: PtyLine,
    meter: Iec62056Meter,
    options: dict[str, Any] | None = None,
    *,
    title: str,
    **data: Any,
) -> AsyncGenerator[MockConfigEntry]:
    """Set up the entry that the dialog would make of a meter that is asked, here each second."""
    protocol = {CONF_PROTOCOL: "iec62056", CONF_MODE: "polled"}
    entry = MockConfigEntry(
        domain=DOMAIN,
        title=title,
        unique_id=f"DMO{meter.serial}",
        data={CONF_PORT: line.url, CONF_BAUDRATE: meter.start_baudrate, **protocol, **data},
        options={CONF_POLL_INTERVAL: 1} | (options or {}),
    )
    entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    try:
        yield entry
    finally:
        await hass.config_entries.async_unload(entry.entry_id)


@asynccontextmanager
async def followed(
    hass: HomeAssistant,
    path: Path,
    meter: Iec62056Meter,
    options: dict[str, Any] | None = None,
    *,
    title: str = "dmo",
    **data: Any,
) -> AsyncGenerator[tuple[PtyLine, MockConfigEntry]]:
    """Put up a meter, and set up its entry."""
    path /= title
    path.mkdir()
    async with at_a_pty(path, meter) as line:
        async with entry_of(hass, line, meter, options, title=title, **data) as entry:
            yield line, entry
        assert not line.listened_to


def is_there(hass: HomeAssistant, title: str = "dmo") -> bool:
    return state(hass, f"sensor.{title}_energy_import") != STATE_UNAVAILABLE


async def press(hass: HomeAssistant) -> None:
    await hass.services.async_call("button", "press", {"entity_id": BUTTON}, blocking=True)


async def consumed_since(hass: HomeAssistant, begin: datetime) -> float | None:
    """Return what was consumed since a point in time, by the statistics."""
    start = begin.replace(minute=begin.minute // 5 * 5, second=0, microsecond=0)
    await async_wait_recording_done(hass)
    while start < dt_util.utcnow():
        get_instance(hass).queue_task(StatisticsTask(start, fire_events=True))
        start += timedelta(minutes=5)
    # Steps are taken out once the rows are there, by the recorder too.
    await async_wait_recording_done(hass)
    await async_wait_recording_done(hass)
    rows = await get_instance(hass).async_add_executor_job(
        get_last_short_term_statistics, hass, 1, TOTAL, False, {"sum"}
    )
    [row] = rows[TOTAL]
    return row["sum"]


@pytest.mark.usefixtures("recorder_mock")
async def test_from_the_port_to_long_term_statistics(
    hass: HomeAssistant, tmp_path: Path, shown: Shown
) -> None:
    begin = dt_util.utcnow()
    meter = simulate()
    async with at_a_pty(tmp_path, meter) as line:
        entry = await add_meter(hass, line)
        assert entry.data[CONF_MODE] == "polled"
        assert meter.count("readout") == len(shown.of(TOTAL)) == 1
        maxima = [
            f"{register.time}"
            for register in entry.runtime_data.data.registers.values()
            if register.address == "1.6.1"
        ]
        # That of a new month is there after its first quarter of an hour.
        quarter = f"{datetime.now(ZONE):%Y-%m}-01 00:15:00"
        assert maxima == [quarter] * (f"{datetime.now(ZONE):%Y-%m-%d %H:%M:%S}" > quarter)
        assert state(hass, ERROR) == STATE_OFF

        meter.registers.error = "00000040"
        await press(hass)
        assert meter.count("readout") == 2
        error = hass.states.get(ERROR)
        assert error is not None
        assert (error.state, error.attributes["word"]) == (STATE_ON, "00000040")
        meter.registers.error = "00000000"
        entities = {"entity_id": [TOTAL, POWER, ERROR]}
        await hass.services.async_call(
            HOMEASSISTANT_DOMAIN, "update_entity", entities, blocking=True
        )
        assert meter.count("readout") == 3, "once for all of them"
        assert state(hass, ERROR) == STATE_OFF

        await set_options(hass, entry, **{CONF_POLL_INTERVAL: 1})
        await until(lambda: meter.count("readout") > 5)
        consumed = await consumed_since(hass, begin)
        rows = await rows_of_this_hour(hass, TOTAL, POWER)
        totals = [float(total) for total in shown.of(TOTAL) if total != STATE_UNAVAILABLE]
        assert any(consumed == pytest.approx(total - totals[0]) for total in totals[-3:])
        assert rows[TOTAL]["state"] in totals[-3:]
        assert rows[POWER]["mean"] is not None
        assert not shown.wrong(meter)
        await hass.config_entries.async_unload(entry.entry_id)
        assert not line.listened_to


class Noisy(PtyLine):
    """A line on which one bit of so many digits is flipped, which makes them other digits."""

    flips = 0
    random = Random(0)

    @override
    def put(self, data: bytes, *, is_end: bool = True) -> None:
        damaged = bytearray(data)
        for place, character in enumerate(data):
            is_digit = bytes([character & 0x7F]).isdigit()
            if self.flips and is_digit and self.random.random() < 0.01:
                damaged[place] ^= 1
                self.flips -= 1
        super().put(bytes(damaged), is_end=is_end)


async def test_meter_that_speaks_first(hass: HomeAssistant, tmp_path: Path, shown: Shown) -> None:
    meter = simulate(mode=Mode.D, interval=0.5)
    with patch("tests.helpers.lines.PtyLine", Noisy):
        async with at_a_pty(tmp_path, meter) as line:
            assert isinstance(line, Noisy)
            entry = await add_meter(hass, line)
            assert entry.data[CONF_MODE] == "pushed"
            assert meter.count("readout") >= 2, "one alone is not believed"
            assert hass.states.get(BUTTON) is None
            await set_options(hass, entry, **{CONF_PUBLISH_INTERVAL: 1})
            line.flips = 8
            await until(lambda: not line.flips)
            seen = len(shown.of(TOTAL))
            await until(lambda: len(shown.of(TOTAL)) > seen + 1)
            assert not shown.wrong(meter)
            assert entry.runtime_data.client.counters.damaged
            await hass.config_entries.async_unload(entry.entry_id)
            assert not line.listened_to


async def pull_the_cable(hass: HomeAssistant, path: Path) -> None:
    meter = simulate(serial="11111111")
    async with followed(hass, path, meter, title="pulled") as (line, entry):
        for _ in range(2):
            line.close()
            await until(lambda: not is_there(hass, "pulled"))
            assert entry.runtime_data.translation_key == "port_not_found"
            await line.open()
            await until(lambda: is_there(hass, "pulled"))


async def start_without_the_cable(hass: HomeAssistant, path: Path) -> None:
    meter = simulate(serial="22222222")
    async with followed(hass, path, meter, title="missing") as (line, entry):
        await hass.config_entries.async_unload(entry.entry_id)
        line.close()
        assert not await hass.config_entries.async_setup(entry.entry_id)
        assert entry.state is ConfigEntryState.SETUP_RETRY
        assert entry.error_reason_translation_key == "port_not_found"
        await asyncio.sleep(0.5)
        await line.open()
        await until(lambda: entry.state is ConfigEntryState.LOADED)
        assert is_there(hass, "missing")


async def let_another_program_have_the_port(hass: HomeAssistant, path: Path) -> None:
    code = (
        "import fcntl, sys; port = open(sys.argv[1], 'rb', 0);"
        "fcntl.flock(port, fcntl.LOCK_EX); print(flush=True); sys.stdin.read()"
    )
    meter = simulate(serial="33333333")
    async with followed(hass, path, meter, title="taken") as (line, entry):
        program = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", code, line.url),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        try:
            await until(lambda: not is_there(hass, "taken"))
            assert entry.runtime_data.translation_key == "port_busy"
            why = entry.runtime_data.last_exception
            assert why.translation_key == "port_busy_by"
            assert f"(PID {program.pid})" in why.translation_placeholders["by"]
        finally:
            await program.communicate()
        await until(lambda: is_there(hass, "taken"))


async def let_the_meter_fall_silent(hass: HomeAssistant, path: Path) -> None:
    meter = simulate(serial="44444444")
    async with followed(hass, path, meter, title="silent") as (_, entry):
        with patch.object(meter, "answers", return_value=False):
            await until(lambda: not is_there(hass, "silent"))
            assert entry.runtime_data.translation_key == "meter_silent"
        await until(lambda: is_there(hass, "silent"))


async def test_meters_that_cannot_be_read_for_a_while(hass: HomeAssistant, tmp_path: Path) -> None:
    """All at the same time, since each takes long."""
    async with asyncio.TaskGroup() as group:
        for happen in (
            pull_the_cable,
            start_without_the_cable,
            let_another_program_have_the_port,
            let_the_meter_fall_silent,
        ):
            group.create_task(happen(hass, tmp_path))


async def test_restart(hass: HomeAssistant, tmp_path: Path, shown: Shown) -> None:
    meter = simulate()
    async with followed(hass, tmp_path, meter) as (line, entry):
        await hass.config_entries.async_unload(entry.entry_id)
        assert not is_there(hass)
        assert not line.listened_to
        read = meter.count("readout")
        assert await hass.config_entries.async_setup(entry.entry_id)
        assert meter.count("readout") == read + 1
        *_, before, gone, after = shown.of(TOTAL)
        assert gone == STATE_UNAVAILABLE
        assert float(after) >= float(before)
        assert not shown.wrong(meter)


async def test_single_faults_are_never_seen(
    hass: HomeAssistant, tmp_path: Path, shown: Shown
) -> None:
    async def strike(fault: str, serial: str) -> None:
        """Let one thing go wrong at a meter of its own, and wait for what comes after it."""
        meter = simulate(start_baudrate=2400, serial=serial)
        in_sessions = fault in {"flip_bits_of_answers", "miss_commands"}
        options = LIVE | {CONF_POLL_INTERVAL: 3} if in_sessions else None
        # No name may be the begin of another one: meters are unavailable once theirs is done.
        name = fault.replace("_", "")
        async with followed(hass, tmp_path, meter, options, title=name):
            setattr(meter.faults, fault, 1)
            await until(lambda: not getattr(meter.faults, fault))
            seen = len(shown.of(f"sensor.{name}_energy_import"))
            await until(lambda: len(shown.of(f"sensor.{name}_energy_import")) > seen)
            assert not shown.unavailable(f".{name}_")

    async with asyncio.TaskGroup() as group:
        for number, fault in enumerate(fields(Faults), 1):
            group.create_task(strike(fault.name, f"{number:08}"))
    assert not shown.wrong(simulate())


def issues(hass: HomeAssistant) -> list[str]:
    return [str(issue.translation_key) for issue in ir.async_get(hass).issues.values()]


async def agree(hass: HomeAssistant) -> None:
    """Agree to the repair that is proposed."""
    [issue] = ir.async_get(hass).issues.values()
    manager = hass.data[REPAIRS_DOMAIN]["flow_manager"]
    form = await manager.async_init(DOMAIN, context={"issue_id": issue.issue_id})
    chosen = {"next_step_id": "replaced"} if form["type"] is FlowResultType.MENU else {}
    result = await manager.async_configure(form["flow_id"], chosen)
    if result["type"] is FlowResultType.FORM:
        result = await manager.async_configure(form["flow_id"], {})
    assert result["type"] is FlowResultType.CREATE_ENTRY


@pytest.mark.usefixtures("recorder_mock")
async def test_another_meter_in_its_place(
    hass: HomeAssistant, tmp_path: Path, shown: Shown
) -> None:
    assert await async_setup_component(hass, REPAIRS_DOMAIN, {})
    begin = dt_util.utcnow()
    own, other = registers(Rising()), registers(Rising(3000))
    meter = simulate(registers=own)
    async with followed(hass, tmp_path, meter) as (_, entry):
        meter.serial, meter.registers = "87654321", other
        await until(lambda: not is_there(hass))
        assert issues(hass) == [Issue.OTHER_METER]
        read = meter.count("readout")
        await until(lambda: meter.count("readout") > read)
        meter.serial, meter.registers = "12345678", own
        await until(lambda: is_there(hass))
        assert not issues(hass)
        meter.serial, meter.registers = "87654321", other
        await until(lambda: not is_there(hass))
        assert not shown.wrong(simulate(registers=own)), "nothing of the other meter"

        shown.states.clear()
        await agree(hass)
        await until(lambda: is_there(hass) and len(set(shown.of(TOTAL))) >= 2)
        assert entry.unique_id == "DMO87654321"
        assert not issues(hass)
        assert not shown.wrong(meter)
        assert await consumed_since(hass, begin) == pytest.approx(0, abs=0.1)


async def test_live_power_between_readouts(
    hass: HomeAssistant, tmp_path: Path, shown: Shown
) -> None:
    meter = simulate()
    async with followed(hass, tmp_path, meter, LIVE | {CONF_POLL_INTERVAL: 60}):
        await until(lambda: len(set(shown.of(POWER))) >= 3)
        assert len(shown.of(TOTAL)) == meter.count("readout") == 1
        await press(hass)
        await until(lambda: len(set(shown.of(POWER))) >= 5)
        assert len(shown.of(TOTAL)) == meter.count("readout") == 2
        assert not shown.wrong(meter)
        assert not shown.unavailable()


async def read_registers(hass: HomeAssistant, registers: list[str]) -> dict[str, Any]:
    """Read registers by the action, and return their values."""
    (device,) = dr.async_get(hass).devices
    response: Any = await hass.services.async_call(
        DOMAIN,
        "read_registers",
        {"device_id": device.id, "registers": registers},
        blocking=True,
        return_response=True,
    )
    return {item["address"]: item["value"] for item in response["registers"]}


async def test_registers_are_read_between_live_values(
    hass: HomeAssistant, tmp_path: Path, shown: Shown
) -> None:
    meter = simulate(password="00000000")
    async with followed(hass, tmp_path, meter, LIVE, password="00000000"):
        await until(lambda: any(entry.detail == "R1 16.7.0()" for entry in meter.log))
        values = await read_registers(hass, ["1.8.1", "9.99.0", "1.8.0"])
        assert values.keys() == {"1.8.0", "1.8.1"}
        live = meter.count("sign-on")
        await until(lambda: meter.count("sign-on") > live)
        assert not shown.unavailable()
        assert meter.wrong_passwords == 0


async def test_live_power_that_the_meter_refuses(
    hass: HomeAssistant, tmp_path: Path, shown: Shown
) -> None:
    meter = simulate(programming=Programming.REFUSED)
    async with followed(hass, tmp_path, meter, LIVE | {CONF_POLL_INTERVAL: 2}):
        await until(lambda: meter.count("readout") == 3)
        asked = [entry.detail for entry in meter.log if entry.what == "acknowledgement"]
        # For a session twice, since damage may look like a refusal, and then no more.
        assert asked == ["050", "051", "051", "050", "050"]
        assert not shown.unavailable()
        assert not hass.config_entries.flow.async_progress()


async def test_wrong_password_is_asked_for(
    hass: HomeAssistant, tmp_path: Path, shown: Shown
) -> None:
    meter = simulate(password="00000000")
    options = LIVE | {CONF_POLL_INTERVAL: 2}
    async with followed(hass, tmp_path, meter, options, password="11111111"):
        await until(lambda: meter.count("readout") == 3)
        assert meter.wrong_passwords == 1
        assert not shown.unavailable()
        [flow] = hass.config_entries.flow.async_progress()
        assert flow["context"]["source"] == SOURCE_REAUTH
        with pytest.raises(ServiceValidationError) as error:
            await read_registers(hass, ["1.8.0"])
        assert error.value.translation_key == "was_rejected"
        assert meter.wrong_passwords == 1
        result = await hass.config_entries.flow.async_configure(
            flow["flow_id"], {CONF_PASSWORD: "00000000"}
        )
        assert result["type"] is FlowResultType.ABORT
        assert result["reason"] == "reauth_successful"
        await until(lambda: any(entry.detail == "R1 16.7.0()" for entry in meter.log))
        assert meter.wrong_passwords == 0
        assert not hass.config_entries.flow.async_progress()


async def test_power_of_meters_that_tell_none(
    hass: HomeAssistant, tmp_path: Path, shown: Shown
) -> None:
    fine, coarse = (
        simulate(serial=serial, registers=registers(Steady(), with_power=False, decimals=decimals))
        for serial, decimals in (("11111111", 4), ("22222222", 1))
    )
    async with (
        followed(hass, tmp_path, fine, title="fine"),
        followed(hass, tmp_path, coarse, title="coarse"),
    ):
        total, derived = "sensor.fine_energy_import", "sensor.fine_power_derived"
        await until(lambda: hass.states.get(derived) is not None)
        [power] = [item for item in shown.states if item.entity_id == derived]
        assert power.attributes["derived"] is True
        totals = [
            (item.last_updated_timestamp, float(item.state))
            for item in shown.states
            if item.entity_id == total
        ]
        assert float(power.state) in [
            pytest.approx(3_600_000 * (last - first) / (end - begin), rel=0.02)
            for (begin, first), (end, last) in combinations(totals, 2)
            if end - begin > 9
        ]
        assert is_there(hass, "coarse")
        assert hass.states.get("sensor.coarse_power_derived") is None


async def test_two_meters_on_one_line(hass: HomeAssistant, tmp_path: Path, shown: Shown) -> None:
    one, two = (simulate(serial=serial) for serial in ("11111111", "22222222"))
    live, other = LIVE | {CONF_POLL_INTERVAL: 5}, {CONF_POLL_INTERVAL: 3}
    async with (
        at_a_pty(tmp_path, one, two) as line,
        entry_of(hass, line, one, live, title="one", address=one.serial),
        entry_of(hass, line, two, other, title="two", address=two.serial),
    ):
        shown.states.clear()
        await until(lambda: len(shown.of("sensor.two_energy_import")) >= 2)
        assert len(shown.of("sensor.one_energy_import")) >= 1
        assert len(shown.of("sensor.one_power")) >= 3, "also between readouts"
        assert not shown.unavailable()
        assert not shown.wrong(one)
        assert one.count("collision") == 0


@pytest.mark.parametrize("habit", ["slow", "blocks", "other-speed"])
async def test_meter_with_a_habit_of_its_own(
    hass: HomeAssistant, tmp_path: Path, shown: Shown, habit: str
) -> None:
    """It is read at the first try, again, and after a restart."""
    meter = simulate(start_baudrate=4800)
    HABITS[habit][1](meter)
    async with followed(hass, tmp_path, meter) as (_, entry):
        await until(lambda: len(shown.of(TOTAL)) >= 2)
        assert await hass.config_entries.async_unload(entry.entry_id)
        assert await hass.config_entries.async_setup(entry.entry_id)
        assert is_there(hass)
        assert not shown.wrong(meter)


async def test_battery_meter_is_left_alone(hass: HomeAssistant, tmp_path: Path) -> None:
    quarter = timedelta(minutes=15)
    due = next_due(dt_util.utcnow(), quarter)
    meter, mains = simulate(battery=True), simulate(serial="87654321")
    async with (
        followed(hass, tmp_path, meter, battery=True) as (_, entry),
        followed(hass, tmp_path, mains, title="mains"),
    ):
        assert is_there(hass)
        assert entry.runtime_data.interval == quarter, "whatever the options say"
        await until(lambda: mains.count("sign-on") == 3)
        assert meter.count("sign-on") == 1 or dt_util.utcnow() >= due
