"""The routes for those who watch the service."""

from datetime import UTC, datetime
from pathlib import Path

from fastapi.testclient import TestClient

from api.runtime.state import Runtime
from api.store.engine import Database
from api.store.migrate import HEAD
from api.store.tables import ModelVersion, Serving


def stamp(database: Database) -> None:
    """Note the revision, as `upgrade` would; the fixture has made the tables already."""
    with database.engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)")
        connection.exec_driver_sql(f"INSERT INTO alembic_version VALUES ('{HEAD}')")


def test_livez_asks_nobody(client: TestClient) -> None:
    answer = client.get("/livez")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


def test_readyz_without_tables_of_this_version_is_503(client: TestClient) -> None:
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["status"] == "unavailable"
    assert "paperfeed migrate" in answer.json()["checks"]["migrations"]["detail"]
    assert answer.headers["Cache-Control"] == "no-store"


def test_readyz_without_papers_is_503_and_names_the_reason(client: TestClient, database: Database) -> None:
    stamp(database)
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert "no papers yet" in answer.json()["checks"]["sources"]["detail"]


def test_readyz_names_a_promoted_model_that_cannot_be_loaded(
    client: TestClient, database: Database, runtime: Runtime
) -> None:
    stamp(database)
    now = datetime.now(UTC)
    with database.write() as session:
        session.add(ModelVersion(version="gone", created_at=now, config={}, fingerprint="f"))
        session.flush()
        session.add(Serving(serving_id=1, version="gone", switched_at=now))
    runtime.serving.poll()
    check = client.get("/readyz").json()["checks"]["model"]
    assert check["state"] == "degraded"
    assert "gone" in check["detail"]
    assert "paperfeed train" in check["detail"]


def test_metrics_are_text_for_prometheus(client: TestClient, tmp_path: Path) -> None:
    client.get("/livez")
    answer = client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    for name in ("paperfeed_request_seconds_bucket", "paperfeed_stale_lists", "paperfeed_queue_length_events"):
        assert name in answer.text


def test_no_secret_is_shown(client: TestClient) -> None:
    shown = client.get("/readyz").text + client.get("/metrics").text
    assert "long enough" not in shown
