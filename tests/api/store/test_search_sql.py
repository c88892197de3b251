"""The plain search of titles that answers while there is no index."""

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from api.store.engine import Database
from api.store.search_query import Filters
from api.store.search_sql import plain_search
from api.store.tables import Paper, PaperCategory
from tests.api.feed_world import paper_row

DAY = datetime(2024, 5, 1, tzinfo=UTC)


@pytest.fixture
def papers(database: Database) -> Database:
    """Return a database with four papers, the last one deleted."""
    titles = ["Graph networks", "Deep graphs of 100%_networks", "Convexity", "Graph networks deleted"]
    changes: list[dict[str, object]] = [
        {},
        {"github_repo": "https://github.com/a/b", "organization": {"name": "lab", "fullname": "The Lab"}},
        {"withdrawn_at": DAY},
        {"deleted_at": DAY},
    ]
    with database.write() as session:
        for at, (title, change) in enumerate(zip(titles, changes, strict=True), start=1):
            row = paper_row(at, title=title, category="cs.LG", listed_at=DAY + timedelta(days=at))
            session.execute(sa.insert(Paper), [{**row, **change}])
        session.execute(sa.insert(PaperCategory), [{"category": "cs.LG", "paper_id": 2, "listed_at": DAY}])
    return database


@pytest.mark.parametrize(
    ("words", "filters", "paper_ids"),
    [
        (["graph"], Filters(), [2, 1]),
        (["NETWORKS", "deep"], Filters(), [2]),
        (["100%_"], Filters(), [2]),
        (["%"], Filters(), [2]),
        ([], Filters(), [3, 2, 1]),
        ([], Filters(without_withdrawn=True), [2, 1]),
        ([], Filters(categories=("cs.LG",)), [2]),
        ([], Filters(organizations=("the LAB",)), [2]),
        ([], Filters(with_code=True), [2]),
        ([], Filters(with_code=False), [3, 1]),
        ([], Filters(paper_ids=(1, 3)), [3, 1]),
        ([], Filters(listed_from=DAY + timedelta(days=2), listed_before=DAY + timedelta(days=3)), [2]),
        (["'; DROP TABLE papers"], Filters(), []),
    ],
)
def test_titles_with_all_words_are_found_the_newest_first(
    papers: Database, words: list[str], filters: Filters, paper_ids: list[int]
) -> None:
    with papers.read() as session:
        assert plain_search(session, words, filters, limit=10) == paper_ids
