"""Events on the wire, and the plain values that travel from the route through the group commit to the service."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, Protocol

import msgspec
from pydantic import BaseModel, Field

from recommender.domain import EventKind

MOST_EVENTS: Final = 500  # in one request: one commit stays well under 200 ms
KINDS: Final = {kind.name.lower(): kind for kind in EventKind}

Status = Literal["accepted", "duplicate", "rejected"]
Code = Literal[
    "unknown_kind",
    "unknown_paper",
    "future",
    "malformed",
    "conflict",
    "forged_slate",
    "foreign_slate",
    "stale_slate",
    "not_on_slate",
]


class ShownPaper(Protocol):
    """How a slate showed one paper."""

    @property
    def position(self) -> int: ...
    @property
    def source(self) -> int: ...
    @property
    def propensity(self) -> float: ...


class OpenedSlate(Protocol):
    """A slate whose signature and age are fine; whether reader and paper fit is not known yet."""

    @property
    def slate_id(self) -> str: ...
    @property
    def user_id(self) -> int: ...
    @property
    def version(self) -> str: ...
    @property
    def variant(self) -> str: ...
    @property
    def papers(self) -> Mapping[int, ShownPaper]: ...


@dataclass(frozen=True, slots=True)
class Incoming:
    """The feedback of one request and whose it is: a reader by the caller's name for them, or by their number."""

    events: Sequence[object]
    external_user: str | None
    user_id: int | None = None  # read only where there is no `external_user`
    sent_at: object = None
    slate: str | None = None  # for the events that bring none of their own
    is_slate_only: bool = False  # the slate was the credential: it speaks for nothing else
    received_at: datetime | None = None  # of a replay: it counts as received then, and is not kept anew when rejected


class EventDraft(
    msgspec.Struct, frozen=True, gc=False
):  # thousands are made each second: five times as fast as a tuple
    """An event that is well-formed; whether its paper exists is not known yet. Times are microseconds since 1970."""

    shown_id: str  # as the client wrote it
    event_id: str
    kind: EventKind
    external_paper_id: str
    raw_occurred: int  # what the client's clock said
    occurred: int  # corrected by that clock when the batch was sent, but never later than the arrival
    position: int | None
    value: float | None
    slate: str | None
    opened: OpenedSlate | None
    problem: Code | None  # why it is refused, unless it is the replay of an event that was taken before


class EventAnswer(msgspec.Struct, frozen=True, gc=False):
    """What became of one event."""

    event_id: str | None  # as the client wrote it; None where it wrote none
    status: Status
    code: Code | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class EventBatch:
    """The events of one request, in its order; what could not be parsed is answered already."""

    incoming: Incoming
    received: int  # microseconds since 1970, like `raw_sent`
    raw_sent: int | None  # by the client's clock
    entries: Sequence[EventDraft | EventAnswer]


@dataclass(frozen=True, slots=True)
class BatchOutcome:
    """The answers of one request, in its order, and what its reader's list must follow."""

    answers: tuple[EventAnswer, ...]
    user_id: int | None  # None: nothing was stored and the reader is unknown
    hide: tuple[int, ...]  # papers that may not be shown from now on
    unhide: tuple[int, ...]  # papers that may be shown again
    latest: datetime | None  # of the stored events that move the list; None without one
    shown: tuple[int, ...] = ()  # papers of the stored impressions


class EventIn(BaseModel):
    """One thing a reader did with a paper."""

    id: str = Field(description="UUID made by the client and kept on a retry.")
    kind: Literal["impression", "click", "save", "unsave", "upvote", "unvote", "dismiss", "undismiss", "read"]
    paper_id: str = Field(description="arXiv id (a version suffix is ignored) or any other id of a paper.")
    occurred_at: datetime = Field(description="ISO 8601 with an offset or Z.")
    position: int | None = Field(None, ge=0, description="Place in the list it was shown in, from 1.")
    value: float | None = Field(None, description="Seconds, for `read`.")
    slate: str | None = Field(None, description="The `slate` of the page it was shown on, where the batch names none.")


class EventsIn(BaseModel):
    """What `POST /v1/events` takes."""

    events: list[EventIn] = Field(min_length=1, max_length=MOST_EVENTS)
    sent_at: datetime | None = Field(
        None, description="The client's clock when it sends this: how far it is off is taken from all its times."
    )
    slate: str | None = Field(None, description="The `slate` of the page for all events that name none.")


class EventResult(BaseModel):
    """The answer to one event, at the place the event had in the request."""

    id: str | None
    status: Status
    code: Code | None = None
    reason: str | None = None


class EventResults(BaseModel):
    """What `POST /v1/events` answers."""

    results: list[EventResult]
