"""Building the parts of a hybrid from a dataset, with what to do when a part has no data."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypedDict

import numpy as np

from recommender import budget, calibration
from recommender.als import AlsFactors
from recommender.calibration import Calibration
from recommender.config import HybridConfig
from recommender.content import ContentMap, Rarity, Weights, coords_of, sentence_coords
from recommender.dataset import Dataset
from recommender.domain import Csr, Floats, Rows, Times, Vectors
from recommender.grown import Grown
from recommender.items import ItemWeights
from recommender.neighbours import Neighbours
from recommender.sparse import as_csr, columns_of, empty_csr, rows_of
from recommender.summary import Summary
from recommender.text import Sizes, TfidfEncoder, normalise
from recommender.text_outline import Outline
from recommender.threads import blas_threads
from recommender.vocabulary import Vocabulary

SMALL_READERS = 20  # below this the figures of a fit mean little, and the model says so
Report = Callable[[str, float], None]


class Parts(TypedDict):
    """The fields of a Hybrid."""

    config: HybridConfig
    papers: Vocabulary
    warm_rows: Rows
    factors: AlsFactors
    items: ItemWeights | None
    neighbours: Neighbours | None
    encoder: TfidfEncoder | None
    content: ContentMap | None
    features: Grown[Csr]
    coords: Grown[Floats]
    text_factors: Grown[Floats]
    shortlist: Summary | None
    outline: Outline | None
    popularity: Floats
    published_at: Times
    weight_unit: float
    calibration: Calibration | None
    fingerprint: str
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Corpus:
    """The words of papers, made once for all fits on them."""

    encoder: TfidfEncoder | None
    features: Csr  # (papers, terms)
    coords: Floats  # (papers, dim) of the kernel, see content.py
    directions: Floats  # (papers, item_text_dim) of length 1, readers made of words in the item weights
    notes: tuple[str, ...] = ()  # what large data gave up

    def select(self, rows: Rows) -> "Corpus":
        """The same of some papers."""
        return Corpus(self.encoder, rows_of(self.features, rows), self.coords[rows], self.directions[rows])


def fit_parts(dataset: Dataset, corpus: Corpus, config: HybridConfig, *, seed: int, report: Report) -> Parts:
    """All fields of the fitted model; the calibration is the default."""
    user_items = dataset.user_items
    popularity = np.bincount(user_items.indices, minlength=len(dataset.papers)).astype(np.float32)
    warm_rows = np.flatnonzero(popularity).astype(np.int32)
    unit = float(np.median(user_items.data)) if user_items.nnz else 1.0
    history = as_csr(columns_of(user_items, warm_rows) / np.float32(unit))
    allowed = _allowance(user_items, history, corpus, config)
    config = replace(config, rank=allowed.rank, neighbour_readers=allowed.has_neighbours * config.neighbour_readers)
    notes = [*_notes_on_text(corpus), *allowed.notes]
    report("factors", 0.0)
    factors = _fit_factors(history, config, seed=seed, notes=notes)
    report("item weights", 0.25)
    with blas_threads(config.num_threads):
        items = _fit_items(history, corpus.directions[warm_rows], config) if allowed.has_items else None
        report("words", 0.9)
        rarity = Rarity.of(popularity[warm_rows], readers=history.shape[0])
        content, text_factors = _fit_text(corpus, factors, warm_rows, rarity=rarity, config=config, notes=notes)
    report("done", 1.0)
    return Parts(
        config=config,
        papers=dataset.papers,
        warm_rows=warm_rows,
        factors=factors,
        items=items,
        neighbours=_fit_neighbours(history, config),
        encoder=corpus.encoder,
        content=content,
        features=Grown.of(corpus.features),
        coords=Grown.of(corpus.coords),
        text_factors=Grown.of(text_factors),
        shortlist=None,
        outline=None,
        popularity=popularity,
        published_at=dataset.texts.published_at,
        weight_unit=unit,
        calibration=_default_calibration(history, papers=len(dataset.papers)),
        fingerprint=dataset.fingerprint(),
        notes=tuple(notes),
    )


def fit_corpus(dataset: Dataset, config: HybridConfig, *, seed: int) -> Corpus:
    """What is written about all papers; without an encoder where there are next to no words."""
    texts = dataset.texts
    thin = budget.thin_words(dataset.user_items, texts, config)
    words = _fit_words(texts.joined(), thin, seed=seed)
    if words.encoder is not None and thin != config:
        kept = f"{thin.content_dim} directions of words and {thin.gram_dim} of letter groups"
        words = replace(words, notes=(f"{kept}: more would pass the budget of work",))
    if texts.vectors is None:
        return words
    sentences = sentence_coords(checked_vectors(texts.vectors, len(texts)), kernel_weights(config))
    return replace(words, coords=np.concatenate([words.coords, sentences], axis=1))


def checked_vectors(vectors: Vectors, papers: int) -> Vectors:
    """The same vectors; raises ValueError when they are not one row of numbers per paper."""
    if vectors.ndim != 2 or len(vectors) != papers:
        raise ValueError(f"vectors have shape {vectors.shape} for {papers} papers; give one row per paper")
    if not np.isfinite(vectors).all():
        raise ValueError("vectors hold values that are no numbers; encode those papers anew")
    return vectors


def _fit_words(texts: list[str], config: HybridConfig, *, seed: int) -> Corpus:
    sizes = Sizes(
        directions=max(config.text_dim, config.content_dim, config.item_text_dim),
        vector=config.text_dim,
        grams=config.gram_dim,
        max_terms=config.max_terms,
    )
    with blas_threads(config.num_threads):
        fitted = TfidfEncoder.fit(texts, sizes=sizes, seed=seed)
    if fitted is None:
        nothing = np.zeros((len(texts), 0), np.float32)
        return Corpus(None, empty_csr(len(texts), 0), nothing, nothing)
    whole, features, blocks = fitted
    directions = normalise(blocks[:, : min(whole.directions, config.item_text_dim)])
    encoder = whole.truncated(max(config.content_dim, config.text_dim))
    kept = np.concatenate([blocks[:, : encoder.directions], blocks[:, whole.directions :]], axis=1)
    return Corpus(encoder, features, coords_of(encoder, kept, kernel_weights(config)), directions)


def kernel_weights(config: HybridConfig) -> Weights:
    """The part of the tunables that the ridge on words depends on."""
    return Weights(
        vector=config.vector_kernel,
        grams=config.gram_kernel,
        sentence=config.sentence_kernel,
        saves_l2=config.content_saves_l2,
        als_l2=config.content_als_l2,
    )


def inner_config(config: HybridConfig) -> HybridConfig:
    """The cheaper fit that the calibration is learned on."""
    text_dim = min(config.item_text_dim, config.tuning_item_text_dim)
    return replace(config, epochs=min(config.epochs, config.tuning_epochs), item_text_dim=text_dim)


def _notes_on_text(corpus: Corpus) -> list[str]:
    if corpus.encoder is not None:
        return list(corpus.notes)
    if corpus.coords.shape[1]:
        return ["no words to speak of: papers are known by their sentence vectors"]
    return ["no text to speak of: papers are ranked by interactions alone"]


def _default_calibration(history: Csr, *, papers: int) -> Calibration | None:
    readers, warm = history.shape
    return calibration.default(warm=warm, papers=papers) if readers >= SMALL_READERS else None


def _fit_factors(history: Csr, config: HybridConfig, *, seed: int, notes: list[str]) -> AlsFactors:
    readers, papers = history.shape
    if history.nnz == 0:
        notes.append("no interactions: papers are ranked by their words alone")
        return AlsFactors.of(np.zeros((papers, 0), np.float32), l2=config.l2, alpha=config.alpha)
    if readers < SMALL_READERS:
        notes.append(f"only {readers} readers: lists are little more than popularity and words")
    rank = min(config.rank, max(readers, papers))
    if rank < config.rank:
        notes.append(f"{rank} factors instead of {config.rank}: there are no more readers or papers")
    return AlsFactors.fit(
        history,
        rank=rank,
        l2=config.l2,
        alpha=config.alpha,
        epochs=config.epochs,
        seed=seed,
        threads=config.num_threads,
    )


def _allowance(user_items: Csr, history: Csr, corpus: Corpus, config: HybridConfig) -> budget.Allowance:
    """What the parts may cost; `history` is `user_items` without papers that nobody has."""
    words, (readers, papers) = 0.0, user_items.shape
    if corpus.coords.shape[1]:
        words = readers * papers * budget.WORD_ENTRY
        words += budget.word_work(user_items, terms=corpus.features.nnz, width=corpus.coords.shape[1])
    return budget.allowance(history, config, dim=corpus.directions.shape[1], words=words)


def _fit_items(history: Csr, directions: Floats, config: HybridConfig) -> ItemWeights | None:
    if history.nnz == 0:
        return None
    return ItemWeights.fit(
        history,
        directions[:, : config.item_text_dim],
        l2=config.item_l2,
        l2_per_reader=config.item_l2_per_reader,
        text_weight=config.item_text_weight,
        threads=config.num_threads,
    )


def _fit_neighbours(history: Csr, config: HybridConfig) -> Neighbours | None:
    if history.nnz == 0 or config.neighbour_weight == 0 or history.shape[0] > config.neighbour_readers:
        return None
    return Neighbours.fit(history)


def _fit_text(
    corpus: Corpus, factors: AlsFactors, warm_rows: Rows, *, rarity: Rarity, config: HybridConfig, notes: list[str]
) -> tuple[ContentMap | None, Floats]:
    """The map from words to factors and (papers, rank) what it predicts: zeros without one."""
    content = _fit_content(corpus, factors, warm_rows, rarity=rarity, config=config)
    if content is not None:
        return content, content.factors(corpus.features, corpus.coords)
    if len(warm_rows) == 0:
        notes.append("neither interactions nor text: newest papers first")
    return None, np.zeros((len(corpus.coords), factors.rank), np.float32)


def _fit_content(
    corpus: Corpus, factors: AlsFactors, warm_rows: Rows, *, rarity: Rarity, config: HybridConfig
) -> ContentMap | None:
    if corpus.coords.shape[1] == 0:
        return None
    rows, targets = warm_rows, factors.item_factors
    if len(rows) == 0:  # nobody liked anything yet: all papers count as not liked
        rows = np.arange(len(corpus.coords), dtype=np.int32)
        targets = np.zeros((len(rows), 0), np.float32)
    return ContentMap.fit(
        rows_of(corpus.features, rows),
        corpus.coords[rows],
        directions=corpus.encoder.directions if corpus.encoder else 0,
        targets=targets,
        rarity=rarity,
        weights=kernel_weights(config),
    )
