"""What is published: the check of a release, what it builds, workflows and forms for issues."""

from collections.abc import Sequence
import json
from pathlib import Path
import re
import shutil
import subprocess
from typing import Any
from zipfile import ZipFile

from awesomeversion import AwesomeVersion
import pytest

from custom_components.onemeter.meter import Protocol
from homeassistant.util.yaml import parse_yaml

ROOT = Path(__file__).parents[1]
INTEGRATION = Path("custom_components", "onemeter")
CHANGELOG = """# Changelog

## [Unreleased]

## [1.2.3] - 2026-12-24

### Added

- Something that is new.

## [1.2.2] - 2026-12-01

### Fixed

- Something else.

[1.2.3]: https://example.com/1.2.3
"""
NOTES = "### Added\n\n- Something that is new."


class Checkout:
    """A repository that is ready for its release v1.2.3."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("scripts/release-check", "hacs.json", ".gitignore"):
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, target)
        shutil.copytree(
            ROOT / INTEGRATION, folder / INTEGRATION, ignore=shutil.ignore_patterns("__pycache__")
        )
        self.write_version("1.2.3")
        self.write_changelog(CHANGELOG)
        self.git("init", "--quiet")
        self.commit()

    def git(self, *arguments: str) -> str:
        command = ["git", "-c", "user.name=Test", "-c", "user.email=test@example.com", *arguments]
        return subprocess.run(
            command, cwd=self.folder, check=True, capture_output=True, text=True
        ).stdout

    def commit(self) -> None:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", "Change something")

    def write_version(self, version: str) -> None:
        path = self.folder / INTEGRATION / "manifest.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"version": version}))

    def write_changelog(self, text: str) -> None:
        (self.folder / "CHANGELOG.md").write_text(text)

    def check(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [str(self.folder / "scripts" / "release-check"), *arguments]
        return subprocess.run(command, check=False, capture_output=True, text=True)


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


def assert_refused(checkout: Checkout, reason: str) -> None:
    refused = checkout.check("v1.2.3")
    assert refused.returncode == 1
    assert reason in refused.stderr
    assert not (checkout.folder / "dist").exists()


@pytest.mark.parametrize("is_tagged", [False, True])
def test_release_is_built(checkout: Checkout, is_tagged: bool) -> None:
    """HACS unpacks the zip into custom_components/onemeter."""
    if is_tagged:
        checkout.git("tag", "v1.2.3")
    (checkout.folder / INTEGRATION / "__pycache__").mkdir()
    (checkout.folder / INTEGRATION / "__pycache__" / "const.pyc").touch()
    assert checkout.check("v1.2.3").returncode == 0
    with ZipFile(checkout.folder / "dist" / "onemeter.zip") as archive:
        assert archive.testzip() is None
        names = {name for name in archive.namelist() if not name.endswith("/")}
        assert json.loads(archive.read("manifest.json"))["version"] == "1.2.3"
    tracked = checkout.git("ls-files", str(INTEGRATION)).split()
    assert names == {str(Path(name).relative_to(INTEGRATION)) for name in tracked}
    assert (checkout.folder / "dist" / "notes.md").read_text().strip() == NOTES
    assert not checkout.git("status", "--porcelain")


@pytest.mark.parametrize("arguments", [[], ["1.2.3"], ["v1.2"], ["v1.2.3b1"], ["v1.2.3;ls"]])
def test_tag_that_is_no_version(checkout: Checkout, arguments: Sequence[str]) -> None:
    refused = checkout.check(*arguments)
    assert refused.returncode == 1
    assert "usage" in refused.stderr


def test_manifest_of_another_version(checkout: Checkout) -> None:
    checkout.write_version("1.2.4")
    checkout.commit()
    assert_refused(checkout, "version 1.2.4, not 1.2.3")


@pytest.mark.parametrize(
    ("text", "replacement", "reason"),
    [
        ("## [1.2.3] - 2026-12-24", "## [1.2.4] - 2026-12-24", "no heading"),
        ("## [1.2.3] - 2026-12-24", "## [1x2x3] - 2026-12-24", "no heading"),
        ("## [1.2.3] - 2026-12-24", "## [1.2.3]", "no heading"),
        (NOTES, "", "no entries for 1.2.3"),
        ("## [Unreleased]", "## [Unreleased]\n\n- Something", "still unreleased"),
    ],
)
def test_changelog_that_does_not_fit(
    checkout: Checkout, text: str, replacement: str, reason: str
) -> None:
    checkout.write_changelog(CHANGELOG.replace(text, replacement))
    checkout.commit()
    assert_refused(checkout, reason)


def test_change_that_is_not_committed(checkout: Checkout) -> None:
    (checkout.folder / INTEGRATION / "new.py").touch()
    assert_refused(checkout, "not committed")


def test_tag_on_another_commit(checkout: Checkout) -> None:
    checkout.git("tag", "v1.2.3")
    checkout.commit()
    assert_refused(checkout, "not the commit")


def test_hacs_installs_releases_only() -> None:
    """It takes the zip from the release; a branch has none."""
    hacs = json.loads((ROOT / "hacs.json").read_text())
    assert hacs["zip_release"]
    assert hacs["hide_default_branch"]
    assert hacs["filename"] == "onemeter.zip"
    assert f"Home Assistant {hacs['homeassistant']} or newer" in (ROOT / "README.md").read_text()


def test_changelog_is_kept() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text()
    first, *released = re.findall(r"^## (.*)$", changelog, re.MULTILINE)
    assert first == "[Unreleased]"
    versions = []
    for heading in released:
        match = re.fullmatch(r"\[(\d+\.\d+\.\d+)\] - \d{4}-\d\d-\d\d", heading)
        assert match, heading
        versions.append(AwesomeVersion(match[1]))
    assert versions == sorted(versions, reverse=True)
    manifest = json.loads((ROOT / INTEGRATION / "manifest.json").read_text())
    assert all(version <= manifest["version"] for version in versions)


@pytest.mark.parametrize("workflow", [p.name for p in (ROOT / ".github/workflows").iterdir()])
def test_workflow_pins_actions_and_asks_for_each_permission(workflow: str) -> None:
    text = (ROOT / ".github" / "workflows" / workflow).read_text()
    actions = re.findall(r"uses: (.*)", text)
    assert actions
    assert [a for a in actions if not re.fullmatch(r"[\w/-]+@[0-9a-f]{40} # .+", a)] == []
    content: Any = parse_yaml(text)
    assert content["permissions"] == {}


@pytest.mark.parametrize("name", ["problem.yml", "idea.yml"])
def test_issue_form(name: str) -> None:
    """GitHub shows no form that has an unknown type or two fields of one name."""
    form: Any = parse_yaml((ROOT / ".github" / "ISSUE_TEMPLATE" / name).read_text())
    assert form.keys() == {"name", "description", "labels", "body"}
    warning, *fields = form["body"]
    assert warning["type"] == "markdown"
    assert "keys, passwords" in warning["attributes"]["value"]
    assert {field["type"] for field in fields} <= {"input", "textarea", "dropdown", "checkboxes"}
    assert len({field["id"] for field in fields}) == len(fields)
    assert all(field["attributes"]["label"] for field in fields)


def test_form_for_problems_asks_for_what_is_needed() -> None:
    form: Any = parse_yaml((ROOT / ".github" / "ISSUE_TEMPLATE" / "problem.yml").read_text())
    fields = {field["id"]: field for field in form["body"] if "id" in field}
    required = {
        name for name, field in fields.items() if field.get("validations", {}).get("required")
    }
    assert required >= {"diagnostics", "meter", "head", "protocol", "home_assistant", "onemeter"}
    texts = json.loads((ROOT / INTEGRATION / "translations" / "en.json").read_text())
    protocols = texts["selector"]["protocol"]["options"]
    *choices, unknown = fields["protocol"]["attributes"]["options"]
    assert unknown == "I do not know"
    assert [protocols[protocol].partition(" (")[0] for protocol in Protocol] == choices
