"""What all answers share."""

from typing import Annotated, Final

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field

MOST_ITEMS: Final = 100  # in one page
DEFAULT_ITEMS: Final = 20

Limit = Annotated[int, Query(ge=1, le=MOST_ITEMS, description="Items in a page.")]
Cursor = Annotated[str | None, Query(max_length=24_576, description="The `next` of the page before.")]


class Problem(BaseModel):
    """An error as RFC 9457 writes it; some types carry further fields."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(description="Stable name of the error, a URI reference.")
    title: str
    status: int
    detail: str = Field(description="What happened and what to do.")
    instance: str | None = Field(None, description="The path that was asked for.")
    request_id: str | None = Field(None, description="The same id stands in the log.")
