"""What README, CONTRIBUTING and the pages in docs/ name is there: paths, anchors, commands, ids."""

import argparse
from collections.abc import Iterator, Mapping
from io import BufferedReader
import json
from pathlib import Path
import re
import shlex
from typing import Any

import pytest

from custom_components.onemeter.meter import flag
from custom_components.onemeter.meter.cli.arguments import parser as onemeter_parser
from demo.__main__ import _parser as demo_parser
from homeassistant.util import slugify
from homeassistant.util.yaml import parse_yaml
from simulator.__main__ import _parser as simulator_parser

ROOT = Path(__file__).parents[1]
INTEGRATION = ROOT / "custom_components" / "onemeter"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
#: Where paths of the pages begin.
BASES = (ROOT, INTEGRATION)
#: What only `scripts/release-check` makes.
BUILT = {"dist/"}
ENGLISH: Any = json.loads((INTEGRATION / "translations" / "en.json").read_text())

PARSERS = {
    "scripts/onemeter": onemeter_parser,
    "scripts/simulate": simulator_parser,
    "scripts/demo": demo_parser,
}
#: Files that the commands of the pages read.
FILES = {
    "readout.bin": "",
    "guek.txt": "000102030405060708090A0B0C0D0E0F",
    "gak.txt": "D0D1D2D3D4D5D6D7D8D9DADBDCDDDEDF",
}

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`([^`]+)`")
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_PATH = re.compile(r"[\w.-][\w./-]*(?:/|\.(?:py|json|yaml|toml|txt|md))")
_ENTITY = re.compile(r"(?<![\w./])(sensor|binary_sensor|button)\.(?!py\b)([a-z0-9_]+)")
_ROW = re.compile(r"^\| (.+?) \|", re.MULTILINE)

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def prose(page: Path) -> str:
    return _FENCE.sub("", page.read_text())


def codes(page: Path) -> Iterator[str]:
    for match in _CODE.finditer(prose(page)):
        yield " ".join(match[1].split())


def anchors(page: Path) -> set[str]:
    """Return the anchors that GitHub gives to the headings of a page."""
    headings = re.findall(r"^#+ (.*)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-") for text in headings}


def subcommands(parser: argparse.ArgumentParser) -> Mapping[str, argparse.ArgumentParser]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            choices: Mapping[str, argparse.ArgumentParser] = action.choices
            return choices
    return {}


def texts(tree: Mapping[str, Any]) -> Iterator[str]:
    for value in tree.values():
        if isinstance(value, str):
            yield value
        else:
            yield from texts(value)


@each_page
def test_links(page: Path) -> None:
    for target in _LINK.findall(prose(page)):
        if "://" in target:
            continue
        name, _, anchor = target.partition("#")
        path = page.parent / name if name else page
        assert path.exists(), target
        assert not anchor or anchor in anchors(path), target


@pytest.mark.parametrize("name", ["config.yml", "problem.yml", "idea.yml"])
def test_links_of_issue_forms(name: str) -> None:
    """They lead to files of this repository on GitHub, or to anchors of its README."""
    text = (ROOT / ".github" / "ISSUE_TEMPLATE" / name).read_text()
    for path in re.findall(r"github\.com/onemeter/ha-onemeter([^\s)]*)", text):
        file, _, anchor = path.removeprefix("/blob/main/").partition("#")
        page = ROOT / (file or "README.md")
        assert page.is_file(), path
        assert not anchor or anchor in anchors(page), path


@each_page
def test_paths(page: Path) -> None:
    named = {code for code in codes(page) if _PATH.fullmatch(code)} - BUILT
    assert {path for path in named if not any((base / path).exists() for base in BASES)} == set()


@each_page
def test_commands_in_the_text(page: Path) -> None:
    for code in codes(page):
        script, *arguments = code.split()
        if not script.startswith("scripts/"):
            continue
        assert (ROOT / script).stat().st_mode & 0o111, code
        if script == "scripts/benchmark":
            assert (ROOT / "benchmarks" / f"{arguments[0]}.py").exists(), code
        options = [argument for argument in arguments if argument.startswith("--")]
        if script not in PARSERS:
            text = (ROOT / script).read_text()
            assert [option for option in options if option not in text] == [], code
            continue
        parser = PARSERS[script]()
        if arguments and (found := subcommands(parser)) and arguments[0].islower():
            parser = found[arguments[0]]
        assert [name for name in options if name not in parser._option_string_actions] == [], code


@each_page
def test_commands_in_blocks(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, content in FILES.items():
        (tmp_path / name).write_text(content)
    monkeypatch.chdir(tmp_path)
    for language, block in _FENCE.findall(page.read_text()):
        if language != "sh":
            continue
        for line in block.splitlines():
            script, *arguments = shlex.split(line, comments=True)
            assert (ROOT / script).stat().st_mode & 0o111, line
            if script in PARSERS:
                # Whoever parses wrongly ends with a SystemExit.
                file = getattr(PARSERS[script]().parse_args(arguments), "file", None)
                if isinstance(file, BufferedReader):
                    file.close()


@each_page
def test_entities(page: Path) -> None:
    """Each is one of a meter as OneMeter names it: by its manufacturer, or by its protocol."""
    nameless = ENGLISH["selector"]["nameless"]["options"]
    meters = {slugify(name) for name in (*flag._NAMES.values(), *nameless.values())}
    for platform, name in _ENTITY.findall(page.read_text()):
        entities = {
            slugify(entity["name"].format(scope=""))
            for entity in ENGLISH["entity"][platform].values()
        }
        splits = (name.split("_", count) for count in range(1, name.count("_") + 1))
        assert any("_".join(words[:-1]) in meters and words[-1] in entities for words in splits), (
            f"{platform}.{name}"
        )


@each_page
def test_actions(page: Path) -> None:
    actions: Any = parse_yaml((INTEGRATION / "services.yaml").read_text())
    named = re.findall(r"action: onemeter\.(\w+)", page.read_text())
    assert set(named) <= actions.keys()


def quoted_messages() -> list[re.Pattern[str]]:
    """Return the messages in the tables about them; three dots stand for any text."""
    page = (ROOT / "docs" / "troubleshooting.md").read_text()
    page, _, _ = page.partition("## Wrong values without a message")
    cells = set(_ROW.findall(page)) - {"Message", "Title"}
    messages = [re.split(r"\s*…\s*", text) for cell in cells for text in cell.split("<br>")]
    return [re.compile(".*".join(map(re.escape, parts)), re.DOTALL) for parts in messages]


def test_messages_are_those_of_the_ui() -> None:
    shown = list(texts(ENGLISH))
    for pattern in quoted_messages():
        assert any(map(pattern.fullmatch, shown)), pattern.pattern


def test_no_message_is_left_out() -> None:
    """Apart from those of forms that say themselves what to enter."""
    exceptions = {key: value["message"] for key, value in ENGLISH["exceptions"].items()}
    of_forms = ENGLISH["config"]["error"]
    errors = {key: text for key, text in of_forms.items() if key in exceptions}
    titles = {key: value["title"] for key, value in ENGLISH["issues"].items()}
    patterns = quoted_messages()
    for key, text in (*exceptions.items(), *errors.items(), *titles.items()):
        assert any(pattern.fullmatch(text) for pattern in patterns), key


@pytest.mark.parametrize("name", ["dlms.md", "blink.md", "options.md"])
def test_labels_are_those_of_the_ui(name: str) -> None:
    cells = set(_ROW.findall((ROOT / "docs" / name).read_text())) - {"Option", "The form says"}
    labels = {cell.strip("*") for cell in cells if not cell.startswith(("|", "!"))}
    assert len(labels) > 3
    assert labels - set(texts(ENGLISH)) == set()


def test_page_about_other_integrations() -> None:
    page = (ROOT / "docs" / "coming-from.md").read_text()
    step = ENGLISH["config"]["step"]["take_over"]
    assert step["data"]["take_over"] == ENGLISH["options"]["step"]["init"]["data"]["take_over"]
    for text in (step["title"], step["data"]["take_over"]):
        assert f"*{text}*" in " ".join(page.split())
    assert set(_ROW.findall(page)) - {"From"} == {
        "edl21",
        "DSMR",
        "ESPHome",
        "Tasmota",
        "vzlogger by MQTT",
        "OneMeter cloud",
    }


def test_readme_leads_to_every_page() -> None:
    readme = (ROOT / "README.md").read_text()
    assert len(readme.splitlines()) <= 180
    linked = {target.partition("#")[0] for target in _LINK.findall(readme)}
    assert {str(page.relative_to(ROOT)) for page in PAGES[1:]} <= linked


def test_buttons_lead_to_this_integration() -> None:
    readme = (ROOT / "README.md").read_text()
    manifest: Any = json.loads((INTEGRATION / "manifest.json").read_text())
    owner, repository = manifest["documentation"].split("/")[-2:]
    assert f"?owner={owner}&repository={repository}&category=integration" in readme
    assert f"config_flow_start/?domain={manifest['domain']}" in readme
