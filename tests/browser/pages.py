"""What a user does on the pages of Home Assistant, and what is read there."""

import asyncio
import re
import shutil
from typing import Any

from playwright.async_api import (
    Error as PlaywrightError,
    Page,
    TimeoutError as PlaywrightTimeoutError,
    expect,
)
import pytest

from demo.api import Api
from demo.dashboard import IMPORT
from simulator.pty import PtyLine

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)

#: For each test here.
MARKS = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine"),
    pytest.mark.real_time("drives a browser"),
    # All of them share one Home Assistant.
    pytest.mark.xdist_group("browser"),
    pytest.mark.timeout(600),
    # Sockets are blocked in all other tests.
    pytest.mark.usefixtures("socket_enabled"),
]

#: Test integrations, with the names of their folders.
STATISTICS_NOW = "statistics_now"
SIMULATED_PORTS = "simulated_ports"

ENCRYPTION_KEY = bytes.fromhex("5E8A1C7D2F604B93A8D51E7700C4B96F")
AUTHENTICATION_KEY = bytes.fromhex("B71D94E3062A5F8CC3908E41D75A2BF6")


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


async def plug_in(api: Api, *lines: PtyLine) -> None:
    """Let these lines be the USB adapters of the machine, named by the ends of their paths."""
    ports = {line.url: line.path.name for line in lines}
    await api.call(
        "call_service",
        domain=SIMULATED_PORTS,
        service="plug_in",
        service_data={"ports": ports},
    )


async def begin_to_add(page: Page, api: Api) -> None:
    """Open the dialog that adds a meter."""
    await go_to(page, f"{api.url}/config/integrations/dashboard/add?domain=onemeter")
    await page.get_by_role("button", name="OK").click()


async def begin_to_reconfigure(page: Page, api: Api) -> None:
    """Open the dialog that changes the only entry."""
    await visit(page, f"{api.url}/config/integrations/integration/onemeter")
    entry = page.locator("ha-config-entry-row")
    await entry.get_by_role("button", name="Menu").first.click()
    await page.get_by_text("Reconfigure", exact=True).click()


async def choose_port(page: Page, line: PtyLine) -> None:
    """Choose one of the ports that are listed."""
    await page.locator("ha-selector-serial_port ha-picker-field").click()
    await page.locator("ha-combo-box-item").filter(has_text=line.path.name).click()


async def choose_protocol(page: Page, name: str) -> None:
    """Choose another protocol than the one that is chosen already."""
    await page.locator("ha-selector-select").first.click()
    await page.get_by_text(name, exact=True).click()


async def submit(page: Page) -> None:
    """Submit the form that is shown."""
    await page.get_by_role("button", name="Submit").click()


async def finish(page: Page) -> None:
    """Close the dialog of a new meter.

    The button is named "Finish" until the frontend has fetched the devices.
    """
    await page.get_by_role("button", name=re.compile("finish", re.IGNORECASE)).click()


async def enter_keys(page: Page, encryption_key: str, authentication_key: str) -> None:
    """Fill in the form of keys."""
    await page.get_by_role("textbox", name="Encryption key").fill(encryption_key)
    await page.get_by_role("textbox", name="Authentication key").fill(authentication_key)
    await submit(page)


async def clicks(page: Page) -> int:
    """Return the clicks since the page was opened, of which one is on *Add integration*."""
    return 1 + int(await page.evaluate("window.clicks"))


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


async def visit_device(page: Page, api: Api, entry_id: str, *names: str) -> None:
    """Open the page of an entry's only device, and check that these sensors are on it."""
    (device,) = [
        device
        for device in await api.call("config/device_registry/list")
        if entry_id in device["config_entries"]
    ]
    await visit(page, f"{api.url}/config/devices/device/{device['id']}")
    for name in names:
        await expect(page.get_by_text(name, exact=True).first).to_be_visible()


async def states(api: Api) -> dict[str, str]:
    """Return the states of all entities."""
    return {state["entity_id"]: state["state"] for state in await api.call("get_states")}


async def compile_statistics(api: Api) -> None:
    """Let the recorder calculate a row of each statistic."""
    await api.call("call_service", domain=STATISTICS_NOW, service="compile")


async def assert_energy_dashboard_is_filled(api: Api, entities: dict[str, str]) -> None:
    """Check that the meter is the grid connection of a valid Energy dashboard."""
    async with asyncio.timeout(30):
        while not (sources := (await api.call("energy/get_prefs"))["energy_sources"]):  # noqa: ASYNC110
            await asyncio.sleep(0.5)
    [grid] = sources
    assert (grid["type"], grid["stat_energy_from"]) == ("grid", entities[IMPORT])
    await compile_statistics(api)
    async with asyncio.timeout(60):
        while await _energy_issues(api):  # noqa: ASYNC110 - there is no event for a written row
            await asyncio.sleep(1)


async def _energy_issues(api: Api) -> list[Any]:
    """Return what Home Assistant has to say against the Energy configuration."""
    answer = await api.call("energy/validate")
    return [issue for source in answer["energy_sources"] for issue in source]
