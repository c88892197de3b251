"""What /readyz says, in every state an installation can be in."""

from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from api.runtime.search_rebuild import rebuild
from api.services import sources
from api.services.health import check_model, check_sources, read_gauges, read_health
from api.settings import Settings
from api.store.engine import Database
from api.store.facts import Facts
from api.store.migrate import upgrade
from api.store.pending import Change, PendingReaders
from api.store.tables import ModelVersion, Paper, ServiceState, Serving, User
from api.store.tables_sources import Source

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
NOWHERE = "unix:///nonexistent/redis.sock"


def paper(external_id: str, *, daily_at: datetime | None) -> Paper:
    return Paper(
        external_id=external_id,
        title="t",
        title_key="k",
        source="test",
        content_hash="h",
        daily_at=daily_at,
        summary="",
        authors=[],
        categories=[],
        keywords=[],
        created_at=NOW,
        updated_at=NOW,
    )


@pytest.fixture
def db(sqlite_database: Database) -> Database:
    from api.store.tables import Base

    Base.metadata.drop_all(sqlite_database.engine)
    upgrade(sqlite_database)
    return sqlite_database


@pytest.fixture
def settings(redis_url: str, tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path, cache_url=redis_url, broker_url=redis_url)


def fill(db: Database, *, daily_at: datetime, model_at: datetime | None) -> None:
    with db.write() as session:
        session.add(paper("2401.00001", daily_at=daily_at))
        if model_at:
            session.add(ModelVersion(version="v1", created_at=model_at, config={}, fingerprint="f"))
            session.flush()
            session.add(Serving(serving_id=1, version="v1", switched_at=model_at))


def states(settings: Settings, db: Database) -> dict[str, str]:
    return {name: check.state for name, check in read_health(settings, db, now=NOW).checks.items()}


def test_a_fresh_model_and_fresh_papers_are_ok(settings: Settings, db: Database) -> None:
    fill(db, daily_at=NOW - timedelta(hours=5), model_at=NOW - timedelta(hours=1))
    rebuild(db, settings.search_dir, lambda _done, _total: None)
    health = read_health(settings, db, now=NOW)
    assert health.status == "ok", health.checks
    stored = {"migrations", "model", "encoder", "search", "sources", "mails"}
    assert set(health.checks) == {"database", "cache", "broker", *stored}


def test_without_a_search_index_requests_are_served_degraded(settings: Settings, db: Database) -> None:
    fill(db, daily_at=NOW, model_at=NOW)
    health = read_health(settings, db, now=NOW)
    assert (health.status, health.can_serve, health.checks["search"].state) == ("degraded", True, "degraded")


def test_without_a_model_requests_are_served_degraded(settings: Settings, db: Database) -> None:
    fill(db, daily_at=NOW, model_at=None)
    health = read_health(settings, db, now=NOW)
    assert (health.status, health.can_serve, health.checks["model"].state) == ("degraded", True, "degraded")


def test_an_old_model_is_degraded(settings: Settings, db: Database) -> None:
    fill(db, daily_at=NOW, model_at=NOW - timedelta(days=4))
    assert states(settings, db)["model"] == "degraded"


def test_old_papers_are_degraded(settings: Settings, db: Database) -> None:
    fill(db, daily_at=NOW - timedelta(days=3), model_at=NOW)
    assert states(settings, db)["sources"] == "degraded"


def test_no_papers_yet_cannot_serve(settings: Settings, db: Database) -> None:
    health = read_health(settings, db, now=NOW)
    assert (health.status, health.checks["sources"].state) == ("unavailable", "failed")


def test_no_papers_on_purpose_is_degraded(settings: Settings, db: Database) -> None:
    with db.write() as session:
        session.add(ServiceState(key="first_start", value={"empty": True}, updated_at=NOW))
    health = read_health(settings, db, now=NOW)
    assert (health.status, health.checks["sources"].state) == ("degraded", "degraded")


def test_a_stopped_redis_is_degraded_not_unavailable(settings: Settings, db: Database) -> None:
    fill(db, daily_at=NOW, model_at=NOW)
    away = settings.model_copy(update={"cache_url": NOWHERE, "broker_url": "redis+socket:///nonexistent/redis.sock"})
    found = states(away, db)
    assert (found["cache"], found["broker"], found["database"]) == ("degraded", "degraded", "ok")
    assert read_health(away, db, now=NOW).can_serve


def test_tables_of_another_version_cannot_serve(settings: Settings, sqlite_database: Database) -> None:
    health = read_health(settings, sqlite_database, now=NOW)
    assert not health.can_serve
    assert "paperfeed migrate" in health.checks["migrations"].detail


def test_a_database_that_is_away_cannot_serve(settings: Settings, tmp_path: Path) -> None:
    gone = Database(f"sqlite:///{tmp_path / 'missing' / 'x.db'}")
    health = read_health(settings, gone, now=NOW)
    assert (health.status, health.checks["database"].state) == ("unavailable", "failed")
    assert read_gauges(settings, gone, now=NOW)["database_up"] == 0.0


def test_gauges_count_lists_that_are_behind(settings: Settings, db: Database) -> None:
    fill(db, daily_at=NOW - timedelta(hours=1), model_at=NOW - timedelta(minutes=1))
    with db.write() as session:
        session.add(User(external_id="a", created_at=NOW, last_seq=2, list_seq=1))
        session.add(User(external_id="b", created_at=NOW, last_seq=2, list_seq=2))
    with closing(PendingReaders(settings.resolved_broker_url)) as pending:
        pending.add({1: Change(1.0, is_active=True)})
    gauges = read_gauges(settings, db, now=NOW)
    assert gauges["stale_lists"] == 1.0
    assert gauges["pending_readers"] == 1.0
    assert gauges["model_age_seconds"] == 60.0
    assert gauges["newest_paper_age_seconds"] == 3600.0
    assert gauges["queue_length_events"] == 0.0


def test_a_running_first_training_is_named() -> None:
    found = Facts(True, NOW, None, None, 0, "running")
    assert "a training run is running" in check_model(Settings(), found, now=NOW).detail


def test_a_demonstration_is_called_one() -> None:
    found = Facts(True, NOW, "v1", NOW, 0, None)
    check = check_sources(Settings(), found, is_meant_empty=False, is_demonstration=True, now=NOW)
    assert (check.state, "demonstration" in check.detail) == ("degraded", True)


def test_a_source_that_fails_for_a_day_is_named_and_requests_are_served(settings: Settings, db: Database) -> None:
    fill(db, daily_at=NOW - timedelta(hours=5), model_at=NOW - timedelta(hours=1))
    with db.write() as session:
        sources.ensure_sources(session, settings, now=NOW - timedelta(days=3))
        session.execute(sa.update(Source).values(success_at=NOW - timedelta(hours=1)))
    assert states(settings, db)["sources"] == "ok"
    with db.write() as session:
        failing = {"failures": 9, "failing_since": NOW - timedelta(days=1), "failure": "export.arxiv.org answered 500"}
        session.execute(sa.update(Source).where(Source.name == "arxiv").values(**failing))
    health = read_health(settings, db, now=NOW)
    assert (health.status, health.can_serve, health.checks["sources"].state) == ("degraded", True, "degraded")
    assert "arxiv was last read 60 minutes ago (export.arxiv.org answered 500)" in health.checks["sources"].detail
    assert "huggingface" not in health.checks["sources"].detail
