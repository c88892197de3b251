"""From an event log to confidence: weights, decay, caps, and what cancels what."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from recommender.domain import Csr, EventKind, Floats, Ids, Interactions, PaperTexts, Rows, Times, Vectors
from recommender.pair_states import history_order, states_of, taken_back
from recommender.sparse import columns_of, csr_of
from recommender.vocabulary import UNKNOWN_ROW, Vocabulary

SECONDS_PER_DAY = 86_400.0
SECONDS_PER_MINUTE = 60.0


@dataclass(frozen=True, slots=True)
class WeightConfig:
    """What one event of each kind says about a reader's liking; only ratios matter."""

    impression: float = 0.0
    click: float = 1.0
    save: float = 3.0
    upvote: float = 2.0
    read_per_minute: float = 0.5
    read_cap: float = 2.0
    seed_paper: float = 2.0  # a paper named as an interest, without an event
    half_life_days: float = 365.0  # of a liking before the same reader's latest one
    cap: float = 5.0  # the most one pair can weigh, whatever happened how often

    def to_json(self) -> dict[str, float]:
        """The fields as plain JSON."""
        return {field.name: float(getattr(self, field.name)) for field in fields(self)}


@dataclass(frozen=True, slots=True)
class Dataset:
    """Confidence of readers in papers, with what is written about the papers."""

    users: Vocabulary
    papers: Vocabulary
    user_items: Csr  # (users, papers) float32, positive, column indices ascending
    dislikes: Csr  # (users, papers) float32, 1 where the reader dismissed
    texts: PaperTexts  # aligned to papers
    times: Times  # (user_items.nnz,) latest event of the pair, NaN unknown

    def select(self, paper_rows: Rows) -> "Dataset":
        """The same readers with some of the papers (ascending rows)."""
        return replace(
            self,
            papers=Vocabulary.from_rows(self.papers.ids(paper_rows)),
            user_items=columns_of(self.user_items, paper_rows),
            dislikes=columns_of(self.dislikes, paper_rows),
            texts=self.texts.select(paper_rows),
            times=self.times[np.isin(self.user_items.indices, paper_rows)],
        )

    def fingerprint(self) -> str:
        """A sha256 over everything a fit can see."""
        digest = hashlib.sha256()
        matrices = (self.user_items, self.dislikes)
        arrays = [array for m in matrices for array in (m.indptr, m.indices, m.data)]
        named = (self.users.in_row_order, self.papers.in_row_order, self.times, self.texts.published_at)
        for array in (*named, *arrays):
            digest.update(f"{array.dtype}{array.shape}".encode())
            digest.update(np.ascontiguousarray(array).tobytes())
        for text in self.texts.joined():
            digest.update(text.encode())
            digest.update(b"\0")
        if self.texts.vectors is not None:
            digest.update(f"{self.texts.vectors.dtype}{self.texts.vectors.shape}".encode())
            digest.update(np.ascontiguousarray(self.texts.vectors).tobytes())
        return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class Profile:
    """What is known about one reader, enough to fold them in."""

    paper_ids: Ids  # (n,) liked, ascending
    weights: Floats  # (n,) positive
    disliked_paper_ids: Ids  # (m,)
    terms: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        """True when nothing can be ranked from it."""
        return len(self.paper_ids) == 0 and not any(term.strip() for term in self.terms)


@dataclass(frozen=True, slots=True)
class _Pairs:
    """One line per (user, paper) pair that carries a liking or a dislike."""

    keys: NDArray[np.int64]  # (pairs,) user row * papers + paper row, ascending
    weights: Floats  # (pairs,) 0 where only the dislike counts
    is_disliked: NDArray[np.bool_]
    latest: Times


def build_dataset(interactions: Interactions, texts: PaperTexts, *, now: float, weights: WeightConfig) -> Dataset:
    """The dataset of a log; papers are those of the log and of the texts together."""
    users = Vocabulary.build(interactions.user_ids)
    papers = _union(texts.paper_ids, interactions.paper_ids)
    readers = users.rows(interactions.user_ids)
    keys = readers.astype(np.int64) * max(len(papers), 1)
    keys += papers.rows(interactions.paper_ids)
    decay = _decay(keys, interactions, readers, now=now, weights=weights)
    pairs = _weigh(keys, interactions, decay, weights=weights)
    shape = (len(users), len(papers))
    liked = pairs.weights > 0
    return Dataset(
        users=users,
        papers=papers,
        user_items=_matrix(pairs.keys[liked], pairs.weights[liked], shape),
        dislikes=_matrix(pairs.keys[pairs.is_disliked], np.ones(int(pairs.is_disliked.sum()), np.float32), shape),
        texts=_align(texts, papers),
        times=pairs.latest[liked],
    )


def build_profile(
    interactions: Interactions,
    *,
    now: float,
    weights: WeightConfig,
    terms: Iterable[str] = (),
    seed_papers: Ids | None = None,
) -> Profile:
    """One reader's state from their events; the arithmetic is that of `build_dataset`."""
    seeds = np.asarray([] if seed_papers is None else seed_papers)
    nobody_else = np.zeros(len(interactions), np.int32)
    [profile] = build_profiles(interactions, nobody_else, now=now, weights=weights, terms=[terms], seed_papers=[seeds])
    return profile


def build_profiles(
    interactions: Interactions,
    readers: Rows,
    *,
    now: float,
    weights: WeightConfig,
    terms: Sequence[Iterable[str]],
    seed_papers: Sequence[Ids],
) -> list[Profile]:
    """The same of several readers at once, with the `terms` and `seed_papers` of each.

    `readers` (events,) says whose each event is, counted from 0.
    """
    seeds = np.concatenate([part for part in seed_papers if len(part)] or [interactions.paper_ids[:0]])
    seeders = np.repeat(np.arange(len(seed_papers)), [len(part) for part in seed_papers])
    papers = _union(interactions.paper_ids, seeds)
    width = max(len(papers), 1)
    keys = readers.astype(np.int64) * width + papers.rows(interactions.paper_ids)
    decay = _decay(keys, interactions, readers, now=now, weights=weights)
    pairs = _weigh(keys, interactions, decay, weights=weights)
    seeded = seeders * width + papers.rows(seeds)
    known = np.union1d(pairs.keys, seeded)
    confidence = np.zeros(len(known), dtype=np.float32)
    confidence[np.searchsorted(known, seeded)] = weights.seed_paper
    liked = pairs.weights > 0
    confidence[np.searchsorted(known, pairs.keys[liked])] = pairs.weights[liked]
    disliked = pairs.keys[pairs.is_disliked]
    confidence[np.searchsorted(known, disliked)] = 0.0
    known, confidence = known[confidence > 0], confidence[confidence > 0]
    borders = np.arange(len(seed_papers) + 1) * width
    liked_parts = np.split(papers.ids(known % width), np.searchsorted(known, borders[1:-1]))
    weight_parts = np.split(confidence, np.searchsorted(known, borders[1:-1]))
    disliked_parts = np.split(papers.ids(disliked % width), np.searchsorted(disliked, borders[1:-1]))
    parts = zip(liked_parts, weight_parts, disliked_parts, terms, strict=True)
    return [Profile(ids, worth, dislikes, tuple(of_reader)) for ids, worth, dislikes, of_reader in parts]


def _weigh(keys: NDArray[np.int64], events: Interactions, decay: Times, *, weights: WeightConfig) -> _Pairs:
    """The state of each pair after its whole history; `decay` is the share of its weight that each event has left."""
    order = history_order(keys, events.occurred_at)
    keys, kinds, decay = keys[order], events.kinds[order], decay[order]
    times, values = events.occurred_at[order], events.values[order]
    pairs, pair_of = np.unique(keys, return_inverse=True)
    count = len(pairs)

    states = states_of(kinds, pair_of, count)
    saved, voted = states.saved, states.voted
    total = np.zeros(count)
    total[saved] += weights.save * decay[states.saved_at[saved]]
    total[voted] += weights.upvote * decay[states.voted_at[voted]]
    # Repeated clicks and impressions say no more than the latest one does.
    for kind, weight in ((EventKind.CLICK, weights.click), (EventKind.IMPRESSION, weights.impression)):
        total += _largest(kinds == kind, weight * decay, pair_of, count)
    minutes = np.nan_to_num(values, nan=0.0).clip(0.0) / SECONDS_PER_MINUTE
    reading = (kinds == EventKind.READ) * weights.read_per_minute * minutes * decay
    total += np.minimum(np.bincount(pair_of, weights=reading, minlength=count), weights.read_cap)

    total[states.disliked] = 0.0
    confidence = np.minimum(total, weights.cap).astype(np.float32)
    return _Pairs(pairs, confidence, states.disliked, _latest(times, pair_of, count))


def _largest(chosen: NDArray[np.bool_], values: Times, pair_of: NDArray[np.intp], count: int) -> Times:
    out = np.zeros(count)
    np.maximum.at(out, pair_of[chosen], values[chosen])
    return out


def _latest(times: Times, pair_of: NDArray[np.intp], count: int) -> Times:
    latest = np.full(count, -np.inf)
    known = ~np.isnan(times)
    np.maximum.at(latest, pair_of[known], times[known])
    return np.where(np.isinf(latest), np.nan, latest)


def _decay(keys: NDArray[np.int64], events: Interactions, readers: Rows, *, now: float, weights: WeightConfig) -> Times:
    """1 for a reader's latest liking, the future and unknown times; a half for each half-life before that liking.

    Age counts from the reader and not from now: a log holds readers of many years, and what somebody liked lately,
    whenever that was, is what they like. Against now, a confidence of 20 years ago would be a millionth of one of
    today, and ranking, which weighs readers side by side, would know the last year's readers alone.
    What was taken back was no liking: it leaves the age of the others as it was before.
    """
    times = np.minimum(events.occurred_at, now)  # NaN stays NaN
    counts = ~np.isnan(times) & _is_liking(weights)[events.kinds] & ~taken_back(keys, events)
    latest = _latest(times[counts], readers[counts].astype(np.intp), int(readers.max(initial=-1)) + 1)
    age_days = np.maximum(latest[readers] - times, 0.0) / SECONDS_PER_DAY
    return np.where(np.isnan(age_days), 1.0, np.exp2(-np.nan_to_num(age_days) / weights.half_life_days))


def _is_liking(weights: WeightConfig) -> NDArray[np.bool_]:
    """(kinds,) which events add confidence; looking at a list again makes no liking older."""
    adds = np.zeros(len(EventKind), dtype=bool)
    adds[[EventKind.SAVE, EventKind.UPVOTE, EventKind.CLICK]] = weights.save > 0, weights.upvote > 0, weights.click > 0
    adds[EventKind.IMPRESSION], adds[EventKind.READ] = weights.impression > 0, weights.read_per_minute > 0
    return adds


def _matrix(keys: NDArray[np.int64], data: Floats, shape: tuple[int, int]) -> Csr:
    """Keys ascend, so rows and columns come out sorted and nothing is summed."""
    columns = max(shape[1], 1)
    counts = np.bincount(keys // columns, minlength=shape[0])
    indptr = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    if len(keys) < np.iinfo(np.int32).max:
        return csr_of(data, (keys % columns).astype(np.int32), indptr.astype(np.int32), shape)
    return csr_of(data, keys % columns, indptr, shape)


def _union(first: Ids, second: Ids) -> Vocabulary:
    if len(first) == 0 or len(second) == 0:
        return Vocabulary.build(first if len(first) else second)
    return Vocabulary.build(np.concatenate([np.unique(first), np.unique(second)]))


def _align(texts: PaperTexts, papers: Vocabulary) -> PaperTexts:
    """Texts in vocabulary order, empty where nothing is written; the last text of a repeated id counts."""
    rows: Rows = papers.rows(texts.paper_ids)
    source = np.full(len(papers), UNKNOWN_ROW, dtype=np.int64)
    source[rows] = np.arange(len(rows))
    known = source >= 0
    published = np.full(len(papers), np.nan)
    published[known] = texts.published_at[source[known]]

    def column(values: list[str]) -> list[str]:
        return [values[at] if at >= 0 else "" for at in source]

    return PaperTexts(
        papers.in_row_order,
        column(texts.titles),
        column(texts.summaries),
        column(texts.keywords),
        published,
        _aligned_vectors(texts.vectors, source),
    )


def _aligned_vectors(vectors: Vectors | None, source: NDArray[np.int64]) -> Vectors | None:
    if vectors is None:
        return None
    known = source >= 0
    aligned = np.zeros((len(source), vectors.shape[1]), dtype=vectors.dtype)
    aligned[known] = vectors[source[known]]
    return aligned
