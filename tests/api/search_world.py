"""Small indexes for tests."""

from collections.abc import Iterable, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa

from api.runtime.search_follow import SearchFollower
from api.store.engine import Database
from api.store.search_documents import PaperDocument
from api.store.search_index import Hits, SearchIndex
from api.store.search_query import Everything, Filters, Node, Order, SearchQuery
from api.store.search_writer import SearchWriter
from api.store.tables import Paper
from tests.api.feed_world import LONG_AGO, paper_row

DAY_S = 86_400
FIRST_DAY = datetime(2024, 1, 1, tzinfo=UTC)


def document(
    paper_id: int,
    title: str,
    *,
    summary: str = "",
    authors: Sequence[str] = (),
    categories: Sequence[str] = ("cs.AI",),
    organization: str = "",
    has_code: bool = False,
    is_withdrawn: bool = False,
    upvotes: int = 0,
    updated_us: int = 1,
) -> PaperDocument:
    """Return a paper listed `paper_id` days after the first day of 2024."""
    listed = int(FIRST_DAY.timestamp()) + paper_id * DAY_S
    return PaperDocument(
        paper_id=paper_id,
        external_id=f"2401.{paper_id:05d}",
        title=title,
        summary=summary,
        keywords=(),
        authors=tuple(authors),
        categories=tuple(categories),
        organization_name=organization,
        organization_fullname=f"The {organization}" if organization else "",
        has_code=has_code,
        is_withdrawn=is_withdrawn,
        upvotes=upvotes,
        updated_us=updated_us,
        listed_s=listed,
        published_s=listed,
        daily_s=None,
        year=2024,
    )


def write_index(path: Path, papers: Iterable[PaperDocument]) -> Path:
    """Make an index of these papers and return its path."""
    writer = SearchWriter.open(path)
    writer.add(papers, are_new=True)
    writer.commit()
    writer.close()
    return path


def find(
    index: SearchIndex, node: Node, *, filters: Filters | None = None, order: Order = "relevance", limit: int = 20
) -> Hits:
    """Return what matches."""
    return index.search(SearchQuery(node, filters or Filters(), order), limit=limit)


ALL = SearchQuery(Everything())


def write(database: Database, *paper_ids: int, at: datetime = LONG_AGO, title: str = "Title") -> None:
    """Write papers with their numbers in their titles."""
    rows = [
        {**paper_row(number, title=f"{title} {number}", category="cs.IR", listed_at=LONG_AGO), "updated_at": at}
        for number in paper_ids
    ]
    with database.write() as session:
        session.execute(sa.insert(Paper), rows)


def change(database: Database, paper_id: int, **values: object) -> None:
    """Change a paper as a source does."""
    with database.write() as session:
        session.execute(
            sa.update(Paper).where(Paper.paper_id == paper_id).values(**{"updated_at": datetime.now(UTC), **values})
        )


def settle(follower: SearchFollower) -> None:
    """Poll until there is nothing more to do at once."""
    while follower.poll():
        pass
    follower.poll()


def found(follower: SearchFollower, query: SearchQuery = ALL) -> list[int]:
    """Return what a search finds."""
    return sorted(follower.search(query, limit=100).paper_ids)


def is_new(follower: SearchFollower, before: Path) -> bool:
    """True when another generation answers."""
    return follower.current is not None and follower.current.path != before


def wait_until_due(follower: SearchFollower, *works: str) -> None:
    """Let periodic work be due now, and a rest after a failure be over."""
    follower._writes_after = 0.0
    for work in works:
        follower._keeper._due[work] = 0.0


def closing_follower(database: Database, folder: Path) -> "closing[ClosingFollower]":
    """Return another process's follower."""
    return closing(ClosingFollower(database, folder))


class ClosingFollower(SearchFollower):
    """A follower that stops when it is closed."""

    def close(self) -> None:
        """Stop it."""
        self.stop()
