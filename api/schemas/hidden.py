"""What a reader's lists leave out, on the wire."""

from datetime import datetime
from typing import Any, Final, Literal

from pydantic import BaseModel, Field

from api.schemas.papers import EXAMPLE_PAPER, PaperOut

EXAMPLE_HIDDEN: Final[dict[str, Any]] = {
    "items": [{"paper": EXAMPLE_PAPER, "why": "shown_often", "since": "2024-05-01T12:00:00+00:00"}],
    "next": None,
}
EXAMPLE_BROUGHT_BACK: Final[dict[str, Any]] = {"paper_id": "2401.01234", "was": ["dismissed", "opened"]}
WhyName = Literal["saved", "dismissed", "opened", "shown_often"]


class HiddenItemOut(BaseModel):
    """A paper that lists leave out."""

    paper: PaperOut
    why: WhyName = Field(
        description="The strongest of its reasons; `shown_often`: shown again and again without a click, so it sank "
        "below everything else."
    )
    since: datetime | None = Field(description="Null where history was imported without times.")


class HiddenOut(BaseModel):
    """A page of what is left out, latest first."""

    items: list[HiddenItemOut]
    next: str | None


class BroughtBackOut(BaseModel):
    """A paper that lists may show again."""

    paper_id: str
    was: list[WhyName] = Field(description="What hid it, the strongest reason first; empty where nothing did.")
