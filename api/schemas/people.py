"""Readers' settings, libraries and histories, and tokens, on the wire."""

from datetime import datetime
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from api.schemas.papers import EXAMPLE_PAPER, PaperOut
from api.store.tables import LONGEST_EXTERNAL_ID


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("only printable characters")
    return text


Printable = AfterValidator(_printable)
Category = Annotated[str, StringConstraints(min_length=1, max_length=60, strip_whitespace=True), Printable]
Term = Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True), Printable]
PaperName = Annotated[str, StringConstraints(min_length=1, max_length=400)]
ReaderName = Annotated[
    str, StringConstraints(min_length=1, max_length=LONGEST_EXTERNAL_ID, strip_whitespace=True), Printable
]
Scope = Literal["read", "write", "admin"]

EXAMPLE_INTERESTS: Final[dict[str, Any]] = {
    "categories": ["cs.IR"],
    "terms": ["recommender systems"],
    "papers": ["2401.01234"],
}
EXAMPLE_LIBRARY: Final[dict[str, Any]] = {
    "items": [{"paper": EXAMPLE_PAPER, "saved_at": "2024-05-01T12:00:00+00:00"}],
    "next": None,
}
EXAMPLE_HISTORY: Final[dict[str, Any]] = {
    "items": [
        {
            "event_id": "0f8fad5b-d9cb-469f-a165-70867728950e",
            "kind": "save",
            "occurred_at": "2024-05-01T12:00:00+00:00",
            "paper": EXAMPLE_PAPER,
        }
    ],
    "next": None,
}
EXAMPLE_TOKEN: Final[dict[str, Any]] = {
    "token_id": "5f1c0a9b3d7e2468",
    "label": "reading app",
    "user_id": "ada",
    "scopes": ["read", "write"],
    "created_at": "2024-05-01T12:00:00Z",
    "revoked_at": None,
}


class InterestsIn(BaseModel):
    """What a reader says they like; the feed is personal from the next page on."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [EXAMPLE_INTERESTS]})

    categories: list[Category] = Field(default=[], max_length=50, description="Categories such as `cs.IR`.")
    terms: list[Term] = Field(default=[], max_length=50, description="Free text: topics, methods, names.")
    papers: list[PaperName] = Field(default=[], max_length=500, description="Ids of papers they like.")


class InterestsOut(BaseModel):
    """A reader's interests as they are kept."""

    categories: list[str]
    terms: list[str]
    papers: list[str]


class LibraryItemOut(BaseModel):
    """A saved paper."""

    paper: PaperOut
    saved_at: datetime | None = Field(description="Null where history was imported without times.")


class LibraryOut(BaseModel):
    """A page of the library, last saved first."""

    items: list[LibraryItemOut]
    next: str | None


class HistoryItemOut(BaseModel):
    """One event."""

    event_id: str
    kind: str
    occurred_at: datetime | None = Field(description="Null where history was imported without times.")
    paper: PaperOut


class HistoryOut(BaseModel):
    """A page of the history, newest first."""

    items: list[HistoryItemOut]
    next: str | None


class TokenIn(BaseModel):
    """A token to make: for one reader, or without `user_id` for a service that acts for any."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"user_id": "ada", "scopes": ["read", "write"], "label": "Ada's reader"}]},
    )

    user_id: ReaderName | None = None
    scopes: list[Scope] = Field(min_length=1, max_length=3)
    label: Annotated[str, StringConstraints(max_length=200), Printable] = ""


class TokenOut(BaseModel):
    """A token without its secret."""

    token_id: str
    label: str
    user_id: str | None
    scopes: list[str]
    created_at: datetime
    revoked_at: datetime | None


class NewTokenOut(TokenOut):
    """A token that was just made."""

    token: str = Field(description="Shown this once.")


class TokensOut(BaseModel):
    """A page of tokens, oldest first."""

    items: list[TokenOut]
    next: str | None
