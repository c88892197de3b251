"""Times and numbers as people say them."""

from datetime import datetime
from typing import Final

SECONDS_PER_DAY: Final = 86_400


def age(then: datetime, *, now: datetime) -> str:
    """Return a time as words about how long ago it was."""
    seconds = max(int((now - then).total_seconds()), 0)
    for size, unit in ((SECONDS_PER_DAY, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= size:
            count = seconds // size
            return f"{count} {unit}{'s' if count > 1 else ''} ago"
    return "just now" if seconds < 5 else f"{seconds} seconds ago"


def clip(text: str, *, length: int) -> str:
    """Return the beginning of a text up to the end of a word, with an ellipsis where something is left out."""
    if len(text) <= length:
        return text
    head = text[:length].rsplit(None, 1)[0]
    return f"{head} …"
