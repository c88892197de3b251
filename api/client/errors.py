"""The one tree of errors that the client raises."""

import json
from collections.abc import Mapping
from typing import Any, Final, Self


class PaperfeedError(Exception):
    """Whatever can go wrong between a program and a Paperfeed service."""


class Unreachable(PaperfeedError):
    """No answer after the last attempt; what was sent may or may not have arrived."""


class UnexpectedAnswer(PaperfeedError):
    """An answer that no Paperfeed service gives: look at the address."""


class ProblemAnswer(PaperfeedError):
    """An answer that says no (RFC 9457); subclasses name the common ones."""

    def __init__(self, status: int, problem: Mapping[str, Any], *, retry_after_seconds: float | None = None) -> None:
        self.status = status
        self.type_name = str(problem.get("type", "")).rpartition("/")[2]
        self.title = str(problem.get("title", ""))
        self.detail = str(problem.get("detail", ""))
        self.request_id: str | None = problem.get("request_id")
        self.retry_after_seconds = retry_after_seconds
        self.fields = {name: value for name, value in problem.items() if name not in _NAMED}
        super().__init__(f"{status} {self.title}: {self.detail}")

    @classmethod
    def from_answer(cls, status: int, body: bytes, *, retry_after_seconds: float | None) -> Self:
        """Return the error of the class that belongs to this status."""
        wanted = _BY_STATUS.get(status, ProblemAnswer)
        return wanted(status, _read_problem(body), retry_after_seconds=retry_after_seconds)  # type: ignore[return-value] # called on the base class


class BadRequest(ProblemAnswer):
    """Something is missing, such as the reader for whom a service token acts: `client.acting_for(reader)`."""


class NotAuthenticated(ProblemAnswer):
    """No token, or one that is unknown or revoked."""


class NotAllowed(ProblemAnswer):
    """The token's scopes do not reach this far."""


class NotFound(ProblemAnswer):
    """No such paper, run, version or token."""


class Conflict(ProblemAnswer):
    """The state of the resource forbids this now."""


class TooLarge(ProblemAnswer):
    """A body or batch over the limit; nothing of it was stored."""


class InvalidRequest(ProblemAnswer):
    """The request says something impossible."""


class TooManyRequests(ProblemAnswer):
    """The rate limit; `retry_after_seconds` says when there is room."""


class Unavailable(ProblemAnswer):
    """A dependency of the service is down; the same request may succeed later."""


_NAMED: Final = frozenset({"type", "title", "status", "detail", "request_id"})
_BY_STATUS: Final[dict[int, type[ProblemAnswer]]] = {
    400: BadRequest,
    401: NotAuthenticated,
    403: NotAllowed,
    404: NotFound,
    409: Conflict,
    413: TooLarge,
    422: InvalidRequest,
    429: TooManyRequests,
    503: Unavailable,
}


def _read_problem(body: bytes) -> Mapping[str, Any]:
    try:
        problem = json.loads(body)
    except ValueError:
        problem = None
    if isinstance(problem, dict):
        return problem
    return {"title": "not from Paperfeed", "detail": body[:200].decode("utf-8", "replace")}
