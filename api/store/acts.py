"""What a list is built from, of several readers at once: in as many statements as of one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from api.store.events import ACT_COLUMNS, interactions_of
from api.store.tables import Event, LibraryItem, User
from api.store.tables_tastes import ReaderTaste
from api.store.taste_rows import UNDECIDED, Decisions, decisions_of
from recommender.domain import Interactions

# Put together once: building a statement takes longer than running it.
_READERS: Final[sa.BindParameter[int]] = sa.bindparam("readers", expanding=True)
_ROWS: Final = (
    sa.select(User.user_id, User.last_seq, User.interests, ReaderTaste)
    .outerjoin(ReaderTaste, ReaderTaste.user_id == User.user_id)
    .where(User.user_id.in_(_READERS))
)
_ACTS: Final = (
    sa.select(*ACT_COLUMNS, Event.event_pk)
    .where(Event.user_id.in_(_READERS), Event.kind != sa.literal_column("0"))
    .order_by(Event.user_id, Event.event_pk)
)
_SAVED: Final = sa.select(LibraryItem.user_id, LibraryItem.paper_id).where(
    LibraryItem.user_id.in_(_READERS), LibraryItem.is_saved
)


@dataclass(frozen=True, slots=True)
class ReaderRow:
    """What is stored about a reader beside events."""

    last_seq: int
    interests: dict[str, Any]
    decisions: Decisions = UNDECIDED


def load_reader_rows(session: Session, user_ids: Sequence[int]) -> dict[int, ReaderRow]:
    """Return the rows of those of these readers that exist."""
    rows = session.execute(_ROWS, {"readers": user_ids}).all()
    return {
        user_id: ReaderRow(last_seq, interests or {}, UNDECIDED if taste is None else decisions_of(taste))
        for user_id, last_seq, interests, taste in rows
    }


def load_acts(session: Session, user_ids: Sequence[int]) -> tuple[Interactions, NDArray[np.int64]]:
    """Return what these readers did and its numbers, reader by reader in log order, without what they were shown."""
    rows = session.connection().execute(_ACTS, {"readers": user_ids}).all()
    return interactions_of(rows), np.array([row.event_pk for row in rows], dtype=np.int64)


def load_saved_pairs(session: Session, user_ids: Sequence[int]) -> NDArray[np.int64]:
    """Return (pairs, 2) reader and paper of everything in these readers' libraries."""
    rows = session.connection().execute(_SAVED, {"readers": user_ids}).all()
    return np.array([tuple(row) for row in rows], dtype=np.int64).reshape(-1, 2)
