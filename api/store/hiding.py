"""What a reader's lists leave out, and why: saved, dismissed, opened, or shown too often."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from api.store.tables import EPOCH, ONE_MICROSECOND, Event, LibraryItem
from recommender.domain import EventKind, Interactions

MICROSECONDS: Final = 1e6
UNKNOWN_TIME: Final = -1  # microseconds: an event of unknown time comes before all others

_OPENING: Final = (int(EventKind.CLICK), int(EventKind.READ))
_MOVING: Final = (*_OPENING, int(EventKind.DISMISS), int(EventKind.UNDISMISS))


class Why(StrEnum):
    """Why a paper is left out; of several reasons the strongest is named."""

    SAVED = "saved"
    DISMISSED = "dismissed"
    OPENED = "opened"
    SHOWN_OFTEN = "shown_often"


@dataclass(frozen=True, slots=True)
class Hiding:
    """What stands against one paper, and since when; None where the time is unknown."""

    reasons: Mapping[Why, datetime | None]

    @property
    def why(self) -> Why:
        """The strongest reason."""
        return next(why for why in Why if why in self.reasons)

    @property
    def since(self) -> datetime | None:
        """When the strongest reason began."""
        return self.reasons[self.why]


def acts_of(user_id: int) -> sa.ColumnElement[bool]:
    """What one reader did, beside being shown papers: written so that the index on it is found."""
    return sa.and_(Event.user_id == user_id, Event.kind != sa.literal_column("0"))


def load_hidings(session: Session, user_id: int) -> dict[int, Hiding]:
    """Return the papers that must not be shown, each with what stands against it; two statements."""
    found: dict[int, dict[Why, datetime | None]] = {}
    for why, papers in _standing(session, user_id).items():
        for paper_id, at in papers.items():
            found.setdefault(paper_id, {})[why] = None if at is None else EPOCH + at * ONE_MICROSECOND
    return {paper_id: Hiding(reasons) for paper_id, reasons in found.items()}


def load_hidden_ids(session: Session, user_id: int) -> NDArray[np.int64]:
    """Return the same papers alone, ascending."""
    return np.array(sorted(set().union(*_standing(session, user_id).values())), dtype=np.int64)


def hidden_by_acts(keys: NDArray[np.int64], acts: Interactions) -> NDArray[np.int64]:
    """Return which pairs of a reader and a paper opening or dismissing hides, ascending; `keys` are those of the acts.

    The rule is that of `load_hidden_ids`; acts of one reader are in log order.
    """
    hidden = np.unique(keys[np.isin(acts.kinds, (*_OPENING, EventKind.DISMISS))])
    undone = keys[acts.kinds == EventKind.UNDISMISS]
    if len(undone) == 0:
        return hidden
    at = np.flatnonzero(np.isin(acts.kinds, _MOVING) & np.isin(keys, undone))
    times = np.nan_to_num(acts.occurred_at[at], nan=UNKNOWN_TIME / MICROSECONDS)
    at = at[np.argsort(times, kind="stable")]
    states = _replayed(zip(keys[at].tolist(), acts.kinds[at].tolist(), [None] * len(at), strict=True))
    left = np.array(sorted(set().union(*states)), dtype=np.int64)
    return np.union1d(hidden[~np.isin(hidden, undone)], left)


def _standing(session: Session, user_id: int) -> dict[Why, dict[int, int | None]]:
    """Papers of each reason, with the microsecond since when."""
    occurred = sa.type_coerce(Event.occurred_at, sa.BigInteger)
    events = (
        sa.select(Event.paper_id, Event.kind, occurred)
        .where(acts_of(user_id), Event.kind.in_(_MOVING))
        .order_by(sa.func.coalesce(occurred, UNKNOWN_TIME), Event.event_pk)
    )
    opened, dismissed = _replayed((row[0], row[1], row[2]) for row in session.execute(events))
    library = sa.select(LibraryItem.paper_id, sa.type_coerce(LibraryItem.saved_at, sa.BigInteger).label("at"))
    rows = session.execute(library.where(LibraryItem.user_id == user_id, LibraryItem.is_saved))
    saved: dict[int, int | None] = {row.paper_id: row.at for row in rows}
    return {Why.OPENED: opened, Why.DISMISSED: dismissed, Why.SAVED: saved}


def _replayed(moves: Iterable[tuple[int, int, int | None]]) -> tuple[dict[int, int | None], dict[int, int | None]]:
    """What is opened and what is dismissed after these events (paper, kind, time), in the order of their times.

    A dismissal ends with the next `undismiss`. On a paper that is not dismissed, an `undismiss` ends what opening did.
    """
    opened: dict[int, int | None] = {}
    dismissed: dict[int, int | None] = {}
    for paper_id, kind, occurred in moves:
        if kind in _OPENING:
            opened.setdefault(paper_id, occurred)
        elif kind == EventKind.DISMISS:
            dismissed.setdefault(paper_id, occurred)
        elif paper_id in dismissed:
            del dismissed[paper_id]
        else:
            opened.pop(paper_id, None)
    return opened, dismissed
