"""Vectors for papers that lack them, in short transactions: stopped at any moment, it goes on where it was."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from api.runtime.encoders import EncoderError, Half, TextEncoder
from api.runtime.metrics import PAPERS_EMBEDDED
from api.store import vectors
from api.store.engine import Database
from api.store.vectors import MissingText

log = logging.getLogger(__name__)

TEXTS_PER_WRITE: Final = 256  # some hundred kB in one transaction of a few milliseconds
MARKS_PER_WRITE: Final = 2_000  # papers of an older version: some ten milliseconds


@dataclass(frozen=True, slots=True)
class Embedded:
    """What one go made."""

    papers: int
    is_done: bool  # False when time was up before the last paper


def embed_missing(
    db: Database,
    encoder: TextEncoder,
    *,
    seconds: float | None = None,
    report: Callable[[int], None] | None = None,
) -> Embedded:
    """Make and store the vectors that papers lack, newest papers first, for `seconds` at most; raises EncoderError.

    `report` hears how many papers each write brought. Whoever does the same at the same time costs only time.
    """
    with db.read() as session:
        check_dim(encoder, stored=vectors.stored_dim(session, encoder.name))
    _mark_texts(db)
    until = None if seconds is None else time.monotonic() + seconds
    papers, before = 0, None
    while True:
        with db.read() as session:
            missing = vectors.find_missing(session, encoder.name, before_paper_id=before, limit=TEXTS_PER_WRITE)
        if not missing:
            return Embedded(papers, is_done=True)
        hashes, made = _encoded(encoder, missing)
        with db.write() as session:
            vectors.record_vectors(session, encoder.name, hashes=hashes, vectors=made)
        before = missing[-1].paper_id
        papers += len(missing)
        PAPERS_EMBEDDED.inc(len(missing))
        log.info("papers embedded", extra={"encoder": encoder.name, "papers": papers})
        if report is not None:
            report(len(missing))
        if until is not None and time.monotonic() >= until:
            return Embedded(papers, is_done=False)


def check_dim(encoder: TextEncoder, *, stored: int | None) -> None:
    """Raise EncoderError when this encoder's vectors cannot stand beside those of the same name."""
    if stored is not None and stored != encoder.dim:
        raise EncoderError(
            encoder.name,
            f"gives vectors of dimension {encoder.dim}, those stored under this name have {stored}",
            remedy=f"forget those with `paperfeed embed --forget {encoder.name}`, or use another name",
        )


def _mark_texts(db: Database) -> None:
    """Give papers of an older version their fingerprints, so that a vector their text has already is found."""
    marked = 1
    while marked:
        with db.write() as session:
            marked = vectors.record_text_hashes(session, limit=MARKS_PER_WRITE)


def _encoded(encoder: TextEncoder, missing: list[MissingText]) -> tuple[list[str], Half]:
    text_of = {paper.text_hash: paper.text for paper in missing}
    return list(text_of), encoder.encode(list(text_of.values()))
