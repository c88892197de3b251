"""Look-ups and lists of papers in SQL."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
import sqlalchemy as sa

from api.services.catalog import record_papers
from api.sources.records import PaperRecord
from api.store import papers as store
from api.store.engine import Database

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def fill(database: Database, *records: PaperRecord) -> dict[str, int]:
    with database.write() as session:
        record_papers(session, records, now=NOW)
        return store.paper_ids_of(session, [record.external_id or "" for record in records])


def paper(name: str, *, days: float | None = None, categories: tuple[str, ...] = ()) -> PaperRecord:
    published = None if days is None else NOW - timedelta(days=days)
    return PaperRecord(f"Paper {name}", "file", external_id=name, published_at=published, categories=categories)


def test_the_newest_come_first_and_pages_neither_repeat_nor_skip(database: Database) -> None:
    names = [f"p{n}" for n in range(25)]
    ids = fill(database, *(paper(name, days=number // 3) for number, name in enumerate(names)))
    seen: list[int] = []
    place: store.Place | None = None
    with database.read() as session:
        while page := store.latest_paper_ids(session, before=place, limit=4):
            seen += [paper_id for paper_id, _ in page]
            place = page[-1]
    by_day = sorted(names, key=lambda name: (names.index(name) // 3, -ids[name]))
    assert seen == [ids[name] for name in by_day]


def test_the_day_of_the_daily_list_goes_before_the_day_of_publication(database: Database) -> None:
    early = PaperRecord("Early", "huggingface", external_id="early", published_at=NOW - timedelta(days=9), daily_at=NOW)
    ids = fill(database, early, paper("late", days=1))
    with database.read() as session:
        assert [row[0] for row in store.latest_paper_ids(session, limit=5)] == [ids["early"], ids["late"]]


def test_several_categories_give_each_paper_once_across_pages(database: Database) -> None:
    ids = fill(
        database,
        paper("a", days=1, categories=("x", "y")),
        paper("b", days=2, categories=("y",)),
        paper("c", days=3, categories=("z",)),
        paper("d", days=4, categories=("x",)),
    )
    with database.read() as session:
        first = store.latest_paper_ids(session, categories=["x", "y"], limit=2)
        second = store.latest_paper_ids(session, categories=["x", "y"], before=first[-1], limit=2)
    assert [row[0] for row in first + second] == [ids["a"], ids["b"], ids["d"]]


def test_since_leaves_out_what_is_older(database: Database) -> None:
    ids = fill(database, paper("new", days=1), paper("old", days=3))
    with database.read() as session:
        found = store.latest_paper_ids(session, since=NOW - timedelta(days=2), limit=5)
    assert [row[0] for row in found] == [ids["new"]]


@pytest.mark.parametrize("categories", [(), ("x",)])
def test_latest_is_answered_from_an_index(sqlite_database: Database, categories: tuple[str, ...]) -> None:
    statements: list[tuple[str, tuple[object, ...]]] = []
    sa.event.listen(
        sqlite_database.engine, "before_cursor_execute", lambda *event: statements.append((event[2], event[3]))
    )
    with sqlite_database.read() as session:
        store.latest_paper_ids(session, categories=categories, before=(3, NOW), since=NOW, limit=5)
        query, values = statements[-1]
        plan = session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {query}", values).fetchall()
    steps = " ".join(row[3] for row in plan)
    assert "USING COVERING INDEX" in steps
    assert "TEMP B-TREE" not in steps


def test_texts_are_those_of_newer_papers_in_the_order_of_ids(database: Database) -> None:
    with_words = PaperRecord("T", "file", external_id="w", summary="S", keywords=("k one", "k two"), published_at=NOW)
    ids = fill(database, paper("a"), paper("b"), with_words)
    with database.read() as session:
        everything = store.load_texts(session)
        newer = store.load_texts(session, after_paper_id=ids["b"])
        nothing = store.load_texts(session, after_paper_id=ids["w"])
    assert everything.paper_ids.tolist() == [ids["a"], ids["b"], ids["w"]]
    assert everything.paper_ids.dtype == np.int64
    assert (newer.titles, newer.summaries, newer.keywords) == (["T"], ["S"], ["k one k two"])
    assert newer.published_at.tolist() == [NOW.timestamp()]
    assert np.isnan(everything.published_at[0])
    assert len(nothing) == 0


def test_look_ups_know_only_what_exists(database: Database) -> None:
    ids = fill(database, paper("a", categories=("x", "y")), paper("b"))
    with database.read() as session:
        assert store.paper_ids_of(session, ["a", "nobody", "a"]) == {"a": ids["a"]}
        assert {number: row.title for number, row in store.load_papers(session, [ids["b"], 999]).items()} == {
            ids["b"]: "Paper b"
        }
        assert store.categories_of(session, [*ids.values(), 999]) == {ids["a"]: ["x", "y"], ids["b"]: []}
        assert (store.count_papers(session), store.newest_paper_id(session)) == (2, ids["b"])


def test_more_ids_than_one_query_takes_are_found(sqlite_database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "IDS_PER_QUERY", 3)
    names = [f"p{n}" for n in range(10)]
    assert fill(sqlite_database, *map(paper, names)).keys() == set(names)


def test_an_empty_catalogue_answers_nothing(database: Database) -> None:
    with database.read() as session:
        assert store.latest_paper_ids(session, limit=5) == []
        assert store.newest_paper_id(session) == 0
        assert not store.has_papers(session)
