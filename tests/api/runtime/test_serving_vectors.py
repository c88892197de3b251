"""A model that was fitted with sentence vectors follows new papers, also when their vectors come late."""

from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa

from api.runtime import serving as serving_module
from api.runtime.embedding import embed_missing
from api.runtime.serving import Served, ServingModel
from api.services.warming import extend_served
from api.store import vectors
from api.store.engine import Database
from api.store.tables import ModelVersion, Paper
from recommender.dataset import WeightConfig, build_dataset
from recommender.domain import PaperTexts
from recommender.hybrid import Hybrid, HybridConfig
from tests.api.feed_world import LONG_AGO, VERSION, load_installation, paper_row, promote_model
from tests.encoding import WordDirections
from tests.planted import plant

NAME = "word-directions"


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a model fitted with sentence vectors."""
    world = plant(papers=80)
    made = WordDirections().encode(world.texts.titles)
    texts = world.texts
    with_vectors = PaperTexts(texts.paper_ids, texts.titles, texts.summaries, texts.keywords, texts.published_at, made)
    dataset = build_dataset(world.interactions, with_vectors, now=0.0, weights=WeightConfig())
    folder = tmp_path_factory.mktemp("fitted") / "model"
    Hybrid.fit(dataset, HybridConfig(), seed=0).save(folder)
    return folder


@pytest.fixture
def followed(
    sqlite_database: Database, tmp_path: Path, artifact: Path, monkeypatch: pytest.MonkeyPatch
) -> ServingModel:
    """Return the serving model of an installation whose version was fitted with sentence vectors."""
    load_installation(sqlite_database)
    embed_missing(sqlite_database, WordDirections())
    promote_model(sqlite_database, tmp_path)
    with sqlite_database.write() as session:
        session.execute(sa.update(ModelVersion).where(ModelVersion.version == VERSION).values(config={"encoder": NAME}))
    models = tmp_path / "models"
    models.mkdir()
    (models / VERSION).symlink_to(artifact)
    monkeypatch.setattr(serving_module, "REST_PER_EXTENSION", 0.0)
    monkeypatch.setattr(serving_module, "LATE_SECONDS", 0.0)
    return ServingModel(sqlite_database, models)


def add_paper(database: Database, paper_id: int, title: str) -> None:
    with database.write() as session:
        row = paper_row(paper_id, title=title, category="cs.T0", listed_at=LONG_AGO)
        session.execute(sa.insert(Paper), [row])


def sentence_parts(served: Served | None, papers: list[int]) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """The coordinates that come from sentence vectors."""
    assert served is not None
    model = served.model
    return np.asarray(model.coords.take(model.papers.rows(np.array(papers))))[:, -model.sentence_dim :]


def test_a_paper_is_ranked_by_words_at_once_and_by_its_vector_when_that_comes(
    followed: ServingModel, sqlite_database: Database
) -> None:
    followed.poll()
    add_paper(sqlite_database, 7001, "topic0word1 topic0word2")
    assert not sentence_parts(followed.poll(), [7001]).any()
    embed_missing(sqlite_database, WordDirections())
    served = followed.poll()
    assert sentence_parts(served, [7001]).any()
    assert followed.poll() is served  # nothing is left to look for


def test_a_paper_whose_vector_is_there_takes_it_at_once(followed: ServingModel, sqlite_database: Database) -> None:
    followed.poll()
    add_paper(sqlite_database, 7001, "topic0word1 topic0word2")
    embed_missing(sqlite_database, WordDirections())
    assert sentence_parts(followed.poll(), [7001]).any()


def test_few_late_vectors_are_waited_for_until_they_are_half(followed: ServingModel, sqlite_database: Database) -> None:
    followed.poll()
    ids = [7001, 7002, 7003, 7004]
    for paper_id in ids:
        add_paper(sqlite_database, paper_id, f"topic0word{paper_id % 5} topic1word1")
    followed.poll()
    with sqlite_database.read() as session:
        missing = vectors.find_missing(session, NAME, limit=4)
    for count in (1, 2):
        chosen = missing[count - 1 : count]
        made = WordDirections().encode([paper.text for paper in chosen])
        with sqlite_database.write() as session:
            vectors.record_vectors(session, NAME, hashes=[paper.text_hash for paper in chosen], vectors=made)
        assert int(sentence_parts(followed.poll(), ids).any(axis=1).sum()) == (0 if count == 1 else 2)


def test_vectors_of_another_dimension_do_not_stop_the_model(followed: ServingModel, sqlite_database: Database) -> None:
    followed.poll()
    add_paper(sqlite_database, 7001, "topic0word1 topic0word2")
    with sqlite_database.read() as session:
        paper = vectors.find_missing(session, NAME, limit=1)[0]
    with sqlite_database.write() as session:
        wrong = np.ones((1, 20), dtype=np.float16)
        vectors.record_vectors(session, NAME, hashes=[paper.text_hash], vectors=wrong)
    for _ in range(2):
        served = followed.poll()
        assert followed.failure == ""
        assert not sentence_parts(served, [7001]).any()


def test_warming_extends_by_vectors_too(followed: ServingModel, sqlite_database: Database) -> None:
    served = followed.poll()
    assert served is not None
    add_paper(sqlite_database, 7001, "topic0word1 topic0word2")
    embed_missing(sqlite_database, WordDirections())
    with sqlite_database.read() as session:
        extended = extend_served(session, served)
    assert sentence_parts(extended, [7001]).any()
