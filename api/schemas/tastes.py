"""What a reader decides about their lists, on the wire."""

from datetime import datetime
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from api.schemas.papers import EXAMPLE_PAPER, PaperOut
from api.schemas.people import Printable
from api.services.muting import LONGEST_RULE, MOST_RULES

Rule = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_RULE, strip_whitespace=True), Printable]

EXAMPLE_MUTED: Final[dict[str, Any]] = {
    "terms": ["large language model"],
    "authors": ["Ada Lovelace"],
    "categories": ["math"],
}
EXAMPLE_PERSONALISATION: Final[dict[str, Any]] = {"is_personal": True, "reset_at": None}
EXAMPLE_QUESTION: Final[dict[str, Any]] = {"paper": EXAMPLE_PAPER}


class MutedIn(BaseModel):
    """What is never to stand in the reader's feed, digest and other personal lists."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [EXAMPLE_MUTED]})

    terms: list[Rule] = Field(
        default=[],
        max_length=MOST_RULES,
        description="Words or phrases of titles, abstracts and keywords, as whole words, whatever their case.",
    )
    authors: list[Rule] = Field(default=[], max_length=MOST_RULES, description="Names, or whole words of them.")
    categories: list[Rule] = Field(
        default=[], max_length=MOST_RULES, description="Categories; `math` stands for `math.AG` and all others, too."
    )


class MutedOut(BaseModel):
    """What is muted, as it is kept."""

    terms: list[str]
    authors: list[str]
    categories: list[str]


class PersonalisationIn(BaseModel):
    """Whether lists follow what the reader does."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"is_personal": False}]})

    is_personal: bool


class PersonalisationOut(BaseModel):
    """Whether lists follow what the reader does, and since when they forgot what was before."""

    is_personal: bool
    reset_at: datetime | None = Field(description="What the reader did before teaches nothing; null: never reset.")


class QuestionOut(BaseModel):
    """The paper to ask the reader about next."""

    paper: PaperOut | None = Field(description="Null where there is nothing left to ask.")
