"""When a fit rests on sentence vectors, and what is said when it does not."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy.orm import Session

from api.runtime.embedding import embed_missing
from api.services import embedding, snapshots
from api.services.diagnosis import diagnose
from api.services.health import Check, check_encoder, check_vectors, read_gauges
from api.settings import Settings
from api.store.engine import Database
from api.store.migrate import upgrade
from api.store.snapshots import read_snapshot
from recommender.domain import PaperTexts
from tests.encoding import WordDirections
from tests.planted import plant
from tests.workers.worlds import load_papers

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
NAME = "word-directions"


@pytest.fixture
def texts(sqlite_database: Database) -> PaperTexts:
    stored = plant(papers=60).texts
    load_papers(sqlite_database, stored)
    return stored


def embed_some(database: Database, texts: PaperTexts, count: int) -> None:
    from api.sentences import text_hash
    from api.store.vectors import record_vectors

    chosen = texts.titles[:count]
    with database.write() as session:
        made = WordDirections().encode(chosen)
        record_vectors(session, NAME, hashes=[text_hash(title) for title in chosen], vectors=made)


def snapshot(session: Session, folder: Path, *, encoder: str) -> snapshots.Plan:
    settings = Settings(data_dir=folder, text_encoder=encoder)
    return snapshots.take_snapshot(session, folder / "run", settings=settings, now=NOW, report=lambda _: None)


def test_a_snapshot_carries_the_vectors_of_the_encoder_in_use(
    sqlite_database: Database, texts: PaperTexts, tmp_path: Path
) -> None:
    embed_missing(sqlite_database, WordDirections())
    with sqlite_database.read() as session:
        plan = snapshot(session, tmp_path, encoder=NAME)
    assert plan.encoder == plan.stored_config["encoder"] == NAME
    assert plan.note is None
    _, read = read_snapshot(tmp_path / "run" / snapshots.SNAPSHOT)
    assert read.vectors is not None
    assert read.vectors.dtype == np.float16
    np.testing.assert_array_equal(read.vectors, WordDirections().encode(texts.titles))
    assert snapshots.load_plan(tmp_path / "run") == plan


def test_a_few_papers_without_a_vector_do_not_keep_a_fit_from_the_others(
    sqlite_database: Database, texts: PaperTexts
) -> None:
    embed_some(sqlite_database, texts, 58)
    with sqlite_database.read() as session:
        found = embedding.read_fit_texts(session, NAME)
    assert found.encoder == NAME
    assert found.texts.vectors is not None
    assert np.flatnonzero(~found.texts.vectors.any(axis=1)).tolist() == [58, 59]


def test_an_encoder_with_too_few_vectors_leaves_words_alone_and_a_note(
    sqlite_database: Database, texts: PaperTexts, tmp_path: Path
) -> None:
    embed_some(sqlite_database, texts, 30)
    with sqlite_database.read() as session:
        plan = snapshot(session, tmp_path, encoder=NAME)
    assert plan.encoder == ""
    assert "words alone" in (plan.note or "")
    assert "50% of the papers" in (plan.note or "")
    assert read_snapshot(tmp_path / "run" / snapshots.SNAPSHOT)[1].vectors is None


def test_words_alone_need_no_note(sqlite_database: Database, texts: PaperTexts, tmp_path: Path) -> None:
    with sqlite_database.read() as session:
        plan = snapshot(session, tmp_path, encoder="words")
    assert (plan.encoder, plan.note) == ("", None)


def test_a_problem_is_news_once_and_is_told_by_doctor_and_fit(sqlite_database: Database, texts: PaperTexts) -> None:
    with sqlite_database.write() as session:
        news = [embedding.note_problem(session, NAME, "no library", now=NOW) for _ in range(2)]
    assert news == [True, False]
    with sqlite_database.read() as session:
        check = check_vectors(NAME, embedding.read_progress(session, NAME))
        ready = check_encoder(NAME, embedding.read_problem(session, NAME))
        other = embedding.read_progress(session, "another")
        fit = embedding.read_fit_texts(session, NAME)
    assert check.state == "degraded"
    assert "0 of 60" in check.detail
    assert "no library" in check.detail
    assert (ready.state, "no library" in ready.detail) == ("degraded", True)
    assert other.problem is None
    assert "no library" in (fit.note or "")
    with sqlite_database.write() as session:
        assert embedding.note_problem(session, NAME, None, now=NOW)


def test_the_doctor_says_which_encoder_is_in_use_and_how_far_it_is(
    sqlite_database: Database, texts: PaperTexts, tmp_path: Path
) -> None:
    assert check_encoder("", None).detail.startswith("words alone")
    assert check_encoder(NAME, None) == Check("ok", NAME)
    embed_some(sqlite_database, texts, 30)
    with sqlite_database.read() as session:
        half = check_vectors(NAME, embedding.read_progress(session, NAME))
    assert (half.state, "30 of 60" in half.detail, "paperfeed embed" in half.detail) == ("degraded", True, True)
    away = "unix:///nonexistent/r"
    settings = Settings(data_dir=tmp_path, text_encoder=NAME, cache_url=away, broker_url=away)
    assert read_gauges(settings, sqlite_database, now=NOW)["papers_without_vector"] == 30
    embed_missing(sqlite_database, WordDirections())
    with sqlite_database.read() as session:
        whole = check_vectors(NAME, embedding.read_progress(session, NAME))
    assert (whole.state, "60 of 60" in whole.detail) == ("ok", True)


def test_doctor_counts_the_vectors(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'paperfeed.db'}")
    upgrade(database)
    load_papers(database, plant(papers=4).texts)
    embed_missing(database, WordDirections())
    found = dict(diagnose(Settings(data_dir=tmp_path, text_encoder=NAME), database, now=NOW))
    database.engine.dispose()
    assert found["encoder"] == Check("ok", f"{NAME}, 4 of 4 papers have their vector")
