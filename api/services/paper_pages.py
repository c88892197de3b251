"""What a paper's own page shows of it: the paper, its votes, what is said about it, why its visitor got to see it."""

import secrets
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from sqlalchemy.orm import Session

from api.errors import NotFound
from api.ids import normalised_id
from api.runtime.keys import KeyRing
from api.services.bibliography import write_bibtex
from api.services.citing import reference_of
from api.services.comments import ShownComment, Writer, read_thread
from api.services.feed_places import cut, open_list
from api.services.listings import find_paper
from api.services.slates import Shown, open_slate, write_slate
from api.services.submitting import READERS
from api.store.comments import find_commented_paper, load_commented_papers
from api.store.feed_codec import Entry, FeedList, Reason, ReasonKind, Source, list_of
from api.store.packed_list import packed
from api.store.submissions import find_submitter
from api.store.tables import Paper
from api.store.votes import count_upvotes

LONGEST_SLATE: Final = 4_096  # characters of a token: 255 papers take about 2,000


@dataclass(frozen=True, slots=True)
class PaperPage:
    """A paper with everything that readers of this service have said about it."""

    paper: Paper
    votes: int  # at its source and here
    comments: int  # the same
    thread: tuple[ShownComment, ...]
    submitter: str | None  # who put it into the daily list, at its source or here


@dataclass(frozen=True, slots=True)
class Arrival:
    """A list that led here: its token, and where it showed the paper."""

    slate: str
    shown: Shown
    user_id: int
    shown_at: datetime


def read_paper_page(session: Session, name: str, *, writer: Writer | None) -> PaperPage:
    """Return a paper by any form of its id; raises NotFound, also for one that its source has removed."""
    paper, comments = find_shown_paper(session, name)
    paper_id = paper.paper_id
    votes = paper.upvotes + count_upvotes(session, [paper_id]).get(paper_id, 0)
    thread = read_thread(session, paper_id, writer=writer)
    submitter = paper.submitted_by or (find_submitter(session, paper.external_id) if _is_from_readers(paper) else None)
    return PaperPage(paper, votes, paper.num_comments + comments, thread, submitter)


def find_shown_paper(session: Session, name: str) -> tuple[Paper, int]:
    """Return a paper and the number of comments on it here; one statement where the id is the one that is stored."""
    try:
        external_id = normalised_id(name)
    except ValueError:
        raise NotFound(f"there is no paper {name!r}", paper_id=name) from None
    found = find_commented_paper(session, external_id)
    if found is None:  # under another id, or not at all
        paper_id = find_paper(session, external_id)
        found = load_commented_papers(session, [paper_id]).get(paper_id)
    if found is None:  # removed between two statements
        raise NotFound(f"there is no paper {external_id!r}", paper_id=external_id)
    return found


def read_arrival(keys: KeyRing, token: str, paper_id: int, *, now: datetime, days: int) -> Arrival | None:
    """Return what a token in an address says of the paper, None for one that does not count or shows others."""
    if not token or len(token) > LONGEST_SLATE:
        return None
    slate = open_slate(keys, token, now=now, days=days)
    if isinstance(slate, str):
        return None
    shown = slate.papers.get(paper_id)
    return None if shown is None else Arrival(token, shown, slate.user_id, slate.shown_at)


def write_page_slate(keys: KeyRing, paper_id: int, *, user_id: int, variant: str, now: datetime) -> str:
    """Return the slate of a page that shows one paper because it was asked for: how long it is read counts."""
    entry = Entry(paper_id, 0.0, Source.LATEST, Reason(ReasonKind.NEW))
    shown = packed(list_of([entry], user_id=user_id, version="", seq=0, built_at=now))
    place = open_list(shown, slate_id=secrets.token_bytes(8), has_tail=False)
    page, _ = cut(place, hidden=(), limit=1)
    return write_slate(keys, page, user_id=user_id, variant=variant, now=now)


def reason_in(feed: FeedList | None, paper_id: int) -> Reason | None:
    """Return why a reader's list has a paper, None where it has not."""
    if feed is None:
        return None
    if paper_id in feed.pool:
        return Reason(ReasonKind.NEW)
    return feed.reason(feed.paper_ids.index(paper_id)) if paper_id in feed.paper_ids else None


def _is_from_readers(paper: Paper) -> bool:
    return (paper.provenance or {}).get("daily_at") == READERS


def bibtex_of(paper: Paper) -> str:
    """Return a paper's entry for BibTeX, without its abstract."""
    return "".join(write_bibtex([replace(reference_of(paper), abstract="")])).strip() + "\n"
