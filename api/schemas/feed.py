"""The feed and other lists of papers on the wire."""

from datetime import datetime
from typing import Annotated, Any, Final, Literal

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field

from api.schemas.papers import EXAMPLE_PAPER, PaperOut

Categories = Annotated[
    list[str] | None, Query(description="Only papers of these categories; repeat it, or separate by commas.")
]
Since = Annotated[str | None, Query(description="Only papers listed since this day or ISO 8601 time (UTC).")]
Exclude = Annotated[
    list[str] | None, Query(description="Ids of papers to leave out, 500 at most; repeat it, or separate by commas.")
]
PapersAsOf = Annotated[
    datetime | None,
    Field(description="When a source of papers was last read, else the day of the newest paper; null while unknown."),
]
WindowName = Literal["day", "week", "month"]

EXAMPLE_FEED: Final[dict[str, Any]] = {
    "items": [
        {
            "rank": 1,
            "score": 1.84,
            "source": "personal",
            "reason": "because you saved “A title”",
            "paper": EXAMPLE_PAPER,
        }
    ],
    "next": "pQ2mX0Jt",
    "source": "personal",
    "built_at": "2024-05-01T12:00:00+00:00",
    "version": "20240501-030000-7",
    "papers_as_of": "2024-05-01T11:30:09+00:00",
    "slate": "k9T1cQ",
}
EXAMPLE_PAPERS: Final[dict[str, Any]] = {
    "items": [{"rank": 1, "score": 7.25, "paper": EXAMPLE_PAPER}],
    "next": None,
    "papers_as_of": "2024-05-01T11:30:09+00:00",
}
EXAMPLE_LATEST: Final[dict[str, Any]] = EXAMPLE_PAPERS | {"items": [{"rank": 1, "paper": EXAMPLE_PAPER}]}


class FeedItem(BaseModel):
    """One paper of a feed."""

    rank: int = Field(description="1 for the first paper of the first page.")
    score: float = Field(description="Never rises along a list; comparable within one list only.")
    source: Literal["personal", "fresh", "trending", "latest"]
    reason: str = Field(description="Why it is here, in a few words.")
    paper: PaperOut


class FeedOut(BaseModel):
    """One page of a feed."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE_FEED]})

    items: list[FeedItem]
    next: str | None = Field(description="Cursor of the next page of this very list, null at its end.")
    source: Literal["personal", "fresh", "trending", "latest"] = Field(description="What the list mainly is.")
    built_at: datetime
    version: str | None = Field(description="Model version that ranked it, null without a model.")
    papers_as_of: PapersAsOf = None
    slate: str = Field(description="Signed token of what this page showed; send it along with events.")


class RankedPaper(BaseModel):
    """One paper of a list that is the same for everybody."""

    rank: int
    score: float | None = None
    paper: PaperOut


class PapersOut(BaseModel):
    """One page of papers."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE_PAPERS]})

    items: list[RankedPaper]
    next: str | None = Field(description="Cursor of the next page, null at the end.")
    papers_as_of: PapersAsOf = None
