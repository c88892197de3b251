"""What `paperfeed doctor` says of the signing keys and of rejected events."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from api.runtime.secrets import read_signing_keys
from api.services.dead_letters import Letter, keep_rejected
from api.services.diagnosis import check_letters, diagnose
from api.settings import Settings
from api.store.engine import Database
from api.store.migrate import upgrade

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Return those of an installation that does not run."""
    return Settings(data_dir=tmp_path)


@pytest.fixture
def db(settings: Settings) -> Iterator[Database]:
    """Return its database, with the tables of this version."""
    database = Database(settings.resolved_database_url)
    upgrade(database)
    yield database
    database.engine.dispose()


def test_a_key_file_that_cannot_be_read_is_said_and_none_is_made(settings: Settings, db: Database) -> None:
    assert dict(diagnose(settings, db, now=NOW))["secrets"].state == "ok"
    assert not (settings.data_dir / "secret.key").exists()
    read_signing_keys(settings)
    assert dict(diagnose(settings, db, now=NOW))["secrets"].state == "ok"
    (settings.data_dir / "secret.key").write_text("short")
    found = dict(diagnose(settings, db, now=NOW))["secrets"]
    assert (found.state, "holds no key" in found.detail) == ("failed", True)


def test_rejected_events_that_wait_are_counted(settings: Settings, db: Database) -> None:
    assert dict(diagnose(settings, db, now=NOW))["events"].detail.startswith("none")
    letters = [Letter("ada", None, str(at), "unknown_paper", "why", b"{}", None, NOW) for at in range(2)]
    with db.write() as session:
        keep_rejected(session, letters, now=NOW)
    assert dict(diagnose(settings, db, now=NOW))["events"].detail.startswith("2 rejected")


def test_very_many_rejected_events_are_not_counted_to_the_last() -> None:
    assert check_letters(1001).detail.startswith("more than 1,000")
