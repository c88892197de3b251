"""Ranking quality where something is missing: readers outside the fit, texts, interactions."""

import csv
from dataclasses import dataclass, replace

import numpy as np
import pytest
from implicit.cpu.als import AlternatingLeastSquares
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from recommender.baselines import ContentOnly
from recommender.dataset import Dataset, WeightConfig, build_dataset
from recommender.domain import Csr, Interactions, PaperTexts
from recommender.hybrid import Hybrid, HybridConfig
from recommender.metrics import hits_of, ndcg_at_k
from recommender.sparse import csr_of, empty_csr, row_sizes, rows_of
from recommender.threads import blas_threads
from tests.benchmarks.quality import SEED, SHALLOW, ndcg_of, read_dataset
from tests.shared import shared_data

UNTUNED = HybridConfig(tuning_readers=0)
SAVES = (1, 2, 5)
READERS_EACH = 300
LEAST_HELD_OUT = 5
LEAST_SHARE = 0.9  # of the NDCG of a refit
LEAST_STARS = 4.0  # from which a rating counts as a save
EVERY = 16  # of the papers takes part where one fit on all would teach nothing more
ALS_LEAD = 0.005  # by which chance may put one of two equals ahead here

pytestmark = [pytest.mark.quality, pytest.mark.slow, pytest.mark.timeout(1800)]


def kept(matrix: Csr, chosen: NDArray[np.bool_]) -> Csr:
    """The chosen entries."""
    ends = np.concatenate([[0], np.cumsum(chosen)])
    shape = (matrix.shape[0], matrix.shape[1])
    return csr_of(matrix.data[chosen], matrix.indices[chosen], ends[matrix.indptr], shape)


def with_pairs(dataset: Dataset, user_items: Csr) -> Dataset:
    """The same readers and papers with other pairs."""
    nobody = empty_csr(user_items.shape[0], user_items.shape[1])
    return replace(dataset, user_items=user_items, dislikes=nobody, times=np.full(user_items.nnz, np.nan))


@dataclass(frozen=True, slots=True)
class NewReaders:
    """Some readers taken out of a data set but for a few saves."""

    rows: NDArray[np.intp]  # (readers,)
    groups: NDArray[np.intp]  # (readers,) how many saves are left to each
    without: Csr  # (all readers, papers) where they have nothing
    with_few: Csr  # where they have those few
    held_out: Csr  # the rest of theirs


def new_readers(user_items: Csr) -> NewReaders:
    """Readers with enough saves, drawn at random, a third of them for each number of saves."""
    random = np.random.default_rng(SEED)
    able = np.flatnonzero(row_sizes(user_items) >= max(SAVES) + LEAST_HELD_OUT)
    rows = random.permutation(able)[: READERS_EACH * len(SAVES)]
    groups = np.repeat(SAVES, READERS_EACH)
    allowed = np.full(user_items.shape[0], user_items.shape[1])
    allowed[rows] = groups
    owner = np.repeat(np.arange(user_items.shape[0]), row_sizes(user_items))
    order = np.lexsort((random.random(user_items.nnz), owner))
    place = np.empty(user_items.nnz, dtype=np.intp)
    place[order] = np.arange(user_items.nnz) - user_items.indptr[owner[order]]
    is_few = place < allowed[owner]
    is_new = np.isin(owner, rows)
    return NewReaders(
        rows, groups, kept(user_items, ~is_new), kept(user_items, is_few), kept(user_items, is_new & ~is_few)
    )


def test_a_reader_outside_the_fit_gets_nearly_the_list_of_a_refit() -> None:
    dataset = read_dataset(shared_data("citeulike"))
    new = new_readers(dataset.user_items)
    asked, held_out = rows_of(new.with_few, new.rows), rows_of(new.held_out, new.rows)
    known = dataset.papers.ids(np.flatnonzero(np.bincount(new.without.indices, minlength=len(dataset.papers))))
    found = []
    for pairs in (new.without, new.with_few):
        model = Hybrid.fit(with_pairs(dataset, pairs), UNTUNED, seed=SEED)
        found.append(ndcg_of(model, dataset.papers, asked, held_out, candidates=known))
    for saves in SAVES:
        folded, refitted = (of_readers[new.groups == saves].mean() for of_readers in found)
        assert refitted > 0.05
        assert folded >= LEAST_SHARE * refitted, f"{saves} saves: {folded:.4f} against {refitted:.4f}"


def movie_pairs() -> Dataset:
    """Ratings of four stars and more, without a word about the films."""
    with (shared_data("movielens-small") / "ratings.csv").open(newline="") as file:
        rows = [(row["userId"], row["movieId"]) for row in csv.DictReader(file) if float(row["rating"]) >= LEAST_STARS]
    users, papers = (np.array(column) for column in zip(*rows, strict=True))
    texts = PaperTexts.empty(np.unique(papers))
    return build_dataset(Interactions.saves(users, papers), texts, now=0.0, weights=WeightConfig())


def test_without_any_text_the_ranking_is_that_of_als_at_least() -> None:
    dataset = movie_pairs()
    config = HybridConfig()
    hybrid, bare = [], []
    for seed in range(3):
        is_held_out = np.random.default_rng(seed).random(dataset.user_items.nnz) < 0.2
        left, held_out = (kept(dataset.user_items, chosen) for chosen in (~is_held_out, is_held_out))
        model = Hybrid.fit(with_pairs(dataset, left), config, seed=seed)
        hybrid.append(float(np.nanmean(ndcg_of(model, dataset.papers, left, held_out, candidates=None))))
        bare.append(als_ndcg(left, held_out, config, seed=seed))
    assert np.mean(hybrid) >= np.mean(bare), f"{hybrid} against {bare}"
    assert min(np.array(hybrid) - bare) > -ALS_LEAD


def als_ndcg(left: Csr, held_out: Csr, config: HybridConfig, *, seed: int) -> float:
    """NDCG of the library alone with the same numbers."""
    ones = csr_matrix((np.ones_like(left.data), left.indices, left.indptr), shape=left.shape)
    with blas_threads(1):
        model = AlternatingLeastSquares(
            factors=config.rank,
            regularization=config.l2,
            alpha=config.alpha,
            iterations=config.epochs,
            random_state=seed,
        )
        model.fit(ones, show_progress=False)
        rows, _ = model.recommend(np.arange(left.shape[0]), ones, N=SHALLOW)
    counts = row_sizes(held_out)
    ndcg = ndcg_at_k(hits_of(rows.astype(np.int32), held_out), counts, k=SHALLOW)
    return float(ndcg[counts > 0].mean())


def test_without_collaborative_signal_the_ranking_is_that_of_the_words() -> None:
    dataset = read_dataset(shared_data("citeulike"))
    few = dataset.select(np.arange(0, len(dataset.papers), EVERY, dtype=np.int32))
    nobody = with_pairs(few, empty_csr(len(few.users), len(few.papers)))
    silent, words = Hybrid.fit(nobody, UNTUNED, seed=SEED), ContentOnly.fit(few, UNTUNED, seed=SEED)
    assert any("words alone" in note for note in silent.notes)
    readers = np.flatnonzero(row_sizes(few.user_items))[:100]
    lists = []
    for model in (silent, words):
        blocks = model.recommend_users(rows_of(few.user_items, readers), k=20)
        lists.append([ranked.paper_ids.tolist() for block in blocks for ranked in block])
    assert all(len(ranked) == 20 for ranked in lists[0])
    assert lists[0] == lists[1]
