"""A reader's list: built from their events, interests and the model, else from what everybody likes and what is new."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

import numpy as np
from sqlalchemy.orm import Session

from api.runtime.serving import Served
from api.services.arranging import (
    DEPTH,
    arrange,
    depth_of,
    followed_by_rest,
    policy_of,
    pool_size,
    without_alike,
)
from api.services.blending import (
    CHOSEN_SHARE,
    HIGH_PLACES,
    alternate,
    crowd_entries,
    favour_categories,
    separated,
    unique,
    with_falling_scores,
)
from api.services.muting import NOTHING_MUTED, Rules, muted_among, muted_of
from api.services.reasons import explain
from api.services.tastes import Taste, load_tastes
from api.services.trending import Board, read_board
from api.settings import read_settings
from api.store.feed_codec import Entry, FeedList, Reason, ReasonKind, Source, list_of
from api.store.paper_changes import unlisted_paper_ids
from api.store.papers import categories_of, latest_paper_ids
from api.store.taste_rows import PaperWords, load_paper_words
from recommender.dataset import Profile
from recommender.domain import Ask, Ids, RankedList
from recommender.rerank import Policy, drop, truncate
from recommender.vocabulary import UNKNOWN_ROW

NOBODY: Final = 0  # the user id of lists that are the same for all readers
NO_VERSION: Final = ""  # of lists built without a model
CHOICE: Final = 3  # papers looked at per place of a list whose reader chose or muted something
MOST_OF_CATEGORIES: Final = 2000  # newest papers of chosen categories that fill their share of a list


@dataclass(frozen=True, slots=True)
class _Offer:
    """What a personal list is made of, and how."""

    ranked: RankedList  # deeper than the list where the policy wants a choice
    pool: Ids  # new papers nobody has touched, the most fitting first
    policy: Policy
    now: datetime
    size: int
    news: int  # papers that the pool ends up with, where there are as many


def build_list(session: Session, served: Served | None, user_id: int, *, now: datetime, size: int) -> FeedList:
    """Return the reader's list as of the change `seq`, read before anything else."""
    return build_lists(session, served, [user_id], now=now, size=size)[0]


def build_lists(
    session: Session, served: Served | None, user_ids: Sequence[int], *, now: datetime, size: int
) -> list[FeedList]:
    """Return the lists of several readers, ranked together: cheaper than one by one."""
    tastes = load_tastes(session, user_ids, now=now)
    settings = read_settings()
    policy = policy_of(settings)
    board = read_board(session, now=now, half_life_days=settings.trending_half_life_days)
    news = pool_size(policy, size=size)
    ranked, pools = _rank(served, tastes, board.fresh, policy, size=size)
    ranked, pools = _still_there(session, ranked, pools)
    words = _words_of_muters(session, tastes, ranked, pools)
    lists = []
    for taste, papers, pool in zip(tastes, ranked, pools, strict=True):
        muted = muted_of(taste.muted, words, [*papers.paper_ids.tolist(), *pool.tolist()])
        offer = _Offer(drop(papers, muted), pool[~np.isin(pool, muted)], policy, now, size, news)
        entries, drawable = ([], []) if served is None else _personal(session, served, taste, offer)
        if len(entries) < size:
            entries += _crowd(session, board, taste, taken=entries, size=size, without=drawable)
        built = list_of(
            with_falling_scores(entries[:size]),
            user_id=taste.user_id,
            version=NO_VERSION if served is None else served.version,
            seq=taste.seq,
            built_at=now,
            hidden=taste.hidden,
            pool=drawable,
        )
        lists.append(built if taste.muted.is_empty else replace(built, is_muting=True))
    return lists


def build_common_list(
    session: Session,
    *,
    categories: tuple[str, ...] = (),
    muted: Rules = NOTHING_MUTED,
    now: datetime,
    size: int,
) -> FeedList:
    """Return the list of nobody in particular: trending blended with latest."""
    board = read_board(session, now=now, half_life_days=read_settings().trending_half_life_days)
    taste = Taste(NOBODY, 0, _EMPTY_PROFILE, {}, frozenset(), categories, muted=muted)
    entries = with_falling_scores(_crowd(session, board, taste, taken=[], size=size))
    return list_of(entries, user_id=NOBODY, version=NO_VERSION, seq=0, built_at=now)


_EMPTY_PROFILE: Final = Profile(np.empty(0, np.int64), np.empty(0, np.float32), np.empty(0, np.int64))
_NOTHING: Final = RankedList(np.empty(0, np.int64), np.empty(0, np.float32))


def _can_rank(served: Served, profile: Profile) -> bool:
    """True when the model knows at least one paper or there is a word to go by."""
    rows = served.model.papers.rows(profile.paper_ids)
    return bool((rows != UNKNOWN_ROW).any()) or any(term.strip() for term in profile.terms)


def _rank(
    served: Served | None, tastes: Sequence[Taste], fresh: Sequence[int], policy: Policy, *, size: int
) -> tuple[list[RankedList], list[Ids]]:
    """The model's lists, deep enough for the policy to choose, and new papers nobody has touched, the most fitting
    first; both empty for readers it has nothing to go by.
    """
    lists, pools = [_NOTHING] * len(tastes), [_NOTHING.paper_ids] * len(tastes)
    known = [] if served is None else [at for at, taste in enumerate(tastes) if _can_rank(served, taste.profile)]
    if served is None or not known:
        return lists, pools
    news = pool_size(policy, size=size)
    most_news = (news + HIGH_PLACES) if news and fresh else 0
    deep = depth_of(policy, size=size) + news  # some of them go to the pool
    depths = [max(size * CHOICE, deep) if _is_choosy(tastes[at]) else deep for at in known]
    asks = [Ask(max(depths)), Ask(DEPTH * most_news, np.array(fresh, dtype=np.int64))]
    found = served.model.recommend_several(
        [tastes[at].profile for at in known],
        asks if most_news else asks[:1],
        exclude=[tastes[at].left_out for at in known],
    )
    for at, papers, depth in zip(known, found[0], depths, strict=True):
        lists[at] = truncate(papers, k=depth)
    for at, papers in zip(known, found[1] if most_news else (), strict=bool(most_news)):
        reach = policy.dismiss_reach
        pools[at] = without_alike(served.model, papers, tastes[at].profile, reach=reach, k=most_news).paper_ids
    return lists, pools


def _is_choosy(taste: Taste) -> bool:
    """True for readers of whose ranked papers many may be passed over."""
    return bool(taste.categories) or not taste.muted.is_empty


def _words_of_muters(
    session: Session, tastes: Sequence[Taste], lists: Sequence[RankedList], pools: Sequence[Ids]
) -> Mapping[int, PaperWords]:
    """What mutings look at, of all papers of those who mute anything; no statement where nobody does."""
    muters = [at for at, taste in enumerate(tastes) if not taste.muted.is_empty]
    named = {paper_id for at in muters for part in (lists[at].paper_ids, pools[at]) for paper_id in part.tolist()}
    return load_paper_words(session, named) if named else {}


def _still_there(
    session: Session, lists: Sequence[RankedList], pools: Sequence[Ids]
) -> tuple[list[RankedList], list[Ids]]:
    """The same without papers that were removed or withdrawn since the model learned of them."""
    named = np.unique(np.concatenate([*(papers.paper_ids for papers in lists), *pools]))
    gone = np.array(sorted(unlisted_paper_ids(session, named.tolist())), dtype=np.int64)
    return [drop(papers, gone) for papers in lists], [pool[~np.isin(pool, gone)] for pool in pools]


def _personal(session: Session, served: Served, taste: Taste, offer: _Offer) -> tuple[list[Entry], list[int]]:
    """Ranked and arranged by the policy, each with its reason; and the new papers that exploration draws from."""
    if len(offer.ranked) == 0:
        return [], []
    papers = offer.ranked
    of_categories = [*papers.paper_ids.tolist(), *taste.profile.paper_ids.tolist()]
    picked = arrange(
        served.model,
        papers,
        offer.policy,
        k=offer.size + offer.news,  # those that go to the pool leave no gap
        now=offer.now,
        hidden=taste.left_out,
        profile=taste.profile,
        categories=categories_of(session, of_categories) if offer.policy.category_calibration else {},
    )
    if taste.categories:  # their share is filled also with papers that the policy passed over
        picked = followed_by_rest(picked, papers)
    entries = _in_categories(session, served, taste, picked, size=offer.size)
    entries, news = separated(entries, offer.pool.tolist(), size=offer.size, most=offer.news)
    reasons = explain(served.model, taste.profile, taste.evidence, [entry.paper_id for entry in entries])
    return [Entry(e.paper_id, e.score, e.source, reasons.get(e.paper_id, e.reason)) for e in entries], news


def _in_categories(session: Session, served: Served, taste: Taste, ranked: RankedList, *, size: int) -> list[Entry]:
    """The ranked papers as entries; chosen categories get their share of the places, from their newest if need be."""
    papers = list(zip(ranked.paper_ids.tolist(), ranked.scores.tolist(), strict=True))
    wanted = set(taste.categories)
    inside: set[int] = set()
    if wanted:
        inside = _inside(session, [paper_id for paper_id, _ in papers], wanted=wanted)
        if len(inside) < CHOSEN_SHARE * size:
            newest = latest_paper_ids(session, categories=taste.categories, limit=MOST_OF_CATEGORIES)
            unseen = [paper_id for paper_id, _ in newest if paper_id not in inside]
            muted = muted_among(session, taste.muted, unseen)
            candidates = np.array([paper_id for paper_id in unseen if paper_id not in muted], dtype=np.int64)
            exclude = [taste.left_out]
            [more] = served.model.recommend([taste.profile], k=size, exclude=exclude, candidates=candidates)
            papers += zip(more.paper_ids.tolist(), more.scores.tolist(), strict=True)
            inside.update(more.paper_ids.tolist())
    reason = Reason(ReasonKind.TASTE, text="" if taste.has_read else "your interests")
    entries = [Entry(paper_id, score, Source.PERSONAL, reason) for paper_id, score in papers]
    return favour_categories(entries, chosen=[entry.paper_id in inside for entry in entries]) if wanted else entries


def _inside(session: Session, paper_ids: list[int], *, wanted: set[str]) -> set[int]:
    found = categories_of(session, paper_ids)
    return {paper_id for paper_id, has in found.items() if not wanted.isdisjoint(has)}


def _crowd(
    session: Session, board: Board, taste: Taste, *, taken: Sequence[Entry], size: int, without: Iterable[int] = ()
) -> list[Entry]:
    """Trending blended with latest, within the reader's categories if any, for the places that are still free.

    What the reader was shown too often comes last: a page is never empty for lack of anything newer.
    """
    free = size - len(taken)
    without = {entry.paper_id for entry in taken}.union(taste.hidden, taste.profile.paper_ids.tolist(), without)
    trending = [paper_id for paper_id, _ in board.trending("week", categories=taste.categories)]
    more = free + len(without) + len(taste.shown_often)
    if not taste.muted.is_empty:
        more *= CHOICE
    latest = [paper_id for paper_id, _ in latest_paper_ids(session, categories=taste.categories, limit=more)]
    without |= muted_among(session, taste.muted, {*trending, *latest} - without)
    reasons = _category_reasons(board, trending, taste.categories)
    best = taken[-1].score if taken else 1.0
    entries = list(
        alternate(
            crowd_entries(trending, source=Source.TRENDING, best=best, reasons=reasons),
            crowd_entries(latest, source=Source.LATEST, best=best, reasons=_newness(latest, taste.categories)),
        )
    )
    news = unique(entries, without=without | taste.shown_often, limit=free)
    return news + unique(entries, without=without.union(entry.paper_id for entry in news), limit=free - len(news))


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
