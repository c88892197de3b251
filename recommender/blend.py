"""The scores of a hybrid for a block of readers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from recommender.calibration import Calibration
from recommender.config import HybridConfig
from recommender.content import ContentMap
from recommender.domain import Csr, Floats, Times
from recommender.grown import weighted_rows
from recommender.scoring import standardise
from recommender.sparse import as_csr, columns_of, csr_of, product, row_sizes
from recommender.tuning import Found

if TYPE_CHECKING:
    from recommender.hybrid import Hybrid

TERM_WEIGHT = 1.0  # an interest in words counts as much as one save
FEW_READERS_WEIGHT = 0.3  # of the other readers beside words, where they are too few to be calibrated
LEAST_DEVIATION = 1e-12  # below it words know nothing about a reader
YEAR_SECONDS = 365.25 * 86_400
Terms: TypeAlias = Sequence[tuple[str, ...]]
Columns: TypeAlias = slice | NDArray[np.signedinteger]


@dataclass(frozen=True, slots=True)
class Moments:
    """Of the straight mix of both halves over all papers: unlike those of the curved one they follow from sums."""

    mean: Floats  # (readers, 1)
    deviation: Floats  # (readers, 1)

    @property
    def divisor(self) -> Floats:
        """The deviation, or 1 where all papers are alike."""
        return np.where(self.deviation > LEAST_DEVIATION, self.deviation, np.float32(1)).astype(np.float32)

    def standardise(self, raw: Floats) -> Floats:
        """Scores (readers, papers) in deviations from the mean, 0 where all papers are alike."""
        scores = (raw - self.mean) / self.divisor
        scores[self.deviation[:, 0] <= LEAST_DEVIATION] = 0
        return np.asarray(scores, dtype=np.float32)


def blended_scores(model: "Hybrid", liked: Csr, terms: Terms | None) -> Floats:
    """(readers, papers) float32; rows of readers without any history or term mean nothing."""
    scaled = as_csr(liked / np.float32(model.weight_unit))
    if len(model.warm_rows) == 0:
        words = _word_scores(model, scaled, terms)
        return crowd_scores(model.popularity, model.published_at, liked.shape[0]) if words is None else words
    found = found_scores(model, scaled, terms)
    if model.content is None:
        return _spread(model, found.z)
    return one_list(model.calibration, found, warm=model.warm_rows, popularity=model.popularity[model.warm_rows])


def one_list(calibration: Calibration | None, found: Found, *, warm: NDArray[np.integer], popularity: Floats) -> Floats:
    """(readers, columns) scores by which columns with history (`warm`) and without compare."""
    if calibration is None:  # too few readers to know any odds
        scores = found.raw_z.copy()
        scores[:, warm] += np.float32(FEW_READERS_WEIGHT) * found.z
        return scores
    scores = calibration.cold_odds(found.raw, found.raw_z, found.sizes)
    has_signal = found.sizes > 0
    odds = calibration.warm_odds(found.z, found.sizes, popularity)
    if has_signal.all():
        scores[:, warm] = odds
        return scores
    scores[np.ix_(has_signal, warm)] = odds[has_signal]
    scores[~has_signal] = found.raw[~has_signal]
    return scores


def found_scores(model: "Hybrid", scaled: Csr, terms: Terms | None) -> Found:
    """Scores before calibration; `scaled` is (readers, papers) confidence in units of a save."""
    config = model.config
    history = columns_of(scaled, model.warm_rows)
    folded = model.factors.fold_in(history, threads=config.num_threads)
    blend = crowd_blend(model, history, folded)
    words = _word_scores(model, scaled, terms)
    sizes = row_sizes(history)
    if words is None or model.content is None:
        return Found(standardise(blend), blend[:, :0], blend[:, :0], sizes)
    if config.content_weight:
        blend += _share(config.content_weight, without_own(words[:, model.warm_rows], history, model.content))
    words *= np.float32(model.content.scale)
    likely = np.empty_like(words)
    for papers, factors in model.text_factors.spans():
        likely[:, papers] = folded @ factors.T
    straight = np.float32(config.content_saves_weight) * words + likely
    moments = Moments(straight.mean(axis=1, keepdims=True), straight.std(axis=1, keepdims=True))
    raw = straight if model.calibration is None else curved(words, likely, moments=moments, config=config)
    return Found(standardise(blend), raw, moments.standardise(raw), sizes)


def curved(saves: Floats, likely: Floats, *, moments: Moments, config: HybridConfig) -> Floats:
    """(readers, papers) mix of the ridge of the saves and of the ALS scores that words predict.

    The surer the saves are of a paper, the more they count: they alone know what a reader is after exactly, and
    factors know better what else may do. So the head of a list follows the saves and its tail the factors. With too
    few readers for any odds, lists keep to the straight mix: there is nothing that factors could know.
    """
    sure = np.maximum(saves, 0)
    mix = np.float32(config.content_both_weight) * np.maximum(likely, 0)
    mix += np.float32(config.content_square_weight) * sure
    mix *= sure
    mix /= moments.divisor
    mix += np.float32(config.content_plain_weight) * saves
    mix += likely
    return np.asarray(mix, dtype=np.float32)


def crowd_blend(model: "Hybrid", history: Csr, folded: Floats) -> Floats:
    """(readers, warm) what other readers say; `folded` are the factors of these ones."""
    config = model.config
    blend = _share(config.als_weight, folded @ model.factors.item_factors.T)
    if model.items is not None:
        blend += _share(config.item_weight, model.items.scores(history))
    if model.neighbours is not None:
        blend += _share(config.neighbour_weight, model.neighbours.scores(history))
    return blend


def is_unknown(liked: Csr, terms: Terms | None) -> NDArray[np.bool_]:
    """(readers,) those without any history or term."""
    has_terms = [any(t.strip() for t in of_reader) for of_reader in terms or [()] * liked.shape[0]]
    return np.asarray((row_sizes(liked) == 0) & ~np.array(has_terms, dtype=bool))


def crowd_scores(popularity: Floats, published_at: Times, readers: int) -> Floats:
    """(readers, papers) the same for all: popular first, newer before older among equals."""
    newest = np.nanmax(published_at, initial=0.0)
    age_years = (newest - published_at) / YEAR_SECONDS
    recency = np.nan_to_num(1.0 / (1.0 + age_years), nan=0.0)
    return np.tile((popularity + 0.5 * recency).astype(np.float32), (readers, 1))


def _share(weight: float, scores: Floats) -> Floats:
    return np.asarray(np.float32(weight) * standardise(scores), dtype=np.float32)


def without_own(words: Floats, history: Csr, content: ContentMap, *, columns: Columns = slice(None)) -> Floats:
    """Ridge scores as if each paper had been left out of the regression that scores it.

    Both have a column per paper with history, or for the given ones of them.
    """
    leverage = content.leverage[columns]
    readers = np.repeat(np.arange(history.shape[0]), np.diff(history.indptr))
    words[readers, history.indices] -= (leverage * content.rarity[columns])[history.indices] * history.data
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
    wanted, summed = summed_words(model, scaled, terms)
    scores = np.empty((scaled.shape[0], len(model.papers)), dtype=np.float32)
    for (papers, features), coords in zip(model.features.spans(), model.coords.parts, strict=True):
        scores[:, papers] = model.content.score_saves(wanted, summed, features=features, coords=coords)
    return scores


def summed_words(model: "Hybrid", scaled: Csr, terms: Terms | None) -> tuple[Csr, Floats]:
    """(readers, terms) features and (readers, dim) coordinates, summed over the saves and interests of each."""
    saves = _by_rarity(model, scaled)
    features, coords = weighted_rows(saves, model.features), weighted_rows(saves, model.coords)
    if terms is None or not any(terms):
        return features, coords
    owner, flat = _owners(terms)
    more_features, more_coords = model.text_parts(flat)
    return as_csr(features + product(owner, more_features)), coords + owner @ more_coords


def _by_rarity(model: "Hybrid", scaled: Csr) -> Csr:
    """The same saves, each weighing what it says of a reader."""
    if model.content is None or len(model.content.rarity) != len(model.warm_rows):  # nobody saved anything in the fit
        return scaled
    rarity = np.full(len(model.papers), model.content.rarity_of_new, dtype=np.float32)
    rarity[model.warm_rows] = model.content.rarity
    shape = (scaled.shape[0], scaled.shape[1])
    return csr_of(scaled.data * rarity[scaled.indices], scaled.indices, scaled.indptr, shape)


def _owners(terms: Terms) -> tuple[Csr, list[str]]:
    """(readers, interests) whose each one is, and the interests."""
    flat = [term for of_reader in terms for term in of_reader]
    indptr = np.concatenate([[0], np.cumsum([len(of_reader) for of_reader in terms])])
    weights = np.full(len(flat), TERM_WEIGHT, dtype=np.float32)
    return csr_of(weights, np.arange(len(flat)), indptr, (len(terms), len(flat))), flat
