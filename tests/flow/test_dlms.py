"""How DLMS meters are set up: by menu, address, keys; and what their faults lead back to."""

from collections.abc import AsyncGenerator, Generator
from dataclasses import dataclass, field
from decimal import Decimal
import re
from typing import Any, override
from unittest.mock import AsyncMock, patch

import probatio
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.onemeter.access.invocation_counter import StoredCounter
from custom_components.onemeter.const import (
    CONF_ADDRESS_LENGTH,
    CONF_AUTHENTICATION,
    CONF_AUTHENTICATION_KEY,
    CONF_CLIENT,
    CONF_COUNTER_INSTANCE,
    CONF_DEDICATED_KEY,
    CONF_ENCRYPTION_KEY,
    CONF_FIRST_COUNTER,
    CONF_INVERT_DEVIATION,
    CONF_LIVE_REGISTERS,
    CONF_LOGICAL_DEVICE,
    CONF_PHYSICAL_DEVICE,
    CONF_PROTECTION,
    CONF_SUITE,
    CONF_SYSTEM_TITLE,
    CONF_TRANSPORT,
    DOMAIN,
)
from custom_components.onemeter.flow.dlms_schemas import (
    ADDRESS_SCHEMA,
    KEYS_SCHEMA,
    PUSHED_KEYS_SCHEMA,
)
from custom_components.onemeter.flow.schemas import SECTION_EXPERT, SECTION_LINE, UNCHANGED
from custom_components.onemeter.meter import (
    Framing,
    Identity,
    LineSettings,
    MeterError,
    Obis,
    PolledClient,
    Protocol,
    PushedClient,
    Reading,
    Register,
)
from custom_components.onemeter.meter.dlms.push.identity import identity_of
from custom_components.onemeter.meter.dlms.security.authenticity import Authenticity
from custom_components.onemeter.meter.dlms.security.counters import InvocationCounter
from custom_components.onemeter.meter.dlms.settings import (
    Authentication,
    DlmsSettings,
    Keys,
    Protection,
    Transport,
)
from custom_components.onemeter.meter.errors import (
    AccessError,
    AddressError,
    AssociationError,
    ChecksumError,
    CounterNeededError,
    InvocationCounterError,
    KeyNeededError,
    MeterAuthenticationError,
    MeterSilentError,
    PortNotFoundError,
    UnknownDataError,
    UnknownListError,
    WrongAuthenticationKeyError,
    WrongEncryptionKeyError,
    WrongKeysError,
)
from custom_components.onemeter.meter.looks import Look
from homeassistant.config_entries import (
    SOURCE_RECONFIGURE,
    ConfigEntryState,
    ConfigFlowResult,
)
from homeassistant.const import CONF_ADDRESS, CONF_MODE, CONF_PASSWORD, CONF_PORT, CONF_PROTOCOL
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType

from ..helpers.config_flow import (
    CONNECTION,
    PORT,
    PORTS,
    PROBING,
    PROGRESS,
    SEARCH,
    FakeClient,
    FakePolledClient,
    Line,
    assert_said,
    confirm,
    sent,
    start,
)

pytestmark = pytest.mark.usefixtures("setup_entry")

FORM = {CONF_PORT: PORT, CONF_PROTOCOL: "dlms", SECTION_LINE: {}}
PUSHED = {CONF_PORT: PORT, CONF_PROTOCOL: "dlms", CONF_MODE: "pushed"}
POLLED = {CONF_PORT: PORT, CONF_PROTOCOL: "dlms", CONF_MODE: "polled"}
METER = Identity("KFM1200123456789", "KFM")
EK = "000102030405060708090a0b0c0d0e0f"
AK = "d0d1d2d3d4d5d6d7d8d9dadbdcdddedf"
BOTH = {CONF_ENCRYPTION_KEY: EK, CONF_AUTHENTICATION_KEY: AK}
GMAC = {CONF_AUTHENTICATION: "gmac", **BOTH}
LLS = {CONF_AUTHENTICATION: "lls", CONF_PASSWORD: "s3cret"}
COUNTER = "custom_components.onemeter.access.invocation_counter"
#: One that the user has given, and one that was made up.
TITLE = "4d4d4d0102030405"
OWN = bytes.fromhex("4f4e4d0102030405")
ADDRESS: dict[str, Any] = {SECTION_EXPERT: {}}
PUSHED_LINE = LineSettings(2400, Framing.EIGHT_EVEN)
POLLED_LINE = LineSettings(9600)
SILENT = MeterSilentError("", port=PORT)


def reading(meter: Identity = METER, *codes: str) -> Reading:
    """Make what a meter sends: power alone, if nothing else is said."""
    registers = [Register(Obis.parse("1-0:1.7.0"), 250, "W")]
    registers += [Register(Obis.parse(code), Decimal("12345.6"), "Wh") for code in codes]
    return Reading(meter, None, tuple(registers), b"")


@dataclass
class DlmsLine(Line):
    """What the clients of a test find, and what they were given."""

    keys: list[Keys] = field(default_factory=list)
    settings: list[tuple[LineSettings, DlmsSettings]] = field(default_factory=list)
    counters: list[InvocationCounter | None] = field(default_factory=list)
    #: Readings that come one after the other.
    lists: list[Reading] = field(default_factory=list)
    #: The counter that goes up when something has come that no key fits.
    lacks: str | None = None

    def dlms_pushed(
        self,
        protocol: Protocol,
        url: str,
        line: LineSettings,
        keys: Keys,
        *,
        authenticity: Authenticity | None,
    ) -> PushedClient:
        assert authenticity is None, "nothing is known of a meter that is looked for"
        self.asked.append((protocol, url, line))
        self.keys.append(keys)
        client = ListingClient(self, url, line)
        if self.lacks is not None:
            setattr(client.counters, self.lacks, 1)
        return client

    def dlms_polled(
        self,
        protocol: Protocol,
        url: str,
        line: LineSettings,
        settings: DlmsSettings,
        counter: InvocationCounter | None,
        *,
        authenticity: Authenticity | None,
    ) -> PolledClient:
        assert protocol is Protocol.DLMS
        assert authenticity is None, "nothing is known of a meter that is looked for"
        self.settings.append((line, settings))
        self.counters.append(counter)
        return FakePolledClient(self, url, line)


class ListingClient(FakeClient):
    """A client that hears several lists."""

    found: DlmsLine

    @override
    async def listen(self) -> AsyncGenerator[Reading]:
        for said in self.found.lists:
            yield said
        async for said in super().listen():
            yield said


@pytest.fixture(autouse=True)
def dialog(hass: HomeAssistant) -> Generator[None]:
    """Wait neither for a dialog that nobody opens, nor for a meter that says nothing."""
    hass.config.components.add("usb")
    with (
        patch(f"{PROGRESS}.SHORTEST_PROGRESS", 0),
        patch(f"{PROGRESS}.PROGRESS_SECONDS", 0.01),
        patch(f"{PORTS}.get_serial_by_id", lambda port: port),
        patch(f"{PROBING}.DLMS_LISTEN_SECONDS", 0.05),
        patch(f"{PROBING}.DLMS_PUSH_SECONDS", 0.01),
        patch(f"{PROBING}.NAME_SECONDS", 0.02),
        patch(f"{PROBING}._LOOK_SECONDS", 0.01),
    ):
        yield


@pytest.fixture
def line() -> Generator[DlmsLine]:
    """Give the flow clients that find what the test puts there."""
    line = DlmsLine()
    line.says = line.answers = reading()
    with (
        patch(f"{CONNECTION}.create_pushed_client", line.dlms_pushed),
        patch(f"{CONNECTION}.create_polled_client", line.dlms_polled),
    ):
        yield line


async def choose(
    hass: HomeAssistant,
    result: ConfigFlowResult,
    choice: str,
    *forms: dict[str, Any],
    form: dict[str, Any] = FORM,
) -> ConfigFlowResult:
    """Fill in the port, choose from the menu, fill in the forms, and follow what comes of it."""
    flow = hass.config_entries.flow
    result = await flow.async_configure(result["flow_id"], form)
    assert result["type"] is FlowResultType.MENU
    assert result["menu_options"] == ["dlms_pushed", "dlms_polled", "dlms_find_out"]
    assert_said(result, "step", "dlms", "menu_options", choice)
    result = await flow.async_configure(result["flow_id"], {"next_step_id": choice})
    assert result["step_id"] == ("dlms_pushed" if choice == "dlms_pushed" else "dlms_address")
    return await fill_in(hass, result, *forms)


async def fill_in(
    hass: HomeAssistant, result: ConfigFlowResult, *forms: dict[str, Any]
) -> ConfigFlowResult:
    """Fill in forms one after the other, and follow what comes of it."""
    flow = hass.config_entries.flow
    for entered in forms:
        assert result["type"] is FlowResultType.FORM
        assert not result["errors"] or entered is forms[0]
        result = await flow.async_configure(result["flow_id"], entered)
    if result["type"] is not FlowResultType.SHOW_PROGRESS:
        return result
    await hass.async_block_till_done(wait_background_tasks=True)
    return await flow.async_configure(result["flow_id"])


async def add_entry(hass: HomeAssistant, **data: Any) -> MockConfigEntry:
    """Have a meter that was set up before."""
    entry = MockConfigEntry(
        domain=DOMAIN, title="Kaifa", unique_id=METER.unique_id, data={**POLLED, **data}
    )
    entry.add_to_hass(hass)
    await hass.config_entries.async_setup(entry.entry_id)
    return entry


def filled(result: ConfigFlowResult) -> dict[str, Any]:
    """Return what a form is filled with."""
    schema = result["data_schema"]
    assert schema is not None

    def values(fields: dict[Any, Any]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in fields.items():
            name = str(getattr(key.schema, "schema", key.schema))
            if name == SECTION_EXPERT:
                found[name] = values(value.schema.schema)
            elif key.description:
                found[name] = key.description["suggested_value"]
        return found

    return values(schema.schema)


async def test_meter_that_pushes_without_keys(hass: HomeAssistant, line: DlmsLine) -> None:
    result = await choose(hass, await start(hass), "dlms_pushed", {})
    assert result["description_placeholders"] == {
        "meter": "Kaifa",
        "manufacturer": "Kaifa",
        "model": "DLMS meter",
        "id": "KFM1200123456789",
        "count": "1",
        "energy_import": "–",
        "energy_export": "–",
        "power": "250 W",
    }
    result = await confirm(hass, result)
    assert result["data"] == PUSHED
    assert line.asked == [(Protocol.DLMS, PORT, PUSHED_LINE)]
    assert line.keys == [Keys()]
    assert not line.settings


@pytest.mark.parametrize("entered", [EK, EK.upper(), f" 0x{EK}\n", re.sub("(..)", r"\1:", EK)])
async def test_key_is_taken_as_operators_write_it(
    hass: HomeAssistant, line: DlmsLine, entered: str
) -> None:
    result = await choose(hass, await start(hass), "dlms_pushed", {CONF_ENCRYPTION_KEY: entered})
    result = await confirm(hass, result)
    assert result["data"] == {**PUSHED, CONF_ENCRYPTION_KEY: EK}
    assert line.keys == [Keys(bytes.fromhex(EK))]


@pytest.mark.parametrize(
    ("entered", "field", "error"),
    [
        ({CONF_ENCRYPTION_KEY: EK[1:]}, CONF_ENCRYPTION_KEY, "invalid_key"),
        (
            {**BOTH, CONF_AUTHENTICATION_KEY: "x" * 32},
            CONF_AUTHENTICATION_KEY,
            "invalid_key_character",
        ),
        ({**BOTH, CONF_AUTHENTICATION_KEY: AK * 2}, CONF_AUTHENTICATION_KEY, "keys_differ"),
        ({CONF_AUTHENTICATION_KEY: AK}, CONF_ENCRYPTION_KEY, "key_missing"),
    ],
)
async def test_key_that_is_none_may_be_corrected(
    hass: HomeAssistant, line: DlmsLine, entered: dict[str, str], field: str, error: str
) -> None:
    result = await choose(hass, await start(hass), "dlms_pushed", entered)
    assert result["errors"] == {field: error}
    assert_said(result, "error", error)
    [other] = {*BOTH} - {field}
    # What was typed stays, to be corrected.
    assert filled(result)[field] == entered.get(field, "")
    assert filled(result)[other] == (UNCHANGED if other in entered else "")
    assert line.asked == []
    result = await fill_in(hass, result, {other: BOTH[other], field: BOTH[field]})
    result = await confirm(hass, result)
    assert result["data"] == {**PUSHED, **BOTH}


@pytest.mark.parametrize(
    ("key", "error", "details"),
    [
        (EK[1:], "invalid_key", {"length": "31"}),
        (f"{EK[:8]} O{EK[9:]}", "invalid_key_character", {"character": "O", "position": "10"}),
        (f"0x{EK[:-1]}g", "invalid_key_character", {"character": "g", "position": "34"}),
    ],
)
async def test_what_is_wrong_with_an_invalid_key_is_named(
    hass: HomeAssistant, line: DlmsLine, key: str, error: str, details: dict[str, str]
) -> None:
    result = await choose(hass, await start(hass), "dlms_pushed", {CONF_ENCRYPTION_KEY: key})
    assert result["errors"] == {CONF_ENCRYPTION_KEY: error}
    assert_said(result, "error", error)
    assert details.items() <= (result["description_placeholders"] or {}).items()
    assert filled(result)[CONF_ENCRYPTION_KEY] == key
    result = await fill_in(hass, result, BOTH)
    await confirm(hass, result)
    assert line.keys == [Keys(bytes.fromhex(EK), bytes.fromhex(AK))]


@pytest.mark.parametrize(
    ("keys", "kept", "settings"),
    [
        ({}, {}, DlmsSettings(system_title=OWN)),
        (
            LLS,
            LLS,
            DlmsSettings(
                client=1, authentication=Authentication.LLS, password=b"s3cret", system_title=OWN
            ),
        ),
        (
            {CONF_AUTHENTICATION: "md5", CONF_PASSWORD: "0x00ff"},
            {CONF_AUTHENTICATION: "md5", CONF_PASSWORD: "0x00ff"},
            DlmsSettings(
                client=1,
                authentication=Authentication.HLS_MD5,
                password=b"\0\xff",
                system_title=OWN,
            ),
        ),
        (
            {**GMAC, CONF_PASSWORD: "not needed"},
            GMAC,
            DlmsSettings(
                client=1,
                authentication=Authentication.HLS_GMAC,
                keys=Keys(bytes.fromhex(EK), bytes.fromhex(AK)),
                system_title=OWN,
            ),
        ),
        (
            {CONF_AUTHENTICATION: "sha256", CONF_PASSWORD: "secret"},
            {CONF_AUTHENTICATION: "sha256", CONF_PASSWORD: "secret"},
            DlmsSettings(
                client=1,
                authentication=Authentication.HLS_SHA256,
                password=b"secret",
                system_title=OWN,
            ),
        ),
    ],
    ids=["none", "lls", "hex", "gmac", "sha256"],
)
async def test_meter_that_is_asked(
    hass: HomeAssistant,
    line: DlmsLine,
    keys: dict[str, str],
    kept: dict[str, str],
    settings: DlmsSettings,
) -> None:
    with patch(f"{COUNTER}.token_bytes", return_value=OWN[3:]):
        result = await choose(hass, await start(hass), "dlms_polled", ADDRESS, keys)
    result = await confirm(hass, result)
    assert result["data"] == {**POLLED, **kept}
    assert line.settings == [(POLLED_LINE, settings)]
    assert line.asked == []
    is_counted = settings.keys.encryption is not None
    assert [type(counter) for counter in line.counters] == [
        StoredCounter if is_counted else type(None)
    ]


@pytest.mark.parametrize(
    ("entered", "authentication"),
    [
        ({}, None),
        ({CONF_ENCRYPTION_KEY: EK}, None),
        ({CONF_PASSWORD: "s3cret"}, "lls"),
        (BOTH, "gmac"),
        ({**BOTH, CONF_PASSWORD: "s3cret"}, "lls"),
        ({**BOTH, CONF_AUTHENTICATION: "none"}, "none"),
    ],
)
async def test_authentication_follows_from_password_and_keys(
    hass: HomeAssistant, line: DlmsLine, entered: dict[str, str], authentication: str | None
) -> None:
    result = await choose(hass, await start(hass), "dlms_polled", ADDRESS, entered)
    result = await confirm(hass, result)
    assert result["data"].get(CONF_AUTHENTICATION) == authentication
    [(_, settings)] = line.settings
    assert settings.authentication == Authentication(authentication or "none")


async def test_title_is_made_anew_at_each_start(hass: HomeAssistant, line: DlmsLine) -> None:
    for number in range(3):
        line.answers = reading(Identity(f"KFM{number}"))
        form = {**FORM, CONF_PORT: f"socket://meter{number}:4059"}
        if number == 2:
            # As if Home Assistant had been started again.
            hass.data.pop(f"{DOMAIN}_invocation_counters")
        result = await choose(hass, await start(hass), "dlms_polled", ADDRESS, GMAC, form=form)
        assert CONF_SYSTEM_TITLE not in (await confirm(hass, result))["data"]
    first, second, third = (settings.system_title or b"" for _, settings in line.settings)
    assert first == second != third
    assert re.fullmatch("4f4e4d[0-9a-f]{10}", first.hex())
    assert re.fullmatch("4f4e4d[0-9a-f]{10}", third.hex())


@pytest.mark.parametrize("title", ["12", "4f4e4d0102030405", "0x0102030405060708", "g" * 16])
async def test_title_may_be_given_but_no_other_one_is_taken(
    hass: HomeAssistant, line: DlmsLine, title: str
) -> None:
    wrong = {**ADDRESS, SECTION_EXPERT: {CONF_SYSTEM_TITLE: title}}
    result = await choose(hass, await start(hass), "dlms_polled", wrong)
    assert result["errors"] == {"base": "invalid_system_title"}
    assert_said(result, "error", "invalid_system_title")
    given = {**ADDRESS, SECTION_EXPERT: {CONF_SYSTEM_TITLE: f" {TITLE.upper()} "}}
    result = await fill_in(hass, result, given, GMAC)
    assert (await confirm(hass, result))["data"] == {**POLLED, **GMAC, CONF_SYSTEM_TITLE: TITLE}
    [(_, settings)] = line.settings
    assert settings.system_title == bytes.fromhex(TITLE)


async def test_first_counter_is_asked_for_where_nobody_knows_it(
    hass: HomeAssistant, line: DlmsLine
) -> None:
    line.answers = CounterNeededError("", port=PORT)
    given = {**ADDRESS, SECTION_EXPERT: {CONF_SYSTEM_TITLE: TITLE}}
    result = await choose(hass, await start(hass), "dlms_polled", given, GMAC)
    assert result["step_id"] == "dlms_counter"
    assert result["errors"] == {"base": "counter_needed"}
    assert_said(result, "error", "counter_needed")
    assert_said(result, "step", "dlms_counter", "description")
    with patch(f"{COUNTER}.StoredCounter.async_begin", side_effect=OSError):
        result = await fill_in(hass, result, {CONF_FIRST_COUNTER: 70_000})
    assert result["step_id"] == "dlms_counter"
    assert result["errors"] == {"base": "not_stored"}
    assert_said(result, "error", "not_stored")
    line.answers = reading()
    result = await confirm(hass, await fill_in(hass, result, {CONF_FIRST_COUNTER: 70_000}))
    assert result["data"] == {**POLLED, **GMAC, CONF_SYSTEM_TITLE: TITLE}
    assert await StoredCounter(hass, bytes.fromhex(EK), bytes.fromhex(TITLE)).reserve(1) == 70_000


@pytest.mark.usefixtures("line")
async def test_first_counter_of_an_entry_is_asked_for(
    hass: HomeAssistant, setup_entry: AsyncMock
) -> None:
    entry = await add_entry(hass, **GMAC, system_title=TITLE)
    entry.runtime_data = AsyncMock(translation_key="counter_needed")
    result = await entry.start_reauth_flow(hass)
    assert result["step_id"] == "dlms_counter"
    result = await fill_in(hass, result, {CONF_FIRST_COUNTER: 1})
    assert result["reason"] == "reauth_successful"
    await hass.async_block_till_done()
    assert entry.data == {**POLLED, **GMAC, CONF_SYSTEM_TITLE: TITLE}
    assert setup_entry.call_count == 2
    assert await StoredCounter(hass, bytes.fromhex(EK), bytes.fromhex(TITLE)).reserve(1) == 1


async def test_expert_settings_are_kept_and_used(hass: HomeAssistant, line: DlmsLine) -> None:
    address = {
        CONF_TRANSPORT: "mode_e",
        CONF_CLIENT: 32,
        SECTION_EXPERT: {
            CONF_LOGICAL_DEVICE: 0,
            CONF_PHYSICAL_DEVICE: 17,
            CONF_ADDRESS_LENGTH: "2",
            CONF_ADDRESS: " 42 ",
            CONF_PROTECTION: "encrypted",
            CONF_SUITE: "1",
            CONF_DEDICATED_KEY: True,
            CONF_SYSTEM_TITLE: TITLE,
            CONF_COUNTER_INSTANCE: 3,
            CONF_INVERT_DEVIATION: True,
        },
    }
    kept = {
        CONF_TRANSPORT: "mode_e",
        CONF_CLIENT: 32,
        CONF_LOGICAL_DEVICE: 0,
        CONF_PHYSICAL_DEVICE: 17,
        CONF_ADDRESS_LENGTH: 2,
        CONF_ADDRESS: "42",
        CONF_PROTECTION: "encrypted",
        CONF_SUITE: 1,
        CONF_DEDICATED_KEY: True,
        CONF_SYSTEM_TITLE: TITLE,
        CONF_COUNTER_INSTANCE: 3,
        CONF_INVERT_DEVIATION: True,
        CONF_ENCRYPTION_KEY: EK,
    }
    keys = {CONF_ENCRYPTION_KEY: EK}
    result = await choose(hass, await start(hass), "dlms_polled", address, keys)
    result = await confirm(hass, result)
    assert result["data"] == {**POLLED, **kept}
    [(_, settings)] = line.settings
    assert settings == DlmsSettings(
        transport=Transport.MODE_E,
        client=32,
        logical_device=0,
        physical_device=17,
        address_length=2,
        keys=Keys(bytes.fromhex(EK)),
        protection=Protection.ENCRYPTED,
        dedicated_key=True,
        suite=1,
        system_title=bytes.fromhex(TITLE),
        counter_instance=3,
        invert_deviation=True,
        sign_on_address="42",
    )
    entry = result["result"]
    result = await hass.config_entries.flow.async_init(
        DOMAIN, context={"source": SOURCE_RECONFIGURE, "entry_id": entry.entry_id}
    )
    result = await choose(hass, result, "dlms_polled")
    shown = filled(result)
    assert shown == {
        **address,
        SECTION_EXPERT: {**address[SECTION_EXPERT], CONF_ADDRESS: "42"},  # type: ignore[dict-item]
    }
    before = dict(entry.data)
    result = await fill_in(hass, result, shown)
    result = await fill_in(hass, result, filled(result))
    assert result["reason"] == "reconfigure_successful"
    assert entry.data == before


@pytest.mark.parametrize(
    ("expert", "keys", "errors"),
    [
        ({}, {CONF_AUTHENTICATION: "lls"}, {CONF_PASSWORD: "password_needed"}),
        ({}, {**LLS, CONF_PASSWORD: "0x1"}, {CONF_PASSWORD: "invalid_hex_password"}),
        ({}, {**LLS, CONF_AUTHENTICATION: "none"}, {CONF_AUTHENTICATION: "authentication_needed"}),
        ({}, {CONF_AUTHENTICATION: "gmac"}, {CONF_ENCRYPTION_KEY: "key_missing"}),
        (
            {},
            {CONF_AUTHENTICATION: "gmac", CONF_ENCRYPTION_KEY: EK},
            {CONF_AUTHENTICATION_KEY: "key_missing"},
        ),
        ({CONF_PROTECTION: "encrypted"}, LLS, {CONF_ENCRYPTION_KEY: "key_missing"}),
        (
            {CONF_PROTECTION: "both"},
            {**LLS, CONF_ENCRYPTION_KEY: EK},
            {CONF_AUTHENTICATION_KEY: "key_missing"},
        ),
    ],
)
async def test_what_does_not_fit_together_may_be_corrected(
    hass: HomeAssistant,
    line: DlmsLine,
    expert: dict[str, str],
    keys: dict[str, str],
    errors: dict[str, str],
) -> None:
    result = await choose(hass, await start(hass), "dlms_polled", {SECTION_EXPERT: expert}, keys)
    assert result["step_id"] == "dlms_keys"
    assert result["errors"] == errors
    assert_said(result, "error", *errors.values())
    assert line.settings == []
    await confirm(hass, await fill_in(hass, result, GMAC))


@pytest.mark.usefixtures("line")
async def test_sign_on_address_may_be_corrected(hass: HomeAssistant) -> None:
    wrong = {CONF_CLIENT: 32, SECTION_EXPERT: {CONF_ADDRESS: "/?!"}}
    result = await choose(hass, await start(hass), "dlms_polled", wrong)
    assert result["errors"] == {"base": "invalid_address"}
    assert filled(result)[CONF_CLIENT] == 32
    result = await confirm(hass, await fill_in(hass, result, {SECTION_EXPERT: {}}, {}))
    assert result["data"] == POLLED


async def test_other_key_is_asked_for_where_one_is_not_enough(
    hass: HomeAssistant, line: DlmsLine
) -> None:
    line.answers = AssociationError("", reason="rejected")
    one_key = {CONF_ENCRYPTION_KEY: EK}
    result = await choose(hass, await start(hass), "dlms_polled", ADDRESS, one_key)
    assert result["step_id"] == "dlms_keys"
    assert result["errors"] == {CONF_AUTHENTICATION_KEY: "other_key_needed"}
    assert_said(result, "error", "other_key_needed")
    line.answers = reading()
    both = {**filled(result), CONF_AUTHENTICATION_KEY: AK}
    result = await confirm(hass, await fill_in(hass, result, both))
    assert result["data"][CONF_AUTHENTICATION_KEY] == AK


#: The fields that are empty after an error, since the meter rejects what was entered.
EMPTIED = {
    "password_rejected": (CONF_PASSWORD,),
    "wrong_encryption_key": (CONF_ENCRYPTION_KEY,),
    "wrong_authentication_key": (CONF_AUTHENTICATION_KEY,),
    "wrong_keys": tuple(BOTH),
}


@pytest.mark.parametrize(
    ("error", "step", "text"),
    [
        (MeterAuthenticationError(""), "dlms_keys", "password_rejected"),
        (KeyNeededError(""), "dlms_keys", "key_needed"),
        (WrongEncryptionKeyError(""), "dlms_keys", "wrong_encryption_key"),
        (WrongKeysError(""), "dlms_keys", "wrong_keys"),
        (WrongAuthenticationKeyError(""), "dlms_keys", "wrong_authentication_key"),
        (InvocationCounterError(""), "dlms_address", "counter_rejected"),
        (AddressError(""), "dlms_address", "address_refused"),
        (AssociationError("", reason="context"), "dlms_address", "association_refused"),
        (AccessError(""), "dlms_address", "access_refused"),
        (SILENT, "user", "meter_silent"),
        (PortNotFoundError("", port=PORT), "user", "port_not_found"),
    ],
)
async def test_fault_leads_back_to_the_form_that_can_mend_it(
    hass: HomeAssistant, line: DlmsLine, error: MeterError, step: str, text: str
) -> None:
    line.answers = error
    address = {CONF_CLIENT: 32, SECTION_EXPERT: {}}
    result = await choose(hass, await start(hass), "dlms_polled", address, {**LLS, **BOTH})
    assert result["type"] is FlowResultType.FORM
    assert result["step_id"] == step
    assert result["errors"] == {"base": text}
    assert_said(result, "error", text)
    for secret in (EK, AK, LLS[CONF_PASSWORD]):
        assert secret not in str(result)

    line.answers = reading()
    flow = hass.config_entries.flow
    if step == "user":
        result = await flow.async_configure(result["flow_id"], FORM)
        result = await flow.async_configure(result["flow_id"], {"next_step_id": "dlms_polled"})
    if result["step_id"] == "dlms_address":
        assert filled(result)[CONF_CLIENT] == 32
        result = await flow.async_configure(result["flow_id"], filled(result))
    assert result["step_id"] == "dlms_keys"
    assert filled(result) == {
        CONF_AUTHENTICATION: "lls",
        **dict.fromkeys((CONF_PASSWORD, *BOTH), UNCHANGED),
        **dict.fromkeys(EMPTIED.get(text, ()), ""),
    }
    secrets = {**filled(result), **{key: {**LLS, **BOTH}[key] for key in EMPTIED.get(text, ())}}
    result = await confirm(hass, await fill_in(hass, result, secrets))
    assert result["data"] == {**POLLED, **LLS, **BOTH, CONF_CLIENT: 32}


async def test_list_that_is_not_known_is_named(hass: HomeAssistant, line: DlmsLine) -> None:
    line.says, line.diagnosis = None, UnknownListError("", port=PORT, shape="t u2")
    with patch(f"{PROBING}.DLMS_LISTEN_SECONDS", 0.1):
        result = await choose(hass, await start(hass), "dlms_pushed", {})
    assert result["errors"] == {"base": "unknown_list"}
    assert_said(result, "error", "unknown_list")
    assert "t u2" in str(result["description_placeholders"])


@pytest.mark.parametrize(
    ("lacks", "error", "text"),
    [
        ("needs_key", KeyNeededError(""), "key_needed"),
        ("wrong_encryption_key", WrongEncryptionKeyError(""), "wrong_encryption_key"),
        ("wrong_authentication_key", WrongAuthenticationKeyError(""), "wrong_authentication_key"),
    ],
)
async def test_wrong_key_is_told_as_soon_as_it_is_known(
    hass: HomeAssistant, line: DlmsLine, lacks: str, error: MeterError, text: str
) -> None:
    line.says, line.diagnosis, line.lacks = None, error, lacks
    with patch(f"{PROBING}.DLMS_LISTEN_SECONDS", 60):
        result = await choose(hass, await start(hass), "dlms_pushed", {})
    assert result["step_id"] == "dlms_pushed"
    assert result["errors"] == {"base": text}
    assert_said(result, "error", text)
    line.says, line.lacks = reading(), None
    result = await confirm(hass, await fill_in(hass, result, BOTH))
    assert result["data"] == {**PUSHED, **BOTH}


async def test_id_is_waited_for_where_the_first_list_has_none(
    hass: HomeAssistant, line: DlmsLine
) -> None:
    line.lists = [reading(Identity()), reading(Identity())]
    line.says = reading(METER, "1-0:1.8.0")
    result = await confirm(hass, await choose(hass, await start(hass), "dlms_pushed", {}))
    assert result["result"].unique_id == METER.unique_id


async def test_meter_without_id_is_found_all_the_same(hass: HomeAssistant, line: DlmsLine) -> None:
    line.lists = [reading(Identity())]
    line.says = None
    result = await confirm(hass, await choose(hass, await start(hass), "dlms_pushed", {}))
    assert result["title"] == "DLMS meter"
    assert str(result["result"].unique_id).startswith("generated-")


async def test_meter_that_pushes_is_found_out(hass: HomeAssistant, line: DlmsLine) -> None:
    keys = {**LLS, **BOTH}
    result = await choose(hass, await start(hass), "dlms_find_out", ADDRESS, keys)
    result = await confirm(hass, result)
    assert result["data"] == {**PUSHED, **BOTH}
    assert line.settings == []


async def test_meter_that_is_to_be_asked_is_found_out(hass: HomeAssistant, line: DlmsLine) -> None:
    line.says = None
    result = await choose(hass, await start(hass), "dlms_find_out", ADDRESS, LLS)
    result = await confirm(hass, result)
    assert result["data"] == {**POLLED, **LLS}
    assert len(line.asked) == len(line.settings) == 1


@pytest.mark.parametrize(
    ("heard", "answer", "told"),
    [
        (SILENT, SILENT, ("user", "meter_silent")),
        (SILENT, AddressError(""), ("dlms_address", "address_refused")),
        (SILENT, MeterAuthenticationError(""), ("dlms_keys", "password_rejected")),
        (
            UnknownDataError("", port=PORT, looks_like=Look.NOISE),
            SILENT,
            ("user", "unknown_data_noise"),
        ),
        (UnknownDataError("", port=PORT, looks_like="SML"), SILENT, ("user", "unknown_data_like")),
        (ChecksumError("", port=PORT), SILENT, ("user", "checksum_failed")),
    ],
)
async def test_what_says_most_is_told_of_a_meter_that_is_not_found(
    hass: HomeAssistant,
    line: DlmsLine,
    heard: MeterError,
    answer: MeterError,
    told: tuple[str, str],
) -> None:
    line.says, line.diagnosis, line.answers = None, heard, answer
    result = await choose(hass, await start(hass), "dlms_find_out", ADDRESS, {})
    step, text = told
    assert result["step_id"] == step
    assert result["errors"] == {"base": text}


async def test_password_of_another_protocol_leads_back_to_its_form(
    hass: HomeAssistant, line: DlmsLine
) -> None:
    """Not to a form of DLMS, which was chosen before."""
    line.answers = SILENT
    result = await choose(hass, await start(hass), "dlms_polled", ADDRESS, {})
    assert result["step_id"] == "user"
    flow = hass.config_entries.flow
    result = await flow.async_configure(result["flow_id"], {**FORM, CONF_PROTOCOL: "iec62056"})
    assert result["step_id"] == "iec62056"
    rejected = MeterAuthenticationError("", port=PORT)
    with patch(f"{PROBING}.Probe.async_read", side_effect=rejected):
        result = await fill_in(hass, result, {SECTION_EXPERT: {}})
    assert result["step_id"] == "user"


@pytest.mark.usefixtures("line")
async def test_reconfigure_keeps_the_title_and_what_is_not_shown(hass: HomeAssistant) -> None:
    entry = await add_entry(hass, **GMAC, system_title=TITLE)
    result = await choose(hass, await entry.start_reconfigure_flow(hass), "dlms_polled")
    address = filled(result)
    assert address[SECTION_EXPERT][CONF_SYSTEM_TITLE] == TITLE
    result = await fill_in(hass, result, address)
    shown = filled(result)
    assert shown == {
        CONF_AUTHENTICATION: "gmac",
        CONF_PASSWORD: "",
        CONF_ENCRYPTION_KEY: UNCHANGED,
        CONF_AUTHENTICATION_KEY: UNCHANGED,
    }
    other = EK[::-1]
    result = await fill_in(hass, result, {**shown, CONF_ENCRYPTION_KEY: other})
    assert result["reason"] == "reconfigure_successful"
    changed = {CONF_ENCRYPTION_KEY: other, CONF_SYSTEM_TITLE: TITLE}
    assert entry.data == {**POLLED, **GMAC, **changed}


async def test_reconfigured_meter_pushes_from_now_on(hass: HomeAssistant, line: DlmsLine) -> None:
    entry = await add_entry(hass, **GMAC, system_title=TITLE)
    with patch(f"{SEARCH}.async_hand_over") as open_mode_e:
        result = await choose(
            hass,
            await entry.start_reconfigure_flow(hass),
            "dlms_pushed",
            {CONF_ENCRYPTION_KEY: UNCHANGED},
        )
    assert result["reason"] == "reconfigure_successful"
    assert entry.data == {**PUSHED, CONF_ENCRYPTION_KEY: EK}
    _, unique_id, read = open_mode_e.call_args.args
    assert (unique_id, read.reading, read.findings) == (entry.unique_id, line.says, {})


@pytest.mark.parametrize(
    "error",
    [
        ChecksumError("", port=PORT, line="9600 8N1", usual="2400 8E1"),
        UnknownDataError("", port=PORT, looks_like=Look.NOISE, line="9600 8N1", usual="2400 8E1"),
    ],
)
async def test_usual_speeds_are_named(
    hass: HomeAssistant, line: DlmsLine, error: MeterError
) -> None:
    line.says, line.diagnosis = None, error
    with patch(f"{PROBING}.DLMS_LISTEN_SECONDS", 0.1):
        result = await choose(hass, await start(hass), "dlms_pushed", {})
    assert result["errors"] == {"base": "no_telegram_at_speed"}
    assert_said(result, "error", "no_telegram_at_speed")
    assert "2400 8E1" in str(result["description_placeholders"])


DIN_TEXT = identity_of((b"1EMH0012784641",), None, b"EMH\x67\0\0\1\2")


@pytest.mark.parametrize("stored", ["1EMH0012784641", "EMH1EMH0012784641"])
async def test_meter_is_known_under_either_form_of_its_id(
    hass: HomeAssistant, line: DlmsLine, stored: str
) -> None:
    entry = await add_entry(hass, **GMAC, system_title=TITLE)
    hass.config_entries.async_update_entry(entry, unique_id=stored)
    line.says = reading(DIN_TEXT)
    form = {CONF_ENCRYPTION_KEY: UNCHANGED}
    result = await choose(hass, await entry.start_reconfigure_flow(hass), "dlms_pushed", form)
    assert result["reason"] == "reconfigure_successful"
    assert entry.unique_id == stored

    hass.config_entries.async_update_entry(entry, data={**entry.data, CONF_PORT: "/dev/other"})
    result = await choose(hass, await start(hass), "dlms_pushed", {})
    assert result["type"] is FlowResultType.ABORT
    assert result["reason"] == "already_configured"


async def test_rejected_keys_are_replaced_and_nothing_else(
    hass: HomeAssistant, setup_entry: AsyncMock
) -> None:
    entry = await add_entry(hass, client=32, **GMAC, system_title=TITLE)
    entry.runtime_data = AsyncMock(translation_key="meter_silent")
    result = await entry.start_reauth_flow(hass)
    assert not result["errors"]
    assert result["step_id"] == "reauth_dlms"
    assert_said(result, "step", "reauth_dlms", "description")
    wrong = {**filled(result), CONF_ENCRYPTION_KEY: "12"}
    result = await fill_in(hass, result, wrong)
    assert result["step_id"] == "reauth_dlms"
    assert result["errors"] == {CONF_ENCRYPTION_KEY: "invalid_key"}
    assert_said(result, "step", "reauth_dlms", "description")
    other = EK[::-1]
    result = await fill_in(hass, result, {**filled(result), CONF_ENCRYPTION_KEY: other})
    assert result["reason"] == "reauth_successful"
    await hass.async_block_till_done()
    changed = {CONF_CLIENT: 32, CONF_ENCRYPTION_KEY: other, CONF_SYSTEM_TITLE: TITLE}
    assert entry.data == {**POLLED, **GMAC, **changed}
    assert setup_entry.call_count == 2


@pytest.mark.parametrize("loaded", [True, False])
async def test_keys_of_a_pushing_meter_are_asked_for_with_the_reason(
    hass: HomeAssistant, *, loaded: bool
) -> None:
    entry = await add_entry(hass, **{CONF_MODE: "pushed"}, encryption_key=EK)
    entry.runtime_data = AsyncMock(translation_key="wrong_encryption_key")
    if not loaded:
        reason = "wrong_encryption_key"
        entry.mock_state(hass, ConfigEntryState.SETUP_ERROR)
        object.__setattr__(entry, "error_reason_translation_key", reason)
    result = await entry.start_reauth_flow(hass)
    assert result["step_id"] == "reauth_dlms_pushed"
    assert result["errors"] == {"base": "wrong_encryption_key"}
    assert_said(result, "error", "wrong_encryption_key")
    assert_said(result, "step", "reauth_dlms_pushed", "description")
    assert filled(result) == {CONF_ENCRYPTION_KEY: "", CONF_AUTHENTICATION_KEY: ""}
    entry.mock_state(hass, ConfigEntryState.LOADED)
    result = await fill_in(hass, result, BOTH)
    assert result["reason"] == "reauth_successful"
    assert entry.data == {**PUSHED, **BOTH}


@pytest.mark.parametrize(
    "form",
    [KEYS_SCHEMA, ADDRESS_SCHEMA, PUSHED_KEYS_SCHEMA],
    ids=["keys", "polled", "pushed_keys"],
)
def test_forms_can_be_sent_to_the_frontend(form: probatio.Schema) -> None:
    fields = sent(form)
    assert all(isinstance(field["name"], str) for field in fields)
    assert len(fields) == len(form.schema)


@pytest.mark.usefixtures("line")
@pytest.mark.parametrize("code", ["16.7.0", "1-0:16.7.0", "1-0:16.7.0*256", "power"])
async def test_live_registers_have_complete_codes(hass: HomeAssistant, code: str) -> None:
    entry = await add_entry(hass)
    await hass.config_entries.async_unload(entry.entry_id)
    options = hass.config_entries.options
    result = await options.async_init(entry.entry_id)
    result = await options.async_configure(result["flow_id"], {CONF_LIVE_REGISTERS: [code]})
    assert result["errors"] == {CONF_LIVE_REGISTERS: "invalid_register"}
    entered = {CONF_LIVE_REGISTERS: ["1-0:16.7.0*255"]}
    result = await options.async_configure(result["flow_id"], entered)
    assert result["type"] is FlowResultType.CREATE_ENTRY
