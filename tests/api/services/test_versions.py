"""Model versions: what answers, what answered before, what is removed."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from api.errors import Conflict, NotFound
from api.services import training, versions
from api.services.training import CancelRequested, LeaseLost
from api.store import registry
from api.store.engine import Database
from api.store.registry import ServingRow
from api.store.runs import Lease
from api.store.tables import ModelVersion, User

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


def register(database: Database, models_dir: Path, version: str, *, created_at: datetime = NOW) -> None:
    """Store a version and the manifest of its artifact."""
    (models_dir / version).mkdir(parents=True)
    (models_dir / version / "manifest.json").write_text("{}")
    with database.write() as session:
        row = ModelVersion(version=version, created_at=created_at, config={}, fingerprint="")
        session.add(row)


def promote(database: Database, models_dir: Path, version: str, *, now: datetime = NOW) -> ServingRow:
    with database.write() as session:
        return versions.promote(session, version, models_dir=models_dir, now=now)


def serving(database: Database) -> tuple[str, str | None] | None:
    with database.read() as session:
        row = registry.read_serving(session)
    return None if row is None else (row.version, row.previous)


def held_run(database: Database) -> Lease:
    with database.write() as session:
        run, _ = training.request_run(session, trigger="admin", now=NOW)
        lease = training.claim_run(session, run.run_id, owner="one", now=NOW, lease_seconds=30)
    assert lease is not None
    return lease


def test_nothing_serves_before_the_first_promotion(database: Database) -> None:
    assert serving(database) is None


def test_a_promotion_remembers_what_answered_before(database: Database, tmp_path: Path) -> None:
    register(database, tmp_path, "a")
    register(database, tmp_path, "b")
    promote(database, tmp_path, "a")
    assert serving(database) == ("a", None)
    assert promote(database, tmp_path, "b") == ServingRow("b", "a", NOW)
    assert serving(database) == ("b", "a")


def test_promoting_what_answers_changes_nothing(database: Database, tmp_path: Path) -> None:
    register(database, tmp_path, "a")
    register(database, tmp_path, "b")
    promote(database, tmp_path, "a")
    promote(database, tmp_path, "b")
    promote(database, tmp_path, "b", now=NOW + HOUR)
    assert serving(database) == ("b", "a")


def test_a_rollback_goes_back_and_a_second_one_forth(database: Database, tmp_path: Path) -> None:
    register(database, tmp_path, "a")
    register(database, tmp_path, "b")
    promote(database, tmp_path, "a")
    promote(database, tmp_path, "b")
    for expected in (("a", "b"), ("b", "a")):
        with database.write() as session:
            versions.rollback(session, models_dir=tmp_path, now=NOW)
        assert serving(database) == expected


def test_a_rollback_without_a_previous_version_is_refused(database: Database, tmp_path: Path) -> None:
    register(database, tmp_path, "a")
    promote(database, tmp_path, "a")
    with database.write() as session, pytest.raises(Conflict, match="no previous"):
        versions.rollback(session, models_dir=tmp_path, now=NOW)


def test_a_rollback_rebuilds_only_lists_that_lack_a_change(database: Database, tmp_path: Path) -> None:
    register(database, tmp_path, "a")
    register(database, tmp_path, "b")
    promote(database, tmp_path, "a", now=NOW)
    promote(database, tmp_path, "b", now=NOW + HOUR)
    with database.write() as session:
        for name, active_at in (("before", NOW + HOUR / 2), ("after", NOW + 2 * HOUR)):
            row = User(external_id=name, created_at=NOW, last_active_at=active_at, last_seq=4, list_seq=4)
            session.add(row)
    with database.write() as session:
        versions.rollback(session, models_dir=tmp_path, now=NOW + 3 * HOUR)
    with database.read() as session:
        stale = sa.select(User.external_id).where(User.list_seq < User.last_seq)
        assert list(session.scalars(stale)) == ["after"]


def test_an_unknown_version_cannot_be_promoted(database: Database, tmp_path: Path) -> None:
    with database.write() as session, pytest.raises(NotFound):
        versions.promote(session, "../../etc", models_dir=tmp_path, now=NOW)


def test_a_version_without_its_artifact_cannot_be_promoted(database: Database, tmp_path: Path) -> None:
    register(database, tmp_path, "a")
    (tmp_path / "a" / "manifest.json").unlink()
    with database.write() as session, pytest.raises(Conflict, match="no longer on disk"):
        versions.promote(session, "a", models_dir=tmp_path, now=NOW)


def test_a_run_is_promoted_and_ended_together(database: Database, tmp_path: Path) -> None:
    register(database, tmp_path, "a")
    lease = held_run(database)
    with database.write() as session:
        versions.promote_run(session, lease, version="a", figures={"x": 1}, warm_began_at=NOW, now=NOW)
    assert serving(database) == ("a", None)
    with database.read() as session:
        run = training.read_run(session, lease.run_id)
        assert (run.state, run.active, run.figures) == ("succeeded", None, {"x": 1})


def test_a_former_owner_cannot_promote(database: Database, tmp_path: Path) -> None:
    register(database, tmp_path, "a")
    lease = held_run(database)
    with database.write() as session:
        training.reap_run(session, now=NOW + HOUR, attempts=3, is_dead=lambda _: False)
        training.claim_run(session, lease.run_id, owner="two", now=NOW + HOUR, lease_seconds=30)
    with pytest.raises(LeaseLost), database.write() as session:
        versions.promote_run(session, lease, version="a", figures={}, warm_began_at=NOW, now=NOW)
    assert serving(database) is None


def test_a_cancel_that_comes_before_the_promotion_wins(database: Database, tmp_path: Path) -> None:
    register(database, tmp_path, "a")
    lease = held_run(database)
    with database.write() as session:
        training.cancel_run(session, lease.run_id, now=NOW)
    with pytest.raises(CancelRequested), database.write() as session:
        versions.promote_run(session, lease, version="a", figures={}, warm_began_at=NOW, now=NOW)
    assert serving(database) is None


def test_old_versions_are_retired_but_never_the_serving_and_the_previous_one(
    database: Database, tmp_path: Path
) -> None:
    for number, version in enumerate("abcde"):
        register(database, tmp_path, version, created_at=NOW + number * HOUR)
    promote(database, tmp_path, "b")
    promote(database, tmp_path, "a")
    with database.write() as session:
        assert versions.retire_models(session, keep=3, now=NOW) == ["d", "c"]
        assert sorted(versions.read_kept_versions(session)) == ["a", "b", "e"]
    with database.write() as session, pytest.raises(Conflict, match="no longer on disk"):
        versions.promote(session, "d", models_dir=tmp_path, now=NOW)


def test_versions_are_listed_newest_first_with_the_serving_one_marked(database: Database, tmp_path: Path) -> None:
    for number, version in enumerate("abc"):
        register(database, tmp_path, version, created_at=NOW + number * HOUR)
    promote(database, tmp_path, "a")
    promote(database, tmp_path, "c")
    with database.read() as session:
        rows = versions.read_models(session, limit=10)
    assert [(row.model.version, row.is_serving, row.is_previous) for row in rows] == [
        ("c", True, False),
        ("b", False, False),
        ("a", False, True),
    ]
