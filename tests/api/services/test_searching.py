"""Searches over an index and a model: what words find, what is like it, and what a reader's taste makes of it."""

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa
from pydantic import SecretStr

from api.runtime.state import Runtime, build_runtime
from api.services.search_personal import rank_for_reader
from api.services.searching import MOST_FOUND, SearchRequest, SearchResult, search_papers
from api.settings import Settings
from api.store.engine import Database
from api.store.search_query import Filters
from api.store.tables import Paper, PaperCategory
from recommender.dataset import Profile
from tests.api.feed_world import LONG_AGO, load_installation, paper_row, planted, promote_model

TOPIC = 1
OF_TOPIC = 30  # papers are of each topic, and some more


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory, empty_tables: Path, redis_socket: Path) -> Iterator[Runtime]:
    """Return a process with the planted papers, their model and their index; tests write nothing."""
    folder = tmp_path_factory.mktemp("searching")
    settings = Settings(
        data_dir=folder,
        database_url=f"sqlite:///{folder / 'papers.db'}",
        cache_url=f"unix://{redis_socket}",
        broker_url=f"redis+socket://{redis_socket}",
        secret_key=SecretStr("a signing secret of the tests, long enough"),
    )
    (folder / "papers.db").write_bytes(empty_tables.read_bytes())
    database = Database(settings.resolved_database_url)
    load_installation(database)
    promote_model(database, settings.models_dir)
    runtime = build_runtime(settings)
    assert runtime.serving.poll() is not None
    _index(runtime, papers=len(planted().texts.titles))
    yield runtime
    runtime.close()
    database.engine.dispose()


def _index(runtime: Runtime, *, papers: int) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        runtime.search.poll()
        if runtime.search.current is not None and runtime.search.current.num_papers == papers:
            return
        time.sleep(0.01)
    pytest.fail(runtime.search.failure)


def topics_of(result: SearchResult) -> list[int]:
    """Return the topic of each paper that was found."""
    found: list[int] = planted().topics(np.array(result.paper_ids)).tolist()
    return found


def search(held: Runtime, text: str, **options: object) -> SearchResult:
    """Return what is found for a text whose last word is whole."""
    return search_papers(held, replace(SearchRequest(text, is_prefix=False), **options))  # type: ignore[arg-type] # fields of one dataclass


def words(*numbers: int, topic: int = TOPIC) -> str:
    """Return words of a topic."""
    return " ".join(f"topic{topic}word{number}" for number in numbers)


def titles_with(*numbers: int, topic: int = TOPIC) -> set[int]:
    """Return the papers whose title has all these words."""
    wanted = set(words(*numbers, topic=topic).split())
    texts = planted().texts
    pairs = zip(texts.paper_ids.tolist(), texts.titles, strict=True)
    return {paper_id for paper_id, title in pairs if wanted <= set(title.split())}


def test_papers_with_the_words_come_first_and_papers_like_them_after(held: Runtime) -> None:
    found = search(held, words(1, 2))
    both = titles_with(1, 2)
    assert found.total == len(both)
    assert set(found.paper_ids[: len(both)]) == both
    assert len(found.paper_ids) > len(both)
    assert set(topics_of(found)[:OF_TOPIC]) == {TOPIC}


def test_scores_never_rise_and_no_paper_comes_twice(held: Runtime) -> None:
    for text in (words(1, 2), words(1, 2, 3, 4), words(1) + " -" + words(2)):
        found = search(held, text)
        assert list(found.scores) == sorted(found.scores, reverse=True)
        assert len(set(found.paper_ids)) == len(found.paper_ids) == len(found.scores) <= MOST_FOUND


def test_papers_that_are_only_alike_keep_to_filters_and_exclusions(held: Runtime) -> None:
    excluded = titles_with(3)
    assert excluded
    assert not excluded & set(search(held, f"{words(1, 2)} -{words(3)}").paper_ids)
    other = search(held, words(1, 2), filters=Filters(categories=("cs.T2",)))
    assert other.total == 0
    assert set(topics_of(other)) <= {2}
    same = search(held, words(1, 2), filters=Filters(categories=(f"cs.T{TOPIC}",)))
    assert set(topics_of(same)) == {TOPIC}
    assert same.total == len(titles_with(1, 2))


def test_the_total_is_that_of_what_was_asked_for(held: Runtime) -> None:
    strict = titles_with(1, 2) | titles_with(1, 3) | titles_with(2, 3)
    found = search(held, words(1, 2, 3))  # two of three are enough
    assert found.total == len(strict)
    assert strict <= set(found.paper_ids)


def test_an_order_by_date_lists_matches_alone(held: Runtime) -> None:
    found = search(held, words(1, 2), order="newest")
    assert set(found.paper_ids) == titles_with(1, 2)
    assert list(found.paper_ids) == sorted(found.paper_ids, reverse=True)


def test_half_a_word_has_no_meaning_yet(held: Runtime) -> None:
    found = search_papers(held, SearchRequest("topic1word1"))
    starts = titles_with(1) | titles_with(10) | titles_with(11)
    assert set(found.paper_ids) == starts


def test_without_an_index_titles_and_the_model_answer(held: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(held.search, "_current", None)
    found = search(held, words(1, 2), with_counts=True)
    assert found.is_degraded
    assert found.counts is None
    both = titles_with(1, 2)
    assert set(found.paper_ids[: len(both)]) == both
    assert len(found.paper_ids) > len(both)
    assert set(topics_of(found)[:OF_TOPIC]) == {TOPIC}
    assert not titles_with(3) & set(search(held, f"{words(1, 2)} -{words(3)}").paper_ids)


def test_without_a_model_words_answer(held: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(held.serving, "_current", None)
    found = search(held, words(1, 2), user_id=1)
    assert set(found.paper_ids[: len(titles_with(1, 2))]) == titles_with(1, 2)


def test_a_readers_taste_moves_their_topic_up_and_loses_no_paper(held: Runtime) -> None:
    topic_of = dict(zip(planted().reader_ids.tolist(), planted().topic_of_reader.tolist(), strict=True))
    reader = next(reader for reader, topic in topic_of.items() if topic == 2)
    text = f"{words(1)} {words(1, topic=2)} {words(2)}"
    plain, personal = search(held, text), search(held, text, user_id=reader)
    assert sorted(plain.paper_ids) == sorted(personal.paper_ids)
    assert list(personal.scores) == sorted(personal.scores, reverse=True)

    def places(result: SearchResult) -> float:
        return float(np.mean([at for at, topic in enumerate(topics_of(result)) if topic == 2]))

    assert places(personal) < places(plain)


def test_what_the_model_cannot_rank_keeps_its_place(held: Runtime) -> None:
    served = held.serving.current
    assert served is not None
    nobody = Profile(np.empty(0, np.int64), np.empty(0, np.float32), np.empty(0, np.int64))
    ids = (987_654, 1000, 987_655, 1001)
    assert rank_for_reader(served.model, nobody, ids)[0] == ids
    assert rank_for_reader(served.model, nobody, ()) == ((), ())


def test_a_paper_named_by_its_id_comes_first_before_it_is_indexed(held: Runtime) -> None:
    row = paper_row(9000, title="Nothing alike", category="cs.NEW", listed_at=LONG_AGO - timedelta(days=1))
    with held.db.write() as session:
        session.execute(sa.insert(Paper), [row | {"external_id": "2405.00001", "updated_at": datetime.now(UTC)}])
    try:
        for text in ("2405.00001", "arXiv:2405.00001v7", "https://arxiv.org/pdf/2405.00001v2.pdf"):
            found = search(held, text)
            assert (found.paper_ids[0], found.total) == (9000, 1)
        with held.db.write() as session:
            session.execute(sa.update(Paper).where(Paper.paper_id == 9000).values(deleted_at=datetime.now(UTC)))
        assert search(held, "2405.00001").paper_ids == ()
    finally:
        with held.db.write() as session:
            session.execute(sa.delete(PaperCategory).where(PaperCategory.paper_id == 9000))
            session.execute(sa.delete(Paper).where(Paper.paper_id == 9000))


def test_removed_papers_that_the_model_still_knows_are_not_found_and_withdrawn_ones_are(held: Runtime) -> None:
    alike = search(held, words(1, 2)).paper_ids[len(titles_with(1, 2)) :]
    removed, erased, withdrawn = alike[:3]
    count = len(planted().texts.titles)
    with held.db.read() as session:
        before = session.execute(sa.select(Paper.__table__).where(Paper.paper_id == erased)).mappings().one()
    try:
        _change(held, removed, deleted_at=datetime.now(UTC))
        _change(held, withdrawn, withdrawn_at=datetime.now(UTC))
        with held.db.write() as session:
            session.execute(sa.delete(Paper).where(Paper.paper_id == erased))
        _index(held, papers=count - 2)
        found = search(held, words(1, 2)).paper_ids
        assert not {removed, erased} & set(found)
        assert withdrawn in found
    finally:
        with held.db.write() as session:
            session.execute(sa.insert(Paper), [{**before, "updated_at": datetime.now(UTC)}])
        _change(held, removed, deleted_at=None)
        _change(held, withdrawn, withdrawn_at=None)
        _index(held, papers=count)


def _change(held: Runtime, paper_id: int, **values: object) -> None:
    changed = sa.update(Paper).where(Paper.paper_id == paper_id).values(updated_at=datetime.now(UTC), **values)
    with held.db.write() as session:
        session.execute(changed)
