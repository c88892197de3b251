"""What is known about readers when their lists are built: likings, dislikes, what is hidden or was shown too often."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from api.services.judging import event_weights
from api.services.muting import NOTHING_MUTED, Muted, Rules, rules_of
from api.services.reasons import is_opening
from api.settings import Settings, read_settings
from api.store.acts import ReaderRow, load_acts, load_reader_rows, load_saved_pairs
from api.store.feed_codec import ReasonKind
from api.store.hiding import hidden_by_acts
from api.store.papers import paper_ids_of
from api.store.showings import load_latest_shown, load_shown_often
from api.store.taste_rows import silenced
from recommender.dataset import Profile, build_profiles
from recommender.domain import Ids, Interactions
from recommender.pair_states import kept_pairs

READERS_AT_ONCE: Final = 50  # whose events are in memory together, and who are named in one statement
_NO_PAPERS: Final = np.empty(0, dtype=np.int64)
_UNKNOWN: Final = ReaderRow(0, {})


@dataclass(frozen=True, slots=True)
class Taste:
    """What a list of one reader is built from."""

    user_id: int
    seq: int
    profile: Profile
    evidence: dict[int, ReasonKind]  # how each paper of the profile got there, the strongest wins
    hidden: frozenset[int]
    categories: tuple[str, ...]
    has_read: bool = False
    shown_often: frozenset[int] = frozenset()  # without a click: these come after everything else
    left_out: Ids = field(default_factory=lambda: _NO_PAPERS)  # papers that the model does not rank for them, ascending
    muted: Rules = NOTHING_MUTED  # what stands in no list of theirs


def load_tastes(session: Session, user_ids: Sequence[int], *, now: datetime) -> list[Taste]:
    """Return what is known about these readers, in their order.

    The change that a taste includes is read first, so that no list is older than it says. At most nine statements for
    every `READERS_AT_ONCE` readers; what they were only shown is counted in SQL, and of it the newest alone.
    """
    wanted = sorted(set(user_ids))
    tastes: dict[int, Taste] = {}
    for start in range(0, len(wanted), READERS_AT_ONCE):
        block = _load_block(session, wanted[start : start + READERS_AT_ONCE], now=now)
        tastes |= {taste.user_id: taste for taste in block}
    return [tastes[user_id] for user_id in user_ids]


@dataclass(frozen=True, slots=True)
class _Pairs:
    """Pairs of a reader, by place, and a paper as one number: what is asked of each reader is asked of all at once."""

    readers: int
    span: int

    @classmethod
    def of(cls, readers: int, *papers: NDArray[np.int64]) -> "_Pairs":
        """Numbers for readers and papers no higher than these."""
        return cls(readers, 1 + max((int(ids.max(initial=0)) for ids in papers), default=0))

    def keys(self, places: NDArray[np.integer], papers: NDArray[np.int64]) -> NDArray[np.int64]:
        """The number of each pair."""
        return places.astype(np.int64) * self.span + papers

    def split(self, keys: NDArray[np.int64]) -> list[NDArray[np.int64]]:
        """The papers of each reader out of ascending numbers."""
        return np.split(keys % self.span, np.searchsorted(keys, np.arange(1, self.readers) * self.span))


def _load_block(session: Session, user_ids: list[int], *, now: datetime) -> list[Taste]:
    settings = read_settings()
    rows = load_reader_rows(session, user_ids)
    acts, numbers = load_acts(session, user_ids)
    saved = load_saved_pairs(session, user_ids)
    stored = [_listened_to(rows.get(user_id, _UNKNOWN)) for user_id in user_ids]
    seeds = _seeds(session, stored)
    unheard = {user_id: row.decisions.unheard for user_id, row in rows.items() if row.decisions.unheard}
    heard = acts.select(~silenced(acts.user_ids, numbers, unheard)) if unheard else acts
    weights = event_weights(settings)
    if weights.impression:  # an operator gave what was only shown a weight
        heard = _joined(heard, load_latest_shown(session, [one for one in user_ids if one not in unheard]))
    often = _shown_often(session, user_ids, acts, now=now, settings=settings)
    touched = _touched(user_ids, acts, saved)
    profiles = build_profiles(
        heard,
        np.searchsorted(user_ids, heard.user_ids).astype(np.int32),
        now=now.timestamp(),
        weights=weights,
        terms=[tuple(row.interests.get("terms") or ()) for row in stored],
        seed_papers=seeds,
    )
    return [
        _taste(user_id, row, profile, seeds=own_seeds, touched=touched_by_them, often=often.get(user_id, ()))
        for user_id, row, profile, own_seeds, touched_by_them in zip(
            user_ids, stored, profiles, seeds, touched, strict=True
        )
    ]


class _Touched(NamedTuple):
    """Papers of a reader, each array ascending."""

    hidden: NDArray[np.int64]
    opened: NDArray[np.int64]
    kept: NDArray[np.int64]


def _touched(user_ids: list[int], acts: Interactions, saved: NDArray[np.int64]) -> list[_Touched]:
    places, owners = np.searchsorted(user_ids, acts.user_ids), np.searchsorted(user_ids, saved[:, 0])
    papers = acts.paper_ids.astype(np.int64)
    pairs = _Pairs.of(len(user_ids), papers, saved[:, 1])
    keys = pairs.keys(places, papers)
    hidden = pairs.split(np.union1d(hidden_by_acts(keys, acts), pairs.keys(owners, saved[:, 1])))
    opened = pairs.split(np.unique(keys[is_opening(acts)]))
    kept = pairs.split(kept_pairs(keys, acts))
    return [_Touched(*three) for three in zip(hidden, opened, kept, strict=True)]


def _taste(
    user_id: int, row: ReaderRow, profile: Profile, *, seeds: NDArray[np.int64], touched: _Touched, often: Iterable[int]
) -> Taste:
    hidden, opened, kept = touched
    unseen = frozenset(hidden.tolist())
    tired = frozenset(often) - unseen
    return Taste(
        user_id,
        row.last_seq,
        profile,
        _evidence(seeds, opened, kept),
        hidden=unseen,
        categories=tuple(row.interests.get("categories") or ()),
        has_read=bool(np.isin(np.concatenate([opened, kept]), profile.paper_ids).any()),
        shown_often=tired,
        left_out=np.union1d(hidden, np.array(sorted(tired), dtype=np.int64)) if tired else hidden,
        muted=rules_of(Muted.from_stored(row.decisions.muted)),
    )


def _listened_to(row: ReaderRow) -> ReaderRow:
    """The row, without interests where the reader wants what everybody gets."""
    return row if row.decisions.is_personal else replace(row, interests={})


def _seeds(session: Session, stored: Sequence[ReaderRow]) -> list[NDArray[np.int64]]:
    """The papers that each reader named as an interest, ascending."""
    named = [row.interests.get("papers") or [] for row in stored]
    wanted = {name for names in named for name in names}
    found = paper_ids_of(session, wanted) if wanted else {}
    return [np.array(sorted({found[name] for name in names if name in found}), dtype=np.int64) for names in named]


def _shown_often(
    session: Session, user_ids: Sequence[int], acts: Interactions, *, now: datetime, settings: Settings
) -> Mapping[int, Mapping[int, datetime]]:
    """Papers that sink for each reader."""
    if settings.fatigue_shows == 0:
        return {}
    since = now - timedelta(days=settings.fatigue_days)
    return load_shown_often(session, user_ids, acts=acts, since=since, least=settings.fatigue_shows)


def _evidence(seeds: NDArray[np.int64], opened: NDArray[np.int64], kept: NDArray[np.int64]) -> dict[int, ReasonKind]:
    """How each paper came into a profile: named as an interest, opened, or kept."""
    return (
        dict.fromkeys(opened.tolist(), ReasonKind.OPENED)
        | dict.fromkeys(seeds.tolist(), ReasonKind.CHOSEN)
        | dict.fromkeys(kept.tolist(), ReasonKind.SAVED)
    )


def _joined(first: Interactions, second: Interactions) -> Interactions:
    return Interactions(
        np.concatenate([first.user_ids, second.user_ids]),
        np.concatenate([first.paper_ids, second.paper_ids]),
        np.concatenate([first.kinds, second.kinds]),
        np.concatenate([first.occurred_at, second.occurred_at]),
        np.concatenate([first.values, second.values]),
    )
