"""The reauthentication flow of IEC 62056-21 meters."""

from unittest.mock import AsyncMock

from homeassistant.const import CONF_ADDRESS, CONF_PASSWORD
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import (
    FlowResultType,
)

from ..helpers.config_flow import (
    IEC_DATA,
    add_iec_entry,
    assert_said,
    scripted_clients,
)

pytestmark = scripted_clients


async def test_rejected_password_is_replaced_and_nothing_else(
    hass: HomeAssistant, setup_entry: AsyncMock
) -> None:
    entry = await add_iec_entry(hass, address="42", password="wrong")
    result = await entry.start_reauth_flow(hass)
    assert result["step_id"] == "reauth_confirm"
    assert_said(result, "step", "reauth_confirm", "description")
    flow = hass.config_entries.flow
    result = await flow.async_configure(result["flow_id"], {CONF_PASSWORD: "(right)"})
    assert result["errors"] == {"base": "invalid_password"}
    assert_said(result, "error", "invalid_password")
    result = await flow.async_configure(result["flow_id"], {CONF_PASSWORD: "right"})
    assert result["type"] is FlowResultType.ABORT
    assert result["reason"] == "reauth_successful"
    await hass.async_block_till_done()
    assert entry.data == {**IEC_DATA, CONF_ADDRESS: "42", CONF_PASSWORD: "right"}
    assert setup_entry.call_count == 2
