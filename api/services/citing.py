"""A stored paper as bibliographies tell of it."""

from datetime import datetime

from api.schemas.papers import arxiv_page
from api.services.bibliography import Reference
from api.services.bibliography.reference import LONGEST_ABSTRACT
from api.store.tables import Paper


def reference_of(
    paper: Paper, *, tags: tuple[str, ...] = (), note: str = "", saved_at: datetime | None = None
) -> Reference:
    """Return what is cited of a paper, with what a reader wrote about it; papers without an id go by their title."""
    return Reference(
        title=paper.title,
        paper_id=None if paper.id_from_title else paper.external_id,
        doi=paper.doi,
        authors=tuple(paper.authors),
        published=f"{paper.published_at:%Y-%m-%d}" if paper.published_at else "",
        venue=paper.journal_ref or "",
        url=arxiv_page(paper) or "",
        abstract=paper.summary[:LONGEST_ABSTRACT],
        category=paper.categories[0] if paper.categories else "",
        tags=tags,
        note=note,
        saved_at=saved_at,
    )
