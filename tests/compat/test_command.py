"""The `hf` command against a server that it knows by `HF_ENDPOINT` alone."""

import json
import subprocess
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.compat import seed
from tests.compat.conftest import Server

pytestmark = [pytest.mark.compat, pytest.mark.timeout(600)]

Command = Callable[..., subprocess.CompletedProcess[str]]
DAY = "2026-03-05"
OF_A_DAY = [seed.id_of(number) for number in range(seed.A_DAY * 3, seed.A_DAY * 4)]


def asked(command: Command, *arguments: str, **environment: str) -> Any:
    """Return what a command says as JSON."""
    result = command(*arguments, "--format", "json", **environment)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def ids(found: list[dict[str, Any]]) -> list[str]:
    return [paper["id"] for paper in found]


def refused(command: Command, *arguments: str, **environment: str) -> str:
    """Return what a command that fails says, in words and not as a Python traceback."""
    result = command(*arguments, **environment)
    assert result.returncode == 1, result.stdout
    assert "Traceback" not in result.stderr
    return result.stderr


def test_the_daily_list_is_listed(command: Command) -> None:
    assert len(asked(command, "papers", "ls")) == 50
    assert sorted(ids(asked(command, "papers", "ls", "--date", DAY))) == OF_A_DAY
    assert len(asked(command, "papers", "list", "--week", "2026-W10", "--limit", "100")) == 7 * seed.A_DAY
    assert len(asked(command, "papers", "ls", "--month", "2026-03", "--limit", "90")) == 90
    assert len(asked(command, "papers", "ls", "--submitter", "alan", "--limit", "100")) == 40
    assert len(asked(command, "papers", "ls", "--sort", "trending", "--limit", "7")) == 7
    assert asked(command, "papers", "ls", "--date", "today") == []


def test_a_listed_paper_has_its_facts(command: Command) -> None:
    [paper] = [one for one in asked(command, "papers", "ls", "--date", "2026-03-02") if one["id"] == seed.FULL_ID]
    assert (paper["title"], paper["comments"], paper["submitted_by_name"]) == ("Paper 1 on graph models", 3, "grace")
    assert datetime.fromisoformat(paper["published_at"]).tzinfo is not None
    assert datetime.fromisoformat(paper["submitted_at"]).astimezone(UTC) == seed.FIRST_DAY


@pytest.mark.parametrize("form", [["--quiet"], ["--format", "quiet"]], ids=" ".join)
def test_ids_alone_are_one_a_line(command: Command, form: list[str]) -> None:
    result = command("papers", "ls", "--date", DAY, *form)
    assert sorted(result.stdout.split()) == OF_A_DAY


@pytest.mark.parametrize("form", ["human", "agent", "auto"])
def test_tables_show_ids_and_titles(command: Command, form: str) -> None:
    result = command("papers", "ls", "--date", "2026-03-02", "--format", form, NO_COLOR="1", COLUMNS="200")
    assert result.returncode == 0, result.stderr
    assert seed.FULL_ID in result.stdout
    assert "Paper 1 on" in result.stdout


def test_papers_are_searched(command: Command) -> None:
    found = asked(command, "papers", "search", "Paper 17 on graph models")
    assert found[0]["id"] == seed.id_of(16)
    assert len(asked(command, "papers", "search", "models", "--limit", "3")) == 3
    assert asked(command, "papers", "search", "zyxwvutsrqponm") == []
    assert "250" in refused(command, "papers", "search", "x" * 251)


def test_one_paper_is_told(command: Command) -> None:
    paper = asked(command, "papers", "info", f"{seed.FULL_ID}v2")
    assert (paper["id"], paper["title"]) == (seed.FULL_ID, "Paper 1 on graph models")
    assert paper["github_stars"] == 321
    assert asked(command, "papers", "info", seed.OLD_ID)["id"] == seed.OLD_ID
    assert "not found" in refused(command, "papers", "info", "2603.99999")


def test_one_paper_is_read(command: Command) -> None:
    result = command("papers", "read", seed.FULL_ID)
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("# Paper 1 on graph models\n")
    assert "not found" in refused(command, "papers", "read", "2603.99999")


@pytest.mark.parametrize("wrong", [["--date", "yesterday"], ["--week", "2026-W60"], ["--month", "x"], ["--limit", "0"]])
def test_what_cannot_be_is_said(command: Command, wrong: list[str]) -> None:
    assert wrong[0].removeprefix("--") in refused(command, "papers", "ls", *wrong)


def test_the_caller_is_told_who_they_are(command: Command, server: Server) -> None:
    token = server.token(reader="grace")
    result = command("auth", "whoami", HF_TOKEN=token)
    assert result.returncode == 0, result.stderr
    assert "grace" in result.stdout
    assert asked(command, "papers", "ls", "--limit", "2", "--token", token)


def test_collections_are_made_filled_and_deleted(command: Command, server: Server) -> None:
    name = f"ada-{uuid.uuid4().hex[:8]}"
    own = {"HF_TOKEN": server.token(reader=name)}
    made = asked(command, "collections", "create", "To read", "--description", "Soon.", "--private", **own)
    slug = made["slug"]
    assert asked(command, "collections", "create", "To read", "--exists-ok", **own)["slug"] == slug
    refused(command, "collections", "create", "To read", **own)
    asked(command, "collections", "add-item", slug, OF_A_DAY[0], "paper", "--note", "First.", **own)
    asked(command, "collections", "add-item", slug, OF_A_DAY[0], "paper", "--exists-ok", **own)
    refused(command, "collections", "add-item", slug, OF_A_DAY[0], "paper", **own)
    asked(command, "collections", "add-item", slug, OF_A_DAY[1], "paper", **own)
    items = asked(command, "collections", "info", slug, **own)["items"]
    assert [(item["item_id"], item.get("note")) for item in items] == [(OF_A_DAY[0], "First."), (OF_A_DAY[1], None)]
    last = items[1]["item_object_id"]
    asked(command, "collections", "update-item", slug, last, "--position", "0", "--note", "Now.", **own)
    items = asked(command, "collections", "info", slug, **own)["items"]
    assert [item["note"] for item in items] == ["Now.", "First."]
    asked(command, "collections", "delete-item", slug, last, **own)
    asked(command, "collections", "delete-item", slug, last, "--missing-ok", **own)
    renamed = asked(command, "collections", "update", slug, "--title", "Read", "--theme", "green", **own)["slug"]
    listed = asked(command, "collections", "ls", "--owner", name, **own)
    assert [one["slug"] for one in listed] == [f"{name}/library", renamed]
    found = asked(command, "collections", "ls", "--item", f"papers/{OF_A_DAY[0]}", "--sort", "lastModified", **own)
    assert renamed in {one["slug"] for one in found}
    asked(command, "collections", "delete", renamed, **own)
    asked(command, "collections", "delete", renamed, "--missing-ok", **own)
    refused(command, "collections", "info", renamed, **own)
