"""The best of very many papers for a few readers: a rough score for all, the exact one for those that may win.

A paper's score by its words is a product of what is known of it (coordinates and predicted factors, together a
thousand numbers) with what is known of the reader, plus the product of their sparse rows. The rough score takes
the leading directions of those numbers instead, and of the sparse rows what their coordinates hold; the papers
with the best rough scores are scored exactly, and those with history always are. The rough score is straight, the
exact one curved (blend.py). What scores are standardised by (mean and deviation of the straight mix over all papers)
follows from the moments of the numbers, corrected by a fixed sample of papers.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from recommender.blend import (
    Moments,
    Terms,
    crowd_blend,
    curved,
    is_unknown,
    one_list,
    summed_words,
    without_own,
)
from recommender.domain import Ask, Csr, Floats, RankedList
from recommender.scoring import EXCLUDED, standardise, top_lists
from recommender.sparse import as_csr, columns_of, from_lists, row_sizes, rows_of
from recommender.summary import Summary
from recommender.tuning import Found
from recommender.vocabulary import UNKNOWN_ROW, Vocabulary

if TYPE_CHECKING:
    from recommender.content import ContentMap
    from recommender.hybrid import Hybrid

WIDTH = 192  # directions of the rough score
TYPICAL_READERS = 3000  # that the directions are learned from, each with one paper
PAPERS_PER_BLOCK = 8192
KEPT_PER_PLACE = 5  # papers scored exactly for each of a list, where its configured number is less
SAMPLE = 1024  # papers by which mean and deviation are corrected
Places: TypeAlias = NDArray[np.signedinteger]


def summarise(model: "Hybrid", content: "ContentMap") -> Summary:
    """The summary of coordinates and predicted factors of all papers of a model with words."""
    read = model.warm_rows if len(model.warm_rows) else np.arange(len(model.papers))
    read = read[_strided(len(read), TYPICAL_READERS)]
    single = from_lists(list(read[:, None]), None, len(model.papers))
    folded = model.factors.fold_in(columns_of(single, model.warm_rows), threads=model.config.num_threads)
    queries = _queries(model, content, summed=model.coords.take(read), folded=folded)

    def known() -> Iterator[Floats]:
        for coords, factors in zip(model.coords.parts, model.text_factors.parts, strict=True):
            for start in range(0, len(coords), PAPERS_PER_BLOCK):
                papers = slice(start, start + PAPERS_PER_BLOCK)
                yield np.concatenate([coords[papers], factors[papers]], axis=1)

    return Summary.fit(known, queries, width=WIDTH)


@dataclass(frozen=True, slots=True)
class _Reader:
    """One reader, with what no single cold paper changes; every array has one row."""

    wanted: Floats  # (terms, 1) what sparse rows are multiplied by, in the ridge of the saves
    turned: Floats  # (1, dim) what coordinates are, there
    folded: Floats  # (1, rank)
    query: Floats  # (1, dim + rank) what coordinates and predicted factors are multiplied by
    sizes: NDArray[np.int64]  # (1,) of the history
    z: Floats  # (1, warm) exact, see Found
    raw: Floats  # (1, papers) rough, see Found


def shortlisted(
    model: "Hybrid", liked: Csr, terms: Terms | None, *, left_out: Csr, asks: Sequence[Ask]
) -> list[list[RankedList]]:
    """For each ask one list per reader; the model has a shortlist, hence words."""
    if model.content is None or model.shortlist is None:
        raise ValueError("a model without words has no shortlist")
    readers = _readers(model, model.content, model.shortlist, liked=liked, terms=terms)
    among = [
        None if ask.candidates is None else np.setdiff1d(model.papers.rows(ask.candidates), UNKNOWN_ROW) for ask in asks
    ]
    unknown = is_unknown(liked, terms)
    exact = _exact_scores if len(model.warm_rows) else _exact_words_alone
    lists: list[list[RankedList]] = [[] for _ in asks]
    for at, reader in enumerate(readers):
        rough, seen = _rough_scores(model, reader), rows_of(left_out, slice(at, at + 1)).indices
        for answers, ask, candidates in zip(lists, asks, among, strict=True):
            count = max(model.config.shortlist_size, KEPT_PER_PLACE * ask.k)
            rows = _best(rough, seen=seen, among=candidates, count=count)
            scores = exact(model, reader, rows)
            if unknown[at]:
                rows, scores = rows[:0], scores[:, :0]
            answers.extend(top_lists(scores, Vocabulary.from_rows(model.papers.ids(rows)), k=ask.k))
    return lists


def _readers(
    model: "Hybrid", content: "ContentMap", short: Summary, *, liked: Csr, terms: Terms | None
) -> Iterator[_Reader]:
    scaled = as_csr(liked / np.float32(model.weight_unit))
    summed_terms, summed = summed_words(model, scaled, terms)
    wanted = np.ascontiguousarray(summed_terms.toarray().T) / np.float32(content.noise)
    turned = summed @ content.turn
    history = columns_of(scaled, model.warm_rows)
    folded = model.factors.fold_in(history, threads=model.config.num_threads)
    z = folded[:, :0]
    if len(model.warm_rows):
        words = without_own(_warm_words(model, wanted, turned), history, content)
        weight = np.float32(model.config.content_weight)
        z = standardise(crowd_blend(model, history, folded) + weight * standardise(words))
    queries = _queries(model, content, summed=summed, folded=folded)
    raw, sizes = short.products(queries), row_sizes(history)
    for at in range(liked.shape[0]):
        one = slice(at, at + 1)
        yield _Reader(wanted[:, one], turned[one], folded[one], queries[one], sizes[one], z[one], raw[one])


def _warm_words(model: "Hybrid", wanted: Floats, turned: Floats) -> Floats:
    """(readers, warm) ridge of the saves."""
    scores = model.features.times(wanted, rows=model.warm_rows)
    scores += model.coords.times(np.ascontiguousarray(turned.T), rows=model.warm_rows)
    return np.ascontiguousarray(scores.T)


def _queries(model: "Hybrid", content: "ContentMap", *, summed: Floats, folded: Floats) -> Floats:
    """(readers, dim + rank) what multiplies coordinates and predicted factors."""
    inside = 0 if model.encoder is None else model.encoder.directions
    of_words = summed @ content.turn
    of_words[:, :inside] += summed[:, :inside] / np.float32(content.noise)  # for the product of the sparse rows
    return np.concatenate([_saves_share(model) * of_words, folded], axis=1)


def _rough_scores(model: "Hybrid", reader: _Reader) -> Floats:
    """(papers,) the scores by which papers are chosen to be scored exactly."""
    warm = model.warm_rows
    if len(warm) == 0:
        return np.array(reader.raw[0])
    near = Found(reader.z, reader.raw, standardise(reader.raw), reader.sizes)
    rough = one_list(model.calibration, near, warm=warm, popularity=model.popularity[warm])
    return np.asarray(rough[0], dtype=np.float32)


def _exact_words_alone(model: "Hybrid", reader: _Reader, kept: Places) -> Floats:
    """(1, kept) scores where no paper has history."""
    return _exact_words(model, reader, kept)[0]


def _exact_scores(model: "Hybrid", reader: _Reader, kept: Places) -> Floats:
    """(1, kept) scores of papers, ascending."""
    warm = model.warm_rows
    sampled = _strided(len(model.papers), SAMPLE)
    rows = np.union1d(kept, sampled)
    words, dense = _exact_words(model, reader, rows)
    likely = model.text_factors.times(np.ascontiguousarray(reader.folded.T), rows=rows).T
    straight = _saves_share(model) * words + likely
    at = np.searchsorted(rows, sampled)
    moments = _moments(model, reader, straight[:, at], known=(dense + likely)[:, at])
    raw = straight
    if model.calibration is not None:
        raw = curved(_scale(model) * words, likely, moments=moments, config=model.config)

    place = np.minimum(np.searchsorted(warm, rows), len(warm) - 1)
    is_warm = np.flatnonzero(warm[place] == rows)
    found = Found(reader.z[:, place[is_warm]], raw, moments.standardise(raw), reader.sizes)
    final = one_list(model.calibration, found, warm=is_warm, popularity=model.popularity[rows[is_warm]])
    return final[:, np.searchsorted(rows, kept)]


def _exact_words(model: "Hybrid", reader: _Reader, rows: Places) -> tuple[Floats, Floats]:
    """(1, rows) the ridge of the saves, and what the query knows of its share."""
    dim = reader.turned.shape[1]
    of_coords = model.coords.times(np.stack([reader.turned[0], reader.query[0, :dim]], axis=1), rows=rows).T
    return model.features.times(reader.wanted, rows=rows).T + of_coords[:1], of_coords[1:]


def _best(scores: Floats, *, seen: Places, among: Places | None, count: int) -> Places:
    """The papers to score exactly, ascending: the best that are allowed."""
    scores[seen] = EXCLUDED
    if among is None and len(scores) > count + len(seen):  # nothing that is excluded can be among the best
        return np.sort(np.argpartition(scores, len(scores) - count)[-count:])
    rows = np.arange(len(scores)) if among is None else among
    rows = rows[scores[rows] > EXCLUDED]
    if len(rows) <= count:
        return rows
    return np.sort(rows[np.argpartition(-scores[rows], count)[:count]])


def _moments(model: "Hybrid", reader: _Reader, straight: Floats, *, known: Floats) -> Moments:
    """Of the straight mix over all papers; both arrays (1, sample) are of the fixed sample.

    The moments of what is `known` by the query hold for all papers; what the exact scores have beside it, from the
    sparse rows, is taken from the sample.
    """
    if model.shortlist is None:
        raise ValueError("a model without words has no shortlist")
    mean, square = model.shortlist.moments(reader.query[0])
    true, near = straight[0].astype(np.float64), known[0].astype(np.float64)
    mean += float((true - near).mean())
    square += float((np.square(true) - np.square(near)).mean())
    deviation = np.sqrt(max(square - mean**2, 0.0))
    return Moments(np.array([[mean]], dtype=np.float32), np.array([[deviation]], dtype=np.float32))


def _saves_share(model: "Hybrid") -> np.float32:
    return np.float32(model.config.content_saves_weight) * _scale(model)


def _scale(model: "Hybrid") -> np.float32:
    return np.float32(0 if model.content is None else model.content.scale)


def _strided(count: int, most: int) -> Places:
    """At most so many numbers below `count`, evenly spread."""
    return np.unique(np.linspace(0, max(count - 1, 0), min(count, most)).astype(np.intp))
