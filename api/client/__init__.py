"""The Python client of Paperfeed: typed, blocking or asynchronous, and careful with events.

It needs httpx2 and the standard library, nothing else of Paperfeed.

    from api.client import Buffering, Client, Event

    waiting = Buffering(Path.home() / ".cache" / "my-reader")
    with Client("http://127.0.0.1:8000", token, reader="ada", buffering=waiting) as paperfeed:
        page = paperfeed.read_feed(limit=20)
        first = page.items[0]
        paperfeed.record(Event("click", first.paper.paper_id, position=first.rank, slate=page.slate))
"""

from api.client.admin import Admin, AsyncAdmin
from api.client.asynchronous import AsyncClient
from api.client.blocking import Client
from api.client.buffering import Buffering, Rejection, Report
from api.client.errors import (
    BadRequest,
    Conflict,
    InvalidRequest,
    NotAllowed,
    NotAuthenticated,
    NotFound,
    PaperfeedError,
    ProblemAnswer,
    TooLarge,
    TooManyRequests,
    Unavailable,
    UnexpectedAnswer,
    Unreachable,
)
from api.client.retries import Retry
from api.client.values import Event, EventResult, Feed, FeedItem, Found, FoundPaper, Interests, Muted, Paper

__all__ = [
    "Admin",
    "AsyncAdmin",
    "AsyncClient",
    "BadRequest",
    "Buffering",
    "Client",
    "Conflict",
    "Event",
    "EventResult",
    "Feed",
    "FeedItem",
    "Found",
    "FoundPaper",
    "Interests",
    "InvalidRequest",
    "Muted",
    "NotAllowed",
    "NotAuthenticated",
    "NotFound",
    "Paper",
    "PaperfeedError",
    "ProblemAnswer",
    "Rejection",
    "Report",
    "Retry",
    "TooLarge",
    "TooManyRequests",
    "Unavailable",
    "UnexpectedAnswer",
    "Unreachable",
]
