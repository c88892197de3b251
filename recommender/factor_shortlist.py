"""The best of very many papers by factors alone: a rough score for all of them, the exact one for those that may win.

The product with all factors is bound by how fast memory is read, so the rough score takes half of the directions.
Mean and deviation of the exact scores follow from the moments of the factors.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from recommender.domain import Csr, Floats, RankedList
from recommender.grown import Grown
from recommender.scoring import EXCLUDED, exclude_rows, top_lists
from recommender.sparse import as_csr, columns_of, from_lists, row_sizes
from recommender.summary import Summary
from recommender.vocabulary import Vocabulary

if TYPE_CHECKING:
    from recommender.hybrid import Hybrid

WIDTH = 128  # directions of the rough score
TYPICAL_READERS = 3000  # that the directions are learned from, each with one paper
PAPERS_PER_BLOCK = 8192
KEPT_PER_PLACE = 5  # papers scored exactly for each of a list, where the configured number is less
LEAST_DEVIATION = 1e-12


def is_worth_it(model: "Hybrid") -> bool:
    """True for a model of nothing but factors, of many papers."""
    alone = model.content is None and model.items is None and model.neighbours is None
    is_many = len(model.warm_rows) >= max(model.config.shortlist_papers, 1) and model.factors.rank > WIDTH
    return alone and is_many and model.config.als_weight > 0


def summarise(model: "Hybrid") -> Summary:
    """The summary of the factors of all papers with history."""
    factors = model.factors.item_factors
    read = np.unique(np.linspace(0, len(factors) - 1, TYPICAL_READERS).astype(np.int32))
    queries = model.factors.fold_in(from_lists(list(read[:, None]), None, len(factors)))

    def known() -> Iterator[Floats]:
        for start in range(0, len(factors), PAPERS_PER_BLOCK):
            yield factors[start : start + PAPERS_PER_BLOCK]

    return Summary.fit(known, queries, width=WIDTH)


def shortlisted(model: "Hybrid", liked: Csr, *, left_out: Csr, k: int) -> list[RankedList] | None:
    """One list per reader; None where papers without history would have to fill them."""
    history = as_csr(columns_of(liked, model.warm_rows) / np.float32(model.weight_unit))
    seen = columns_of(left_out, model.warm_rows)
    needed = k + int(row_sizes(seen).max(initial=0))
    if model.shortlist is None or needed > len(model.warm_rows) or not row_sizes(history).all():
        return None
    count = min(max(model.config.shortlist_size, KEPT_PER_PLACE * k), len(model.warm_rows) - 1)
    folded = model.factors.fold_in(history, threads=model.config.num_threads)
    factors = Grown.of(model.factors.item_factors)
    rough = model.shortlist.products(folded)
    exclude_rows(rough, seen)
    lists = []
    for reader, scores in zip(folded, rough, strict=True):
        kept = np.sort(np.argpartition(scores, len(scores) - count)[-count:])
        exact = factors.times(reader[:, None], rows=kept)[:, 0]
        exact[scores[kept] == EXCLUDED] = EXCLUDED
        papers = Vocabulary.from_rows(model.papers.ids(model.warm_rows[kept]))
        lists += top_lists(_standardised(model.shortlist, reader, exact)[None], papers, k=k)
    return lists


def _standardised(short: Summary, reader: Floats, scores: Floats) -> Floats:
    mean, square = short.moments(reader)
    deviation = np.sqrt(max(square - mean**2, 0.0))
    if deviation <= LEAST_DEVIATION:
        return np.where(scores > EXCLUDED, np.float32(0), EXCLUDED).astype(np.float32)
    return np.asarray((scores - np.float32(mean)) / np.float32(deviation), dtype=np.float32)
