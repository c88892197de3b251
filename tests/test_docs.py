"""What is written down is true and complete."""

import re
from pathlib import Path

import pytest

from api.cli import COMMANDS
from api.settings import Settings

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
VARIABLES = {f"PAPERFEED_{name.upper()}" for name in Settings.model_fields}


@pytest.mark.parametrize("variable", sorted(VARIABLES))
def test_every_setting_is_documented(variable: str) -> None:
    assert f"`{variable}`" in README


def test_every_documented_variable_is_a_setting() -> None:
    assert set(re.findall(r"`(PAPERFEED_[A-Z_]*[A-Z])`", README)) <= VARIABLES


def test_every_setting_says_what_it_does() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


def test_documented_defaults_are_the_real_ones() -> None:
    rows = dict(re.findall(r"^\| `(PAPERFEED_\w+)` \| `?([^|]*?)`? \|", README, re.MULTILINE))
    wrong = {}
    for name, field in Settings.model_fields.items():
        shown = rows.get(f"PAPERFEED_{name.upper()}")
        if shown is not None and shown != ("" if field.default is None else str(field.default)):
            wrong[name] = shown
    assert wrong == {}


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_is_documented(name: str) -> None:
    assert re.search(rf"paperfeed [a-z|-]*\b{name}\b", README)


def test_every_documented_command_exists() -> None:
    named = set(re.findall(r"`(?:\.venv/bin/)?paperfeed ([a-z-]+)", README))
    assert named <= set(COMMANDS)


def test_every_documented_make_target_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert set(re.findall(r"`make ([a-z]+)`", README)) <= targets


def test_every_relative_link_leads_somewhere() -> None:
    links = re.findall(r"\]\((?!https?://|#)([^)#]+)", README)
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_every_test_that_is_named_is_there() -> None:
    named = set(re.findall(r"`(?:tests/[a-z_/]*?)?(test_[a-z_]+\.py)`", README))
    assert named
    assert named <= {path.name for path in (ROOT / "tests").rglob("test_*.py")}
