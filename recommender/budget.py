"""What the parts of a hybrid may cost on large data, so that a fit and everybody's lists stay near bare ALS.

Work is counted in dense flops. The allowance is the larger of a fixed amount, which data of a research group never
use up, and a multiple of what bare ALS (64 factors, 15 epochs) with its lists would take on the same data. Where the
parts would need more, in this order: lists are paid first; neighbours stay while they take a tenth; ALS gets the most
factors whose fit takes at most half of the rest; item weights get the most read papers that what remains can pay.
"""

from dataclasses import dataclass

import numpy as np

from recommender.config import HybridConfig
from recommender.domain import Csr
from recommender.items import is_dual, most_read
from recommender.sparse import columns_of, row_sizes

GIGA = 1e9
SPARSE = 10.0  # what a flop on rows gathered by a sparse matrix costs, in dense ones
SPARSE_PAIR = 260.0  # what a pair of entries costs in a product of two sparse matrices
LIST_ENTRY = 470.0  # what looking for the best costs per reader and paper, beside the product: implicit's heap
BLEND_ENTRY = 300.0  # and ours, with two parts brought to one scale before
FOLD_IN = 7.0  # per pair and square of the rank
INVERSION = 2.0  # times the cube of the side; LAPACK does not reach the speed of a product here
CG_FLOPS = 32.0  # per pair, factor and epoch: four passes of a product and a sum, for readers and for papers
BARE_RANK, BARE_EPOCHS = 64, 15
NEIGHBOUR_SHARE = 0.1
NEIGHBOUR_ENTRY = 2500.0  # of comparing two readers, beside the papers they share
RANK_STEP = 16
LEAST_RANK = 32
LEAST_HEAD_SHARE = 0.75  # of the papers; those without item weights sink, with many of them ALS alone ranks better


@dataclass(frozen=True, slots=True)
class Allowance:
    """The tunables that the data can pay."""

    rank: int
    has_neighbours: bool
    item_papers: int  # papers that take part in the item weights at most; 0 none
    notes: tuple[str, ...]


def allowance(history: Csr, config: HybridConfig, *, dim: int) -> Allowance:
    """What (readers, papers) saves allow; `dim` directions of words take part in the item weights."""
    readers, papers = history.shape
    total = max(config.work_budget_gflop * GIGA, config.work_ratio * bare_work(readers, papers, history.nnz))
    crowd = neighbour_work(history)
    has_neighbours = readers <= config.neighbour_readers and crowd <= NEIGHBOUR_SHARE * total
    total -= crowd if has_neighbours else 0
    rank = config.rank
    while rank > LEAST_RANK and als_work(history, rank, config.epochs) > _left(total, history, rank) / 2:
        rank = max(rank - RANK_STEP, LEAST_RANK)
    left = _left(total, history, rank) - als_work(history, rank, config.epochs)
    head = _largest(history, dim, left) if config.item_weight else papers
    notes = [] if has_neighbours or not config.neighbour_weight else [f"no neighbours: {readers} readers are too many"]
    if rank < config.rank:
        notes.append(f"{rank} factors instead of {config.rank}: more would pass the budget of work")
    if head < papers:
        notes.append(f"item weights for the {head} most read of {papers} papers: more would pass the budget of work")
    return Allowance(rank, has_neighbours, head, tuple(notes))


def bare_work(readers: int, papers: int, pairs: int) -> float:
    """Flops of implicit's ALS with lists for everybody."""
    fit = SPARSE * CG_FLOPS * BARE_EPOCHS * BARE_RANK * pairs
    return fit + readers * papers * (2 * BARE_RANK + LIST_ENTRY)


def als_work(history: Csr, rank: int, epochs: int) -> float:
    """Flops of fitting factors."""
    return SPARSE * CG_FLOPS * epochs * rank * history.nnz


def list_work(history: Csr, rank: int) -> float:
    """Flops of folding everybody in and ranking all papers for them by factors."""
    readers, papers = history.shape
    return FOLD_IN * history.nnz * rank**2 + readers * papers * (2.0 * rank + BLEND_ENTRY)


def neighbour_work(history: Csr) -> float:
    """Flops of comparing everybody with everybody."""
    of_papers = np.bincount(history.indices, minlength=history.shape[1]).astype(np.float64)
    return SPARSE_PAIR * float(np.square(of_papers).sum()) + NEIGHBOUR_ENTRY * history.shape[0] ** 2


def item_work(history: Csr, dim: int, head: int) -> float:
    """Flops of fitting item weights among the most read papers and of scoring everybody by them."""
    inner = columns_of(history, most_read(history, head))
    readers, pairs = inner.shape[0], inner.nnz
    words = 2.0 * dim * head**2
    scoring = SPARSE * 2 * pairs * head
    if is_dual(readers, dim, head):
        side = readers + dim
        of_papers = np.bincount(inner.indices, minlength=head).astype(np.float64)
        gram = SPARSE_PAIR * float(np.square(of_papers).sum()) + SPARSE * 2 * pairs * side
        return INVERSION * side**3 + gram + 2 * scoring + words
    sizes = row_sizes(inner).astype(np.float64)
    return INVERSION * float(head) ** 3 + SPARSE_PAIR * float(np.square(sizes).sum()) + scoring + words


def _left(total: float, history: Csr, rank: int) -> float:
    return max(total - list_work(history, rank), 0.0)


def _largest(history: Csr, dim: int, work: float) -> int:
    """The most papers whose item weights cost no more, 0 where too few."""
    low, high = 0, history.shape[1]
    if item_work(history, dim, high) <= work:
        return high
    while high - low > max(low // 50, 1):
        middle = (low + high) // 2
        low, high = (middle, high) if item_work(history, dim, middle) <= work else (low, middle)
    return low if low >= LEAST_HEAD_SHARE * history.shape[1] else 0
