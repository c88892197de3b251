"""The scores of a hybrid for a block of readers."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from recommender.config import HybridConfig
from recommender.domain import Csr, Floats, Times
from recommender.scoring import standardise
from recommender.sparse import as_csr, columns_of, csr_of, product, row_sizes
from recommender.text import TfidfEncoder, normalise

if TYPE_CHECKING:
    from recommender.hybrid import Hybrid

USUAL_HISTORY = 16.0  # papers; where the calibration of cold papers is stated
LEAST_COLD_SCALE = 0.3  # a very long history never turns the order of cold papers round
TERM_WEIGHT = 1.0  # an interest in words counts as much as one save
YEAR_SECONDS = 365.25 * 86_400
Terms = Sequence[tuple[str, ...]]


def blended_scores(model: "Hybrid", liked: Csr, terms: Terms | None) -> Floats:
    """(readers, papers) float32; rows of readers without any history or term mean nothing."""
    scaled = as_csr(liked / np.float32(model.weight_unit))
    history = columns_of(scaled, model.warm_rows)
    folded = model.factors.fold_in(history, threads=model.config.num_threads)
    words = _content_scores(model, scaled, folded, terms)
    if len(model.warm_rows) == 0:
        return crowd_scores(model.popularity, model.published_at, liked.shape[0]) if words is None else words
    signal = _signal(model, history, folded)
    if words is None:
        return _spread(model, signal)
    words = standardise(words, among=model.warm_rows)
    sizes = row_sizes(history)
    has_signal = sizes > 0
    scores = _calibrated(words, sizes, model.config)
    blend = standardise(signal + _content_weight(sizes, model.config) * words[:, model.warm_rows])
    scores[np.ix_(has_signal, model.warm_rows)] = blend[has_signal]
    scores[~has_signal] = words[~has_signal]
    return np.asarray(scores, dtype=np.float32)


def _content_weight(sizes: NDArray[np.int64], config: HybridConfig) -> Floats:
    """(readers, 1) what words weigh beside the signal of other readers."""
    if config.content_weight == 0:
        return np.zeros((len(sizes), 1), dtype=np.float32)
    weight = config.content_weight + config.content_weight_per_doubling * _doublings(sizes)
    return np.asarray(np.maximum(weight, 0.0), dtype=np.float32)


def _doublings(sizes: NDArray[np.int64]) -> Times:
    """(readers, 1) how often a history is twice the usual one; negative for shorter ones."""
    return np.asarray(np.log2(np.maximum(sizes, 1) / USUAL_HISTORY), dtype=np.float64)[:, None]


def _calibrated(words: Floats, sizes: NDArray[np.int64], config: HybridConfig) -> Floats:
    """(readers, papers) content scores on the scale of the blend for papers with history."""
    doublings = _doublings(sizes)
    scale = np.maximum(config.cold_scale + config.cold_scale_per_doubling * doublings, LEAST_COLD_SCALE)
    shift = config.cold_shift + config.cold_shift_per_doubling * doublings
    return np.asarray(words * scale.astype(np.float32) + shift.astype(np.float32), dtype=np.float32)


def _signal(model: "Hybrid", history: Csr, folded: Floats) -> Floats:
    """(readers, warm) what readers of the same papers say, by factors and by item weights."""
    signal = standardise(folded @ model.factors.item_factors.T)
    signal *= np.float32(model.config.als_weight)
    if model.items is not None:
        signal += np.float32(model.config.item_weight) * standardise(model.items.scores(history))
    return signal


def crowd_scores(popularity: Floats, published_at: Times, readers: int) -> Floats:
    """(readers, papers) the same for all: popular first, newer before older among equals."""
    newest = np.nanmax(published_at, initial=0.0)
    age_years = (newest - published_at) / YEAR_SECONDS
    recency = np.nan_to_num(1.0 / (1.0 + age_years), nan=0.0)
    return np.tile((popularity + 0.5 * recency).astype(np.float32), (readers, 1))


def _spread(model: "Hybrid", signal: Floats) -> Floats:
    """Scores over all papers where only those with history have any; the others stand below."""
    lowest = signal.min(axis=1, keepdims=True)
    scores = np.repeat(lowest, len(model.papers), axis=1)
    scores[:, model.warm_rows] = signal
    return scores


def _content_scores(model: "Hybrid", scaled: Csr, folded: Floats, terms: Terms | None) -> Floats | None:
    if model.content is None or model.encoder is None:
        return None
    summed_terms = product(scaled, model.features)
    summed = np.asarray(scaled @ model.vectors, dtype=np.float32)
    if terms is not None and any(terms):
        owner, features = _term_features(model.encoder, terms)
        summed_terms = as_csr(summed_terms + product(owner, features))
        summed += owner @ normalise(model.encoder.project(features))
    scores = model.content.score_saves(
        summed_terms, summed, features=model.features, vectors=model.vectors, reach=model.reach
    )
    share = np.float32(model.config.content_als_share)
    scores *= 1 - share
    scores += share * (folded @ model.text_factors.T)
    return scores


def _term_features(encoder: TfidfEncoder, terms: Terms) -> tuple[Csr, Csr]:
    """(readers, interests) whose each one is, and (interests, terms) its features."""
    flat = [term for of_reader in terms for term in of_reader]
    indptr = np.concatenate([[0], np.cumsum([len(of_reader) for of_reader in terms])])
    weights = np.full(len(flat), TERM_WEIGHT, dtype=np.float32)
    return csr_of(weights, np.arange(len(flat)), indptr, (len(terms), len(flat))), encoder.features(flat)
