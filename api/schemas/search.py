"""Searches on the wire."""

from typing import Annotated, Any, Final, Literal

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field

from api.schemas.feed import PapersAsOf
from api.schemas.papers import EXAMPLE_PAPER, PaperOut

LONGEST_TEXT: Final = 1000  # characters

SearchText = Annotated[
    str,
    Query(
        max_length=LONGEST_TEXT,
        description='Words, "phrases", -exclusions, and fields before either: `title:` `abstract:` `author:` `org:` '
        "`key:` `cat:` `id:`. Empty: all papers, the newest first.",
        examples=['"mixture of experts" routing -vision author:ada'],
    ),
]
From = Annotated[str | None, Query(alias="from", description="Only papers listed on this day or later (UTC).")]
To = Annotated[str | None, Query(description="Only papers listed on this day or earlier (UTC).")]
SearchCategories = Annotated[
    list[str] | None, Query(description="Only papers of one of these categories; repeat it, or separate by commas.")
]
Organizations = Annotated[
    list[str] | None, Query(description="Only papers of one of these organizations, by short or full name; repeat it.")
]
WithCode = Annotated[bool | None, Query(description="Only papers with code, or only those without.")]
Sort = Annotated[
    Literal["relevance", "newest", "oldest", "upvotes"], Query(description="Order of the papers that match.")
]
Prefix = Annotated[bool, Query(description="The last word may still be being typed, unless a space follows it.")]
Personal = Annotated[
    bool,
    Query(
        description="Let the reader's taste have a say in the order; "
        "needs a token with the scope `read` that acts for a reader."
    ),
]
WithCounts = Annotated[bool, Query(description="Count the matches of each value of a filter, on the first page.")]

EXAMPLE_SEARCH: Final[dict[str, Any]] = {
    "items": [
        {
            "rank": 1,
            "score": 12.5,
            "highlights": {"title": "A <mark>title</mark>", "summary": "What the paper says in one paragraph."},
            "paper": EXAMPLE_PAPER,
        }
    ],
    "next": "pQ2mX0Jt",
    "total": 42,
    "counts": {
        "categories": [{"value": "cs.LG", "count": 40}, {"value": "cs.IR", "count": 17}],
        "organizations": [{"value": "example", "count": 3}],
        "years": [{"value": "2024", "count": 42}],
        "with_code": 9,
    },
    "papers_as_of": "2024-05-01T11:30:09+00:00",
    "degraded": False,
}


class Highlights(BaseModel):
    """Where a paper matches, as HTML: the texts are escaped, `mark` is the only element."""

    title: str
    summary: str = Field(description="The part of the abstract that matches best.")


class FoundPaper(BaseModel):
    """One paper that was found."""

    rank: int = Field(description="1 for the first paper of the first page.")
    score: float = Field(description="Never rises along a list; comparable within one search only.")
    highlights: Highlights
    paper: PaperOut


class ValueCount(BaseModel):
    """How many matches have a value."""

    value: str
    count: int


class ValueCounts(BaseModel):
    """Matches by the values of each filter, with all other filters and without that one itself."""

    categories: list[ValueCount]
    organizations: list[ValueCount]
    years: list[ValueCount]
    with_code: int = Field(description="Matches that have code.")


class SearchOut(BaseModel):
    """One page of a search."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE_SEARCH]})

    items: list[FoundPaper]
    next: str | None = Field(description="Cursor of the next page of this very search, null at its end.")
    total: int = Field(description="Papers that match; papers that are only like what was asked for may follow them.")
    counts: ValueCounts | None = Field(description="Null on later pages, and while the index is away.")
    papers_as_of: PapersAsOf = None
    degraded: bool = Field(description="True while the index is made anew: titles alone are searched.")
