"""Sentence vectors in both databases."""

import numpy as np
import sqlalchemy as sa

from api.sentences import sentence_text, text_hash
from api.store import vectors
from api.store.engine import Database
from api.store.tables import Paper
from tests.planted import plant
from tests.workers.worlds import load_papers

ENCODER = "small"


def hashes_of(texts: list[str]) -> list[str]:
    return [text_hash(text) for text in texts]


def record(database: Database, titles: list[str], rows: np.ndarray[tuple[int, int], np.dtype[np.float16]]) -> None:
    with database.write() as session:
        vectors.record_vectors(session, ENCODER, hashes=hashes_of(titles), vectors=rows)


def unit_rows(count: int, dim: int) -> np.ndarray[tuple[int, int], np.dtype[np.float16]]:
    return np.eye(dim, dtype=np.float16)[np.arange(count) % dim]


def test_papers_without_a_vector_are_found_newest_first_page_by_page(database: Database) -> None:
    texts = plant(papers=10).texts
    load_papers(database, texts)
    newest = texts.paper_ids.tolist()[::-1]
    with database.read() as session:
        first = vectors.find_missing(session, ENCODER, limit=4)
        rest = vectors.find_missing(session, ENCODER, before_paper_id=first[-1].paper_id, limit=100)
    assert [paper.paper_id for paper in first + rest] == newest
    assert first[0].text == texts.titles[-1]
    record(database, texts.titles[-3:], unit_rows(3, 4))
    with database.read() as session:
        left = vectors.find_missing(session, ENCODER, limit=100)
        other = vectors.find_missing(session, "another", limit=100)
        coverage = vectors.read_coverage(session, ENCODER)
    assert [paper.paper_id for paper in left] == newest[3:]
    assert len(other) == 10
    assert (coverage.papers, coverage.with_vector, coverage.share) == (10, 3, 0.3)


def test_vectors_come_back_bit_for_bit_and_aligned(database: Database) -> None:
    texts = plant(papers=8).texts
    load_papers(database, texts)
    made = np.random.default_rng(0).standard_normal((5, 6)).astype(np.float16)
    record(database, texts.titles[2:7], made)
    with database.read() as session:
        loaded = vectors.load_vectors(session, ENCODER, paper_ids=texts.paper_ids)
        some = vectors.load_vectors(session, ENCODER, paper_ids=texts.paper_ids[[1, 4, 7]])
        nothing = vectors.load_vectors(session, "another", paper_ids=texts.paper_ids)
        found = vectors.paper_ids_with_vector(session, ENCODER, among=texts.paper_ids.tolist(), dim=6)
    assert loaded is not None
    assert loaded.dtype == np.float16
    np.testing.assert_array_equal(loaded[2:7], made)
    assert not loaded[[0, 1, 7]].any()
    assert some is not None
    np.testing.assert_array_equal(some, loaded[[1, 4, 7]])
    assert nothing is None
    assert found == set(texts.paper_ids[2:7].tolist())


def test_vectors_of_another_dimension_are_left_out(database: Database) -> None:
    texts = plant(papers=4).texts
    load_papers(database, texts)
    record(database, texts.titles, unit_rows(4, 5))
    with database.read() as session:
        loaded = vectors.load_vectors(session, ENCODER, paper_ids=texts.paper_ids, dim=7)
        without = vectors.load_vectors(session, ENCODER, paper_ids=texts.paper_ids, dim=0)
        assert vectors.paper_ids_with_vector(session, ENCODER, among=texts.paper_ids.tolist(), dim=7) == set()
        assert vectors.stored_dim(session, ENCODER) == 5
    assert loaded is not None
    assert loaded.shape == (4, 7)
    assert not loaded.any()
    assert without is None


def test_a_vector_that_is_there_stays_and_equal_texts_share_one(database: Database) -> None:
    texts = plant(papers=3).texts
    load_papers(database, texts)
    with database.write() as session:
        values = {"title": texts.titles[0], "text_hash": text_hash(texts.titles[0])}
        session.execute(sa.update(Paper).where(Paper.paper_id == int(texts.paper_ids[1])).values(**values))
    record(database, texts.titles[:1], unit_rows(1, 4))
    record(database, texts.titles[:1], -unit_rows(1, 4))
    with database.read() as session:
        loaded = vectors.load_vectors(session, ENCODER, paper_ids=texts.paper_ids)
    assert loaded is not None
    assert loaded[:, 0].tolist() == [1, 1, 0]


def test_a_changed_text_has_no_vector_any_more(database: Database) -> None:
    texts = plant(papers=3).texts
    load_papers(database, texts)
    record(database, texts.titles, unit_rows(3, 4))
    text = sentence_text("another title", "and a summary")
    with database.write() as session:
        values = {"title": "another title", "summary": "and a summary", "text_hash": text_hash(text)}
        session.execute(sa.update(Paper).where(Paper.paper_id == int(texts.paper_ids[0])).values(**values))
    with database.read() as session:
        missing = vectors.find_missing(session, ENCODER, limit=10)
    assert [(paper.text, paper.text_hash) for paper in missing] == [(text, text_hash(text))]


def test_vectors_are_forgotten_in_parts(database: Database) -> None:
    texts = plant(papers=7).texts
    load_papers(database, texts)
    record(database, texts.titles, unit_rows(7, 4))
    removed: list[int] = []
    while not removed or removed[-1]:
        with database.write() as session:
            removed.append(vectors.forget_vectors(session, ENCODER, limit=3))
    assert removed == [3, 3, 1, 0]
    with database.read() as session:
        assert vectors.stored_dim(session, ENCODER) is None
