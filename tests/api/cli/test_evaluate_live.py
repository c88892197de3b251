"""`paperfeed evaluate` on the history of the service itself."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result

from api.cli.evaluate import command
from api.settings import read_settings
from api.store.engine import Database
from tests.planted import plant
from tests.workers.worlds import load_world

QUICK = ("--models", "popularity", "--json", "-")


@pytest.fixture(autouse=True)
def data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Make the folder of this test that of the installation."""
    monkeypatch.setenv("PAPERFEED_DATA_DIR", str(tmp_path))
    monkeypatch.delenv("PAPERFEED_DATABASE_URL", raising=False)
    read_settings.cache_clear()
    yield tmp_path
    read_settings.cache_clear()


def run(*arguments: str) -> Result:
    return CliRunner().invoke(command, arguments)


def rows(database: Database) -> list[int]:
    with database.read() as session:
        return [
            session.execute(sa.text(f"SELECT count(*) FROM {table}")).scalar_one() for table in ("events", "papers")
        ]


def test_the_live_database_is_measured_and_left_as_it_was(sqlite_database: Database) -> None:
    load_world(sqlite_database, plant(readers=80, is_timed=True), active_at=None)
    before = rows(sqlite_database)
    result = run(*QUICK)
    assert result.exit_code == 0, result.stderr
    document = json.loads(result.stdout)
    assert document["split"] == "temporal"
    assert document["data"] == {"events": before[0], "readers": 80, "papers": before[1]}
    assert document["slices"]["warm"]["readers"] > 5
    assert rows(sqlite_database) == before


@pytest.mark.usefixtures("sqlite_database")
def test_a_service_without_history_says_so() -> None:
    result = run(*QUICK)
    assert result.exit_code == 2
    assert "nobody has done anything yet" in result.stderr


def test_no_database_is_an_error_and_makes_none(data_folder: Path) -> None:
    result = run(*QUICK)
    assert result.exit_code == 2
    assert f"there is no database in {data_folder}" in result.stderr
    assert list(data_folder.iterdir()) == []


def test_a_database_without_tables_is_one_line(data_folder: Path) -> None:
    (data_folder / "paperfeed.db").touch()
    result = run(*QUICK)
    assert result.exit_code == 2
    assert "the database cannot be read (no such table: events)" in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def test_answers_and_candidates_need_files() -> None:
    result = run("--held-out", "pairs.csv")
    assert result.exit_code == 2
    assert "--held-out, --candidates and --encoder need --interactions and --papers" in result.stderr
