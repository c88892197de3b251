"""Events on the wire, and the plain values that travel from the route through the group commit to the service."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from pydantic import BaseModel, Field

from recommender.domain import EventKind

MOST_EVENTS: Final = 500  # in one request: one commit stays well under 200 ms
KINDS: Final = {kind.name.lower(): kind for kind in EventKind}

Status = Literal["accepted", "duplicate", "rejected"]
Code = Literal["unknown_kind", "unknown_paper", "future", "malformed", "conflict"]


@dataclass(frozen=True, slots=True)
class EventDraft:
    """An event that is well-formed; whether its paper exists is not known yet."""

    shown_id: str  # as the client wrote it
    event_id: str
    kind: EventKind
    external_paper_id: str
    raw_occurred_at: datetime  # what the client's clock said
    occurred_at: datetime  # the same, but never later than the arrival
    position: int | None
    value: float | None
    slate: str | None


@dataclass(frozen=True, slots=True)
class EventAnswer:
    """What became of one event."""

    event_id: str | None  # as the client wrote it; None where it wrote none
    status: Status
    code: Code | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class EventBatch:
    """The events of one request, in its order; what could not be parsed is answered already."""

    external_user: str
    entries: tuple[EventDraft | EventAnswer, ...]


@dataclass(frozen=True, slots=True)
class BatchOutcome:
    """The answers of one request, in its order, and what its reader's list must follow."""

    answers: tuple[EventAnswer, ...]
    user_id: int | None  # None: nothing was stored and the reader is unknown
    hide: tuple[int, ...]  # papers that may not be shown from now on
    unhide: tuple[int, ...]  # papers that may be shown again
    is_change: bool  # an event that moves the list was stored


class EventIn(BaseModel):
    """One thing a reader did with a paper."""

    id: str = Field(description="UUID made by the client and kept on a retry.")
    kind: Literal["impression", "click", "save", "unsave", "upvote", "unvote", "dismiss", "undismiss", "read"]
    paper_id: str = Field(description="arXiv id (a version suffix is ignored) or any other id of a paper.")
    occurred_at: datetime = Field(description="ISO 8601 with an offset or Z.")
    position: int | None = Field(None, ge=0, description="Place in the list it was shown in, from 1.")
    value: float | None = Field(None, description="Seconds, for `read`.")
    slate: str | None = Field(None, description="The `slate` of the page it was shown on.")


class EventsIn(BaseModel):
    """What `POST /v1/events` takes."""

    events: list[EventIn] = Field(min_length=1, max_length=MOST_EVENTS)


class EventResult(BaseModel):
    """The answer to one event, at the place the event had in the request."""

    id: str | None
    status: Status
    code: Code | None = None
    reason: str | None = None


class EventResults(BaseModel):
    """What `POST /v1/events` answers."""

    results: list[EventResult]
