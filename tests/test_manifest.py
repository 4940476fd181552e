"""What Home Assistant and HACS read before they run anything: manifest, texts, images, rules."""

from collections.abc import Iterator
from importlib.metadata import version
import json
from pathlib import Path
import re
import struct
from typing import Any

from awesomeversion import AwesomeVersion
import pytest

from homeassistant.util.yaml import parse_yaml

INTEGRATION = Path(__file__).parents[1] / "custom_components" / "onemeter"
LANGUAGES = ("en", "de", "pl")
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"

#: What hassfest refuses in a text.
TAG = re.compile(r"<[a-z]+.*>", re.IGNORECASE)
URL = re.compile(r"\w+://[\w.-]*\.[a-z]{2,}\b", re.IGNORECASE)
QUOTED_PLACEHOLDER = re.compile(r"'\{\w+\}'")
KEY = re.compile(r"[a-z0-9]([a-z0-9_-]*[a-z0-9])?")


def manifest() -> dict[str, Any]:
    content: dict[str, Any] = json.loads((INTEGRATION / "manifest.json").read_text())
    return content


def texts(language: str) -> Iterator[tuple[str, str]]:
    """Return each text with the path of its keys."""
    branches = [("", json.loads((INTEGRATION / "translations" / f"{language}.json").read_text()))]
    while branches:
        path, branch = branches.pop()
        for key, value in branch.items():
            assert KEY.fullmatch(key), f"{path}{key}"
            if isinstance(value, dict):
                branches.append((f"{path}{key}.", value))
            else:
                yield f"{path}{key}", value


def test_keys_of_the_manifest_are_in_the_order_that_hassfest_wants() -> None:
    keys = list(manifest())
    assert keys[:2] == ["domain", "name"]
    assert keys[2:] == sorted(keys[2:])


def test_debug_logging_leaves_the_serial_library_silent() -> None:
    """It writes all that is sent, and so the passwords of meters."""
    assert "loggers" not in manifest()


def test_requirements_leave_the_version_to_home_assistant_and_fit_the_one_installed() -> None:
    for requirement in manifest()["requirements"]:
        name, separator, least = requirement.partition(">=")
        assert separator
        assert AwesomeVersion(version(name)) >= AwesomeVersion(least)


def test_manifest_has_what_hacs_wants() -> None:
    assert AwesomeVersion(manifest()["version"]).valid
    assert manifest()["codeowners"]
    assert manifest()["issue_tracker"].startswith(manifest()["documentation"])


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("refused", [TAG, URL, QUOTED_PLACEHOLDER])
def test_texts_pass_hassfest(language: str, refused: re.Pattern[str]) -> None:
    assert [path for path, text in texts(language) if refused.search(text)] == []


@pytest.mark.parametrize(
    ("name", "width", "height"),
    [
        ("icon.png", 256, 256),
        ("icon@2x.png", 512, 512),
        ("logo.png", 499, 128),
        ("logo@2x.png", 997, 256),
        ("dark_logo.png", 499, 128),
        ("dark_logo@2x.png", 997, 256),
    ],
)
def test_brand_images_have_the_size_that_their_name_promises(
    name: str, width: int, height: int
) -> None:
    content = (INTEGRATION / "brand" / name).read_bytes()
    assert content.startswith(PNG_SIGNATURE)
    assert struct.unpack(">II", content[16:24]) == (width, height)
    assert len(content) < 50_000


def test_each_rule_of_the_quality_scale_is_met_or_exempt_for_a_reason() -> None:
    checklist: Any = parse_yaml((INTEGRATION / "quality_scale.yaml").read_text())
    rules = checklist["rules"]
    assert len(rules) == 54
    for rule, status in rules.items():
        assert status == "done" or (status["status"] == "exempt" and status["comment"]), rule
