"""What moderators look at: reported comments first, then the newest of all papers, then what is hidden."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, TypeAlias

from sqlalchemy.orm import Session

from api.services.comments import ShownComment, Writer, shown_alone
from api.store import comments as rows
from api.store.tables_comments import Comment

MOST_LISTED: Final = 50
MOST_REASONS: Final = 500  # of all comments on a page
MOST_COUNTED: Final = 1_000

View: TypeAlias = Literal["reported", "latest", "hidden"]
VIEWS: Final[Mapping[View, str]] = {"reported": "Reported", "latest": "Newest", "hidden": "Hidden"}


@dataclass(frozen=True, slots=True)
class Moderated:
    """A comment on the moderators' page."""

    comment: ShownComment
    paper: str  # external id
    title: str
    hidden_by: str | None
    reports: int = 0
    since: datetime | None = None
    reasons: tuple[str, ...] = ()


def read_view(text: str) -> View:
    """Return the view of this name, the reported comments for any other."""
    return next((view for view in VIEWS if view == text), "reported")


def list_moderated(session: Session, view: View, *, moderator: Writer, before: int | None) -> list[Moderated]:
    """Return what one view of the moderators' page shows."""
    if view == "reported":
        return _reported(session, moderator)
    is_hidden = True if view == "hidden" else None
    found = rows.load_latest_comments(session, is_hidden=is_hidden, before=before, limit=MOST_LISTED)
    names = rows.names_of_papers(session, {comment.paper_id for comment, _ in found})
    return [
        Moderated(shown_alone(comment, author, writer=moderator), *names[comment.paper_id], comment.hidden_by)
        for comment, author in found
    ]


def count_waiting(session: Session) -> int:
    """Return how many comments wait for a moderator."""
    return rows.count_open_reports(session, limit=MOST_COUNTED)


def _reported(session: Session, moderator: Writer) -> list[Moderated]:
    found = rows.load_reported(session, limit=MOST_LISTED)
    comments: Sequence[Comment] = [comment for comment, *_ in found]
    names = rows.names_of_papers(session, {comment.paper_id for comment in comments})
    reasons = rows.load_reasons(session, [comment.comment_id for comment in comments], limit=MOST_REASONS)
    return [
        Moderated(
            shown_alone(comment, author, writer=moderator),
            *names[comment.paper_id],
            comment.hidden_by,
            reports,
            since,
            tuple(reasons.get(comment.comment_id, ())),
        )
        for comment, author, reports, since in found
    ]
