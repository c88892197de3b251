"""Sentence vectors in SQL: which texts lack one, and those of papers as one array."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from api.sentences import sentence_text, text_hash
from api.store.papers import load_texts
from api.store.tables import Paper, PaperVector
from api.store.upsert import insert_into
from recommender.domain import Ids, PaperTexts

STORED: Final = np.dtype("<f2")
ROWS_PER_FETCH: Final = 2_000
IDS_PER_QUERY: Final = 5_000  # well under SQLite's 32,766 parameters

Half = NDArray[np.float16]


@dataclass(frozen=True, slots=True)
class MissingText:
    """A paper's text that has no vector yet."""

    paper_id: int
    text_hash: str
    text: str


@dataclass(frozen=True, slots=True)
class Coverage:
    """How many papers there are, and how many of them have a vector."""

    papers: int
    with_vector: int

    @property
    def share(self) -> float:
        """From 0 to 1; 1 without papers."""
        return self.with_vector / self.papers if self.papers else 1.0


def record_text_hashes(session: Session, *, limit: int) -> int:
    """Give some papers of older versions the fingerprints they lack, and return how many: 0 once all have one."""
    query = sa.select(Paper.paper_id, Paper.title, Paper.summary).where(Paper.text_hash.is_(None)).limit(limit)
    found = session.execute(query).all()
    if found:
        change = sa.update(Paper).where(Paper.paper_id == sa.bindparam("row")).values(text_hash=sa.bindparam("mark"))
        marks = [{"row": row.paper_id, "mark": text_hash(sentence_text(row.title, row.summary))} for row in found]
        session.connection().execute(change, marks)
    return len(found)


def find_missing(
    session: Session, encoder: str, *, before_paper_id: int | None = None, limit: int
) -> list[MissingText]:
    """Return papers without a vector of this encoder, newest first, among those with a lower id if one is given.

    A paper without a fingerprint (see `record_text_hashes`) gets it here, not in the table.
    """
    query = sa.select(Paper.paper_id, Paper.text_hash, Paper.title, Paper.summary).where(~_has_vector(encoder))
    if before_paper_id is not None:
        query = query.where(Paper.paper_id < before_paper_id)
    rows = session.execute(query.order_by(Paper.paper_id.desc()).limit(limit))
    texts = ((row.paper_id, row.text_hash, sentence_text(row.title, row.summary)) for row in rows)
    return [MissingText(paper_id, mark or text_hash(text), text) for paper_id, mark, text in texts]


def record_vectors(session: Session, encoder: str, *, hashes: Sequence[str], vectors: Half) -> None:
    """Keep the vectors of these texts (texts, dim); a text that has one already keeps it."""
    stored = vectors.astype(STORED)
    rows = [
        {"encoder": encoder, "text_hash": name, "dim": stored.shape[1], "vector": row.tobytes()}
        for name, row in zip(hashes, stored, strict=True)
    ]
    if rows:
        session.connection().execute(insert_into(session, PaperVector).on_conflict_do_nothing(), rows)


def load_texts_with_vectors(
    session: Session, encoder: str, *, after_paper_id: int = 0, dim: int | None = None, most: int | None = None
) -> PaperTexts:
    """Return the texts of papers with a higher id, lowest ids first, with the encoder's vectors where it has any."""
    texts = load_texts(session, after_paper_id=after_paper_id, most=most)
    return replace(texts, vectors=load_vectors(session, encoder, paper_ids=texts.paper_ids, dim=dim))


def load_vectors(session: Session, encoder: str, *, paper_ids: Ids, dim: int | None = None) -> Half | None:
    """Return the vectors of papers (ascending ids) as (papers, dim), zeros where there is none; None without any.

    `dim` is that of the first vector unless given; vectors of another one are left out, all of them with 0.
    """
    if not encoder or dim == 0 or len(paper_ids) == 0:
        return None
    query = sa.select(Paper.paper_id, PaperVector.dim, PaperVector.vector)
    query = query.join(PaperVector, PaperVector.text_hash == Paper.text_hash).where(PaperVector.encoder == encoder)
    query = query.where(Paper.paper_id.between(int(paper_ids[0]), int(paper_ids[-1]))).order_by(Paper.paper_id)
    found: Half | None = None
    for part in session.execute(query.execution_options(yield_per=ROWS_PER_FETCH)).partitions():
        dim = dim or part[0].dim
        found = np.zeros((len(paper_ids), dim), dtype=np.float16) if found is None else found
        rows = [row for row in part if row.dim == dim]
        ids = np.array([row.paper_id for row in rows], dtype=np.int64)
        at = np.minimum(np.searchsorted(paper_ids, ids), len(paper_ids) - 1)
        is_asked = paper_ids[at] == ids
        stacked = np.frombuffer(b"".join(row.vector for row in rows), dtype=STORED).reshape(len(rows), dim)
        found[at[is_asked]] = stacked[is_asked]
    return found


def paper_ids_with_vector(session: Session, encoder: str, *, among: Collection[int], dim: int) -> set[int]:
    """Return those papers that have a vector of this encoder and length."""
    wanted = list(among)
    found: set[int] = set()
    query = sa.select(Paper.paper_id).join(PaperVector, PaperVector.text_hash == Paper.text_hash)
    query = query.where(PaperVector.encoder == encoder, PaperVector.dim == dim)
    for start in range(0, len(wanted), IDS_PER_QUERY):
        found.update(session.scalars(query.where(Paper.paper_id.in_(wanted[start : start + IDS_PER_QUERY]))))
    return found


def stored_dim(session: Session, encoder: str) -> int | None:
    """Return the length of this encoder's vectors, None without any."""
    return session.scalar(sa.select(PaperVector.dim).where(PaperVector.encoder == encoder).limit(1))


def read_coverage(session: Session, encoder: str) -> Coverage:
    """Return how many papers have a vector of this encoder; it looks at every paper."""
    has_one = sa.func.sum(sa.case((_has_vector(encoder), 1), else_=0))
    papers, with_vector = session.execute(sa.select(sa.func.count(), has_one).select_from(Paper)).one()
    return Coverage(papers, int(with_vector or 0))


def forget_vectors(session: Session, encoder: str, *, limit: int) -> int:
    """Remove some vectors of an encoder and return how many: 0 once there are none left."""
    some = sa.select(PaperVector.text_hash).where(PaperVector.encoder == encoder).limit(limit)
    hashes = session.scalars(some).all()
    chosen = sa.and_(PaperVector.encoder == encoder, PaperVector.text_hash.in_(hashes))
    session.execute(sa.delete(PaperVector).where(chosen))
    return len(hashes)


def _has_vector(encoder: str) -> sa.ColumnElement[bool]:
    of_text = sa.select(PaperVector.dim).where(PaperVector.encoder == encoder, PaperVector.text_hash == Paper.text_hash)
    return of_text.exists()
