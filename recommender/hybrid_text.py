"""Texts and papers outside a hybrid as its numbers, and how alike papers in it are."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from recommender.content import coords_of, sentence_coords
from recommender.domain import Csr, Floats, Ids, PaperTexts, RankedList, Rows
from recommender.explanation import Truths, explain_said
from recommender.hybrid_fit import checked_vectors, kernel_weights
from recommender.scoring import EXCLUDED, top_lists
from recommender.sparse import empty_csr, holds_all
from recommender.text import normalise
from recommender.vocabulary import UNKNOWN_ROW

if TYPE_CHECKING:
    from recommender.hybrid import Hybrid

SIMILAR_PER_BLOCK = 4096  # papers compared at a time


def width_of_words(model: "Hybrid") -> int:
    """Coordinates that come from words; those of sentence vectors follow."""
    return 0 if model.encoder is None else model.encoder.width


def text_parts(model: "Hybrid", texts: Sequence[str]) -> tuple[Csr, Floats]:
    """(texts, terms) features and (texts, dim) coordinates, by words alone."""
    coords = np.zeros((len(texts), model.coords.shape[1]), np.float32)
    if model.encoder is None:
        return empty_csr(len(texts), model.features.shape[1]), coords
    features, blocks = model.encoder.project(texts)
    coords[:, : width_of_words(model)] = coords_of(model.encoder, blocks, kernel_weights(model.config))
    return features, coords


def paper_parts(model: "Hybrid", texts: PaperTexts) -> tuple[Csr, Floats]:
    """The same of papers, by words and sentence vectors; ValueError for vectors of another dimension."""
    features, coords = text_parts(model, texts.joined())
    if texts.vectors is None:
        return features, coords
    dim = int(texts.vectors.shape[1])
    if dim != model.sentence_dim:
        raise ValueError(f"vectors have dimension {dim}, those of the model's fit {model.sentence_dim}; fit anew")
    vectors = checked_vectors(texts.vectors, len(texts))
    coords[:, width_of_words(model) :] = sentence_coords(vectors, kernel_weights(model.config))
    return features, coords


def evidence(model: "Hybrid", rows: Rows) -> Floats:
    """(rows, width) vectors of length 1 or less whose products say how alike papers are."""
    factors = model.text_factors.take(rows)
    if len(model.warm_rows):
        at = np.minimum(np.searchsorted(model.warm_rows, rows), len(model.warm_rows) - 1)
        is_warm = model.warm_rows[at] == rows
        factors[is_warm] = model.factors.item_factors[at[is_warm]]
    sentences = model.coords.take(rows, columns=slice(width_of_words(model), None))
    parts = [normalise(factors), model.text_vectors(rows), normalise(sentences)]
    share = np.float32(np.sqrt(1 / (3 if model.sentence_dim else 2)))
    return np.concatenate(parts, axis=1) * share


def said_terms(model: "Hybrid", terms: Sequence[str], paper_ids: Ids) -> tuple[Rows, Floats]:
    """See `Hybrid.explain_said`."""
    rows = model.papers.rows(paper_ids)
    known = np.flatnonzero(rows != UNKNOWN_ROW)
    is_said = np.zeros((len(rows), len(terms)), dtype=bool)
    likeness = np.zeros(is_said.shape, dtype=np.float32)
    if model.encoder is not None and len(terms) and len(known):
        of_terms = model.encoder.features(terms)
        columns = model.encoder.columns_of_words(terms, of_terms)
        is_said[known] = _has_all(model.features.take(rows[known]), columns)
        likeness[known] = model.text_vectors(rows[known]) @ model.encoder.unit_vectors(of_terms).T
    return explain_said(likeness, is_said)


def _has_all(features: Csr, columns: Sequence[Rows | None]) -> Truths:
    """(papers, texts) which papers have all words of a text, in whatever order; False where that is not known."""
    found = np.zeros((features.shape[0], len(columns)), dtype=bool)
    for at, of_text in enumerate(columns):
        if of_text is not None:
            found[:, at] = holds_all(features, of_text)
    return found


def similar(model: "Hybrid", paper_ids: Ids, *, k: int) -> list[RankedList]:
    """The papers most like each given one; [] for an unknown paper."""
    rows = model.papers.rows(paper_ids)
    known = rows != UNKNOWN_ROW
    scores = np.full((len(rows), len(model.papers)), EXCLUDED, dtype=np.float32)
    asked = evidence(model, rows[known])
    for start in range(0, len(model.papers) * bool(known.any()), SIMILAR_PER_BLOCK):
        block = np.arange(start, min(start + SIMILAR_PER_BLOCK, len(model.papers)), dtype=np.int32)
        scores[known, start : start + len(block)] = asked @ evidence(model, block).T
    scores[np.flatnonzero(known), rows[known]] = EXCLUDED
    return top_lists(scores, model.papers, k=k)
