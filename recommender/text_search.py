"""Search by meaning: the papers whose texts are most like a query, and their blend with what a full-text index found.

Likeness is the kernel of the ranker (see content.py) without its unit text vectors: the product of the sparse rows,
words and pairs of neighbouring words, and of the unit vectors of letter groups, which find a word in spite of a typo
or of another ending. It takes two steps: a rough product with all papers picks some, which are scored exactly.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from recommender.domain import Csr, Floats, Ids
from recommender.sparse import as_csr
from recommender.text import PAIR_WEIGHT, normalise
from recommender.text_outline import exact_products, texts_of
from recommender.threads import blas_threads
from recommender.topk import best_columns
from recommender.vocabulary import UNKNOWN_ROW

if TYPE_CHECKING:
    from recommender.hybrid import Hybrid

Scored: TypeAlias = tuple[Ids, Floats]  # distinct ids with their scores, best first
Places: TypeAlias = NDArray[np.signedinteger]
LETTERS = 1.0  # what letter groups weigh beside words in the likeness
COVERED = 2.0  # and how much of the text's words a paper has, however long it is
FEEDBACK = 24.0  # and its likeness to the middle of the papers that tell best what the text is about:
FEEDBACK_PAPERS = 8  # so many,
TELLING = 4.0  # chosen with this weight of the share of words that they have
TOPIC_WORDS = 3  # a text of so many words names a topic; a longer one, more and more, a certain paper:
FEEDBACK_POWER = 3.0  # its likeness to others counts less by this power of its length
LEAST_TOPICAL = 0.02  # below it nothing changes: texts of twelve words and more
NOTHING: Scored = (np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.float32))
PICKED = 500  # papers that the rough product picks, or as many as are asked for where that is more


@dataclass(frozen=True, slots=True)
class BlendConfig:
    """How much likeness counts beside the score of the index."""

    vector_weight: float = 1.0  # of a likeness of 1, where the best of the index counts 1
    least_alone: float = 0.1  # likeness of a paper that the index did not find


DEFAULT_BLEND = BlendConfig()


@dataclass(frozen=True, slots=True)
class TextQuery:
    """A text as a model reads it, and where it roughly stands: all that takes long before other papers are named."""

    model: "Hybrid"
    words: int
    features: Csr  # (1, terms)
    wanted: Floats  # (text,)
    picked: Places  # papers that are roughly like it, ascending


def search_text(model: "Hybrid", text: str, *, k: int, also: Ids | None = None) -> Scored:
    """The k papers most like the text, with those of `also` that the model knows.

    Likeness of 1 is that of the same text, none is 0. Where a text names a topic it goes beyond: by how like a paper
    is to those that have the words. Nothing where no word and no letter group of the text is known.
    """
    query = read_text(model, text, k=k)
    return NOTHING if query is None else search_read_text(query, k=k, also=also)


def read_text(model: "Hybrid", text: str, *, k: int) -> TextQuery | None:
    """The text, to be searched for k papers with `search_read_text`; None where the model knows nothing in it."""
    if model.encoder is None or len(model.papers) == 0:
        return None
    features, coords = model.text_parts([text])
    if not coords.any() and features.nnz == 0:
        return None
    with blas_threads(1):  # products bound by memory: other requests need the other cores more
        wanted = texts_of(model.encoder, coords)[0]
        return TextQuery(model, len(text.split()), features, wanted, _picked(model, wanted, k))


def search_read_text(query: TextQuery, *, k: int, also: Ids | None = None) -> Scored:
    """The answer of `search_text` to a text that was read."""
    model, features, wanted = query.model, query.features, query.wanted
    encoder = model.encoder
    if encoder is None:
        return NOTHING
    asked = NOTHING[0] if also is None else model.papers.rows(also)
    asked = asked[asked != UNKNOWN_ROW]
    with blas_threads(1):
        rows = np.union1d(query.picked, asked)
        texts = texts_of(encoder, model.coords.take(rows))
        alike, covered = _own_words(model, features, wanted, rows, texts)
        topical = min(1.0, (TOPIC_WORDS / max(query.words, 1)) ** FEEDBACK_POWER)
        if topical >= LEAST_TOPICAL:
            telling = _best(alike + np.float32(TELLING) * covered, FEEDBACK_PAPERS)
            middle = _middle(texts[telling])
            more = np.setdiff1d(_picked(model, middle, k), rows)
            of_more = texts_of(encoder, model.coords.take(more))
            alike_more, covered_more = _own_words(model, features, wanted, more, of_more)
            alike, covered = np.concatenate([alike, alike_more]), np.concatenate([covered, covered_more])
            near = np.maximum(np.concatenate([texts @ middle, of_more @ middle]), 0)
            near[telling] = near.max(initial=0.0)  # among themselves their own words decide
            rows = np.concatenate([rows, more])
            alike += np.float32(FEEDBACK * topical) * near
        alike += np.float32(COVERED) * covered
    alike /= np.float32(1 + PAIR_WEIGHT + LETTERS + COVERED)
    chosen = np.union1d(_best(alike, k), np.flatnonzero(np.isin(rows, asked)))
    chosen = chosen[alike[chosen] > 0]
    order = chosen[np.lexsort((rows[chosen], -alike[chosen]))]
    return model.papers.ids(rows[order]), alike[order]


def _picked(model: "Hybrid", text: Floats, k: int) -> Places:
    """The papers whose texts are roughly most like a text (text,), ascending."""
    if model.encoder is None:
        return np.zeros(0, dtype=np.intp)
    if model.outline is None:
        return _best(exact_products(model.encoder, model.coords, text), max(PICKED, k))
    return _best(model.outline.products(text), max(PICKED, k))


def _own_words(model: "Hybrid", features: Csr, wanted: Floats, rows: Places, texts: Floats) -> tuple[Floats, Floats]:
    """(rows,) likeness of a paper to the text in words and letters, and the share of the text's words that it has."""
    if model.encoder is None:
        return np.zeros(len(rows), dtype=np.float32), np.zeros(len(rows), dtype=np.float32)
    asked = as_csr(features[:, : len(model.encoder.singles)])
    found = model.features.take(rows)
    alike: Floats = np.asarray((found @ features.T.toarray())[:, 0], dtype=np.float32)
    found.data = np.ones_like(found.data)
    weights = np.zeros((found.shape[1], 1), dtype=np.float32)
    weights[asked.indices, 0] = np.square(asked.data)  # a word that is rare counts more: they sum to 1
    covered = np.asarray((found @ weights)[:, 0], dtype=np.float32)
    letters = texts[:, model.encoder.directions :]
    of_letters: Floats = letters @ wanted[model.encoder.directions :]
    together: Floats = alike + np.float32(LETTERS) * of_letters
    return together, covered


def _middle(texts: Floats) -> Floats:
    """(text,) of length 1 between these papers, or 0."""
    middle: Floats = normalise(texts.sum(axis=0, keepdims=True))[0]
    return middle


def blend(lexical: Scored, vector: Scored, *, config: BlendConfig = DEFAULT_BLEND) -> Scored:
    """The papers of both, best first; equal scores in the order of the index, then of likeness.

    Scores of the index are taken as shares of its best; a paper that one of them lacks counts 0 there.
    """
    ids = np.concatenate([lexical[0], vector[0]]) if len(lexical[0]) else np.asarray(vector[0])
    found, first, places = np.unique(ids, return_index=True, return_inverse=True)
    matched = np.zeros(len(found), dtype=np.float32)
    alike = np.zeros(len(found), dtype=np.float32)
    count = len(lexical[0])
    best = float(np.max(lexical[1], initial=0.0))
    matched[places[:count]] = lexical[1] / np.float32(best if best > 0 else 1.0)
    alike[places[count:]] = vector[1]
    kept = (first < count) | (alike >= config.least_alone)
    scores = matched + np.float32(config.vector_weight) * alike
    order = np.lexsort((first, -scores))
    order = order[kept[order]]
    return found[order], scores[order]


def _best(scores: Floats, count: int) -> Places:
    """The places of the best, ascending."""
    return np.sort(best_columns(scores[None], k=count).columns[0])
