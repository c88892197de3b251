"""A paper's own page in values that its template puts in place."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from api.routes.hub_markdown import WEB
from api.schemas.papers import arxiv_page
from api.services.mathematics import with_math
from api.services.paper_pages import Arrival, PaperPage
from api.store.feed_codec import Source
from api.store.tables import Paper

AUTHORS_AT_ONCE: Final = 25  # others open on demand: collaborations have thousands
MOST_AUTHORS: Final = 500  # names on a page; the markdown has them all
ARXIV_PAGE: Final = "https://arxiv.org/abs/"
ARXIV_PDF: Final = "https://arxiv.org/pdf/"
DOI: Final = "https://doi.org/"
_SOURCES: Final[Mapping[Source, str]] = {
    Source.PERSONAL: "ranked for its reader",
    Source.FRESH: "as a new paper to try",
    Source.TRENDING: "as trending",
    Source.LATEST: "as new",
}

Link = tuple[str, str]  # words and address


@dataclass(frozen=True, slots=True)
class PaperView:
    """What the page shows beside comments and similar papers; texts that end in _html are safe as they stand."""

    name: str  # external id
    path: str  # of the page
    title: str
    title_html: str
    summary_html: str
    ai_summary_html: str
    authors: tuple[Link, ...]
    more_authors: tuple[Link, ...]
    uncounted: int  # authors who are not named
    organization: Link | None
    categories: tuple[Link, ...]
    keywords: tuple[Link, ...]
    links: tuple[Link, ...]
    day: Link | None  # of the daily list
    facts: tuple[Link, ...]  # names and values, as text
    is_saved: bool
    is_upvoted: bool


def view_of(page: PaperPage, *, is_saved: bool, is_upvoted: bool) -> PaperView:
    """Return what the page of a paper shows."""
    paper = page.paper
    people = [(name, f"/authors/{_part(name)}") for name in paper.authors[:MOST_AUTHORS]]
    known = len(paper.authors) or paper.num_authors or 0
    listed = paper.daily_at
    return PaperView(
        name=paper.external_id,
        path=f"/papers/{quote(paper.external_id, safe='/')}",
        title=paper.title,
        title_html=with_math(paper.title),
        summary_html=with_math(paper.summary or ""),
        ai_summary_html=with_math(paper.ai_summary or ""),
        authors=tuple(people[:AUTHORS_AT_ONCE]),
        more_authors=tuple(people[AUTHORS_AT_ONCE:]),
        uncounted=max(known - len(people), 0),
        organization=_organization(paper),
        categories=tuple((name, f"/categories/{_part(name)}") for name in paper.categories),
        keywords=tuple((word, f"/search?q={quote(word, safe='')}") for word in paper.keywords),
        links=_links(paper),
        day=(f"{listed:%Y-%m-%d}", f"/papers/date/{listed:%Y-%m-%d}") if listed else None,
        facts=_facts(paper, submitter=page.submitter),
        is_saved=is_saved,
        is_upvoted=is_upvoted,
    )


def tell_arrival(arrival: Arrival) -> str:
    """Return how a list outside the site showed the paper, as a sentence."""
    shown = arrival.shown
    day = f"{arrival.shown_at:%Y-%m-%d}"
    return f"place {shown.position} of a list of {day}, {_SOURCES[shown.source]}"


def _organization(paper: Paper) -> Link | None:
    organization = paper.organization or {}
    name = organization.get("name") or organization.get("fullname")
    if not name:
        return None
    return (organization.get("fullname") or name, f"/organizations/{_part(name)}")


def _links(paper: Paper) -> tuple[Link, ...]:
    """Addresses elsewhere; what is no web address is none."""
    at_arxiv = arxiv_page(paper)
    stars = f" ({paper.github_stars} stars)" if paper.github_stars else ""
    found = {
        "arXiv": at_arxiv,
        "PDF": at_arxiv and ARXIV_PDF + at_arxiv.removeprefix(ARXIV_PAGE),
        f"Code{stars}": paper.github_repo,
        "Project": paper.project_page,
        "DOI": paper.doi and DOI + quote(paper.doi, safe="/"),
    }
    return tuple((words, address) for words, address in found.items() if address and address.startswith(WEB))


def _facts(paper: Paper, *, submitter: str | None) -> tuple[Link, ...]:
    published, revised = paper.published_at, paper.revised_at
    version = f", version {paper.version}" if paper.version else ""
    found = {
        "Published": f"{published:%Y-%m-%d}" if published else None,
        "Revised": f"{revised:%Y-%m-%d}{version}" if revised and revised != published else None,
        "Journal": paper.journal_ref,
        "Cited": f"{paper.citations} times" if paper.citations else None,
        "Submitted by": submitter,
    }
    return tuple((name, value) for name, value in found.items() if value)


def _part(name: str) -> str:
    return quote(name, safe="")
