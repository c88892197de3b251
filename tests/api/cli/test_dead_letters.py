"""`paperfeed dead-letters`: what an operator does with rejected events."""

import json
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from api.cli.dead_letters import command
from api.services.dead_letters import Letter, keep_rejected
from api.settings import read_settings
from api.store.engine import Database
from api.store.migrate import upgrade
from api.store.tables import Event
from tests.api.routes.conftest import count_rows, make_paper

NOW = datetime.now(UTC)
PAPER = "2605.00001"


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """Return the database of a data folder without any other process: no cache, no broker."""
    monkeypatch.setenv("PAPERFEED_DATA_DIR", str(tmp_path / "data"))
    read_settings.cache_clear()
    (tmp_path / "data").mkdir()
    database = Database(read_settings().resolved_database_url)
    upgrade(database)
    with database.write() as session:
        session.add(make_paper(PAPER))
    yield database
    database.engine.dispose()
    read_settings.cache_clear()


def keep(database: Database, count: int = 1, *, paper: str = PAPER, code: str = "unknown_paper") -> None:
    letters = []
    for _ in range(count):
        event = {"id": str(uuid.uuid4()), "kind": "click", "paper_id": paper, "occurred_at": NOW.isoformat()}
        letters.append(Letter("ada", None, event["id"], code, "a reason", json.dumps(event).encode(), None, NOW))
    with database.write() as session:
        keep_rejected(session, letters, now=NOW)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(command, arguments)


def lines(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_letters_are_listed_newest_first_and_replayed_by_number(own: Database) -> None:
    keep(own, 2)
    found = lines(run("list"))
    assert [letter["id"] for letter in found] == [2, 1]
    assert found[0]["event"]["paper_id"] == PAPER
    done = run("replay", "1", "2")
    assert (done.exit_code, lines(done)) == (0, [{"id": 1, "status": "accepted"}, {"id": 2, "status": "accepted"}])
    assert count_rows(own, Event) == 2
    assert lines(run("list")) == []
    assert [letter["outcome"] for letter in lines(run("list", "--all"))] == ["accepted", "accepted"]


def test_a_second_replay_counts_nothing_twice(own: Database) -> None:
    keep(own)
    run("replay", "1")
    again = run("replay", "1")
    assert (again.exit_code, lines(again)[0]["status"]) == (1, "rejected")
    assert count_rows(own, Event) == 1


def test_all_of_a_code_are_replayed_in_parts(own: Database) -> None:
    keep(own, 600)
    keep(own, 1, code="conflict")
    done = run("replay", "--code", "unknown_paper")
    assert (done.exit_code, len(lines(done)), count_rows(own, Event)) == (0, 600, 600)
    assert [letter["code"] for letter in lines(run("list"))] == ["conflict"]


def test_a_correction_mends_the_events_it_names(own: Database) -> None:
    keep(own, paper="2605.0000l")
    assert run("replay", "1").exit_code == 1
    done = run("replay", "1", "--set", f"paper_id={PAPER}", "--set", "position=3")
    assert (done.exit_code, count_rows(own, Event)) == (0, 1)


@pytest.mark.parametrize(
    "arguments",
    [
        ("replay",),
        ("replay", "1", "--code", "conflict"),
        ("replay", "1", "--set", "x"),
        ("replay", "--code", "nonsense"),
    ],
)
def test_what_cannot_be_is_told_and_nothing_done(own: Database, arguments: tuple[str, ...]) -> None:
    keep(own)
    result = run(*arguments)
    assert result.exit_code in {1, 2}
    assert result.stderr
    assert count_rows(own, Event) == 0


def test_lists_narrow_to_a_code_and_a_reader(own: Database) -> None:
    keep(own, 3)
    assert len(lines(run("list", "--limit", "2"))) == 2
    assert lines(run("list", "--code", "conflict")) == []
    assert lines(run("list", "--reader", "bob")) == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("list",), "there are no rejected events to show\n"),
        (("replay", "--code", "unknown_paper"), "there are no rejected events to replay\n"),
    ],
)
def test_where_there_is_nothing_it_says_so_beside_the_output_for_programs(
    own: Database, arguments: tuple[str, ...], words: str
) -> None:
    empty = run(*arguments)
    assert (empty.exit_code, empty.stdout, empty.stderr) == (0, "", words)
    keep(own)
    assert run(*arguments).stderr.count("there are no") == 0
