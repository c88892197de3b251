"""What one issue of a digest shows: the feed's own ranking of what is new, without what was mailed before."""

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy.orm import Session

from api.runtime.keys import KeyRing
from api.runtime.serving import Served
from api.services.digest_times import DAILY
from api.services.feed import NO_VERSION, NOBODY
from api.services.feed_pages import open_filtered
from api.services.feed_places import AS_RANKED, Filters, Page, cut, open_list
from api.services.feed_reading import build_for_reader
from api.services.muting import muted_paper_ids
from api.services.reasons import named_papers, tell
from api.services.slates import write_slate
from api.services.trending import read_board
from api.settings import Settings
from api.store.digests import last_mailed_at, mailed_paper_ids
from api.store.feed_codec import Entry, FeedList, Reason, ReasonKind, Source, list_of
from api.store.packed_list import packed
from api.store.papers import load_papers
from api.store.tables import Paper
from api.store.tables_mails import Digest
from recommender.slate_randomisation import SLATE_ID_BYTES, Randomisation

# Weekends have no lists, and sources are late: what was mailed is left out anyway, so a span may reach back further.
DAYS_NEW: Final = {DAILY: 4, "weekly": 10}
HIGH_PLACES: Final = 3  # places of what is trending per paper of an issue: what rises into them is news
MOST_CUTS: Final = 5  # because papers of the list have been removed
NO_DIGEST: Final = 0  # the number of a digest that is only looked at


@dataclass(frozen=True, slots=True)
class Subject:
    """Whose issue of when it is."""

    digest_id: int
    user_id: int | None  # None: what is trending, for an address without a reader
    cadence: str
    period: str
    secret: str = ""

    @classmethod
    def of(cls, digest: Digest, *, period: str) -> "Subject":
        """Return the subject of an issue of this digest."""
        return cls(digest.digest_id, digest.user_id, digest.cadence, period, digest.secret)


@dataclass(frozen=True, slots=True)
class Issue:
    """The papers of an issue in their order, each with why it is there, and the slate that says so."""

    papers: tuple[Paper, ...]
    reasons: tuple[str, ...]
    slate: str  # "" for an issue without papers

    @property
    def paper_ids(self) -> list[int]:
        """The papers' numbers."""
        return [paper.paper_id for paper in self.papers]


def choose_issue(
    session: Session, served: Served | None, keys: KeyRing, settings: Settings, subject: Subject, *, now: datetime
) -> Issue:
    """Return the next issue, empty where nothing is new; the same papers in the same places whenever it is asked."""
    mailed = mailed_paper_ids(session, subject.digest_id)
    reader = NOBODY if subject.user_id is None else subject.user_id
    page = (
        _trending_page(session, settings, subject, mailed=mailed, now=now)
        if subject.user_id is None
        else _personal_page(session, served, settings, subject, mailed=mailed, now=now)
    )
    if not len(page):
        return Issue((), (), "")
    rows = load_papers(session, named_papers(page.reasons).union(page.paper_ids))
    if subject.user_id is not None and not _has_news(session, subject, [rows[at] for at in page.paper_ids]):
        return Issue((), (), "")
    titles = {paper_id: row.title for paper_id, row in rows.items()}
    return Issue(
        tuple(rows[paper_id] for paper_id in page.paper_ids),
        tuple(tell(reason, titles) for reason in page.reasons),
        write_slate(keys, page, user_id=reader, variant=settings.variant, now=now),
    )


def _personal_page(
    session: Session,
    served: Served | None,
    settings: Settings,
    subject: Subject,
    *,
    mailed: Collection[int],
    now: datetime,
) -> Page:
    """The first page of `GET /v1/feed?since=...` without what was mailed."""
    user_id = subject.user_id or NOBODY
    feed = build_for_reader(session, served, user_id, now=now)
    since = now - timedelta(days=DAYS_NEW[subject.cadence])
    place = open_filtered(
        session,
        packed(feed),
        Filters(since=since),
        exclude=frozenset(mailed),
        hidden=feed.hidden,
        randomisation=_chance(settings, feed),
        slate_id=_slate_id(subject),
        now=now,
    )
    hidden = set(feed.hidden) | muted_paper_ids(session, subject.user_id, place.frozen.paper_ids)
    for _ in range(MOST_CUTS):
        page, _following = cut(place, hidden=hidden, limit=settings.digest_papers)
        gone = set(page.paper_ids) - load_papers(session, page.paper_ids).keys()
        if not gone:
            return page
        hidden |= gone
    return page.without(gone)


def _has_news(session: Session, subject: Subject, papers: Sequence[Paper]) -> bool:
    """True when a paper came since the last issue: what was left over from it goes along, but is no reason to write."""
    last = last_mailed_at(session, subject.digest_id)
    return last is None or any(paper.created_at > last for paper in papers)


def _trending_page(
    session: Session, settings: Settings, subject: Subject, *, mailed: Collection[int], now: datetime
) -> Page:
    """What is trending this week and was not mailed: no chance and no model places it."""
    board = read_board(session, now=now, half_life_days=settings.trending_half_life_days)
    highest = board.trending("week")[: HIGH_PLACES * settings.digest_papers]
    ranked = [(paper_id, score) for paper_id, score in highest if paper_id not in mailed]
    there = load_papers(session, [paper_id for paper_id, _ in ranked])
    since = now - timedelta(days=DAYS_NEW["weekly"])
    entries = [
        Entry(paper_id, score, Source.TRENDING, Reason(ReasonKind.TRENDING))
        for paper_id, score in ranked
        if paper_id in there and there[paper_id].withdrawn_at is None and there[paper_id].listed_at >= since
    ]
    frozen = list_of(
        entries[: settings.digest_papers], user_id=NOBODY, version=NO_VERSION, seq=0, built_at=board.built_at
    )
    place = open_list(packed(frozen), slate_id=_slate_id(subject), has_tail=False)
    page, _following = cut(place, hidden=(), limit=settings.digest_papers)
    return page


def _chance(settings: Settings, feed: FeedList) -> Randomisation:
    """How chance arranges a list, as on the page of the feed."""
    if feed.version == NO_VERSION:
        return AS_RANKED
    return Randomisation(settings.swap_probability, settings.exploration_share)


def _slate_id(subject: Subject) -> bytes:
    """The same for every look at one issue: the preview shows what will be sent, chance included."""
    said = f"{subject.digest_id}\0{subject.secret}\0{subject.period}"
    return hashlib.sha256(said.encode()).digest()[:SLATE_ID_BYTES]
