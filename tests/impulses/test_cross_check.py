"""Impulses and registers of one meter: power from impulses, and causes of differences."""

from decimal import Decimal
from fractions import Fraction

from freezegun.api import FrozenDateTimeFactory
import pytest

from custom_components.onemeter.access.issues import Issue, async_raise_issue
from custom_components.onemeter.const import (
    CONF_EDGES,
    CONF_IMPULSES,
    CONF_IMPULSES_PER_KWH,
    CONF_SOURCE,
    CONF_SOURCE_ID,
    DOMAIN,
)
from custom_components.onemeter.diagnostics import async_get_config_entry_diagnostics
from custom_components.onemeter.impulses.cross_check import (
    Cause,
    Drift,
    find_drift,
    reported_constant,
)
from custom_components.onemeter.meter import Obis, Reading, Register
from homeassistant.components.repairs.const import DOMAIN as REPAIRS_DOMAIN
from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import STATE_UNAVAILABLE, STATE_UNKNOWN
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers import issue_registry as ir
from homeassistant.setup import async_setup_component

from ..helpers.published import register
from ..helpers.pushed import PushedMeter, energy, reading

LIGHT = "sensor.flashes"


class Compared(PushedMeter):
    """A meter that pushes its total, with an entity that counts its impulses: 1000 imp/kWh."""

    def __init__(self, hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> None:
        super().__init__(hass, freezer)
        source = {CONF_SOURCE: "entity", CONF_SOURCE_ID: LIGHT, CONF_IMPULSES_PER_KWH: "1000"}
        self.make_entry(options={CONF_IMPULSES: source})

    async def flash(self, total: float, *, after: float = 11) -> None:
        self.hass.states.async_set(LIGHT, str(total))
        await self.settle()
        await self.wait(after)

    def issue(self, name: str) -> ir.IssueEntry | None:
        issues = ir.async_get(self.hass)
        return issues.async_get_issue(DOMAIN, f"{name}_{self.entry.entry_id}")

    def drift(self) -> ir.IssueEntry | None:
        return self.issue("impulse_drift")


@pytest.fixture
def meter(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> Compared:
    return Compared(hass, freezer)


async def test_flashes_tell_the_power_and_registers_the_total(meter: Compared) -> None:
    await meter.flash(0, after=0)
    await meter.start(energy("5000"))
    assert meter.value("power_import") == STATE_UNKNOWN
    for total in (10, 20):
        await meter.flash(total, after=10)
        await meter.say(energy("5000"))
    # Ten impulses of 1 Wh in ten seconds are 3600 W; then none came.
    assert 300 < Decimal(meter.value("power_import")) <= 3600
    assert meter.value() == "5.000"
    await meter.flash(STATE_UNAVAILABLE)  # type: ignore[arg-type]
    await meter.say(energy("5001"), after=1)
    await meter.wait(10)
    # Nobody knows the power then, but all the more the total.
    assert meter.value("power_import") == STATE_UNKNOWN
    assert meter.value() == "5.001"
    for total in (30, 40, 50):
        await meter.flash(total, after=8)
        await meter.say(energy("5002"))
    await meter.wait(11)
    assert meter.value("power_import") not in {STATE_UNKNOWN, STATE_UNAVAILABLE}


async def test_source_that_is_lost(meter: Compared, caplog: pytest.LogCaptureFixture) -> None:
    def telegram(power: str) -> Reading:
        return reading(
            register("1-0:1.8.0*255", "5000", "Wh"), register("1-0:1.7.0*255", power, "W")
        )

    await meter.flash(0, after=0)
    await meter.start(telegram("111"))
    for total in (10, 20):
        await meter.flash(total, after=10)
        await meter.say(telegram("222"))
    assert Decimal(meter.value("power_import")) > 300
    for state in (STATE_UNAVAILABLE, STATE_UNKNOWN, STATE_UNAVAILABLE):
        await meter.flash(state)  # type: ignore[arg-type]
        await meter.say(telegram("333"), after=10)
        await meter.wait(11)
        # The meter's own.
        assert meter.value("power_import") == "333"
    await meter.wait(120, step=10)
    assert meter.issue("impulses_lost") is not None
    for total in (30, 40, 50, 60, 70):
        await meter.flash(total, after=8)
        await meter.say(telegram("333"))
    await meter.wait(11)
    assert meter.value("power_import") not in {"333", STATE_UNKNOWN}
    assert meter.issue("impulses_lost") is None
    assert caplog.text.count("impulses of Meter cannot be counted") == 1
    assert caplog.text.count("impulses of Meter are counted again") == 1


async def test_source_that_is_late(meter: Compared) -> None:
    await meter.start(energy("5000"))
    await meter.wait(100, step=10)
    await meter.flash(0, after=60)
    assert meter.issue("impulses_lost") is None


async def test_no_impulse_is_seen(meter: Compared) -> None:
    await meter.flash(7, after=0)
    await meter.start(energy("0"))
    for hour in range(1, 7):
        await meter.say(energy(str(hour * 1000)), after=360)
    assert meter.issue("no_impulses") is not None
    assert meter.drift() is None
    for hour in range(7, 13):
        await meter.flash(hour * 1000, after=0)
        await meter.wait(350, step=10)
        await meter.say(energy(str(hour * 1000)), after=10)
    assert meter.issue("no_impulses") is None


async def test_diagnostics(meter: Compared) -> None:
    await meter.flash(7, after=0)
    await meter.start(energy("0"))
    await meter.flash(12)
    diagnostics = await async_get_config_entry_diagnostics(meter.hass, meter.entry)
    assert diagnostics["second_source"] == {
        "situation": None,
        "counted": 5,
        "rejected": 0,
        "missed_estimate": 0,
        "edges": 1,
    }
    await meter.flash(STATE_UNAVAILABLE)  # type: ignore[arg-type]
    diagnostics = await async_get_config_entry_diagnostics(meter.hass, meter.entry)
    assert diagnostics["second_source"]["situation"] == "source_unavailable"


@pytest.mark.parametrize(
    ("flashes_per_kwh", "cause", "drift", "constant"),
    [
        (1000, None, "", ""),
        (1009, None, "", ""),
        (950, "missed", "-5.0", "950"),
        (1100, "additional", "+10.0", "1100"),
        (2000, "doubled", "+100.0", "2000"),
        (500, "halved", "-50.0", "500"),
        (640, "constant", "-36.0", "640"),
        (3210, "constant", "+221.0", "3200"),
    ],
)
async def test_flashes_and_registers_differ(
    meter: Compared, flashes_per_kwh: int, cause: str | None, drift: str, constant: str
) -> None:
    await meter.flash(0, after=0)
    await meter.start(energy("0"))
    # A kWh in six minutes are 10 kW.
    for hour in range(1, 7):
        await meter.flash(hour * flashes_per_kwh, after=0)
        await meter.wait(350, step=10)
        await meter.say(energy(str(hour * 1000)), after=10)
    issue = meter.drift()
    if cause is None:
        assert issue is None
        return
    assert issue is not None
    assert issue.translation_key == f"impulse_drift_{cause}"
    assert issue.translation_placeholders == {
        "title": "Meter",
        "drift": drift,
        "constant": constant,
    }


async def test_other_options_begin_another_comparison(meter: Compared) -> None:
    await meter.flash(0, after=0)
    await meter.start(energy("0"))
    for hour in range(1, 7):
        await meter.flash(hour * 2000, after=0)
        await meter.wait(350, step=10)
        await meter.say(energy(str(hour * 1000)), after=10)
    assert meter.drift() is not None
    meter.hass.config_entries.async_update_entry(meter.entry, options={})
    meter.client.said.put_nowait(energy("6000"))
    with meter.patched():
        await meter.hass.config_entries.async_reload(meter.entry.entry_id)
    assert meter.drift() is None


async def test_what_was_mended_is_taken_back(meter: Compared) -> None:
    await meter.flash(0, after=0)
    await meter.start(energy("0"))
    flashes = 0
    for hour in range(1, 13):
        flashes += 900 if hour < 6 else 1000
        await meter.flash(flashes, after=0)
        await meter.wait(350, step=10)
        await meter.say(energy(str(hour * 1000)), after=10)
        if hour == 6:
            assert meter.drift() is not None
    assert meter.drift() is None


async def test_nothing_is_compared_with_what_nobody_saw(meter: Compared) -> None:
    await meter.flash(0, after=0)
    await meter.start(energy("0"))
    for hour in range(1, 9):
        await meter.flash(0, after=0)
        meter.hass.states.async_set(LIGHT, STATE_UNAVAILABLE)
        await meter.settle()
        await meter.wait(350, step=10)
        await meter.say(energy(str(hour * 1000)), after=10)
    assert meter.drift() is None


def test_find_drift() -> None:
    assert find_drift(Fraction(1005), Fraction(1000)) is None
    assert find_drift(Fraction(98), Fraction(100)) == Drift(Cause.MISSED, Fraction(98, 100))
    assert find_drift(Fraction(0), Fraction(100)) == Drift(Cause.CONSTANT, Fraction(0))


@pytest.mark.parametrize(
    ("code", "value", "unit", "told"),
    [
        ("1-0:0.3.0*255", "10000", "imp/kWh", "10000"),
        ("0-0:0.3.0*255", "5000.0000", None, "5000"),
        ("1-0:0.3.0*255", "0", "imp/kWh", None),
        ("1-0:0.3.1*255", "500", "imp/kvarh", None),
        ("1-0:1.8.0*255", "500", "kWh", None),
    ],
)
def test_constant_that_the_meter_tells(
    code: str, value: str, unit: str | None, told: str | None
) -> None:
    found = Register(Obis.parse(code), Decimal(value), unit)
    assert reported_constant({Obis.parse(code): found}) == told


def test_constant_that_is_no_number() -> None:
    code = Obis.parse("1-0:0.3.0")
    assert reported_constant({code: Register(code, "text")}) is None


@pytest.mark.parametrize(
    ("steps", "factor", "issue", "changed"),
    [
        (["edges"], 2, "impulse_drift_doubled", {CONF_EDGES: 2}),
        (["constant"], 2, "impulse_drift_doubled", {CONF_IMPULSES_PER_KWH: "2000"}),
        ([], 1.6, "impulse_drift_constant", {CONF_IMPULSES_PER_KWH: "1600"}),
    ],
)
async def test_repair_sets_what_is_wrong(
    hass: HomeAssistant,
    meter: Compared,
    steps: list[str],
    factor: float,
    issue: str,
    *,
    changed: dict[str, object],
) -> None:
    assert await async_setup_component(hass, REPAIRS_DOMAIN, {})
    await meter.flash(0, after=0)
    await meter.start(energy("0"))
    for hour in range(1, 7):
        await meter.flash(hour * 1000 * factor, after=0)
        await meter.wait(350, step=10)
        await meter.say(energy(str(hour * 1000)), after=10)
    raised = meter.drift()
    assert raised is not None
    assert (raised.translation_key, raised.is_fixable) == (issue, True)
    manager = hass.data[REPAIRS_DOMAIN]["flow_manager"]
    result = await manager.async_init(DOMAIN, context={"issue_id": raised.issue_id})
    for step in steps:
        assert result["menu_options"] == ["edges", "constant"]
        assert result["description_placeholders"]["edges"] == "2"
        result = await manager.async_configure(result["flow_id"], {"next_step_id": step})
    assert result["type"] is FlowResultType.FORM
    assert result["description_placeholders"]["title"] == "Meter"
    before = meter.entry.options[CONF_IMPULSES]
    with meter.patched():
        result = await manager.async_configure(result["flow_id"], {})
        assert result["type"] is FlowResultType.CREATE_ENTRY
        meter.client.said.put_nowait(energy("6000"))
        await meter.wait(2)
    assert meter.entry.options[CONF_IMPULSES] == {**before, **changed}
    assert meter.entry.state is ConfigEntryState.LOADED
    assert meter.drift() is None


async def test_repair_of_a_source_that_is_gone(hass: HomeAssistant, meter: Compared) -> None:
    assert await async_setup_component(hass, REPAIRS_DOMAIN, {})
    await meter.flash(0, after=0)
    await meter.start(energy("0"))
    async_raise_issue(
        hass,
        meter.entry,
        Issue.IMPULSE_DRIFT,
        text="constant",
        drift="+60.0",
        constant="1600",
        edges="",
    )
    hass.config_entries.async_update_entry(meter.entry, options={})
    manager = hass.data[REPAIRS_DOMAIN]["flow_manager"]
    issue_id = f"impulse_drift_{meter.entry.entry_id}"
    result = await manager.async_init(DOMAIN, context={"issue_id": issue_id})
    result = await manager.async_configure(result["flow_id"], {})
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "no_impulse_source")
