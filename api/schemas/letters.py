"""Dead letters and merges on the wire."""

from datetime import datetime
from typing import Annotated, Any, Final, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from api.schemas.events import Code, Status

MOST_AT_ONCE: Final = 500
LetterId = Annotated[int, Field(ge=1, le=2**63 - 1)]

EXAMPLE_LETTER: Final[dict[str, Any]] = {
    "id": 12,
    "reader": "ada",
    "reader_number": None,
    "event_id": "7c9e6679-7425-40de-944b-e07fc1f90ae7",
    "code": "unknown_paper",
    "reason": "no paper with this id is known here",
    "event": {
        "id": "7c9e6679-7425-40de-944b-e07fc1f90ae7",
        "kind": "click",
        "paper_id": "2605.01234",
        "occurred_at": "2026-05-01T12:00:00Z",
    },
    "sent_at": "2026-05-01T12:00:03Z",
    "times": 1,
    "received_at": "2026-05-01T12:00:04Z",
    "last_at": "2026-05-01T12:00:04Z",
    "replayed_at": None,
    "outcome": None,
}
EXAMPLE_REPLAY: Final[dict[str, Any]] = {"ids": [12], "corrections": {"12": {"paper_id": "2605.01235"}}}
EXAMPLE_REPLAYED: Final[dict[str, Any]] = {"results": [{"id": 12, "status": "accepted"}], "next_after": None}
EXAMPLE_MERGED: Final[dict[str, Any]] = {"reader": "ada", "moved": 17}


class LetterOut(BaseModel):
    """A rejected event."""

    id: int
    reader: str | None = Field(description="Whose event it is; null where only a slate said so.")
    reader_number: int | None = Field(description="The reader of the slate that was the credential.")
    event_id: str | None
    code: str
    reason: str
    event: Any = Field(description="As it was received; text where it was no JSON object or too long to be kept whole.")
    sent_at: str | None = Field(description="`sent_at` of its batch, as received.")
    times: int = Field(description="How often exactly this came.")
    received_at: datetime = Field(description="For the first time.")
    last_at: datetime
    replayed_at: datetime | None
    outcome: str | None = Field(description="`accepted` or `duplicate` once a replay brought it into the log.")


class LettersOut(BaseModel):
    """A page of rejected events."""

    items: list[LetterOut]
    next: str | None


class ReplayIn(BaseModel):
    """Which rejected events to give to the intake again: some by number, or those of one code."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [EXAMPLE_REPLAY]})

    ids: list[LetterId] | None = Field(None, min_length=1, max_length=MOST_AT_ONCE)
    code: Code | None = None
    after: int = Field(0, ge=0, le=2**63 - 1, description="With `code`: go on after this number.")
    limit: int = Field(MOST_AT_ONCE, ge=1, le=MOST_AT_ONCE, description="With `code`: at most so many.")
    corrections: dict[LetterId, dict[str, Any]] = Field(
        default_factory=dict,
        max_length=MOST_AT_ONCE,
        description="Fields that replace those of an event, by the letter's number; null takes a field out.",
    )

    @model_validator(mode="after")
    def _one_choice(self) -> Self:
        if (self.ids is None) == (self.code is None):
            raise ValueError("name either ids or a code")
        return self


class ReplayResult(BaseModel):
    """What became of one rejected event."""

    id: int
    status: Status
    code: Code | None = None
    reason: str | None = None


class ReplayOut(BaseModel):
    """What became of them, in the order of their numbers."""

    results: list[ReplayResult]
    next_after: int | None = Field(description="With `code`: where the next call goes on; null: these were all.")


class MergedOut(BaseModel):
    """The account that an anonymous reader's history belongs to now."""

    reader: str
    moved: int = Field(description="Events that became the account's by this call; 0 when they were before.")
