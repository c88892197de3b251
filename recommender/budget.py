"""What the parts of a hybrid may cost on large data, so that a fit and everybody's lists stay near bare ALS.

Work is counted in dense flops. The allowance is the larger of a fixed amount, which data of a research group never
use up, and a multiple of what bare ALS (64 factors, 15 epochs) with its lists would take on the same data. Where the
parts would need more: words get as many directions as a quarter pays; lists are paid; neighbours stay while they take
a tenth; item weights stay, for all papers or none, where memory and the work left beside the least ALS allow; ALS
gets the most factors that the rest pays.
"""

from dataclasses import dataclass, replace

import numpy as np

from recommender.config import HybridConfig
from recommender.domain import Csr, PaperTexts
from recommender.items import MEGABYTE, fit_bytes, is_dual
from recommender.sparse import row_sizes

GIGA = 1e9
SPARSE = 10.0  # what a flop on rows gathered by a sparse matrix costs, in dense ones
SPARSE_PAIR = 260.0  # what a pair of entries costs in a product of two sparse matrices
LIST_ENTRY = 470.0  # what looking for the best costs per reader and paper, beside the product: implicit's heap
BLEND_ENTRY = 300.0  # and ours, with two parts brought to one scale before
WORD_ENTRY = 6500.0  # and what words add beside their products: odds of papers with history and of new ones
WORD_PRODUCT = 4.0  # flops per direction of words, reader and paper
FOLD_IN = 7.0  # per pair and square of the rank
INVERSION = 2.0  # times the cube of the side; LAPACK does not reach the speed of a product here
CG_FLOPS = 32.0  # per pair, factor and epoch: four passes of a product and a sum, for readers and for papers
CG_GRAM = 80.0  # per reader and paper, square of the rank and epoch: their matrix of all others, four times
BARE_RANK, BARE_EPOCHS = 64, 15
NEIGHBOUR_SHARE = 0.1
NEIGHBOUR_ENTRY = 2500.0  # of comparing two readers, beside the papers they share
RANK_STEP = 16
LEAST_RANK = 32
WORD_SHARE = 0.25
WORD_STEPS = ((100_000, 100_000), (100_000, 0), (128, 0), (64, 0))  # most directions of words and of letter groups
TERMS_PER_LETTER = 0.15  # words and word pairs that a text has entries for
SVD_PASSES = 6.0  # products with all features on the way to their leading directions


@dataclass(frozen=True, slots=True)
class Allowance:
    """The tunables that the data can pay."""

    rank: int
    has_neighbours: bool
    has_items: bool
    notes: tuple[str, ...]


def allowance(history: Csr, config: HybridConfig, *, dim: int, words: float = 0.0) -> Allowance:
    """What (readers, papers) saves allow beside `words` flops for words; `dim` directions join the item weights."""
    readers, papers = history.shape
    total = total_work(history, config)
    left = total - min(words, WORD_SHARE * total)  # what no rule can save is not taken from the others
    crowd = neighbour_work(history) if config.neighbour_weight else 0.0
    has_neighbours = bool(config.neighbour_weight) and readers <= config.neighbour_readers
    has_neighbours = has_neighbours and crowd <= NEIGHBOUR_SHARE * left
    left -= crowd if has_neighbours else 0
    notes = [] if has_neighbours or not config.neighbour_weight else [f"no neighbours: {readers} readers are too many"]
    if words > WORD_SHARE * total:
        notes.append("words take more than their share of the budget of work: lists for everybody will take longer")
    items = item_work(history, dim)
    short = ""
    if fit_bytes(readers, dim, papers) > config.memory_budget_mb * MEGABYTE:
        short = "memory"
    elif items + factor_work(history, min(LEAST_RANK, config.rank), config.epochs) > left:
        short = "work"
    has_items = bool(config.item_weight) and not short
    if config.item_weight and short:
        notes.append(f"no item weights: those of {papers} papers would pass the budget of {short}")
    left -= items if has_items else 0
    rank = config.rank
    while rank > LEAST_RANK and factor_work(history, rank, config.epochs) > left:
        rank = max(rank - RANK_STEP, LEAST_RANK)
    if rank < config.rank:
        notes.append(f"{rank} factors instead of {config.rank}: more would pass the budget of work")
    return Allowance(rank, has_neighbours, has_items, tuple(notes))


def thin_words(user_items: Csr, texts: PaperTexts, config: HybridConfig) -> HybridConfig:
    """The same tunables with as many directions of words as the data can pay."""
    letters = sum(sum(map(len, part)) for part in (texts.titles, texts.summaries, texts.keywords))
    sentence = 0 if texts.vectors is None else int(texts.vectors.shape[1])
    most = WORD_SHARE * total_work(user_items, config)
    thin = config
    for directions, grams in WORD_STEPS:
        thin = replace(
            config,
            content_dim=min(config.content_dim, directions),
            text_dim=min(config.text_dim, directions),
            item_text_dim=min(config.item_text_dim, directions),
            gram_dim=min(config.gram_dim, grams),
        )
        width = thin.content_dim + thin.text_dim + thin.gram_dim + sentence
        if word_work(user_items, terms=TERMS_PER_LETTER * letters, width=width) <= most:
            break
    return thin


def total_work(history: Csr, config: HybridConfig) -> float:
    """Flops that a fit and everybody's lists may take."""
    readers, papers = history.shape
    return max(config.work_budget_gflop * GIGA, config.work_ratio * bare_work(readers, papers, history.nnz))


def bare_work(readers: int, papers: int, pairs: int) -> float:
    """Flops of implicit's ALS with lists for everybody."""
    fit = als_work(readers + papers, pairs, rank=BARE_RANK, epochs=BARE_EPOCHS)
    return fit + readers * papers * (2 * BARE_RANK + LIST_ENTRY)


def als_work(rows: int, pairs: int, *, rank: int, epochs: int) -> float:
    """Flops of fitting factors of readers and papers, `rows` together."""
    return epochs * rank * (SPARSE * CG_FLOPS * pairs + CG_GRAM * rows * rank)


def factor_work(history: Csr, rank: int, epochs: int) -> float:
    """Flops of fitting factors, of folding everybody in and of ranking all papers for them."""
    readers, papers = history.shape
    fit = als_work(readers + papers, history.nnz, rank=rank, epochs=epochs)
    return fit + FOLD_IN * history.nnz * rank**2 + readers * papers * (2.0 * rank + BLEND_ENTRY)


def word_work(history: Csr, *, terms: float, width: int) -> float:
    """Flops of the products with `terms` entries of all papers' words and with `width` coordinates of each.

    WORD_ENTRY is not among them: it is the same for any number of directions.
    """
    readers, papers = history.shape
    fit = 2 * SPARSE * SVD_PASSES * terms * width + 2.0 * papers * width**2 + INVERSION * 2 * float(width) ** 3
    summing = history.nnz * (SPARSE_PAIR * terms / max(papers, 1) + 2 * SPARSE * width)
    return fit + summing + readers * (WORD_PRODUCT * papers * width + 2 * SPARSE * terms)


def neighbour_work(history: Csr) -> float:
    """Flops of comparing everybody with everybody."""
    of_papers = np.bincount(history.indices, minlength=history.shape[1]).astype(np.float64)
    return SPARSE_PAIR * float(np.square(of_papers).sum()) + NEIGHBOUR_ENTRY * history.shape[0] ** 2


def item_work(history: Csr, dim: int) -> float:
    """Flops of fitting item weights and of scoring everybody by them."""
    readers, papers = history.shape
    words = 2.0 * dim * papers**2
    scoring = SPARSE * 2 * history.nnz * papers
    if is_dual(readers, dim, papers):
        side = readers + dim
        of_papers = np.bincount(history.indices, minlength=papers).astype(np.float64)
        gram = SPARSE_PAIR * float(np.square(of_papers).sum()) + SPARSE * 2 * history.nnz * side
        return INVERSION * float(side) ** 3 + gram + 2 * scoring + words
    sizes = row_sizes(history).astype(np.float64)
    return INVERSION * float(papers) ** 3 + SPARSE_PAIR * float(np.square(sizes).sum()) + scoring + words
