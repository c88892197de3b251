"""What the API answers to administrators, as plain values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from api.client.values import Json

LetterState = Literal["open", "all"]


@dataclass(frozen=True, slots=True)
class Run:
    """One retrain."""

    run_id: int = field(metadata={"name": "id"})
    state: str
    stage: str | None
    progress: float
    trigger: str
    created_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    attempts: int = 0
    cancel_requested: bool = False
    version: str | None = None
    figures: Json | None = None
    reason: str | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Erased:
    """What went with a reader: readers with the anonymous ones who had become part of them, rows by table."""

    readers: int
    rows: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class AuditLine:
    """Something that was done to readers, without saying to whom."""

    audit_id: int
    at: datetime
    action: str
    by: str
    facts: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class AuditLog:
    """One page of the audit log, newest first; `next` is the `before` of the following one."""

    items: tuple[AuditLine, ...]
    next: int | None


@dataclass(frozen=True, slots=True)
class Runs:
    """One page of retrains, newest first."""

    items: tuple[Run, ...]
    next: str | None


@dataclass(frozen=True, slots=True)
class Model:
    """One model version."""

    version: str
    run_id: int | None
    created_at: datetime
    promoted_at: datetime | None
    deleted_at: datetime | None
    is_serving: bool
    is_previous: bool
    config: Json
    figures: Json | None
    note: str | None
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Models:
    """One page of model versions, newest first."""

    items: tuple[Model, ...]
    next: str | None


@dataclass(frozen=True, slots=True)
class Serving:
    """Which version answers now."""

    version: str
    previous: str | None
    switched_at: datetime


@dataclass(frozen=True, slots=True)
class Token:
    """An access token without its secret."""

    token_id: str
    label: str
    user_id: str | None
    scopes: tuple[str, ...]
    created_at: datetime
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True)
class NewToken:
    """An access token that was just made; its text is shown this once."""

    token_id: str
    label: str
    user_id: str | None
    scopes: tuple[str, ...]
    created_at: datetime
    revoked_at: datetime | None
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Tokens:
    """One page of tokens, oldest first."""

    items: tuple[Token, ...]
    next: str | None


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A rejected event."""

    letter_id: int = field(metadata={"name": "id"})
    reader: str | None
    event_id: str | None
    code: str
    reason: str
    event: Any  # as it was received
    received_at: datetime
    last_at: datetime
    times: int = 1
    reader_number: int | None = None
    sent_at: str | None = None
    replayed_at: datetime | None = None
    outcome: str | None = None


@dataclass(frozen=True, slots=True)
class DeadLetters:
    """One page of rejected events."""

    items: tuple[DeadLetter, ...]
    next: str | None


@dataclass(frozen=True, slots=True)
class ReplayResult:
    """What became of one rejected event."""

    letter_id: int = field(metadata={"name": "id"})
    status: str
    code: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Replayed:
    """What became of rejected events that were given to the intake again."""

    results: tuple[ReplayResult, ...]
    next_after: int | None


@dataclass(frozen=True, slots=True)
class Source:
    """A place that papers, or facts about them, come from."""

    name: str
    state: str  # idle, due, running, failing or paused
    started_at: datetime | None = None
    success_at: datetime | None = None  # when it was last read to its end
    age_seconds: float | None = None  # since then
    due_at: datetime | None = None  # None: paused
    failures: int = 0  # in a row
    failing_since: datetime | None = None
    failure: str | None = None
    problem: str | None = None
    last_run: Mapping[str, int] = field(default_factory=dict)
    papers: int = 0
    is_overdue: bool = False


@dataclass(frozen=True, slots=True)
class Sources:
    """All sources of an installation."""

    items: tuple[Source, ...]
