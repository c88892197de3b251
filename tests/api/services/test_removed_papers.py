"""Papers that their source removed or their authors withdrew are in no list, and removed ones nowhere."""

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from api.errors import NotFound
from api.runtime.rendered import RenderedPapers
from api.runtime.serving import Served, ServingModel
from api.services.catalog import record_papers
from api.services.feed import build_list
from api.services.listings import find_paper, list_similar
from api.services.trending import build_board, forget_boards
from api.sources.records import Deletion, PaperRecord
from api.store.engine import Database
from api.store.paper_changes import unlisted_paper_ids
from api.store.papers import has_papers, load_papers, load_texts
from api.store.tables import Paper
from recommender.domain import EventKind
from tests.api.feed_world import LONG_AGO, add_event, add_reader

ENDS = ["deleted", "withdrawn"]


def end(database: Database, how: str, *paper_ids: int) -> None:
    """Let papers of the planted world end."""
    names = [f"p{paper_id}" for paper_id in paper_ids]
    records: list[PaperRecord | Deletion] = [Deletion(name, "arxiv") for name in names]
    if how == "withdrawn":
        with database.read() as session:
            titles = {row.external_id: row.title for row in session.execute(sa.select(Paper.external_id, Paper.title))}
        records = [PaperRecord(titles[name], "arxiv", external_id=name, is_withdrawn=True) for name in names]
    with database.write() as session:
        record_papers(session, records, now=datetime.now(UTC))
    forget_boards()


def listed(database: Database, served: Served | None, user_id: int, *, size: int = 40) -> list[int]:
    with database.read() as session:
        return build_list(session, served, user_id, now=datetime.now(UTC), size=size).paper_ids


@pytest.mark.parametrize("how", ENDS)
def test_a_personal_list_and_papers_like_another_leave_it_out(world: Database, served: Served, how: str) -> None:
    first, second, *_ = listed(world, served, 1)
    end(world, how, first, second)
    assert not {first, second} & set(listed(world, served, 1))
    with world.read() as session:
        like = list_similar(session, served, 1000, now=datetime.now(UTC)).paper_ids
    assert like
    assert not {first, second} & set(like)


@pytest.mark.parametrize("how", ENDS)
def test_trending_the_pool_of_new_papers_and_lists_without_model_leave_it_out(world: Database, how: str) -> None:
    now = datetime.now(UTC)
    with world.write() as session:
        session.execute(sa.update(Paper).where(Paper.paper_id.in_([1001, 1002])).values(listed_at=now, upvotes=9))
    add_event(world, 1, 1001, EventKind.SAVE)
    add_event(world, 1, 1003, EventKind.SAVE)
    add_reader(world, 5000)
    forget_boards()
    with world.read() as session:
        before = build_board(session, now=now, half_life_days=2)
    end(world, how, 1001, 1002, 1003)
    with world.read() as session:
        after = build_board(session, now=now, half_life_days=2)
    assert {1001, 1002, 1003} <= {paper_id for paper_id, _ in before.windows["week"]}
    assert 1002 in before.fresh
    assert not {1001, 1002, 1003} & {paper_id for paper_id, _ in after.windows["week"]}
    assert not {1001, 1002} & set(after.fresh)
    assert not {1001, 1002, 1003} & set(listed(world, None, 5000, size=200))


@pytest.mark.parametrize("how", ENDS)
def test_a_model_does_not_learn_of_it(world: Database, serving: ServingModel, how: str) -> None:
    newest = [PaperRecord(f"Planks {name}", "arxiv", external_id=name) for name in ("n1", "n2")]
    with world.write() as session:
        record_papers(session, newest, now=datetime.now(UTC))
        ids = {row.external_id: row.paper_id for row in session.execute(sa.select(Paper.external_id, Paper.paper_id))}
        gone = (
            Deletion("n1", "arxiv") if how == "deleted" else PaperRecord("Planks n1", "arxiv", "n1", is_withdrawn=True)
        )
        record_papers(session, [gone], now=datetime.now(UTC))
        assert load_texts(session, after_paper_id=ids["n1"] - 1).paper_ids.tolist() == [ids["n2"]]
    served = serving.poll()
    assert served is not None
    assert set(served.model.papers.in_row_order.tolist()) & {ids["n1"], ids["n2"]} == {ids["n2"]}


def test_a_removed_paper_is_shown_nowhere_soon_after(world: Database) -> None:
    papers = RenderedPapers(world)
    assert papers.load([1000, 1001]).keys() == {1000, 1001}
    end(world, "deleted", 1000)
    papers.look()
    assert papers.get_cached([1000, 1001]) is None
    assert papers.load([1000, 1001]).keys() == {1001}
    with world.read() as session:
        assert load_papers(session, [1000]) == {}
        with pytest.raises(NotFound, match="removed by its source"):
            find_paper(session, "p1000")


def test_a_withdrawn_paper_is_still_found_and_says_so(world: Database) -> None:
    end(world, "withdrawn", 1000)
    with world.read() as session:
        assert find_paper(session, "p1000") == 1000
    rendered = RenderedPapers(world).load([1000])[1000].json
    assert b'"withdrawn_at":"20' in rendered


def test_unlisted_are_those_that_never_were_and_those_that_ended(world: Database) -> None:
    end(world, "deleted", 1000)
    end(world, "withdrawn", 1001)
    with world.read() as session:
        assert unlisted_paper_ids(session, [1000, 1001, 1002, 1003, 99]) == {1000, 1001, 99}
        assert unlisted_paper_ids(session, []) == set()


def test_no_paper_is_read_to_find_out_which_ones_ended(sqlite_database: Database) -> None:
    asked: list[tuple[str, tuple[object, ...]]] = []
    sa.event.listen(sqlite_database.engine, "before_cursor_execute", lambda *event: asked.append((event[2], event[3])))
    with sqlite_database.read() as session:
        unlisted_paper_ids(session, [1000])
        query, values = asked[-1]
        plan = session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {query}", values).fetchall()
    assert "ix_papers_unlisted" in " ".join(row[3] for row in plan)


def test_without_any_listed_paper_there_are_no_papers(database: Database) -> None:
    with database.write() as session:
        record_papers(
            session, [PaperRecord("T", "arxiv", external_id="t", published_at=LONG_AGO)], now=datetime.now(UTC)
        )
        assert has_papers(session)
        record_papers(session, [Deletion("t", "arxiv")], now=datetime.now(UTC) + timedelta(seconds=1))
        assert not has_papers(session)
