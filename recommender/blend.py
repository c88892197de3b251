"""The scores of a hybrid for a block of readers."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from recommender.domain import Csr, Floats, Times
from recommender.scoring import standardise
from recommender.sparse import as_csr, columns_of, csr_of, product, row_sizes
from recommender.tuning import Found

if TYPE_CHECKING:
    from recommender.hybrid import Hybrid

TERM_WEIGHT = 1.0  # an interest in words counts as much as one save
FEW_READERS_WEIGHT = 0.3  # of the other readers beside words, where they are too few to be calibrated
YEAR_SECONDS = 365.25 * 86_400
Terms = Sequence[tuple[str, ...]]


def blended_scores(model: "Hybrid", liked: Csr, terms: Terms | None) -> Floats:
    """(readers, papers) float32; rows of readers without any history or term mean nothing."""
    scaled = as_csr(liked / np.float32(model.weight_unit))
    if len(model.warm_rows) == 0:
        words = _word_scores(model, scaled, terms)
        return crowd_scores(model.popularity, model.published_at, liked.shape[0]) if words is None else words
    found = found_scores(model, scaled, terms)
    if model.content is None:
        return _spread(model, found.z)
    if model.calibration is None:  # too few readers to know any odds
        scores = found.raw_z.copy()
        scores[:, model.warm_rows] += np.float32(FEW_READERS_WEIGHT) * found.z
        return scores
    scores = model.calibration.cold_odds(found.raw, found.raw_z)
    has_signal = found.sizes > 0
    odds = model.calibration.warm_odds(found.z, found.sizes, model.popularity[model.warm_rows])
    if has_signal.all():
        scores[:, model.warm_rows] = odds
        return scores
    scores[np.ix_(has_signal, model.warm_rows)] = odds[has_signal]
    scores[~has_signal] = found.raw[~has_signal]
    return scores


def found_scores(model: "Hybrid", scaled: Csr, terms: Terms | None) -> Found:
    """Scores before calibration; `scaled` is (readers, papers) confidence in units of a save."""
    config = model.config
    history = columns_of(scaled, model.warm_rows)
    folded = model.factors.fold_in(history, threads=config.num_threads)
    blend = _share(config.als_weight, folded @ model.factors.item_factors.T)
    if model.items is not None:
        blend += _share(config.item_weight, model.items.scores(history))
    if model.neighbours is not None:
        blend += _share(config.neighbour_weight, model.neighbours.scores(history))
    raw = _word_scores(model, scaled, terms)
    sizes = row_sizes(history)
    if raw is None or model.content is None:
        return Found(standardise(blend), blend[:, :0], blend[:, :0], sizes)
    if config.content_weight:
        blend += _share(config.content_weight, _without_own(raw[:, model.warm_rows], history, model.content.leverage))
    raw *= np.float32(config.content_saves_weight * model.content.scale)
    raw += folded @ model.text_factors.T
    return Found(standardise(blend), raw, standardise(raw), sizes)


def crowd_scores(popularity: Floats, published_at: Times, readers: int) -> Floats:
    """(readers, papers) the same for all: popular first, newer before older among equals."""
    newest = np.nanmax(published_at, initial=0.0)
    age_years = (newest - published_at) / YEAR_SECONDS
    recency = np.nan_to_num(1.0 / (1.0 + age_years), nan=0.0)
    return np.tile((popularity + 0.5 * recency).astype(np.float32), (readers, 1))


def _share(weight: float, scores: Floats) -> Floats:
    return np.asarray(np.float32(weight) * standardise(scores), dtype=np.float32)


def _without_own(words: Floats, history: Csr, leverage: Floats) -> Floats:
    """Ridge scores as if each paper had been left out of the regression that scores it."""
    readers = np.repeat(np.arange(history.shape[0]), np.diff(history.indptr))
    words[readers, history.indices] -= leverage[history.indices] * history.data
    words /= 1 - leverage
    return words


def _spread(model: "Hybrid", signal: Floats) -> Floats:
    """Scores over all papers where only those with history have any; the others stand below."""
    lowest = signal.min(axis=1, keepdims=True)
    scores = np.repeat(lowest, len(model.papers), axis=1)
    scores[:, model.warm_rows] = signal
    return scores


def _word_scores(model: "Hybrid", scaled: Csr, terms: Terms | None) -> Floats | None:
    """(readers, papers) ridge of the saves and interests; None without words."""
    if model.content is None:
        return None
    summed_terms = product(scaled, model.features)
    summed = np.asarray(scaled @ model.coords, dtype=np.float32)
    if terms is not None and any(terms):
        owner, flat = _owners(terms)
        features, coords = model.text_parts(flat)
        summed_terms = as_csr(summed_terms + product(owner, features))
        summed += owner @ coords
    return model.content.score_saves(summed_terms, summed, features=model.features, coords=model.coords)


def _owners(terms: Terms) -> tuple[Csr, list[str]]:
    """(readers, interests) whose each one is, and the interests."""
    flat = [term for of_reader in terms for term in of_reader]
    indptr = np.concatenate([[0], np.cumsum([len(of_reader) for of_reader in terms])])
    weights = np.full(len(flat), TERM_WEIGHT, dtype=np.float32)
    return csr_of(weights, np.arange(len(flat)), indptr, (len(terms), len(flat))), flat
