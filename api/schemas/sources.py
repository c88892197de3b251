"""Sources of papers on the wire."""

from datetime import datetime
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

State = Literal["idle", "due", "running", "failing", "paused"]

EXAMPLE_SOURCE: Final[dict[str, Any]] = {
    "name": "huggingface",
    "state": "idle",
    "started_at": "2026-05-01T11:30:00Z",
    "success_at": "2026-05-01T11:30:09Z",
    "age_seconds": 1791.0,
    "due_at": "2026-05-01T12:01:40Z",
    "failures": 0,
    "failing_since": None,
    "failure": None,
    "problem": None,
    "last_run": {"requests": 8, "inserted": 12, "updated": 41, "unchanged": 203, "deleted": 0, "rejected": 0},
    "papers": 53,
    "is_overdue": False,
}
EXAMPLE_FAILING: Final[dict[str, Any]] = EXAMPLE_SOURCE | {
    "name": "arxiv",
    "state": "failing",
    "success_at": "2026-04-30T10:02:11Z",
    "age_seconds": 93469.0,
    "due_at": "2026-05-01T15:20:00Z",
    "failures": 9,
    "failing_since": "2026-04-30T11:02:00Z",
    "failure": "export.arxiv.org/api/query cannot be read: ConnectError: [Errno 111] Connection refused",
    "last_run": {},
    "is_overdue": True,
}


class SourceOut(BaseModel):
    """A place that papers, or facts about them, come from."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE_SOURCE]})

    name: str
    state: State
    started_at: datetime | None = Field(description="Of the last run.")
    success_at: datetime | None = Field(description="When it was last read to its end.")
    age_seconds: float | None = Field(description="Time since then.")
    due_at: datetime | None = Field(description="Its next run; null while it is paused.")
    failures: int = Field(description="In a row; each puts the next run off further.")
    failing_since: datetime | None
    failure: str | None = Field(description="Why the last run failed.")
    problem: str | None = Field(description="What was odd in the last run, though it went on.")
    last_run: dict[str, int] = Field(description="Requests made, and records by what became of them.")
    papers: int = Field(description="Papers that it brought or changed in all its runs.")
    is_overdue: bool = Field(description="True after a day without success: `/readyz` names it, too.")


class SourcesOut(BaseModel):
    """All sources of this installation."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [EXAMPLE_SOURCE, EXAMPLE_FAILING]}]})

    items: list[SourceOut]
