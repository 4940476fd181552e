"""A person adds a meter in the browser, looks at its sensors, and uses them in the dashboard."""

import asyncio
from collections.abc import AsyncGenerator, Coroutine, Generator
from contextlib import asynccontextmanager, contextmanager, suppress
from decimal import Decimal
import os
from pathlib import Path
import re
import shutil
import socket
from threading import Thread
import time
from typing import Any

from playwright.async_api import (
    Error as PlaywrightError,
    Page,
    TimeoutError as PlaywrightTimeoutError,
    async_playwright,
    expect,
)
import pytest
from pytest_socket import enable_socket

from demo.api import Api
from demo.dashboard import DOMAIN, IMPORT, find_entry, power_of, sensors
from demo.homeassistant import HOST, HomeAssistant
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

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)

ROOT = Path(__file__).parents[2]
#: A test integration, with its folder's name.
STATISTICS_NOW = "statistics_now"

ENCRYPTION_KEY = bytes.fromhex("5E8A1C7D2F604B93A8D51E7700C4B96F")
AUTHENTICATION_KEY = bytes.fromhex("B71D94E3062A5F8CC3908E41D75A2BF6")
#: Tenths of a watt times seconds.
STEPS_PER_KWH = 36_000_000

#: Flashes per second, of which each is a tenth of a watt hour, and what that is in watts.
RATE = 2
WATTS = 720

#: Clicks from *Add integration* to the filled Energy dashboard, where the port is chosen by hand.
CLICKS_MAX = 8

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine"),
    pytest.mark.real_time("drives a browser"),
    # All of them share one Home Assistant.
    pytest.mark.xdist_group("browser"),
    pytest.mark.timeout(600),
    # Sockets are blocked in all other tests.
    pytest.mark.usefixtures("socket_enabled"),
]


@pytest.fixture
def expected_lingering_timers() -> bool:
    """Let the HTTP client of the test keep the timers of requests that have been answered."""
    return True


async def go_to(page: Page, url: str) -> None:
    """Open a page; again where the frontend interrupts that with one of its own."""
    try:
        await page.goto(url)
    except PlaywrightError as err:
        if "ERR_ABORTED" not in str(err):
            raise
        await page.goto(url)


async def visit(page: Page, url: str) -> None:
    """Open a page that stays, also where the frontend then opens one of its own."""
    for _ in range(5):
        await go_to(page, url)
        try:
            await page.wait_for_url(lambda now: now != url, timeout=1000)
        except PlaywrightTimeoutError:
            return


@pytest.fixture
async def meter(tmp_path: Path) -> AsyncGenerator[tuple[SmlMeter, PtyLine]]:
    """Put up a meter that pushes a telegram each second at a port."""
    simulated = SmlMeter(household=Household())
    async with (
        PtyLine(tmp_path / "meter", baudrate=9600) as line,
        running(push(line, simulated.telegram)),
    ):
        yield simulated, line


@pytest.fixture(scope="module")
def home_assistant(tmp_path_factory: pytest.TempPathFactory) -> Generator[HomeAssistant]:
    """Start a Home Assistant, which takes about as long as a test with it."""
    enable_socket()
    with socket.create_server((HOST, 0)) as free:
        port = free.getsockname()[1]
    started = HomeAssistant(tmp_path_factory.mktemp("home-assistant"), port)
    started.prepare()
    config = started.folder / "config"
    integrations = config / "custom_components"
    integrations.unlink()
    integrations.mkdir()
    (integrations / "__init__.py").touch()
    for integration in (
        ROOT / "custom_components" / DOMAIN,
        Path(__file__).parent / STATISTICS_NOW,
    ):
        (integrations / integration.name).symlink_to(integration)
    with (config / "configuration.yaml").open("a") as configuration:
        configuration.write(f"{STATISTICS_NOW}:\n")
    with running_in_a_thread(started.run()):
        yield started


@pytest.fixture
async def api(home_assistant: HomeAssistant) -> AsyncGenerator[Api]:
    """Begin the user's session with a Home Assistant without any meter."""
    async with Api(home_assistant.url) as session:
        yield session
        for entry in await session.call("config_entries/get", domain=DOMAIN):
            path = f"/api/config/config_entries/entry/{entry['entry_id']}"
            await session._json("DELETE", path)


@pytest.fixture
async def page(tmp_path: Path) -> AsyncGenerator[Page]:
    """Open a window of a browser that nobody has used before."""
    async with async_playwright() as playwright:
        context = await playwright.chromium.launch_persistent_context(
            tmp_path / "browser",
            executable_path=CHROMIUM,
            # Chromium as root has no sandbox, and what it asks of the internet is not ours.
            chromium_sandbox=os.geteuid() != 0,
            args=["--disable-gpu", "--disable-background-networking", "--disable-sync"],
            viewport={"width": 1280, "height": 900},
        )
        context.set_default_timeout(60_000)
        await context.add_init_script(
            "window.clicks = 0; addEventListener('click', event => {"
            " if (event.isTrusted) window.clicks += 1; }, true);"
        )
        yield context.pages[0]
        await context.close()


async def test_a_meter_from_the_port_to_the_energy_dashboard(
    api: Api, page: Page, meter: tuple[SmlMeter, PtyLine]
) -> None:
    simulated, line = meter

    await begin_to_add(page, api, line)
    await page.get_by_role("button", name="Submit").click()

    await expect(page.get_by_text("Meter found")).to_be_visible(timeout=30_000)
    await expect(page.get_by_text(simulated.name)).to_be_visible()
    await page.get_by_role("button", name="Submit").click()
    await page.get_by_role("button", name="Skip and finish").click()
    assert await clicks(page) <= CLICKS_MAX

    entry_id = await find_entry(api)
    assert entry_id is not None
    entities = await sensors(api, entry_id)
    (device,) = [
        device
        for device in await api.call("config/device_registry/list")
        if device["serial_number"] == simulated.name
    ]
    await visit(page, f"{api.url}/config/devices/device/{device['id']}")
    card = page.locator("ha-device-entities-card").first
    for name in ("Energy import", "Energy export", "Power", "Power L1", "Power L3"):
        await expect(card.get_by_text(name, exact=True)).to_be_visible()
    counted = Decimal(simulated.totals(int(time.time())).imported) / 10_000
    assert abs(Decimal((await states(api))[entities[IMPORT]]) - counted) < Decimal("0.5")

    await assert_energy_dashboard_is_filled(api, entities)
    await visit(page, f"{api.url}/config/energy")
    await expect(page.get_by_role("button", name="Edit grid connection")).to_be_visible()
    await expect(page.locator("ha-alert[alert-type]")).to_have_count(0)


async def test_a_meter_that_is_asked(api: Api, page: Page, tmp_path: Path) -> None:
    simulated = Iec62056Meter(registers=Registers(household=Household(), with_power=False))
    async with (
        PtyLine(tmp_path / "asked", simulated.start_baudrate) as line,
        running(serve(line, simulated)),
    ):
        await begin_to_add(page, api, line)
        await page.get_by_role("button", name="Submit").click()

        await expect(page.get_by_text("Meter found")).to_be_visible(timeout=60_000)
        await expect(page.get_by_text(simulated.serial)).to_be_visible()
        await page.get_by_role("button", name="Submit").click()
        await page.get_by_role("button", name="Skip and finish").click()
        assert await clicks(page) <= CLICKS_MAX

        entry_id = await find_entry(api)
        assert entry_id is not None
        await assert_energy_dashboard_is_filled(api, await sensors(api, entry_id))
        (device,) = [
            device
            for device in await api.call("config/device_registry/list")
            if device["serial_number"] == simulated.serial
        ]
        await visit(page, f"{api.url}/config/devices/device/{device['id']}")
        for name in ("Energy import", "Energy import T1", "Error"):
            await expect(page.get_by_text(name, exact=True).first).to_be_visible()
        readouts = simulated.count("readout")
        await page.get_by_role("button", name="Press").click()
        async with asyncio.timeout(30):
            while simulated.count("readout") == readouts:  # noqa: ASYNC110 - a log without events
                await asyncio.sleep(0.1)


async def test_a_meter_that_is_asked_is_reconfigured(api: Api, page: Page, tmp_path: Path) -> None:
    simulated = Iec62056Meter(registers=Registers(household=Household(), with_power=False))
    async with (
        PtyLine(tmp_path / "asked", simulated.start_baudrate) as line,
        running(serve(line, simulated)),
    ):
        await begin_to_add(page, api, line)
        await choose_protocol(page, "IEC 62056-21 (IEC 1107, D0)")
        await page.get_by_role("button", name="Submit").click()
        await expect(page.get_by_text("Battery-powered meter", exact=True).first).to_be_visible()
        await expect(page.get_by_text("Device address", exact=True).first).to_be_visible()
        # What only experts need is out of sight.
        await expect(page.get_by_text("Password", exact=True).first).to_be_hidden()
        await page.get_by_role("button", name="Submit").click()
        await expect(page.get_by_text("Meter found")).to_be_visible(timeout=30_000)
        await page.get_by_role("button", name="Submit").click()
        await page.get_by_role("button", name="Skip and finish").click()

        await visit(page, f"{api.url}/config/integrations/integration/onemeter")
        entry = page.locator("ha-config-entry-row")
        await entry.get_by_role("button", name="Menu").first.click()
        await page.get_by_text("Reconfigure", exact=True).click()
        await page.get_by_role("button", name="Submit").click()
        await page.get_by_role("button", name="Submit").click()
        # A request too many would replace this by an error.
        await expect(page.get_by_text("Reconfiguration was successful")).to_be_visible(
            timeout=60_000
        )
        await expect(page.get_by_text("Invalid flow specified")).to_have_count(0)


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
    async with PtyLine(tmp_path / "flat", 9600) as line, running(serve_dlms(line, simulated)):
        await begin_to_add(page, api, line)
        await page.get_by_role("button", name="Submit").click()

        title = "This meter needs a password or keys"
        await expect(page.get_by_text(title)).to_be_visible(timeout=60_000)
        await enter_keys(page, authentication_key, encryption_key)
        await expect(page.get_by_text("have not been swapped")).to_be_visible(timeout=30_000)
        assert "Encryption key" in await shown(page)
        await enter_keys(page, encryption_key, authentication_key)

        await expect(page.get_by_text("Meter found")).to_be_visible(timeout=30_000)
        await expect(page.get_by_text(simulated.serial)).to_be_visible()
        await page.get_by_role("button", name="Submit").click()
        await page.get_by_role("button", name="Skip and finish").click()

        entry_id = await find_entry(api)
        assert entry_id is not None
        entities = await sensors(api, entry_id)
        await assert_energy_dashboard_is_filled(api, entities)
        (device,) = [
            device
            for device in await api.call("config/device_registry/list")
            if device["serial_number"] == simulated.serial
        ]
        await visit(page, f"{api.url}/config/devices/device/{device['id']}")
        for name in ("Energy import", "Energy import T1", "Power"):
            await expect(page.get_by_text(name, exact=True).first).to_be_visible()
        counted = Decimal(household.energy(int(time.time())).imported) / STEPS_PER_KWH
        assert abs(Decimal((await states(api))[entities[IMPORT]]) - counted) < Decimal("0.5")
        assert simulated.serial in await shown(page)

        async with page.expect_download() as download:
            await page.get_by_text("Download diagnostics").click()
        path = await (await download.value).path()
        assert_without_keys(await asyncio.to_thread(path.read_text))

        # A form that has fields for the keys does not show those that are kept either.
        await visit(page, f"{api.url}/config/integrations/integration/onemeter")
        entry = page.locator("ha-config-entry-row")
        await entry.get_by_role("button", name="Menu").first.click()
        await page.get_by_text("Reconfigure", exact=True).click()
        await page.get_by_role("button", name="Submit").click()
        await page.get_by_text("Polled", exact=True).click()
        await expect(page.get_by_text("Client address", exact=True).first).to_be_visible()
        # What only experts need is out of sight.
        await expect(page.get_by_text("Security suite", exact=True).first).to_be_hidden()
        await page.get_by_role("button", name="Submit").click()
        await expect(page.get_by_role("textbox", name="Encryption key")).not_to_be_empty()
        assert "HLS with GMAC" in await shown(page)


async def test_a_meter_that_blinks(api: Api, page: Page, tmp_path: Path) -> None:
    async with PtyLine(tmp_path / "light", 9600) as line:
        now = time.time()
        light = Light(line)
        async with running(light.blink(steady(RATE, now), now)):
            await begin_to_add(page, api, line)
            await choose_protocol(page, "BLINK (impulses of the LED)")
            await page.get_by_role("button", name="Submit").click()
            await page.get_by_text("A reading head at the port").click()

            plate = page.locator("ha-markdown img")
            await expect(plate).to_be_visible()
            assert await plate.evaluate("image => image.decode().then(() => image.naturalWidth)")
            await page.get_by_role("textbox", name="Impulse constant").fill("10,000 imp")
            await page.get_by_role("textbox", name="Meter reading").fill("12345,6")
            await page.get_by_role("button", name="Submit").click()
            await expect(page.get_by_text("Enter a number as printed")).to_be_visible()
            await page.get_by_role("textbox", name="Impulse constant").fill("10000")
            await page.get_by_role("button", name="Submit").click()

            await expect(page.get_by_text("Impulses detected")).to_be_visible(timeout=30_000)
            await expect(page.get_by_text("Impulse constant: 10000 imp/kWh")).to_be_visible()
            await expect(page.get_by_text("Meter reading: 12345.6 kWh")).to_be_visible()
            flashed = light.flashes
            await page.get_by_role("button", name="Submit").click()
            await page.get_by_role("button", name="Skip and finish").click()

            entry_id = await find_entry(api)
            assert entry_id is not None
            entities = await sensors(api, entry_id)
            (device,) = [
                device
                for device in await api.call("config/device_registry/list")
                if entry_id in device["config_entries"]
            ]
            await visit(page, f"{api.url}/config/devices/device/{device['id']}")
            for name in ("Energy import", "Power import", "Last impulse"):
                await expect(page.get_by_text(name, exact=True).first).to_be_visible()
            power = power_of(entities)
            assert power is not None
            async with asyncio.timeout(30):
                while (now_shown := await states(api))[power] == "unknown":  # noqa: ASYNC110
                    await asyncio.sleep(0.5)
            assert abs(Decimal(now_shown[power]) - WATTS) < WATTS / 10
            counted = Decimal(now_shown[entities[IMPORT]]) - Decimal("12345.6")
            assert 0 < counted * 10_000 <= light.flashes - flashed


async def begin_to_add(page: Page, api: Api, line: PtyLine) -> None:
    """Open the dialog and enter the port."""
    await go_to(page, f"{api.url}/config/integrations/dashboard/add?domain=onemeter")
    await page.get_by_role("button", name="OK").click()
    await page.locator("ha-selector-serial_port ha-picker-field").click()
    await page.get_by_text("Enter manually").click()
    await page.get_by_role("textbox", name="Port").fill(line.url)


async def choose_protocol(page: Page, name: str) -> None:
    """Choose another protocol than the one that is chosen already."""
    await page.locator("ha-selector-select").first.click()
    await page.get_by_text(name, exact=True).click()


async def enter_keys(page: Page, encryption_key: str, authentication_key: str) -> None:
    """Fill in the form of keys."""
    await page.get_by_role("textbox", name="Encryption key").fill(encryption_key)
    await page.get_by_role("textbox", name="Authentication key").fill(authentication_key)
    await page.get_by_role("button", name="Submit").click()


async def states(api: Api) -> dict[str, str]:
    """Return the states of all entities."""
    return {state["entity_id"]: state["state"] for state in await api.call("get_states")}


async def shown(page: Page) -> str:
    """Return all text on the page, also that in fields, in which there may be no key."""
    text = await page.locator("body").aria_snapshot()
    assert_without_keys(text)
    return text


def assert_without_keys(text: str) -> None:
    """Check that no key is in a text, however it is written."""
    digits = re.sub(r"[\s:]", "", text).lower()
    assert ENCRYPTION_KEY.hex() not in digits
    assert AUTHENTICATION_KEY.hex() not in digits


@asynccontextmanager
async def running(job: Coroutine[Any, Any, None]) -> AsyncGenerator[None]:
    """Run a job as long as the context lasts."""
    task = asyncio.create_task(job)
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@contextmanager
def running_in_a_thread(job: Coroutine[Any, Any, None]) -> Generator[None]:
    """Run a job as long as the context lasts, which no event loop of a test does."""
    loop = asyncio.new_event_loop()
    task = loop.create_task(job)
    thread = Thread(target=loop.run_until_complete, args=(asyncio.wait({task}),))
    thread.start()
    try:
        yield
    finally:
        loop.call_soon_threadsafe(task.cancel)
        thread.join()
        loop.close()
    with suppress(asyncio.CancelledError):
        task.result()


async def clicks(page: Page) -> int:
    """Return the clicks since the page was opened, of which one is on *Add integration*."""
    return 1 + int(await page.evaluate("window.clicks"))


async def assert_energy_dashboard_is_filled(api: Api, entities: dict[str, str]) -> None:
    """Check that the meter is the grid connection of a valid Energy dashboard."""
    async with asyncio.timeout(30):
        while not (sources := (await api.call("energy/get_prefs"))["energy_sources"]):  # noqa: ASYNC110
            await asyncio.sleep(0.5)
    [grid] = sources
    assert (grid["type"], grid["stat_energy_from"]) == ("grid", entities[IMPORT])
    await api.call("call_service", domain=STATISTICS_NOW, service="compile")
    async with asyncio.timeout(60):
        while await energy_issues(api):  # noqa: ASYNC110 - nobody tells when the row is written
            await asyncio.sleep(1)


async def energy_issues(api: Api) -> list[Any]:
    """Return what Home Assistant has to say against the Energy configuration."""
    answer = await api.call("energy/validate")
    return [issue for source in answer["energy_sources"] for issue in source]
