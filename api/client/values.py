"""What the API takes and answers, as plain values; a field the server added later is left out, never an error."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

Json = dict[str, Any]  # an object as JSON has it, where its fields depend on the server's version
Kind = Literal["impression", "click", "save", "unsave", "upvote", "unvote", "dismiss", "undismiss", "read"]
Status = Literal["accepted", "duplicate", "rejected"]
Window = Literal["day", "week", "month"]
Scope = Literal["read", "write", "admin"]
Sort = Literal["relevance", "newest", "oldest", "upvotes"]

ID = {"name": "id"}  # our `paper_id` is called `id` on the wire


@dataclass(frozen=True, slots=True)
class Event:
    """One thing a reader did with a paper; made once, it keeps its id and time however often it is sent."""

    kind: Kind
    paper_id: str
    position: int | None = None  # place in the list it was shown in, from 1
    value: float | None = None  # seconds, for `read`
    slate: str | None = None  # the `slate` of the page it was shown on
    event_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    occurred_at: datetime = field(default_factory=lambda: datetime.now(UTC))

    def to_json(self) -> Json:
        """Return the event as the API takes it."""
        if self.occurred_at.tzinfo is None:
            raise ValueError("occurred_at needs a time zone: `datetime.now(UTC)`")
        optional = {"position": self.position, "value": self.value, "slate": self.slate}
        return {
            "id": self.event_id,
            "kind": self.kind,
            "paper_id": self.paper_id,
            "occurred_at": self.occurred_at.astimezone(UTC).isoformat(),
        } | {name: value for name, value in optional.items() if value is not None}


@dataclass(frozen=True, slots=True)
class EventResult:
    """What became of one event."""

    event_id: str | None = field(metadata=ID)
    status: Status
    code: str | None = None  # of a rejection, such as `unknown_paper`
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class EventResults:
    """What became of a batch, in its order."""

    results: tuple[EventResult, ...]


@dataclass(frozen=True, slots=True)
class Organization:
    """Who is behind a paper."""

    name: str | None = None
    fullname: str | None = None


@dataclass(frozen=True, slots=True)
class Paper:
    """A paper."""

    paper_id: str = field(metadata=ID)
    title: str
    summary: str
    authors: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    keywords: tuple[str, ...] = ()
    num_authors: int | None = None
    organization: Organization | None = None
    published_at: datetime | None = None
    daily_at: datetime | None = None
    submitted_by: str | None = None
    upvotes: int = 0
    num_comments: int = 0
    project_page: str | None = None
    github_repo: str | None = None
    github_stars: int | None = None
    thumbnail: str | None = None
    ai_summary: str | None = None
    url: str | None = None
    version: int | None = None
    revised_at: datetime | None = None
    withdrawn_at: datetime | None = None
    doi: str | None = None
    journal_ref: str | None = None
    citations: int | None = None
    references: int | None = None
    fields: tuple[str, ...] = ()
    source: str = ""
    provenance: Mapping[str, str] = field(default_factory=dict)
    demonstration: bool = False


@dataclass(frozen=True, slots=True)
class FeedItem:
    """One paper of a feed."""

    rank: int
    score: float
    source: str
    reason: str
    paper: Paper


@dataclass(frozen=True, slots=True)
class Feed:
    """One page of a feed; `next` is the cursor of the following one."""

    items: tuple[FeedItem, ...]
    next: str | None
    source: str
    built_at: datetime
    version: str | None
    slate: str
    papers_as_of: datetime | None = None


@dataclass(frozen=True, slots=True)
class RankedPaper:
    """One paper of a list that is the same for everybody."""

    rank: int
    paper: Paper
    score: float | None = None


@dataclass(frozen=True, slots=True)
class Papers:
    """One page of such a list."""

    items: tuple[RankedPaper, ...]
    next: str | None
    papers_as_of: datetime | None = None


@dataclass(frozen=True, slots=True)
class Highlights:
    """Where a paper matches a search, as HTML with `<mark>` as its only element."""

    title: str
    summary: str


@dataclass(frozen=True, slots=True)
class FoundPaper:
    """One paper that was found."""

    rank: int
    score: float
    highlights: Highlights
    paper: Paper


@dataclass(frozen=True, slots=True)
class ValueCount:
    """How many matches have a value."""

    value: str
    count: int


@dataclass(frozen=True, slots=True)
class ValueCounts:
    """Matches by the values of each filter, without that filter itself."""

    categories: tuple[ValueCount, ...]
    organizations: tuple[ValueCount, ...]
    years: tuple[ValueCount, ...]
    with_code: int


@dataclass(frozen=True, slots=True)
class Found:
    """One page of a search."""

    items: tuple[FoundPaper, ...]
    next: str | None
    total: int
    counts: ValueCounts | None  # on the first page
    degraded: bool  # the index is being made anew: titles alone were searched
    papers_as_of: datetime | None = None


@dataclass(frozen=True, slots=True)
class Interests:
    """What a reader says they like."""

    categories: tuple[str, ...] = ()
    terms: tuple[str, ...] = ()
    papers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Muted:
    """What never stands in a reader's personal lists."""

    terms: tuple[str, ...] = ()
    authors: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Personalisation:
    """Whether a reader's lists follow what they do; what was done before `reset_at` teaches nothing."""

    is_personal: bool
    reset_at: datetime | None


@dataclass(frozen=True, slots=True)
class Question:
    """The paper to ask a reader about next; None when nothing is left to ask."""

    paper: Paper | None


@dataclass(frozen=True, slots=True)
class LibraryItem:
    """A saved paper."""

    paper: Paper
    saved_at: datetime | None


@dataclass(frozen=True, slots=True)
class Library:
    """One page of the saved papers, last saved first."""

    items: tuple[LibraryItem, ...]
    next: str | None


@dataclass(frozen=True, slots=True)
class HistoryItem:
    """One event of the past."""

    event_id: str
    kind: str
    occurred_at: datetime | None
    paper: Paper


@dataclass(frozen=True, slots=True)
class History:
    """One page of what a reader did, newest first."""

    items: tuple[HistoryItem, ...]
    next: str | None


@dataclass(frozen=True, slots=True)
class HiddenItem:
    """A paper that the reader's lists leave out: saved, dismissed, opened or shown_often."""

    paper: Paper
    why: str
    since: datetime | None


@dataclass(frozen=True, slots=True)
class Hidden:
    """One page of what is left out, latest first."""

    items: tuple[HiddenItem, ...]
    next: str | None


@dataclass(frozen=True, slots=True)
class Merged:
    """The account that an anonymous reader's history belongs to now."""

    reader: str
    moved: int  # events, by this call


@dataclass(frozen=True, slots=True)
class Check:
    """One part of the service."""

    state: str
    detail: str


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether requests can be served, and what is known of every part."""

    status: str
    checks: Mapping[str, Check]
