"""Which papers to ask a newcomer about: those whose answers tell most about what else to show.

A panel of readers stands for all who may come. What is known of the newcomer weighs the panel: whoever shares a liking
counts more, whoever likes what was declined does not count. For each paper that could be asked about, the panel says
how many of the best `LIST_LENGTH` papers would be liked after a yes and after a no, each as likely as the panel finds
it; the question with the most hits expected is asked next (one step ahead, as Golbandi et al. 2011 grow their trees).
Writing J for the papers liked together with the one in question and m for all, a yes leaves J and a no leaves m - J,
so what is expected is the sum of the best of J and of the best of m - J: diversity, popularity and what was answered
before are all in it.

Where there is no panel, questions are papers that many know and that are unlike each other (`spread_questions`).
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from recommender.domain import Csr, Floats, Ids, Rows
from recommender.sparse import as_csr, csr_of
from recommender.vocabulary import UNKNOWN_ROW, Vocabulary

LIST_LENGTH = 20  # papers of the list that an answer is to improve
MOST_ASKED = 300  # likeliest papers among which a question is looked for
LEAST_READERS = 3  # with fewer readers than this nobody can tell what goes with a paper
LEAST_SHARE = 0.005  # of the panel: looking at the others costs time and finds nothing
MOST_LISTED = 3_000  # likeliest papers that the list is thought to be made of
STRANGER = 0.02  # weight of a panel reader who lacks one liking of the newcomer
MOST_SHARED = 3  # likings in common, from which on a panel reader is as near as can be

Weights = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Panel:
    """Likings of readers who stand for newcomers."""

    papers: Vocabulary
    likings: Csr  # (readers, papers) of ones
    by_paper: Csr  # (papers, readers) the same

    @classmethod
    def of(cls, papers: Vocabulary, histories: Csr, *, most: int | None = None) -> Self:
        """From (readers, papers) of any positive numbers; of more than `most` readers, that many at equal distances."""
        if most is not None and histories.shape[0] > most:
            histories = as_csr(histories[np.linspace(0, histories.shape[0] - 1, most).round().astype(np.int64)])
        shape = (int(histories.shape[0]), int(histories.shape[1]))
        ones = csr_of(np.ones(histories.nnz, np.float32), histories.indices, histories.indptr, shape)
        return cls(papers, ones, as_csr(ones.T))

    @property
    def readers(self) -> int:
        """How many they are."""
        return int(self.likings.shape[0])


@dataclass(frozen=True, slots=True)
class Known:
    """What is known about a newcomer, in rows of the panel's papers."""

    liked: Rows
    declined: Rows
    asked: Rows  # about which nothing is to be asked any more

    @classmethod
    def of(cls, papers: Vocabulary, *, liked: Ids, declined: Ids, asked: Ids) -> Self:
        """From paper ids; those that the panel does not know are left out."""
        rows = [papers.rows(ids) for ids in (liked, declined, asked)]
        return cls(*(np.unique(found[found != UNKNOWN_ROW]) for found in rows))


def choose_questions(panel: Panel, known: Known, *, k: int = 1) -> Ids:
    """The k papers to ask about next, the most telling first; fewer where the panel cannot tell.

    Beyond the first, each is chosen as if all before it had been declined, which is what mostly happens.
    """
    chosen: list[int] = []
    declined, asked = known.declined, known.asked
    for _ in range(k):
        row = _best_question(panel, Known(known.liked, declined, asked))
        if row == UNKNOWN_ROW:
            break
        chosen.append(row)
        declined, asked = np.append(declined, np.int32(row)), np.append(asked, np.int32(row))
    return panel.papers.ids(np.array(chosen, dtype=np.int32))


def _best_question(panel: Panel, known: Known) -> int:
    values = question_values(panel, known)
    return UNKNOWN_ROW if len(values[0]) == 0 else int(values[0][np.argmax(values[1])])


def question_values(panel: Panel, known: Known) -> tuple[Rows, Weights]:
    """Papers that can be asked about and the hits expected after the answer, likeliest papers first."""
    weights = _weigh(panel, known)
    out = np.unique(np.concatenate([known.liked, known.declined, known.asked]))
    liked_by: Weights = np.asarray(weights @ panel.likings)  # (papers,) m
    counts = np.diff(panel.by_paper.indptr)
    can_ask = counts >= max(LEAST_READERS, LEAST_SHARE * panel.readers)
    can_ask[out] = False
    likely = np.where(can_ask, liked_by, -1.0)
    order = np.argsort(-likely, kind="stable")[:MOST_ASKED]
    rows: Rows = order[likely[order] > 0].astype(np.int32)
    return rows, _hits(panel, weights, liked_by, out, rows)


def _weigh(panel: Panel, known: Known) -> Weights:
    """(readers,) how much each speaks for the newcomer, 1 together."""
    shared = np.zeros(panel.readers)
    for row in known.liked:
        shared[_readers_of(panel, int(row))] += 1
    weights = STRANGER ** -np.minimum(shared, MOST_SHARED)
    for row in known.declined:
        weights[_readers_of(panel, int(row))] = 0
    total = weights.sum()
    return np.asarray(weights / total if total else weights)


def _readers_of(panel: Panel, row: int) -> Rows:
    of_paper = slice(panel.by_paper.indptr[row], panel.by_paper.indptr[row + 1])
    return np.asarray(panel.by_paper.indices[of_paper])


def _hits(panel: Panel, weights: Weights, liked_by: Weights, out: Rows, rows: Rows) -> Weights:
    """(rows,) hits expected once it is known whether each is liked."""
    can_stand = liked_by > 0
    can_stand[out] = False
    order = np.argsort(-np.where(can_stand, liked_by, -1.0), kind="stable")
    columns = np.union1d(order[: min(MOST_LISTED, int(can_stand.sum()))], rows)
    asked = panel.by_paper[rows]
    weighed = csr_of((asked.data * weights[asked.indices]).astype(np.float32), asked.indices, asked.indptr, asked.shape)
    with_it = np.asarray((weighed @ panel.likings[:, columns]).toarray())  # (rows, columns) J
    without = liked_by[columns].astype(np.float32) - with_it
    own = np.arange(len(rows)), np.searchsorted(columns, rows)
    for scores in (with_it, without):
        scores[own] = 0
    return _best_sums(with_it) + _best_sums(without)


def _best_sums(scores: Floats) -> Weights:
    if scores.shape[1] > LIST_LENGTH:
        scores = np.partition(scores, -LIST_LENGTH, axis=1)[:, -LIST_LENGTH:]
    return np.asarray(scores.sum(axis=1, dtype=np.float64))


def spread_questions(vectors: Floats, popularity: Floats, *, k: int, asked: Floats | None = None) -> Rows:
    """The k rows that many know and that are far apart: each has the most readers left when likeness is taken off.

    `vectors` (papers, dim) have length 1 or 0, `asked` (n, dim) are those of papers that an answer is known of.
    Ties go to the first row, so papers without any readers come in their order.
    """
    fame = np.log1p(np.maximum(popularity, 0)) + 1
    nearest = np.zeros(len(vectors), dtype=np.float32)
    for vector in () if asked is None else asked:
        nearest = np.maximum(nearest, vectors @ vector)
    chosen: list[int] = []
    is_free = np.ones(len(vectors), dtype=bool)
    while len(chosen) < min(k, len(vectors)):
        worth = np.where(is_free, fame * (1 - np.clip(nearest, 0, 1)), -1.0)
        row = int(np.argmax(worth))
        chosen.append(row)
        is_free[row] = False
        nearest = np.maximum(nearest, vectors @ vectors[row])
    return np.array(chosen, dtype=np.int32)
