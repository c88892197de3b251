"""Whether a slate is what its list gives when it is worked out again."""

from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy.orm import Session

from api.services.feed import NOBODY
from api.services.feed_places import cut, open_list
from api.services.slates import Shown, Slate
from api.store.feed_codec import FeedList
from api.store.packed_list import packed
from api.store.papers import load_papers
from api.store.users import load_user
from recommender.slate_randomisation import Randomisation


class Verdict(StrEnum):
    """What working a slate out again has shown."""

    SAME = "the cached list gives the same page"
    DIFFERENT = "the cached list gives another page: papers were hidden since, or settings have changed"
    REBUILT = "the list was built anew since, so the page cannot be worked out again"
    GONE = "the list is not in the cache, so the page cannot be worked out again"


@dataclass(frozen=True, slots=True)
class Named:
    """A slate in names: what it says about whom and which papers, None for those that are gone."""

    external_user: str | None
    papers: list[tuple[str | None, Shown]]


def check_slate(slate: Slate, feed: FeedList | None, randomisation: Randomisation) -> Verdict:
    """Work the page out again from the reader's cached list, with what was hidden when it was shown."""
    if feed is None:
        return Verdict.GONE
    if feed.built_at > slate.shown_at:
        return Verdict.REBUILT
    hidden = feed.hidden.difference(slate.papers)  # what the page showed was not hidden then
    slate_id = bytes.fromhex(slate.slate_id)
    place = open_list(packed(feed), slate_id=slate_id, hidden=hidden, randomisation=randomisation)
    page, _ = cut(place, hidden=(), limit=len(place.shuffle()))
    shown = {
        paper_id: Shown(at, source, chance)
        for at, (paper_id, source, chance) in enumerate(
            zip(page.paper_ids, page.sources, page.propensities, strict=True), start=1
        )
    }
    is_same = all(shown.get(paper_id) == said for paper_id, said in slate.papers.items())
    return Verdict.SAME if is_same else Verdict.DIFFERENT


def name_slate(session: Session, slate: Slate) -> Named:
    """Return the slate with the names that clients know its reader and papers by."""
    user = None if slate.user_id == NOBODY else load_user(session, slate.user_id)
    rows = load_papers(session, list(slate.papers))
    names = {paper_id: row.external_id for paper_id, row in rows.items()}
    papers = [(names.get(paper_id), shown) for paper_id, shown in slate.papers.items()]
    return Named(None if user is None else user.external_id, papers)
