"""Entry data as typed settings and back, and entries of earlier versions."""

from collections.abc import Generator
from dataclasses import fields
import json
from typing import Any
from unittest.mock import AsyncMock, patch

from freezegun.api import FrozenDateTimeFactory
from hypothesis import given, strategies as st
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.onemeter.const import DOMAIN
from custom_components.onemeter.meter import Framing, LineSettings
from custom_components.onemeter.meter.blink.settings import Source
from custom_components.onemeter.meter.dlms.settings import Authentication, Protection, Transport
from custom_components.onemeter.settings import (
    AnySettings,
    BlinkEntrySettings,
    Connection,
    DlmsEntrySettings,
    EntrySettings,
    HassSource,
    Iec62056EntrySettings,
    Mode,
    SmlEntrySettings,
    from_entry,
    migrate_from_1_1,
    second_source,
)
from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er

from .helpers.blinking import SOURCE, BlinkingMeter

KEY = "000102030405060708090a0b0c0d0e0f"
TOPIC = "onemeter/s10/v1/AABBCCDDEEFF"
CONNECTION = Connection("/dev/ttyUSB0")


def optional[T](strategy: st.SearchStrategy[T]) -> st.SearchStrategy[T | None]:
    return st.none() | strategy


#: Any value of each field.
ANY: dict[str, st.SearchStrategy[Any]] = {
    "baudrate": optional(st.integers(300, 921_600)),
    "framing": optional(st.sampled_from(Framing)),
    "dtr": optional(st.booleans()),
    "rts": optional(st.booleans()),
    "mode": optional(st.sampled_from(Mode)),
    "battery": st.booleans(),
    "address": st.text(),
    "table": st.sampled_from(["", "1", "#"]),
    "password": optional(st.text()),
    "switch_speed": st.booleans(),
    "switch_delay": st.floats(0, 2),
    "acknowledgement": st.sampled_from(["", "none", "0Z6"]),
    "transport": optional(st.sampled_from(Transport)),
    "client": optional(st.integers(1, 0xFFFF)),
    "logical_device": optional(st.integers(0, 0xFFFF)),
    "physical_device": optional(st.integers(0, 0x3FFF)),
    "address_length": optional(st.sampled_from([1, 2, 4])),
    "authentication": optional(st.sampled_from(Authentication)),
    "encryption_key": optional(st.binary(min_size=16, max_size=16)),
    "authentication_key": optional(st.binary(min_size=16, max_size=16)),
    "protection": optional(st.sampled_from(Protection)),
    "suite": optional(st.integers(0, 2)),
    "dedicated_key": st.booleans(),
    "system_title": optional(st.binary(min_size=8, max_size=8)),
    "counter_instance": st.integers(0, 255),
    "invert_deviation": st.booleans(),
    "source": st.sampled_from([*Source, *HassSource]),
    "impulses_per_kwh": optional(st.decimals("0.01", "1000000", places=6)),
    "wh_per_impulse": optional(st.decimals("0.001", "100000", places=6)),
    "edges": optional(st.sampled_from([1, 2])),
    "export": st.booleans(),
    "reading": optional(st.decimals(0, 10**9, places=3)),
    "source_id": st.text(),
}
KINDS = (SmlEntrySettings, Iec62056EntrySettings, DlmsEntrySettings, BlinkEntrySettings)


def any_of(kind: type[Connection | EntrySettings]) -> st.SearchStrategy[Any]:
    return st.builds(kind, **{field.name: ANY[field.name] for field in fields(kind)})


ANY["connection"] = any_of(Connection)


@given(st.one_of([any_of(kind) for kind in KINDS]))
def test_settings_survive_in_an_entry(settings: AnySettings) -> None:
    kept = json.loads(json.dumps(settings.to_entry()))
    assert from_entry(kept) == settings
    assert from_entry(kept).to_entry() == kept


def test_entry_keeps_only_what_is_not_the_default() -> None:
    port = {"port": CONNECTION.source_id}
    assert SmlEntrySettings(connection=CONNECTION).to_entry() == {**port, "protocol": "sml"}
    iec = Iec62056EntrySettings(connection=CONNECTION)
    assert iec.to_entry() == {**port, "protocol": "iec62056"}
    dlms = DlmsEntrySettings(connection=CONNECTION, mode=Mode.POLLED)
    assert dlms.to_entry() == {**port, "protocol": "dlms", "mode": "polled"}
    blink = BlinkEntrySettings(connection=CONNECTION, source=Source.RX)
    assert blink.to_entry() == {**port, "protocol": "blink", "source": "rx"}


def test_line_is_the_usual_one_but_for_what_the_entry_says() -> None:
    usual = LineSettings(9600)
    assert CONNECTION.line(usual) == usual
    changed = Connection("/dev/ttyUSB0", 300, Framing.SEVEN_EVEN, dtr=True, rts=False)
    assert changed.line(usual) == LineSettings(300, Framing.SEVEN_EVEN, dtr=True, rts=False)


def test_meter_found_to_push_needs_only_keys() -> None:
    key = bytes.fromhex(KEY)
    settings = DlmsEntrySettings(
        connection=CONNECTION, client=1, password="s3cret", encryption_key=key, address="42"
    )
    polled = settings.with_mode(Mode.POLLED)
    assert (polled.is_polled, polled.client, polled.address) == (True, 1, "42")
    pushed = DlmsEntrySettings(connection=CONNECTION, mode=Mode.PUSHED, encryption_key=key)
    assert settings.with_mode(Mode.PUSHED) == pushed


def test_no_secret_is_shown() -> None:
    iec = Iec62056EntrySettings(connection=CONNECTION, password="s3cret")
    key = bytes.fromhex(KEY)
    dlms = DlmsEntrySettings(
        connection=CONNECTION,
        password="s3cret",
        encryption_key=key,
        authentication_key=key,
        system_title=key[:8],
    )
    assert "s3cret" not in f"{iec}{dlms}"
    assert str(key[:8])[2:-1] not in str(dlms)


def test_impulses_without_a_constant_mean_nothing() -> None:
    with pytest.raises(ValueError, match="constant"):
        _ = BlinkEntrySettings(connection=CONNECTION, source=Source.RX).constant


# --- entries of earlier versions ------------------------------------------------------------------

PORT = {"port": "/dev/ttyUSB0"}
URL = {"port": "socket://192.168.1.5:3333"}
#: Data of entries that version 1.1 has written.
UNCHANGED: dict[str, dict[str, Any]] = {
    "sml": {**PORT, "protocol": "sml"},
    "sml_line": {**URL, "protocol": "sml", "baudrate": 19200, "framing": "8E1", "dtr": False},
    "iec62056_pushed": {**PORT, "protocol": "iec62056", "mode": "pushed"},
    "iec62056_polled": {
        **URL,
        "protocol": "iec62056",
        "mode": "polled",
        "battery": True,
        "address": "0042",
        "table": "#",
        "password": "00000000",
        "switch_speed": False,
        "switch_delay": 0.25,
        "acknowledgement": "0Z6",
    },
    "dlms_pushed": {
        **PORT,
        "protocol": "dlms",
        "mode": "pushed",
        "encryption_key": KEY,
        "authentication_key": KEY[::-1],
    },
    "dlms_polled": {
        **URL,
        "protocol": "dlms",
        "mode": "polled",
        "transport": "hdlc",
        "client": 16,
        "logical_device": 0,
        "physical_device": 17,
        "address_length": 2,
        "address": "42",
        "authentication": "none",
        "password": "0x0102",
        "encryption_key": KEY,
        "protection": "encrypted",
        "suite": 0,
        "dedicated_key": True,
        "system_title": "4d4d4d0102030405",
        "counter_instance": 3,
        "invert_deviation": True,
    },
    **{
        f"blink_{source}": {
            **PORT,
            "protocol": "blink",
            "source": source.value,
            "impulses_per_kwh": "1000",
            "edges": 1,
        }
        for source in Source
    },
}
#: The same of impulses that come from no port, with the key that was renamed.
RENAMED: dict[str, tuple[dict[str, Any], str]] = {
    "entity": ({"protocol": "blink", "source": "entity", "wh_per_impulse": "0.4"}, "sensor.flash"),
    "event": ({"protocol": "blink", "source": "event", "impulses_per_kwh": "75"}, "esphome.flash"),
    "mqtt": (
        {
            "protocol": "blink",
            "source": "mqtt",
            "impulses_per_kwh": "1000",
            "export": True,
            "reading": "12345.60",
        },
        TOPIC,
    ),
}


@pytest.fixture
def setup_entry() -> Generator[AsyncMock]:
    """Set entries up without reading."""
    setup_entry = AsyncMock(return_value=True)
    with (
        patch("custom_components.onemeter.async_setup_entry", setup_entry),
        patch("custom_components.onemeter.async_unload_entry", AsyncMock(return_value=True)),
    ):
        yield setup_entry


async def set_up(hass: HomeAssistant, **entry: Any) -> MockConfigEntry:
    """Set an entry up that an earlier version has made."""
    made = MockConfigEntry(domain=DOMAIN, version=1, unique_id="1DMO0012345678", **entry)
    made.add_to_hass(hass)
    assert await hass.config_entries.async_setup(made.entry_id)
    assert made.unique_id == "1DMO0012345678"
    return made


@pytest.mark.usefixtures("setup_entry")
@pytest.mark.parametrize("data", UNCHANGED.values(), ids=UNCHANGED)
async def test_entry_of_a_port_stays_as_it_is(hass: HomeAssistant, data: dict[str, Any]) -> None:
    options = {"max_power": 5000, "poll_interval": 900}
    entry = await set_up(hass, minor_version=1, data=data, options=options)
    assert (entry.version, entry.minor_version) == (1, 3)
    assert entry.data == data
    # What was enabled from the start is now an option.
    is_blink = data["protocol"] == "blink"
    expected = options if is_blink else {**options, "grid_quality": True}
    assert entry.options == expected
    assert from_entry(entry.data).source_id == data["port"]
    assert from_entry(entry.data).to_entry() == data


@pytest.mark.usefixtures("setup_entry")
@pytest.mark.parametrize(("data", "source_id"), RENAMED.values(), ids=RENAMED)
async def test_source_that_is_no_port_is_renamed(
    hass: HomeAssistant, data: dict[str, Any], source_id: str
) -> None:
    entry = await set_up(hass, minor_version=1, data={**data, "port": source_id})
    assert (entry.version, entry.minor_version) == (1, 3)
    assert entry.data == {**data, "source_id": source_id}
    assert from_entry(entry.data).source_id == source_id
    assert from_entry(entry.data).to_entry() == entry.data


@pytest.mark.usefixtures("setup_entry")
@pytest.mark.parametrize(
    ("impulses", "source_id"),
    [*RENAMED.values(), (UNCHANGED["blink_rx"], None), (UNCHANGED["blink_cts"], None)],
    ids=[*RENAMED, "rx", "cts"],
)
async def test_second_source_is_kept_like_the_data_of_an_entry(
    hass: HomeAssistant, impulses: dict[str, Any], source_id: str | None
) -> None:
    before = {key: value for key, value in impulses.items() if key != "protocol"}
    after = impulses
    if source_id is not None:
        before, after = {**before, "port": source_id}, {**impulses, "source_id": source_id}
    options = {"publish_interval": 5, "impulses": before}
    entry = await set_up(hass, minor_version=1, data=UNCHANGED["sml"], options=options)
    assert entry.data == UNCHANGED["sml"]
    assert entry.options == {"publish_interval": 5, "impulses": after, "grid_quality": True}
    assert second_source(entry.options) == from_entry(after)


def test_migration_changes_nothing_in_place() -> None:
    data, _ = RENAMED["event"]
    before = {**data, "port": "esphome.flash"}
    options = {"impulses": dict(before)}
    migrate_from_1_1(before, options)
    assert before == options["impulses"] == {**data, "port": "esphome.flash"}


@pytest.mark.usefixtures("setup_entry")
@pytest.mark.parametrize(("options", "is_on"), [({}, True), ({"grid_quality": False}, False)])
async def test_entry_of_version_1_2_keeps_what_it_has(
    hass: HomeAssistant, options: dict[str, Any], *, is_on: bool
) -> None:
    data, source_id = RENAMED["mqtt"]
    impulses = {**data, "source_id": source_id}
    options = {**options, "impulses": impulses}
    entry = await set_up(hass, minor_version=2, data=UNCHANGED["sml"], options=options)
    assert entry.data == UNCHANGED["sml"]
    assert entry.options == {"impulses": impulses, "grid_quality": is_on}


@pytest.mark.usefixtures("setup_entry")
async def test_entry_of_a_later_version_is_used_as_it_is(hass: HomeAssistant) -> None:
    data = {**UNCHANGED["iec62056_polled"], "from_the_future": 1}
    entry = await set_up(hass, minor_version=9, data=data)
    assert entry.minor_version == 9
    assert entry.data == data


async def test_total_and_entities_of_impulses_go_on(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory
) -> None:
    meter = BlinkingMeter(hass, freezer)
    await meter.show(100, after=0)
    await meter.set_up()
    await meter.show(110)
    assert meter.value() == "0.010"
    entities = {entity.entity_id for entity in er.async_get(hass).entities.values()}
    await hass.config_entries.async_unload(meter.entry.entry_id)
    await meter.show(112, after=0)
    data = {key: value for key, value in meter.entry.data.items() if key != "source_id"}
    hass.config_entries.async_update_entry(
        meter.entry, data={**data, "port": SOURCE}, minor_version=1
    )
    await meter.set_up()
    await meter.settle()
    assert meter.entry.minor_version == 3
    assert meter.value() == "0.012"
    assert {entity.entity_id for entity in er.async_get(hass).entities.values()} == entities
    await hass.config_entries.async_unload(meter.entry.entry_id)
    assert meter.entry.state is ConfigEntryState.NOT_LOADED
