"""Loading a file of millions of papers: the place that was reached is committed together with the papers before it."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Final

from sqlalchemy.orm import Session

from api.errors import Conflict
from api.services.catalog import IngestCounts, record_papers
from api.sources.records import PaperRecord
from api.store.state import read_state, write_state

STATE_KEY: Final = "backfill.arxiv"


@dataclass(frozen=True, slots=True)
class Position:
    """How far the loading of a file has come; `run` tells one loading from another."""

    fingerprint: str
    run: str
    offset: int = 0  # bytes of its text
    line: int = 0
    rejected: int = 0
    counts: IngestCounts = field(default_factory=IngestCounts)
    is_complete: bool = False


@dataclass(frozen=True, slots=True)
class Part:
    """Papers of the next lines of the file, and the place behind them."""

    records: Sequence[PaperRecord]
    rejected: int
    offset: int
    line: int


def read_position(session: Session, *, is_held: bool = False) -> Position | None:
    """Return how far the latest loading has come, None if there was none; held, it stays there for the transaction."""
    state = read_state(session, STATE_KEY, is_held=is_held)
    if state is None:
        return None
    counts = IngestCounts(**state["counts"])
    return Position(**{**state, "counts": counts})


def begin(session: Session, *, fingerprint: str, run: str, now: datetime, is_anew: bool = False) -> Position:
    """Return where the loading of this file goes on, at its beginning for a new one or when it `is_anew`.

    Raises Conflict for a file that is not the one whose loading was broken off. A former owner's next part is refused.
    """
    before = read_position(session, is_held=True)
    if before is None or is_anew or (before.is_complete and before.fingerprint != fingerprint):
        return _keep(session, Position(fingerprint, run), now=now)
    if before.fingerprint != fingerprint:
        raise Conflict(
            f"the loading of another file, or of this one before it changed, ended at line {before.line:,}: give that "
            "file again to go on with it, or --restart to load this one from its beginning"
        )
    return _keep(session, replace(before, run=run), now=now)


def record_part(session: Session, position: Position, part: Part, *, now: datetime) -> Position:
    """Write the papers of the next lines together with the place behind them, and return it.

    Raises Conflict when another process took the loading over.
    """
    _check_owner(session, position)
    counts = record_papers(session, part.records, now=now)
    following = replace(
        position,
        offset=part.offset,
        line=part.line,
        rejected=position.rejected + part.rejected,
        counts=position.counts + counts,
    )
    return _keep(session, following, now=now)


def finish(session: Session, position: Position, *, now: datetime) -> Position:
    """Note that the end of the file was reached, and return that."""
    _check_owner(session, position)
    return _keep(session, replace(position, is_complete=True), now=now)


def _check_owner(session: Session, position: Position) -> None:
    if read_position(session, is_held=True) != position:
        raise Conflict("another process loads this file now")


def _keep(session: Session, position: Position, *, now: datetime) -> Position:
    write_state(session, STATE_KEY, asdict(position), now=now)
    return position
