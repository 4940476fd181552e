"""The three languages have the same keys, and each key that the code uses."""

from collections.abc import Iterator
import json
from pathlib import Path
from string import Formatter
from typing import Any

import pytest

from custom_components.onemeter.access.issues import Issue
from custom_components.onemeter.coordinator.status import REPAIRED, Status
from custom_components.onemeter.events.sources import EventType
from custom_components.onemeter.impulses.cross_check import Cause
from custom_components.onemeter.meter import MeterError
from custom_components.onemeter.registers.table import (
    CALCULATED,
    DEVICE_TYPE,
    ERROR_REGISTER,
    MBUS_TOTAL,
    STATES,
    UNKNOWN,
)
from homeassistant.helpers.selector import TargetSelector
from homeassistant.util.yaml import parse_yaml

from .registers.test_table import DESCRIPTIONS

INTEGRATION = Path(__file__).parents[1] / "custom_components" / "onemeter"
LANGUAGES = ("en", "de", "pl")

BILLING_SENSORS = (
    "balanced_import",
    "balanced_export",
    "period_balance",
    "period_power",
    "expected_power",
    "peak_this_month",
    "peak_last_month",
)

#: Sensors of how the meter is received.
OF_STATUS = ("import_progress", "status", "signal_quality")
NAMES_OF_SENSORS = {
    UNKNOWN.key,
    MBUS_TOTAL,
    *BILLING_SENSORS,
    *OF_STATUS,
    *(description.key for description in DESCRIPTIONS),
    *(description.key for description in CALCULATED.values()),
}

#: Why a device cannot be removed.
OF_DEVICES = ("device_is_meter", "device_is_there", "device_may_be_there")
#: What the action for the Energy dashboard may say.
OF_ENERGY_DASHBOARD = ("energy_not_set_up", "no_energy_sensor")

#: Why other actions are refused.
OF_ACTIONS = (
    "no_meter",
    "several_meters",
    "meters_failed",
    "not_polled",
    "was_rejected",
    "battery_rests",
    "number_of_registers",
    "invalid_register",
    "import_period",
    "profile_period",
    "wrong_reading",
)


def load(name: str) -> Any:
    return json.loads((INTEGRATION / name).read_text(encoding="utf-8"))


def texts(tree: dict[str, Any], path: str = "") -> Iterator[tuple[str, str]]:
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from texts(value, f"{path}{key}.")
        else:
            yield f"{path}{key}", value


def placeholders(text: str) -> set[str | None]:
    return {field for _, field, _, _ in Formatter().parse(text) if field is not None}


@pytest.mark.parametrize("language", LANGUAGES[1:])
def test_same_texts_with_same_placeholders(language: str) -> None:
    english = {key: placeholders(text) for key, text in texts(load("translations/en.json"))}
    other = {key: placeholders(text) for key, text in texts(load(f"translations/{language}.json"))}
    assert other == english


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_text_is_empty_or_untidy(language: str) -> None:
    for key, text in texts(load(f"translations/{language}.json")):
        assert text, key
        assert text == text.strip(), key
        assert "  " not in text, key


def situations() -> set[str]:
    """Return the translation keys of the library's errors, and their variants."""
    found = {"port_busy_by", "no_telegram_at_speed"}
    found |= {f"unknown_data_{guess}" for guess in ("like", "noise", "inverted")}
    kinds = [MeterError]
    while kinds:
        kinds += (kind := kinds.pop()).__subclasses__()
        found.add(kind.translation_key)
    # Only its subclasses are ever raised.
    return found - {"telegram_invalid"}


def test_every_situation_and_every_issue_has_a_text() -> None:
    texts_of = load("translations/en.json")
    # What no key can be is told by the form, and never enters an entry.
    others = {"slow_readout", "not_counted", "not_written"}
    others |= {*OF_DEVICES, *OF_ENERGY_DASHBOARD, *OF_ACTIONS}
    others |= {"history_unsupported", "no_load_profile", "nothing_to_undo"}
    others |= {"profile_time_unknown", "profile_incomplete"}
    assert set(texts_of["exceptions"]) == situations() - {"invalid_key"} | others
    drifts = {f"{Issue.IMPULSE_DRIFT}_{cause}" for cause in Cause}
    reasons = {f"{Issue.UNAVAILABLE}_{status}" for status in REPAIRED}
    clocks = {f"{Issue.CLOCK_OFF}_{off}" for off in ("ahead", "behind")}
    with_variants = {Issue.IMPULSE_DRIFT, Issue.UNAVAILABLE, Issue.CLOCK_OFF}
    assert set(texts_of["issues"]) == {*Issue} - with_variants | drifts | reasons | clocks


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_status_has_a_text_of_its_own(language: str) -> None:
    states = load(f"translations/{language}.json")["entity"]["sensor"]["status"]["state"]
    assert set(states) == set(Status)
    assert len(set(states.values())) == len(states)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_state_of_a_register_has_a_text(language: str) -> None:
    names = load(f"translations/{language}.json")
    for name, states in STATES.items():
        assert set(names["entity"]["sensor"][name]["state"]) == set(states.values())
    devices = {entry["name"] for entry in names["device"].values()}
    assert set(names["device"]) == {*STATES[DEVICE_TYPE].values(), "mbus"}
    assert len(devices) == len(names["device"])


def test_flow_says_of_every_situation_what_to_do() -> None:
    texts_of = load("translations/en.json")
    errors = texts_of["config"]["error"]
    assert situations() - {"unknown", "other_meter"} <= set(errors)
    for translation_key in set(texts_of["exceptions"]) & set(errors):
        assert len(errors[translation_key]) > len(
            texts_of["exceptions"][translation_key]["message"]
        ), translation_key


@pytest.mark.parametrize("language", LANGUAGES)
def test_names_of_sensors_differ(language: str) -> None:
    names = [
        entry["name"]
        for entry in load(f"translations/{language}.json")["entity"]["sensor"].values()
    ]
    assert len(set(names)) == len(names)


def test_every_sensor_has_a_name_and_every_name_a_sensor() -> None:
    names = load("translations/en.json")["entity"]
    assert set(names["sensor"]) == NAMES_OF_SENSORS
    assert set(names["binary_sensor"]) == {ERROR_REGISTER.key}
    assert set(names["button"]) == {"read_now"}
    assert set(names["event"]) == {"meter_event"}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_event_has_a_text_and_an_icon(language: str) -> None:
    [event] = load(f"translations/{language}.json")["entity"]["event"].values()
    texts_of = event["state_attributes"]["event_type"]["state"]
    assert set(texts_of) == set(EventType)
    assert len(set(texts_of.values())) == len(EventType)
    icons = load("icons.json")["entity"]["event"]["meter_event"]["state_attributes"]
    assert set(icons["event_type"]["state"]) == set(EventType)


def test_every_action_has_texts_and_an_icon() -> None:
    actions: Any = parse_yaml((INTEGRATION / "services.yaml").read_text())
    named = load("translations/en.json")["services"]
    assert {name: set(action.get("fields", ())) for name, action in named.items()} == {
        name: set(action.get("fields", ())) for name, action in actions.items()
    }
    assert set(load("icons.json")["services"]) == set(actions)


def test_targets_of_actions_pass_hassfest() -> None:
    """It refuses filters of devices."""
    actions: Any = parse_yaml((INTEGRATION / "services.yaml").read_text())
    for action in actions.values():
        assert set(TargetSelector.CONFIG_SCHEMA(action["target"])) == {"entity"}


def test_icons_are_those_of_sensors_without_device_class() -> None:
    iconless = {
        description.key
        for description in DESCRIPTIONS
        if description.quantity is None or description.quantity.device_class is None
    }
    icons = set(load("icons.json")["entity"]["sensor"])
    assert icons == {*iconless, *OF_STATUS, "tan_phi"}
