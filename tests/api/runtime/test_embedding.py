"""Making the vectors that papers lack: interrupted, repeated, side by side."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import sqlalchemy as sa

from api.runtime import embedding
from api.runtime.embedding import embed_missing
from api.runtime.encoders import EncoderError, is_library_installed, open_encoder
from api.store import vectors
from api.store.engine import Database
from api.store.tables import Paper
from api.store.vectors import Coverage
from recommender.domain import PaperTexts
from tests.encoding import WordDirections
from tests.planted import plant
from tests.workers.worlds import load_papers


@pytest.fixture
def texts(database: Database, monkeypatch: pytest.MonkeyPatch) -> PaperTexts:
    """Store some papers, of which a few fit into one write."""
    monkeypatch.setattr(embedding, "TEXTS_PER_WRITE", 16)
    stored = plant(papers=100).texts
    load_papers(database, stored)
    return stored


def coverage(database: Database) -> Coverage:
    with database.read() as session:
        return vectors.read_coverage(session, "word-directions")


def test_every_paper_gets_the_vector_of_its_own_text(database: Database, texts: PaperTexts) -> None:
    encoder = WordDirections()
    heard: list[int] = []
    made = embed_missing(database, encoder, report=heard.append)
    assert (made.papers, made.is_done) == (100, True)
    assert sum(heard) == 100
    with database.read() as session:
        loaded = vectors.load_vectors(session, encoder.name, paper_ids=texts.paper_ids)
    assert loaded is not None
    np.testing.assert_array_equal(loaded, WordDirections().encode(texts.titles))


def test_what_was_made_before_a_failure_is_kept_and_not_made_again(database: Database, texts: PaperTexts) -> None:
    with pytest.raises(EncoderError, match="not enough memory"):
        embed_missing(database, WordDirections(fails_after=50))
    assert coverage(database) == Coverage(100, 48)
    encoder = WordDirections()
    assert embed_missing(database, encoder).papers == 52
    assert len(encoder.encoded) == 52
    assert embed_missing(database, encoder).papers == 0
    assert coverage(database) == Coverage(100, 100)


def test_papers_of_an_older_version_get_fingerprints_and_then_the_vectors_their_texts_have(
    database: Database, texts: PaperTexts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedding, "MARKS_PER_WRITE", 16)
    embed_missing(database, WordDirections())
    with database.write() as session:
        session.execute(sa.update(Paper).values(text_hash=None))
        session.execute(sa.update(Paper).where(Paper.paper_id == int(texts.paper_ids[0])).values(title="A new title"))
    assert coverage(database) == Coverage(100, 0)
    encoder = WordDirections()
    assert embed_missing(database, encoder).papers == 1
    assert encoder.encoded == ["A new title"]
    assert coverage(database) == Coverage(100, 100)


def test_time_that_is_up_leaves_the_rest_to_the_next_one(database: Database, texts: PaperTexts) -> None:
    made = embed_missing(database, WordDirections(), seconds=0.0)
    assert (made.papers, made.is_done) == (16, False)
    assert coverage(database) == Coverage(100, 16)


def test_two_at_once_end_with_one_vector_per_text(database: Database, texts: PaperTexts) -> None:
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda _: embed_missing(database, WordDirections()), range(2)))
    assert coverage(database) == Coverage(100, 100)
    with database.read() as session:
        loaded = vectors.load_vectors(session, "word-directions", paper_ids=texts.paper_ids)
    assert loaded is not None
    np.testing.assert_array_equal(loaded, WordDirections().encode(texts.titles))


def test_a_model_of_another_dimension_under_the_same_name_is_refused(database: Database, texts: PaperTexts) -> None:
    embed_missing(database, WordDirections())
    with pytest.raises(EncoderError, match=r"dimension 50, those stored .* 48; forget those with `paperfeed embed"):
        embed_missing(database, WordDirections(dim=50))


def test_words_alone_are_no_sentence_encoder() -> None:
    with pytest.raises(ValueError, match="words"):
        open_encoder("words")


@pytest.mark.skipif(is_library_installed(), reason="shows what happens without the library")
def test_without_the_library_the_error_says_how_to_install_it() -> None:
    with pytest.raises(EncoderError, match=r"all-MiniLM-L6-v2: .* not installed here; .*make embeddings"):
        open_encoder("sentence-transformers/all-MiniLM-L6-v2")
