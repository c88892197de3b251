"""`paperfeed erase`."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from api.cli.erase import command
from api.settings import read_settings
from api.store.engine import Database
from api.store.migrate import upgrade
from api.store.tables import User
from api.store.tables_accounts import AuditLine
from api.store.users import ensure_users

NOW = datetime(2026, 5, 1, tzinfo=UTC)


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """Return the database of a data folder with a reader; no service runs."""
    monkeypatch.setenv("PAPERFEED_DATA_DIR", str(tmp_path / "data"))
    read_settings.cache_clear()
    settings = read_settings()
    settings.data_dir.mkdir()
    database = Database(settings.resolved_database_url)
    upgrade(database)
    with database.write() as session:
        ensure_users(session, ["ada", "grace"], now=NOW)
    yield database
    database.engine.dispose()
    read_settings.cache_clear()


def readers(database: Database) -> list[str]:
    with database.read() as session:
        return list(session.scalars(sa.select(User.external_id).order_by(User.external_id)))


def test_a_reader_goes_and_the_rows_are_counted(own: Database) -> None:
    answer = CliRunner().invoke(command, ["ada", "--yes"])
    assert answer.exit_code == 0, answer.output
    assert readers(own) == ["grace"]
    assert "the cache is away" in answer.stderr  # nothing runs here
    with own.read() as session:
        assert session.scalars(sa.select(AuditLine.by)).all() == ["command"]


def test_without_a_yes_nothing_goes(own: Database) -> None:
    answer = CliRunner().invoke(command, ["ada"], input="n\n")
    assert answer.exit_code == 1
    assert "for good?" in answer.output
    assert readers(own) == ["ada", "grace"]


def test_somebody_unknown_is_one_line(own: Database) -> None:
    answer = CliRunner().invoke(command, ["nobody", "--yes"])
    assert answer.exit_code == 1
    assert answer.stderr.splitlines() == ["paperfeed: no reader is known under this name"]
