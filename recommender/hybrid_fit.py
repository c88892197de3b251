"""Building the parts of a hybrid from a dataset, with what to do when a part has no data."""

from collections.abc import Callable
from typing import TypedDict

import numpy as np

from recommender.als import AlsFactors
from recommender.config import HybridConfig
from recommender.content import ContentMap
from recommender.dataset import Dataset
from recommender.domain import Csr, Floats, Rows, Times
from recommender.items import ItemWeights
from recommender.sparse import as_csr, columns_of, empty_csr, rows_of
from recommender.text import TfidfEncoder, normalise
from recommender.threads import blas_threads
from recommender.vocabulary import Vocabulary

SMALL_READERS = 20  # below this the figures of a fit mean little, and the model says so


class Parts(TypedDict):
    """The fields of a Hybrid."""

    config: HybridConfig
    papers: Vocabulary
    warm_rows: Rows
    factors: AlsFactors
    items: ItemWeights | None
    encoder: TfidfEncoder | None
    content: ContentMap | None
    features: Csr
    vectors: Floats
    reach: Floats
    text_factors: Floats
    popularity: Floats
    published_at: Times
    weight_unit: float
    fingerprint: str
    notes: tuple[str, ...]


def fit_parts(dataset: Dataset, config: HybridConfig, *, seed: int, progress: Callable[[str, float], None]) -> Parts:
    """All fields of the fitted model."""
    notes: list[str] = []
    user_items = dataset.user_items
    popularity = np.bincount(user_items.indices, minlength=len(dataset.papers)).astype(np.float32)
    warm_rows = np.flatnonzero(popularity).astype(np.int32)
    unit = float(np.median(user_items.data)) if user_items.nnz else 1.0
    history = as_csr(columns_of(user_items, warm_rows) / np.float32(unit))
    progress("factors", 0.0)
    factors = _fit_factors(history, config, seed=seed, notes=notes)
    progress("text", 0.15)
    encoder, features, coords = _fit_text(dataset, config, seed=seed, notes=notes)
    progress("item weights", 0.3)
    items = _fit_items(history, normalise(coords[warm_rows]), config)
    coords = coords[:, : config.text_dim]
    vectors = normalise(coords)
    progress("content", 0.8)
    content = None if encoder is None else _fit_content(features, coords, factors, warm_rows, config=config)
    if content is None and not len(warm_rows):
        notes.append("neither interactions nor text: newest papers first")
    progress("done", 1.0)
    unmapped = np.zeros((len(vectors), factors.rank), np.float32)
    return Parts(
        config=config,
        papers=dataset.papers,
        warm_rows=warm_rows,
        factors=factors,
        items=items,
        encoder=encoder,
        content=content,
        features=features,
        vectors=vectors,
        reach=np.zeros_like(vectors) if content is None else content.reach(features, vectors),
        text_factors=unmapped if content is None else content.factors(features, vectors),
        popularity=popularity,
        published_at=dataset.texts.published_at,
        weight_unit=unit,
        fingerprint=dataset.fingerprint(),
        notes=tuple(notes),
    )


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


def _fit_text(
    dataset: Dataset, config: HybridConfig, *, seed: int, notes: list[str]
) -> tuple[TfidfEncoder | None, Csr, Floats]:
    texts = dataset.texts.joined()
    fitted = TfidfEncoder.fit(
        texts, dim=max(config.text_dim, config.item_text_dim), max_terms=config.max_terms, seed=seed
    )
    if fitted is None:
        notes.append("no text to speak of: papers are ranked by interactions alone")
        count = len(dataset.papers)
        return None, empty_csr(count, 0), np.zeros((count, 0), np.float32)
    encoder, features = fitted
    return encoder.truncated(config.text_dim), features, encoder.project(features)


def _fit_items(history: Csr, directions: Floats, config: HybridConfig) -> ItemWeights | None:
    if history.nnz == 0 or config.item_weight == 0:
        return None
    with blas_threads(config.num_threads):
        return ItemWeights.fit(
            history,
            directions,
            l2=config.item_l2,
            l2_per_reader=config.item_l2_per_reader,
            text_weight=config.item_text_weight,
            budget_mb=config.memory_budget_mb,
        )


def _fit_content(
    features: Csr, coords: Floats, factors: AlsFactors, warm_rows: Rows, *, config: HybridConfig
) -> ContentMap:
    return ContentMap.fit(
        rows_of(features, warm_rows),
        normalise(coords[warm_rows]),
        energy=float(np.square(coords).sum() / max(len(coords), 1)),
        targets=factors.item_factors,
        l2=config.content_l2,
        lsa_weight=config.content_lsa_weight,
    )
