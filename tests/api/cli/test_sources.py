"""`paperfeed sources`: shown in full, paused, resumed, read here and now."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from api.cli import main
from api.schemas.sources import SourceOut
from api.settings import read_settings
from api.store.engine import Database
from api.store.migrate import upgrade
from api.store.tables_sources import Source
from tests.workers.hosts import ATOM, Host, Reply, always, host


@pytest.fixture
def there() -> Iterator[Host]:
    """Return a host that answers as arXiv's API."""
    with host(always(Reply(ATOM))) as found:
        yield found


@pytest.fixture
def installation(there: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """Return the database of an installation of which only the arXiv API is read."""
    monkeypatch.setenv("PAPERFEED_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("PAPERFEED_SOURCES", "arxiv")
    monkeypatch.setenv("PAPERFEED_ARXIV_URL", there.url)
    monkeypatch.setenv("COLUMNS", "40")
    read_settings.cache_clear()
    database = Database(read_settings().resolved_database_url)
    upgrade(database)
    yield database
    database.engine.dispose()
    read_settings.cache_clear()


def run(*arguments: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(main, ["sources", *arguments])
    return done.exit_code, done.stdout, done.stderr


def read_here(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command as people do: the run is a process of its own."""
    command = [sys.executable, "-m", "api.cli", "sources", "run", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ.copy(), timeout=120)


def change(database: Database, **values: object) -> None:
    with database.write() as session:
        session.execute(sa.update(Source).values(**values))


def test_a_source_is_shown_with_its_age_its_next_run_and_what_is_wrong(installation: Database) -> None:
    assert run()[0] == 0
    now = datetime.now(UTC)
    reason = "export.arxiv.org/api/query answered 500 [and said much more than fits into one line of a narrow terminal]"
    change(installation, success_at=now - timedelta(days=3), due_at=now + timedelta(hours=5, minutes=1), failures=7)
    change(installation, failing_since=now - timedelta(days=2), failure=reason)
    code, shown, _ = run("list")
    words = shown.translate(dict.fromkeys(map(ord, "│ \n")))
    assert code == 0
    for part in ("arxiv", "failing", "3d", "in5h", "7", reason.replace(" ", "")):
        assert part in words, shown
    assert "…" not in shown


def test_a_line_of_json_for_each_source(installation: Database) -> None:
    _, shown, _ = run("list", "--json")
    [found] = [SourceOut.model_validate_json(line) for line in shown.splitlines()]
    assert (found.name, found.success_at, found.is_overdue) == ("arxiv", None, False)


def test_a_source_is_paused_and_resumed(installation: Database) -> None:
    assert run("pause", "arxiv")[0] == 0
    assert "paused" in run()[1]
    assert run("resume", "arxiv")[0] == 0
    assert "paused" not in run()[1]


def test_a_source_that_is_not_read_here_is_named_with_those_that_are(installation: Database) -> None:
    for word in ("pause", "resume", "run"):
        code, _, said = run(word, "huggingface")
        assert (code, "arxiv" in said) == (2, True)


@pytest.mark.slow
def test_a_source_is_read_here_and_now_also_when_it_is_paused(installation: Database, there: Host) -> None:
    run("pause", "arxiv")
    done = read_here("arxiv")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["state"], found["papers"], found["last_run"]["inserted"]) == ("paused", 1, 1)
    there.answer = always(Reply(status=500))
    change(installation, due_at=datetime.now(UTC))
    failed = read_here("arxiv")
    assert failed.returncode == 1
    assert "500" in failed.stderr
    assert json.loads(failed.stdout)["failures"] == 1
