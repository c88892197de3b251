"""The questions of an evaluation: who is asked, what is known of them, what may be ranked, what is to be found."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array

from recommender.dataset import Dataset, WeightConfig, build_dataset
from recommender.domain import Csr, Ids, Interactions, PaperTexts, Rows
from recommender.protocols import GIVEN_SAVES, Hidden, SplitKind, hide_readers
from recommender.sparse import as_csr, row_sizes, rows_of
from recommender.splits import Likings, places_within
from recommender.vocabulary import UNKNOWN_ROW, Vocabulary

COLD_READER: Final = "cold-reader-"
MEANINGS: Final = {
    "warm": "papers with history in the training part",
    "cold-paper": "papers without history in the training part",
    **{f"{COLD_READER}{saves}": f"readers outside the fit of whom {saves} saves are known" for saves in GIVEN_SAVES},
    "all": "all papers in one list, as the feed ranks them",
}
LEAST_READERS = 5  # with fewer, an interval over readers says nothing


class NothingToMeasureError(ValueError):
    """The data hold too few readers or held-out papers; the message says what is missing."""


@dataclass(frozen=True, slots=True)
class Slice:
    """One question to every reader of a group."""

    name: str
    reader_ids: Ids  # (readers,)
    questions: Csr  # (readers, papers) confidence that is known
    left_out: Csr  # (readers, papers) not to be ranked besides: dismissed, or set aside
    answers: Csr  # (readers, papers) to be found
    candidates: Ids | None  # papers to be ranked; None for all
    papers: int  # how many of them there are

    @property
    def pairs(self) -> int:
        """How many pairs are to be found."""
        return int(self.answers.nnz)


@dataclass(frozen=True, slots=True)
class Trial:
    """What one fit is made of and asked."""

    dataset: Dataset
    slices: tuple[Slice, ...]

    def fingerprint(self, part: Slice) -> str:
        """A sha256 over all that decides the figures of a slice besides the model; sentence vectors belong to that."""
        texts = replace(self.dataset.texts, vectors=None)
        digest = hashlib.sha256(replace(self.dataset, texts=texts).fingerprint().encode())
        candidates = np.empty(0) if part.candidates is None else part.candidates
        arrays = [a for m in (part.questions, part.left_out, part.answers) for a in (m.indptr, m.indices, m.data)]
        for array in (part.reader_ids, candidates, *arrays):
            digest.update(f"{array.dtype.kind}{array.shape}".encode())
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class Protocol:
    """All trials of an evaluation, with what had to be left out."""

    kind: SplitKind
    trials: tuple[Trial, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked of an evaluation."""

    slices: tuple[str, ...] = tuple(MEANINGS)
    readers: int | None = None  # most readers per slice, chosen by the seed
    candidates: Ids | None = None  # the only papers to be ranked
    seed: int = 0


def plan_split(hidden: Hidden, texts: PaperTexts, *, weights: WeightConfig, wanted: Wanted) -> Protocol:
    """One trial for a log that was split here; raises NothingToMeasureError where no slice has enough readers."""
    notes: list[str] = []
    trial = _trial(hidden, texts, weights=weights, wanted=wanted, notes=notes)
    return _checked(Protocol(hidden.kind, (trial,), tuple(notes)))


def plan_given(
    interactions: Interactions, texts: PaperTexts, held_out: Likings, *, weights: WeightConfig, wanted: Wanted
) -> Protocol:
    """The trials of a fixed protocol: a fit on the whole log for its answers, another one without the cold readers."""
    notes: list[str] = []
    ordinary = tuple(name for name in wanted.slices if not name.startswith(COLD_READER))
    of_readers = tuple(name for name in wanted.slices if name.startswith(COLD_READER))
    trials = []
    if ordinary:
        nobody = held_out.select(np.zeros(len(held_out), dtype=bool))
        whole = Hidden("given", interactions, held_out, nobody, nobody)
        trials.append(_trial(whole, texts, weights=weights, wanted=replace(wanted, slices=ordinary), notes=notes))
    if of_readers:
        hidden = hide_readers(interactions, held_out, weights=weights, seed=wanted.seed)
        trials.append(_trial(hidden, texts, weights=weights, wanted=replace(wanted, slices=of_readers), notes=notes))
    return _checked(Protocol("given", tuple(trial for trial in trials if trial.slices), tuple(notes)))


def _trial(hidden: Hidden, texts: PaperTexts, *, weights: WeightConfig, wanted: Wanted, notes: list[str]) -> Trial:
    timed = hidden.train.occurred_at[~np.isnan(hidden.train.occurred_at)]
    now = float(timed.max()) if len(timed) else 0.0  # the clock of a fit is the last it knows
    dataset = build_dataset(hidden.train, texts, now=now, weights=weights)
    among = np.ones(len(dataset.papers), dtype=bool)
    if wanted.candidates is not None:
        rows = dataset.papers.rows(wanted.candidates)
        among = np.isin(np.arange(len(dataset.papers)), rows)
    save = min(weights.save, weights.cap)
    found = [
        *_slices_of_readers(dataset, hidden.held_out, among, notes=notes),
        *_slices_of_newcomers(dataset, hidden, among, save=save),
    ]
    asked = [part for part in found if part.name in wanted.slices]
    thin = [f"{part.name} ({len(part.reader_ids)})" for part in asked if len(part.reader_ids) < LEAST_READERS]
    if thin:
        notes.append(f"too few readers with something to find, at least {LEAST_READERS} are needed: {', '.join(thin)}")
    enough = [part for part in asked if len(part.reader_ids) >= LEAST_READERS]
    slices = [_limited(part, wanted.readers, seed=wanted.seed) for part in enough]
    return Trial(dataset, tuple(sorted(slices, key=lambda part: list(MEANINGS).index(part.name))))


def _slices_of_readers(
    dataset: Dataset, held_out: Likings, among: NDArray[np.bool_], *, notes: list[str]
) -> list[Slice]:
    """Readers with history: papers with, papers without, and both."""
    users, papers = dataset.users.rows(held_out.user_ids), dataset.papers.rows(held_out.paper_ids)
    known = (users != UNKNOWN_ROW) & (papers != UNKNOWN_ROW)
    if (lost := int((papers == UNKNOWN_ROW).sum())) > 0:
        notes.append(f"{lost} held-out likings are of papers nobody can rank: no text, no history")
    answers = _matrix(users[known], papers[known], dataset.user_items.shape)
    # What is known already, or dismissed, never stands in a list and cannot be found.
    answers = _without(_without(answers, dataset.user_items), dataset.dislikes)
    has_history = np.bincount(dataset.user_items.indices, minlength=len(dataset.papers)) > 0
    readers = np.flatnonzero(row_sizes(dataset.user_items)).astype(np.int32)
    parts = (("warm", among & has_history), ("cold-paper", among & ~has_history), ("all", among))
    return [_slice(name, dataset, readers, answers, chosen) for name, chosen in parts]


def _slice(name: str, dataset: Dataset, readers: Rows, answers: Csr, chosen: NDArray[np.bool_]) -> Slice:
    inside = _of_columns(rows_of(answers, readers), chosen)
    asked = np.flatnonzero(row_sizes(inside))
    rows = readers[asked]
    return Slice(
        name,
        dataset.users.ids(rows),
        rows_of(dataset.user_items, rows),
        rows_of(dataset.dislikes, rows),
        rows_of(inside, asked),
        *_candidates(dataset, chosen),
    )


def _slices_of_newcomers(dataset: Dataset, hidden: Hidden, among: NDArray[np.bool_], *, save: float) -> list[Slice]:
    """Readers outside the fit, the same ones with the same answers however many saves are given."""
    known, rows = _rankable(dataset, hidden.cold_known)
    place, sizes = places_within(known.user_ids, np.arange(len(known)))
    readers = np.unique(known.user_ids[sizes >= max(GIVEN_SAVES)])
    users = Vocabulary.build(readers)
    shape = (len(readers), len(dataset.papers))
    codes = users.rows(known.user_ids)
    aside = _matrix(codes[codes >= 0], rows[codes >= 0], shape)
    wanted, wanted_rows = _rankable(dataset, hidden.cold_answers)
    asking = users.rows(wanted.user_ids)
    answers = _matrix(asking[asking >= 0], wanted_rows[asking >= 0], shape)
    answers = _without(_of_columns(answers, among), aside)
    asked = np.flatnonzero(row_sizes(answers))
    candidates, papers = _candidates(dataset, among)
    slices = []
    for saves in GIVEN_SAVES:
        given = (place < saves) & (codes >= 0)
        questions = as_csr(_matrix(codes[given], rows[given], shape) * np.float32(save))
        slices.append(
            Slice(
                f"{COLD_READER}{saves}",
                readers[asked],
                rows_of(questions, asked),
                rows_of(aside, asked),
                rows_of(answers, asked),
                candidates,
                papers,
            )
        )
    return slices


def _rankable(dataset: Dataset, likings: Likings) -> tuple[Likings, Rows]:
    """Likings of papers that can be ranked, with their rows."""
    rows = dataset.papers.rows(likings.paper_ids)
    return likings.select(rows != UNKNOWN_ROW), rows[rows != UNKNOWN_ROW]


def _limited(part: Slice, readers: int | None, *, seed: int) -> Slice:
    if readers is None or len(part.reader_ids) <= readers:
        return part
    chosen = np.sort(np.random.default_rng(seed).choice(len(part.reader_ids), readers, replace=False))
    return replace(
        part,
        reader_ids=part.reader_ids[chosen],
        questions=rows_of(part.questions, chosen),
        left_out=rows_of(part.left_out, chosen),
        answers=rows_of(part.answers, chosen),
    )


def _checked(protocol: Protocol) -> Protocol:
    if not any(trial.slices for trial in protocol.trials):
        why = "; ".join(protocol.notes) or "nothing is held out"
        raise NothingToMeasureError(f"nothing can be measured: {why}")
    return protocol


def _candidates(dataset: Dataset, chosen: NDArray[np.bool_]) -> tuple[Ids | None, int]:
    count = int(chosen.sum())
    return (None if count == len(chosen) else dataset.papers.ids(np.flatnonzero(chosen))), count


def _matrix(rows: NDArray[np.integer], columns: NDArray[np.integer], shape: tuple[int, int]) -> Csr:
    """Ones at distinct places."""
    keys = np.unique(rows.astype(np.int64) * max(shape[1], 1) + columns)
    places = np.divmod(keys, max(shape[1], 1))
    return as_csr(coo_array((np.ones(len(keys), dtype=np.float32), places), shape=shape))


def _keys(matrix: Csr) -> NDArray[np.int64]:
    rows = np.repeat(np.arange(matrix.shape[0], dtype=np.int64), row_sizes(matrix))
    return np.asarray(rows * max(matrix.shape[1], 1) + matrix.indices, dtype=np.int64)


def _without(matrix: Csr, other: Csr) -> Csr:
    keys = _keys(matrix)
    rows, columns = np.divmod(keys[~np.isin(keys, _keys(other))], max(matrix.shape[1], 1))
    return _matrix(rows, columns, matrix.shape)


def _of_columns(matrix: Csr, chosen: NDArray[np.bool_]) -> Csr:
    rows, columns = np.divmod(_keys(matrix), max(matrix.shape[1], 1))
    inside = chosen[columns]
    return _matrix(rows[inside], columns[inside], matrix.shape)


def slices_named(names: Sequence[str]) -> tuple[str, ...]:
    """These slices in their usual order, `cold-reader` standing for all three; raises ValueError for another name."""
    wanted = set()
    for name in names:
        matching = [known for known in MEANINGS if known == name or (name == "cold-reader" and COLD_READER in known)]
        if not matching:
            raise ValueError(
                f"unknown slice {name!r}: known are {', '.join(MEANINGS)}, and cold-reader for three of them"
            )
        wanted.update(matching)
    return tuple(name for name in MEANINGS if name in wanted)
