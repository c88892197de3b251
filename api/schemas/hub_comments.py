"""Comments as the clients of Hugging Face's papers API read them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from api.schemas.hub import Json, hub_time, object_id, person_json


class HubComment(Protocol):
    """What is read of a comment."""

    @property
    def comment_id(self) -> int: ...
    @property
    def author(self) -> str: ...
    @property
    def text(self) -> str: ...
    @property
    def html(self) -> str: ...
    @property
    def created_at(self) -> datetime: ...
    @property
    def edits(self) -> int: ...
    @property
    def is_gone(self) -> bool: ...
    @property
    def parent_id(self) -> int | None: ...
    @property
    def replies(self) -> Sequence["HubComment"]: ...


def comments_json(thread: Sequence[HubComment]) -> list[Json]:
    """Return comments with what answers each of them behind it; what stands for one that is gone says so."""
    return [_comment_json(comment) for first in thread for comment in (first, *first.replies)]


def _comment_json(comment: HubComment) -> Json:
    data: Json = {
        "edited": comment.edits > 0,
        "numEdits": comment.edits,
        "hidden": comment.is_gone,
        "latest": {"raw": comment.text, "html": comment.html},
        "reactions": [],
    }
    if comment.parent_id is not None:
        data["parentCommentId"] = comment_key(comment.parent_id)
    return {
        "id": comment_key(comment.comment_id),
        "type": "comment",
        "createdAt": hub_time(comment.created_at),
        "author": person_json(comment.author),
        "data": data,
    }


def comment_key(comment_id: int) -> str:
    """Return the id of a comment, in the form that clients know."""
    return object_id("comment", str(comment_id))
