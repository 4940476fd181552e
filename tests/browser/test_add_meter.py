"""A person adds a meter in the browser, looks at its sensors, and uses them in the dashboard.

Nothing is typed but keys, impulse constant and meter reading.
"""

import asyncio
from decimal import Decimal
from pathlib import Path
import time

from playwright.async_api import Page, expect

from demo.api import Api
from demo.dashboard import IMPORT, find_entry, power_of, sensors
from simulator.blink import Light, steady
from simulator.dlms import (
    AUTHENTICATED,
    ENCRYPTED,
    DlmsMeter,
    Mechanism,
    Registers as DlmsRegisters,
    serve as serve_dlms,
)
from simulator.household import Household
from simulator.iec62056 import Iec62056Meter, Registers, serve
from simulator.pty import PtyLine
from simulator.push import push
from simulator.sml.meter import SmlMeter

from ..helpers.waiting import running
from .pages import (
    AUTHENTICATION_KEY,
    ENCRYPTION_KEY,
    MARKS,
    assert_energy_dashboard_is_filled,
    assert_without_keys,
    begin_to_add,
    begin_to_reconfigure,
    choose_port,
    clicks,
    enter_keys,
    finish,
    plug_in,
    shown,
    states,
    submit,
    visit,
    visit_device,
)

pytestmark = MARKS

#: Tenths of a watt times seconds.
STEPS_PER_KWH = 36_000_000

#: Flashes per second, of which each is a tenth of a watt hour, and what that is in watts.
RATE = 2
WATTS = 720

#: Clicks from *Add integration* to the filled Energy dashboard with one free port, and otherwise.
CLICKS_ONE_PORT = 6
CLICKS_PORTS = 8


async def test_a_meter_from_the_port_to_the_energy_dashboard(
    api: Api, page: Page, tmp_path: Path
) -> None:
    simulated = SmlMeter(household=Household())
    async with (
        PtyLine(tmp_path / "Reading head", baudrate=9600) as line,
        running(push(line, simulated.telegram)),
    ):
        await plug_in(api, line)
        await begin_to_add(page, api)
        await submit(page)
        await expect(page.get_by_text("Meter found")).to_be_visible(timeout=30_000)
        await expect(page.get_by_text(simulated.name)).to_be_visible()
        await submit(page)
        await finish(page)
        assert await clicks(page) <= CLICKS_ONE_PORT

        entry_id = await find_entry(api)
        assert entry_id is not None
        entities = await sensors(api, entry_id)
        await visit_device(page, api, entry_id, "Energy import", "Energy export", "Power")
        assert simulated.name in await shown(page)
        counted = Decimal(simulated.totals(int(time.time())).imported) / 10_000
        assert abs(Decimal((await states(api))[entities[IMPORT]]) - counted) < Decimal("0.5")

        await assert_energy_dashboard_is_filled(api, entities)
        await visit(page, f"{api.url}/config/energy")
        await expect(page.get_by_role("button", name="Edit grid connection")).to_be_visible()
        await expect(page.locator("ha-alert[alert-type]")).to_have_count(0)


async def test_a_meter_that_is_asked_at_one_of_several_ports(
    api: Api, page: Page, tmp_path: Path
) -> None:
    simulated = Iec62056Meter(registers=Registers(household=Household(), with_power=False))
    async with (
        PtyLine(tmp_path / "Radio") as other,
        PtyLine(tmp_path / "Reading head", simulated.start_baudrate) as line,
        running(serve(line, simulated)),
    ):
        await plug_in(api, other, line)
        await begin_to_add(page, api)
        await choose_port(page, line)
        await submit(page)
        await expect(page.get_by_text("Meter found")).to_be_visible(timeout=60_000)
        await expect(page.get_by_text(simulated.serial)).to_be_visible()
        await submit(page)
        await finish(page)
        assert await clicks(page) <= CLICKS_PORTS

        entry_id = await find_entry(api)
        assert entry_id is not None
        await assert_energy_dashboard_is_filled(api, await sensors(api, entry_id))
        await visit_device(page, api, entry_id, "Energy import", "Energy import T1", "Error")
        readouts = simulated.count("readout")
        await page.get_by_role("button", name="Press").click()
        async with asyncio.timeout(30):
            while simulated.count("readout") == readouts:  # noqa: ASYNC110 - a log without events
                await asyncio.sleep(0.1)


async def test_a_meter_with_keys(api: Api, page: Page, tmp_path: Path) -> None:
    household = Household()
    simulated = DlmsMeter(
        registers=DlmsRegisters(household=household),
        mechanism=Mechanism.GMAC,
        encryption_key=ENCRYPTION_KEY,
        authentication_key=AUTHENTICATION_KEY,
        policy=AUTHENTICATED | ENCRYPTED,
    )
    # Grid operators write them in groups.
    encryption_key, authentication_key = ENCRYPTION_KEY.hex(" ", 2), AUTHENTICATION_KEY.hex()
    async with (
        PtyLine(tmp_path / "Reading head", 9600) as line,
        running(serve_dlms(line, simulated)),
    ):
        await plug_in(api, line)
        await begin_to_add(page, api)
        await submit(page)

        title = "This meter needs a password or keys"
        await expect(page.get_by_text(title)).to_be_visible(timeout=60_000)
        await enter_keys(page, authentication_key, encryption_key)
        await expect(page.get_by_text("have not been swapped")).to_be_visible(timeout=30_000)
        assert "Encryption key" in await shown(page)
        await enter_keys(page, encryption_key, authentication_key)

        await expect(page.get_by_text("Meter found")).to_be_visible(timeout=30_000)
        await expect(page.get_by_text(simulated.serial)).to_be_visible()
        await submit(page)
        await finish(page)
        # One for the keys that were swapped.
        assert await clicks(page) - 1 <= CLICKS_ONE_PORT

        entry_id = await find_entry(api)
        assert entry_id is not None
        entities = await sensors(api, entry_id)
        await assert_energy_dashboard_is_filled(api, entities)
        await visit_device(page, api, entry_id, "Energy import", "Energy import T1", "Power")
        counted = Decimal(household.energy(int(time.time())).imported) / STEPS_PER_KWH
        assert abs(Decimal((await states(api))[entities[IMPORT]]) - counted) < Decimal("0.5")
        assert simulated.serial in await shown(page)

        async with page.expect_download() as download:
            await page.get_by_text("Download diagnostics").click()
        path = await (await download.value).path()
        assert_without_keys(await asyncio.to_thread(path.read_text))

        # A form that has fields for the keys does not show those that are kept either.
        await begin_to_reconfigure(page, api)
        await submit(page)
        await page.get_by_text("Polled", exact=True).click()
        await expect(page.get_by_text("Client address", exact=True).first).to_be_visible()
        # What only experts need is out of sight.
        await expect(page.get_by_text("Security suite", exact=True).first).to_be_hidden()
        await submit(page)
        await expect(page.get_by_role("textbox", name="Encryption key")).not_to_be_empty()
        assert "HLS with GMAC" in await shown(page)


async def test_a_meter_that_blinks(api: Api, page: Page, tmp_path: Path) -> None:
    async with PtyLine(tmp_path / "Photodiode", 9600) as line:
        now = time.time()
        light = Light(line)
        async with running(light.blink(steady(RATE, now), now)):
            await plug_in(api, line)
            await begin_to_add(page, api)
            await submit(page)

            plate = page.locator("ha-markdown img")
            await expect(plate).to_be_visible(timeout=60_000)
            assert await plate.evaluate("image => image.decode().then(() => image.naturalWidth)")
            await page.get_by_role("textbox", name="Impulse constant").fill("10,000 imp")
            await page.get_by_role("textbox", name="Meter reading").fill("12345,6")
            await submit(page)
            await expect(page.get_by_text("Enter a number as printed")).to_be_visible()
            await page.get_by_role("textbox", name="Impulse constant").fill("10000")
            await submit(page)

            await expect(page.get_by_text("Impulses detected")).to_be_visible(timeout=30_000)
            await expect(page.get_by_text("Impulse constant: 10000 imp/kWh")).to_be_visible()
            await expect(page.get_by_text("Meter reading: 12345.6 kWh")).to_be_visible()
            flashed = light.flashes
            await submit(page)
            await finish(page)
            # One for the constant with letters.
            assert await clicks(page) - 1 <= CLICKS_ONE_PORT

            entry_id = await find_entry(api)
            assert entry_id is not None
            entities = await sensors(api, entry_id)
            await visit_device(page, api, entry_id, "Energy import", "Power import")
            power = power_of(entities)
            assert power is not None
            async with asyncio.timeout(30):
                while (now_shown := await states(api))[power] == "unknown":  # noqa: ASYNC110
                    await asyncio.sleep(0.5)
            assert abs(Decimal(now_shown[power]) - WATTS) < WATTS / 10
            counted = Decimal(now_shown[entities[IMPORT]]) - Decimal("12345.6")
            assert 0 < counted * 10_000 <= light.flashes - flashed
            await assert_energy_dashboard_is_filled(api, entities)
