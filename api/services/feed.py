"""A reader's list: built from their events, interests and the model, else from what everybody likes and what is new."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import numpy as np
from sqlalchemy.orm import Session

from api.runtime.serving import Served
from api.services.arranging import arrange, depth_of, followed_by_rest, policy_of, pool_size, seed_of
from api.services.blending import (
    CHOSEN_SHARE,
    alternate,
    crowd_entries,
    explored,
    favour_categories,
    unique,
    with_falling_scores,
)
from api.services.judging import event_weights
from api.services.reasons import evidence_of, explain, has_read
from api.services.trending import Board, read_board
from api.settings import read_settings
from api.store.events import hidden_paper_ids, load_interactions
from api.store.feed_codec import Entry, FeedList, Reason, ReasonKind, Source, list_of
from api.store.feeds import FeedStore
from api.store.list_state import stale_user_ids, write_list_seq
from api.store.paper_changes import existing_paper_ids
from api.store.papers import categories_of, latest_paper_ids, paper_ids_of
from api.store.users import load_user
from recommender.dataset import Profile, build_profile
from recommender.domain import Ids, RankedList
from recommender.rerank import Policy, truncate
from recommender.vocabulary import UNKNOWN_ROW

NOBODY: Final = 0  # the user id of lists that are the same for all readers
NO_VERSION: Final = ""  # of lists built without a model
CHOICE: Final = 3  # papers ranked per place of a list whose reader chose categories
MOST_OF_CATEGORIES: Final = 2000  # newest papers of chosen categories that fill their share of a list


@dataclass(frozen=True, slots=True)
class Taste:
    """What a list of one reader is built from."""

    user_id: int
    seq: int
    profile: Profile
    evidence: dict[int, ReasonKind]  # how each paper of the profile got there
    hidden: frozenset[int]
    categories: tuple[str, ...]
    has_read: bool = False


@dataclass(frozen=True, slots=True)
class _Offer:
    """What a personal list is made of, and how."""

    ranked: RankedList  # deeper than the list where the policy wants a choice
    pool: Ids  # new papers nobody has touched, the most fitting first
    policy: Policy
    now: datetime
    size: int


@dataclass(frozen=True, slots=True)
class Refreshed:
    """A list that stands in the cache, and when the last change happened that it includes."""

    feed: FeedList
    changed_at: datetime | None


def build_list(session: Session, served: Served | None, user_id: int, *, now: datetime, size: int) -> FeedList:
    """Return the reader's list as of the change `seq`, read before anything else."""
    return build_lists(session, served, [user_id], now=now, size=size)[0]


def build_lists(
    session: Session, served: Served | None, user_ids: Sequence[int], *, now: datetime, size: int
) -> list[FeedList]:
    """Return the lists of several readers, ranked together: cheaper than one by one."""
    tastes = [load_taste(session, user_id, now=now) for user_id in user_ids]
    settings = read_settings()
    policy = policy_of(settings)
    board = read_board(session, now=now, half_life_days=settings.trending_half_life_days)
    ranked = _rank(served, tastes, policy, size=size)
    pools = _pools(served, tastes, board.fresh, k=pool_size(policy, size=size))
    lists = []
    for taste, papers, pool in zip(tastes, ranked, pools, strict=True):
        offer = _Offer(papers, pool, policy, now, size)
        entries = [] if served is None else _personal(session, served, taste, offer)
        if len(entries) < size:
            entries += _crowd(session, board, taste, taken=entries, size=size)
        lists.append(
            list_of(
                with_falling_scores(entries[:size]),
                user_id=taste.user_id,
                version=NO_VERSION if served is None else served.version,
                seq=taste.seq,
                built_at=now,
                hidden=taste.hidden,
            )
        )
    return lists


def build_common_list(session: Session, *, categories: tuple[str, ...] = (), now: datetime, size: int) -> FeedList:
    """Return the list of nobody in particular: trending blended with latest."""
    board = read_board(session, now=now, half_life_days=read_settings().trending_half_life_days)
    taste = Taste(NOBODY, 0, _EMPTY_PROFILE, {}, frozenset(), categories)
    entries = with_falling_scores(_crowd(session, board, taste, taken=[], size=size))
    return list_of(entries, user_id=NOBODY, version=NO_VERSION, seq=0, built_at=now)


def refresh_feed(
    session: Session, feeds: FeedStore, served: Served | None, user_id: int, *, now: datetime
) -> Refreshed | None:
    """Write the reader's list as of now and return it; None without a cache to write it to.

    The caller notes it with `note_refreshed` in a transaction of its own, so that none is open for writing while a
    model works.
    """
    user = load_user(session, user_id)
    if user is None:
        return None
    seen = feeds.read_hidden(user_id)
    feed = build_list(session, served, user_id, now=now, size=read_settings().list_size)
    return Refreshed(feed, user.last_active_at) if feeds.write_list(feed, seen=seen) else None


def note_refreshed(session: Session, feed: FeedList) -> bool:
    """Note which change the written list includes; False when another version answers by now."""
    return write_list_seq(session, feed.user_id, seq=feed.seq, version=feed.version)


def find_stale(session: Session, *, after_user_id: int = 0, limit: int) -> list[int]:
    """Return readers whose list is older than their last change, ascending: what the sweep repairs."""
    return stale_user_ids(session, after_user_id=after_user_id, limit=limit)


def load_taste(session: Session, user_id: int, *, now: datetime) -> Taste:
    """Return what is known about a reader; the change it includes is read first, so that the list is never older."""
    user = load_user(session, user_id)
    stored = (user.interests if user is not None else None) or {}
    seq = 0 if user is None else user.last_seq
    interactions = load_interactions(session, user_id)
    seeds = np.array(sorted(paper_ids_of(session, stored.get("papers") or []).values()), dtype=np.int64)
    profile = build_profile(
        interactions,
        now=now.timestamp(),
        weights=event_weights(read_settings()),
        terms=tuple(stored.get("terms") or ()),
        seed_papers=seeds,
    )
    hidden = frozenset(hidden_paper_ids(session, user_id).tolist())
    categories = tuple(stored.get("categories") or ())
    evidence = evidence_of(interactions, seeds)
    return Taste(user_id, seq, profile, evidence, hidden, categories, has_read(interactions, profile))


_EMPTY_PROFILE: Final = Profile(np.empty(0, np.int64), np.empty(0, np.float32), np.empty(0, np.int64))
_NOTHING: Final = RankedList(np.empty(0, np.int64), np.empty(0, np.float32))


def _can_rank(served: Served, profile: Profile) -> bool:
    """True when the model knows at least one paper or there is a word to go by."""
    rows = served.model.papers.rows(profile.paper_ids)
    return bool((rows != UNKNOWN_ROW).any()) or any(term.strip() for term in profile.terms)


def _rank(served: Served | None, tastes: Sequence[Taste], policy: Policy, *, size: int) -> list[RankedList]:
    """The model's lists, empty for readers it has nothing to go by; deep enough for the policy to choose."""
    if served is None:
        return [_NOTHING] * len(tastes)
    known = [at for at, taste in enumerate(tastes) if _can_rank(served, taste.profile)]
    lists = [_NOTHING] * len(tastes)
    if known:
        depths = [size * CHOICE if tastes[at].categories else depth_of(policy, size=size) for at in known]
        exclude = [_hidden(tastes[at]) for at in known]
        ranked = served.model.recommend([tastes[at].profile for at in known], k=max(depths), exclude=exclude)
        for at, papers, depth in zip(known, ranked, depths, strict=True):
            lists[at] = truncate(papers, k=depth)
    return lists


def _pools(served: Served | None, tastes: Sequence[Taste], fresh: Sequence[int], *, k: int) -> list[Ids]:
    """New papers nobody has touched, the most fitting first; none for readers without a personal list."""
    known = [at for at, taste in enumerate(tastes) if served is not None and _can_rank(served, taste.profile)]
    pools = [_NOTHING.paper_ids for _ in tastes]
    if served is None or not fresh or not known or k == 0:
        return pools
    candidates = np.array(fresh, dtype=np.int64)
    exclude = [_hidden(tastes[at]) for at in known]
    profiles = [tastes[at].profile for at in known]
    ranked = served.model.recommend(profiles, k=k, exclude=exclude, candidates=candidates)
    for at, papers in zip(known, ranked, strict=True):
        pools[at] = papers.paper_ids
    return pools


def _hidden(taste: Taste) -> Ids:
    return np.array(sorted(taste.hidden), dtype=np.int64)


def _personal(session: Session, served: Served, taste: Taste, offer: _Offer) -> list[Entry]:
    """Ranked, arranged by the policy, with places that explore, each with its reason."""
    if len(offer.ranked) == 0:
        return []
    papers, pool = _still_there(session, offer)
    of_categories = [*papers.paper_ids.tolist(), *taste.profile.paper_ids.tolist()]
    picked = arrange(
        served.model,
        papers,
        offer.policy,
        k=offer.size,
        now=offer.now,
        hidden=_hidden(taste),
        profile=taste.profile,
        categories=categories_of(session, of_categories) if offer.policy.category_calibration else {},
    )
    if taste.categories:  # their share is filled also with papers that the policy passed over
        picked = followed_by_rest(picked, papers)
    entries = _in_categories(session, served, taste, picked, size=offer.size)
    seed = seed_of(taste.user_id, seq=taste.seq, version=served.version)
    entries = explored(entries, pool, share=offer.policy.exploration_share, k=offer.size, seed=seed)
    personal = [entry.paper_id for entry in entries if entry.source is Source.PERSONAL]
    reasons = explain(served.model, taste.profile, taste.evidence, personal)
    return [Entry(e.paper_id, e.score, e.source, reasons.get(e.paper_id, e.reason)) for e in entries]


def _still_there(session: Session, offer: _Offer) -> tuple[RankedList, Ids]:
    """The ranked papers and the pool without what was removed since the model learned of it."""
    there = existing_paper_ids(session, [*offer.ranked.paper_ids.tolist(), *offer.pool.tolist()])
    is_there = [paper_id in there for paper_id in offer.ranked.paper_ids.tolist()]
    ranked = RankedList(offer.ranked.paper_ids[is_there], offer.ranked.scores[is_there])
    return ranked, offer.pool[[paper_id in there for paper_id in offer.pool.tolist()]]


def _in_categories(session: Session, served: Served, taste: Taste, ranked: RankedList, *, size: int) -> list[Entry]:
    """The ranked papers as entries; chosen categories get their share of the places, from their newest if need be."""
    papers = list(zip(ranked.paper_ids.tolist(), ranked.scores.tolist(), strict=True))
    wanted = set(taste.categories)
    inside: set[int] = set()
    if wanted:
        inside = _inside(session, [paper_id for paper_id, _ in papers], wanted=wanted)
        if len(inside) < CHOSEN_SHARE * size:
            newest = latest_paper_ids(session, categories=taste.categories, limit=MOST_OF_CATEGORIES)
            candidates = np.array([paper_id for paper_id, _ in newest if paper_id not in inside], dtype=np.int64)
            exclude = [np.array(sorted(taste.hidden), dtype=np.int64)]
            [more] = served.model.recommend([taste.profile], k=size, exclude=exclude, candidates=candidates)
            papers += zip(more.paper_ids.tolist(), more.scores.tolist(), strict=True)
            inside.update(more.paper_ids.tolist())
    reason = Reason(ReasonKind.TASTE, text="" if taste.has_read else "your interests")
    entries = [Entry(paper_id, score, Source.PERSONAL, reason) for paper_id, score in papers]
    return favour_categories(entries, chosen=[entry.paper_id in inside for entry in entries]) if wanted else entries


def _inside(session: Session, paper_ids: list[int], *, wanted: set[str]) -> set[int]:
    found = categories_of(session, paper_ids)
    return {paper_id for paper_id, has in found.items() if not wanted.isdisjoint(has)}


def _crowd(session: Session, board: Board, taste: Taste, *, taken: Sequence[Entry], size: int) -> list[Entry]:
    """Trending blended with latest, within the reader's categories if any, for the places that are still free."""
    free = size - len(taken)
    without = {entry.paper_id for entry in taken}.union(taste.hidden, taste.profile.paper_ids.tolist())
    trending = [paper_id for paper_id, _ in board.trending("week", categories=taste.categories)]
    more = free + len(without)
    latest = [paper_id for paper_id, _ in latest_paper_ids(session, categories=taste.categories, limit=more)]
    reasons = _category_reasons(board, trending, taste.categories)
    best = taken[-1].score if taken else 1.0
    entries = alternate(
        crowd_entries(trending, source=Source.TRENDING, best=best, reasons=reasons),
        crowd_entries(latest, source=Source.LATEST, best=best, reasons=_newness(latest, taste.categories)),
    )
    return unique(entries, without=without, limit=free)


def _category_reasons(board: Board, papers: Sequence[int], wanted: tuple[str, ...]) -> dict[int, Reason]:
    """`trending in` the chosen category that a paper has, else in its first one."""
    reasons = {}
    for paper_id in papers:
        has = board.categories.get(paper_id) or [""]
        named = next((category for category in wanted if category in has), has[0])
        reasons[paper_id] = Reason(ReasonKind.TRENDING, text=named)
    return reasons


def _newness(papers: Sequence[int], wanted: tuple[str, ...]) -> dict[int, Reason]:
    return dict.fromkeys(papers, Reason(ReasonKind.NEW, text="your categories")) if wanted else {}
