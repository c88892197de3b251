"""Papers as cards: what every list of the site shows of one, and what the visitor has said about it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote

import orjson
from sqlalchemy.orm import Session

from api.routes.site.last_visit import Moment
from api.routes.site.visiting import Visit
from api.routes.site.words import clip
from api.runtime.state import Runtime
from api.services.mathematics import with_math
from api.store.paper_marks import Marks, load_marks
from api.store.votes import count_upvotes

MOST_NAMES: Final = 3  # authors named on a card
CARD_TEMPLATE: Final = "site/_card_body.html"  # as `_card.html` writes one
LONGEST_SUMMARY: Final = 280  # characters: twenty cards stay a small page, the paper's own page has it all


@dataclass(frozen=True, slots=True)
class Shown:
    """A paper that a list shows, and why; `paper` is what the API says of it."""

    paper: Mapping[str, Any]
    paper_id: int | None = None  # internal, where it is known: papers that came since the last visit are marked by it
    source: str | None = None
    reason: str | None = None
    highlights: tuple[str, ...] = ()  # passages that match a search, as HTML
    votes: int = 0  # of this service's readers, beside the ones at the source


@dataclass(frozen=True, slots=True)
class CardView:
    """One paper on a page; equal ones look the same for every visitor."""

    paper_id: str  # external
    title_html: str
    byline: tuple[tuple[str, str | None], ...]  # names, and the addresses of their pages
    day: str | None
    votes: int
    comments: int
    has_code: bool
    source: str | None
    reason: str | None
    summary: str  # HTML
    is_demonstration: bool
    is_saved: bool = False
    is_upvoted: bool = False
    is_dismissed: bool = False
    is_new: bool = False
    highlights: tuple[str, ...] = ()
    href: str = ""


def card_views(runtime: Runtime, shown: Sequence[Shown | int], visit: Visit) -> list[CardView]:
    """Return cards of papers, or of internal ids, in this order; papers that are gone are left out.

    One SQL statement for their votes, one for what the visitor has said if they have done anything; papers come from
    the memo.
    """
    items = _with_papers(runtime, shown)
    if not items:
        return []
    with runtime.db.read() as session:
        votes = count_upvotes(session, [item.paper_id for item in items if item.paper_id is not None])
        marks = _load_marks(session, [item.paper["id"] for item in items], visit)
    items = [replace(item, votes=votes.get(item.paper_id or 0, 0)) for item in items]
    return [make_card(item, marks, visit) for item in items]


def read_marks(runtime: Runtime, external_ids: Sequence[str], visit: Visit) -> Marks:
    """Return what the visitor has said about papers; no SQL for one who has done nothing."""
    if visit.user_id is None:
        return Marks()
    with runtime.db.read() as session:
        return _load_marks(session, external_ids, visit)


def make_card(item: Shown, marks: Marks, visit: Visit | None = None) -> CardView:
    """Return one card; the same paper with the same marks gives an equal one. Without a visit, nothing is new."""
    paper = item.paper
    name = paper["id"]
    at = paper["daily_at"] or paper["published_at"]
    return CardView(
        paper_id=name,
        title_html=with_math(paper["title"]),
        byline=byline(paper),
        day=at[:10] if at else None,
        votes=paper["upvotes"] + item.votes,
        comments=paper["num_comments"],
        has_code=bool(paper["github_repo"]),
        source=item.source,
        reason=item.reason,
        summary=with_math(clip(paper["ai_summary"] or paper["summary"] or "", length=LONGEST_SUMMARY)),
        is_demonstration=paper["demonstration"],
        is_saved=name in marks.saved,
        is_upvoted=name in marks.upvoted,
        is_dismissed=name in marks.dismissed,
        is_new=visit is not None and is_new(item, visit.since),
        highlights=item.highlights,
        href=paper_path(name),
    )


def is_new(item: Shown, since: Moment | None) -> bool:
    """True for a paper that came, or entered a daily list, since a visitor was here before."""
    if since is None:
        return False
    if item.paper_id is not None and item.paper_id > since.newest_paper_id:
        return True
    listed = item.paper["daily_at"]
    return listed is not None and datetime.fromisoformat(listed) > since.at


def byline(paper: Mapping[str, Any]) -> tuple[tuple[str, str | None], ...]:
    """Return who wrote a paper, as far as a card names them, with the addresses of their pages."""
    names = paper["authors"][:MOST_NAMES]
    count = paper["num_authors"] or 0
    if names:
        more = count - len(names)
        linked = tuple((name, f"/authors/{quote(name, safe='')}") for name in names)
        return (*linked, (f"{more} more", None)) if more > 0 else linked
    organisation = paper["organization"] or {}
    if organisation.get("name"):
        shown = organisation.get("fullname") or organisation["name"]
        return ((shown, f"/organizations/{quote(organisation['name'], safe='')}"),)
    return ((f"{count} authors", None),) if count else ()


def paper_path(external_id: str) -> str:
    """Return the address of a paper's page."""
    return f"/papers/{quote(external_id, safe='/')}"


def _load_marks(session: Session, external_ids: Sequence[str], visit: Visit) -> Marks:
    return Marks() if visit.user_id is None else load_marks(session, visit.user_id, external_ids)


def _with_papers(runtime: Runtime, shown: Sequence[Shown | int]) -> list[Shown]:
    wanted = [item for item in shown if isinstance(item, int)]
    papers = runtime.papers.get_many(wanted) if wanted else {}
    found = []
    for item in shown:
        if isinstance(item, Shown):
            found.append(item)
        elif item in papers:
            found.append(Shown(orjson.loads(papers[item]), paper_id=item))
    return found
