"""A person moves a meter to another port, reads it by another protocol, and enters its keys."""

from decimal import Decimal
from pathlib import Path
from typing import Any

from playwright.async_api import Page, expect

from demo.api import Api
from demo.dashboard import IMPORT, add_meter, sensors
from simulator.dlms import (
    AUTHENTICATED,
    ENCRYPTED,
    DlmsMeter,
    Mechanism,
    Registers,
    Transport,
    serve,
)
from simulator.household import Household
from simulator.pty import PtyLine

from ..helpers.waiting import running
from .pages import (
    AUTHENTICATION_KEY,
    ENCRYPTION_KEY,
    MARKS,
    begin_to_reconfigure,
    choose_port,
    choose_protocol,
    compile_statistics,
    enter_keys,
    plug_in,
    shown,
    states,
    submit,
    visit_device,
)

pytestmark = MARKS


async def test_history_and_entities_stay(api: Api, page: Page, tmp_path: Path) -> None:
    """Read a meter by IEC 62056-21, at another port, and by DLMS with keys."""
    keys: dict[str, Any] = {
        "registers": Registers(household=Household()),
        "mechanism": Mechanism.GMAC,
        "encryption_key": ENCRYPTION_KEY,
        "authentication_key": AUTHENTICATION_KEY,
        "policy": AUTHENTICATED | ENCRYPTED,
    }
    # One meter, at its optical port and at its RS-485 interface.
    optical, wired = DlmsMeter(transport=Transport.MODE_E, **keys), DlmsMeter(**keys)
    async with (
        PtyLine(tmp_path / "First head", optical.start_baudrate) as first,
        PtyLine(tmp_path / "Second head", optical.start_baudrate) as second,
        PtyLine(tmp_path / "RS-485", 9600) as bus,
        running(serve(bus, wired)),
    ):
        await plug_in(api, first, second, bus)
        async with running(serve(first, optical)):
            entry_id = await add_meter(api, first.url, "iec62056")
            before = await sensors(api, entry_id)
            await compile_statistics(api)

        async with running(serve(second, optical)):
            await begin_to_reconfigure(page, api)
            await expect(page.get_by_text("Change port, protocol or keys")).to_be_visible()
            await choose_port(page, second)
            await submit(page)
            battery = page.get_by_text("Battery-powered meter", exact=True).first
            await expect(battery).to_be_visible()
            # What only experts need is out of sight.
            await expect(page.get_by_text("Password", exact=True).first).to_be_hidden()
            await submit(page)
            await assert_reconfigured(page)
            assert await sensors(api, entry_id) == before
            await compile_statistics(api)

            await begin_to_reconfigure(page, api)
            await choose_port(page, bus)
            await choose_protocol(page, "DLMS/COSEM")
            await submit(page)
            await page.get_by_text("Polled", exact=True).click()
            await submit(page)
            await enter_keys(page, ENCRYPTION_KEY.hex(), AUTHENTICATION_KEY.hex())
            await assert_reconfigured(page)
            after = await sensors(api, entry_id)
            assert before.items() <= after.items()
            await compile_statistics(api)

            rows = await statistics(api, before[IMPORT])
            assert len(rows) >= 3
            first_row, *later = rows[-3:]
            for row in later:
                assert row["sum"] - first_row["sum"] >= 0
                energy = row["state"] - first_row["state"]
                assert abs(row["sum"] - first_row["sum"] - energy) < 0.0005
            state = (await states(api))[before[IMPORT]]
            assert Decimal(state) >= Decimal(str(first_row["state"]))
            await visit_device(page, api, entry_id, "Energy import", "Power")
            assert wired.serial in await shown(page)


async def assert_reconfigured(page: Page) -> None:
    """Check that the dialog ends well: a request too many would replace this by an error."""
    success = page.get_by_text("Reconfiguration was successful")
    await expect(success).to_be_visible(timeout=60_000)
    await expect(page.get_by_text("Invalid flow specified")).to_have_count(0)


async def statistics(api: Api, entity_id: str) -> list[dict[str, Any]]:
    """Return the rows of five minutes of an entity."""
    answer = await api.call(
        "recorder/statistics_during_period",
        start_time="2000-01-01T00:00:00+00:00",
        statistic_ids=[entity_id],
        period="5minute",
        types=["sum", "state"],
    )
    rows: list[dict[str, Any]] = answer[entity_id]
    return rows
