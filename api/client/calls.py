"""Every request of the API as a value: what is sent, how the answer is read, and whether it may be sent twice."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime
from typing import Any, Final, Generic, TypeVar
from urllib.parse import quote, urlencode

from api.client import values as v
from api.client.wire import read_text, reader

T = TypeVar("T")
MOST_EVENTS: Final = 500
"""In one request."""
MOST_BATCH_BYTES: Final = 900_000
"""Of one request, a little under the megabyte that the service takes."""


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """One request and how to read its answer."""

    method: str
    template: str
    read: Callable[[bytes], T]
    path_values: Mapping[str, str | int] = field(default_factory=dict)
    params: tuple[tuple[str, str], ...] = ()
    body: Callable[[], bytes] | None = None  # made anew for each attempt: it may hold the time
    is_repeatable: bool = True
    is_fine: frozenset[int] = frozenset()  # statuses beside 2xx whose body is the answer

    def url(self) -> str:
        """Return path and query; a slash in a paper's id stays one."""
        filled = {name: quote(str(value), safe="/:") for name, value in self.path_values.items()}
        path = self.template.format(**filled)
        return f"{path}?{urlencode(self.params)}" if self.params else path


def query(**wanted: object) -> tuple[tuple[str, str], ...]:
    """Return the parameters that are not None, lists repeated."""
    pairs: list[tuple[str, str]] = []
    for name, value in wanted.items():
        if isinstance(value, date):  # or a time
            pairs.append((name, value.isoformat()))
        elif isinstance(value, Iterable) and not isinstance(value, str):
            pairs += [(name, str(each)) for each in value]
        elif value is not None:
            pairs.append((name, str(value)))
    return tuple(pairs)


def as_json(document: object) -> Callable[[], bytes]:
    """Return a body of JSON."""
    encoded = json.dumps(document, ensure_ascii=False).encode()
    return lambda: encoded


def read_feed(
    *,
    limit: int | None = None,
    cursor: str | None = None,
    category: Sequence[str] = (),
    since: date | None = None,
    exclude: Sequence[str] = (),
) -> Call[v.Feed]:
    """`GET /v1/feed`."""
    params = query(limit=limit, cursor=cursor, category=category, since=since, exclude=exclude)
    return Call("GET", "/v1/feed", reader(v.Feed), params=params)


def read_trending(
    *,
    window: v.Window | None = None,
    category: Sequence[str] = (),
    limit: int | None = None,
    cursor: str | None = None,
) -> Call[v.Papers]:
    """`GET /v1/trending`."""
    params = query(window=window, category=category, limit=limit, cursor=cursor)
    return Call("GET", "/v1/trending", reader(v.Papers), params=params)


def read_latest(
    *, category: Sequence[str] = (), since: date | None = None, limit: int | None = None, cursor: str | None = None
) -> Call[v.Papers]:
    """`GET /v1/latest`."""
    params = query(category=category, since=since, limit=limit, cursor=cursor)
    return Call("GET", "/v1/latest", reader(v.Papers), params=params)


def search(
    text: str = "",
    *,
    first_day: date | None = None,
    last_day: date | None = None,
    categories: Sequence[str] = (),
    organizations: Sequence[str] = (),
    with_code: bool | None = None,
    sort: v.Sort | None = None,
    prefix: bool = False,
    personal: bool = False,
    counts: bool = False,
    limit: int | None = None,
    cursor: str | None = None,
) -> Call[v.Found]:
    """`GET /v1/search`."""
    named = query(
        categories=categories, organization=organizations, with_code=with_code, sort=sort, limit=limit, cursor=cursor
    )
    flags = query(prefix=prefix, personal=personal, counts=counts)
    params = (*query(q=text, **{"from": first_day, "to": last_day}), *named, *flags)
    return Call("GET", "/v1/search", reader(v.Found), params=params)


def read_paper(paper_id: str) -> Call[v.Paper]:
    """`GET /v1/papers/{paper_id}`."""
    return Call("GET", "/v1/papers/{paper_id}", reader(v.Paper), {"paper_id": paper_id})


def read_similar(paper_id: str, *, limit: int | None = None, cursor: str | None = None) -> Call[v.Papers]:
    """`GET /v1/papers/{paper_id}/similar`."""
    place, params = {"paper_id": paper_id}, query(limit=limit, cursor=cursor)
    return Call("GET", "/v1/papers/{paper_id}/similar", reader(v.Papers), place, params)


def send_events(events: Sequence[v.Json]) -> Call[v.EventResults]:
    """`POST /v1/events`; each attempt says when it was sent, so that the service can correct this machine's clock."""

    def body() -> bytes:
        sent_at = datetime.now(UTC).isoformat()
        return json.dumps({"events": events, "sent_at": sent_at}, ensure_ascii=False).encode()

    return Call("POST", "/v1/events", reader(v.EventResults), body=body)


def read_interests() -> Call[v.Interests]:
    """`GET /v1/me/interests`."""
    return Call("GET", "/v1/me/interests", reader(v.Interests))


def write_interests(interests: v.Interests) -> Call[v.Interests]:
    """`PUT /v1/me/interests`."""
    return Call("PUT", "/v1/me/interests", reader(v.Interests), body=as_json(asdict(interests)))


def read_muted() -> Call[v.Muted]:
    """`GET /v1/me/muted`."""
    return Call("GET", "/v1/me/muted", reader(v.Muted))


def write_muted(muted: v.Muted) -> Call[v.Muted]:
    """`PUT /v1/me/muted`."""
    return Call("PUT", "/v1/me/muted", reader(v.Muted), body=as_json(asdict(muted)))


def read_personalisation() -> Call[v.Personalisation]:
    """`GET /v1/me/personalisation`."""
    return Call("GET", "/v1/me/personalisation", reader(v.Personalisation))


def switch_personalisation(*, is_personal: bool) -> Call[v.Personalisation]:
    """`PUT /v1/me/personalisation`."""
    body = as_json({"is_personal": is_personal})
    return Call("PUT", "/v1/me/personalisation", reader(v.Personalisation), body=body)


def forget_taste() -> Call[v.Personalisation]:
    """`DELETE /v1/me/taste`."""
    return Call("DELETE", "/v1/me/taste", reader(v.Personalisation))


def read_question(*, skip: Sequence[str] = ()) -> Call[v.Question]:
    """`GET /v1/me/question`."""
    return Call("GET", "/v1/me/question", reader(v.Question), params=query(skip=skip))


def read_library(*, limit: int | None = None, cursor: str | None = None) -> Call[v.Library]:
    """`GET /v1/me/library`."""
    return Call("GET", "/v1/me/library", reader(v.Library), params=query(limit=limit, cursor=cursor))


def read_history(*, limit: int | None = None, cursor: str | None = None) -> Call[v.History]:
    """`GET /v1/me/history`."""
    return Call("GET", "/v1/me/history", reader(v.History), params=query(limit=limit, cursor=cursor))


def read_hidden(*, limit: int | None = None, cursor: str | None = None) -> Call[v.Hidden]:
    """`GET /v1/me/hidden`."""
    return Call("GET", "/v1/me/hidden", reader(v.Hidden), params=query(limit=limit, cursor=cursor))


def bring_back(paper_id: str) -> Call[None]:
    """`DELETE /v1/me/hidden/{paper_id}`."""
    return Call("DELETE", "/v1/me/hidden/{paper_id}", read_nothing, {"paper_id": paper_id})


def merge_reader(cookie: str) -> Call[v.Merged]:
    """`POST /v1/me/merge`."""
    return Call("POST", "/v1/me/merge", reader(v.Merged), body=as_json({"reader": cookie}))


def read_liveness() -> Call[v.Json]:
    """`GET /livez`."""
    return Call("GET", "/livez", read_object)


def read_readiness() -> Call[v.Readiness]:
    """`GET /readyz`; what is not ready is an answer, too."""
    return Call("GET", "/readyz", reader(v.Readiness), is_fine=frozenset({503}))


def read_metrics() -> Call[str]:
    """`GET /metrics`."""
    return Call("GET", "/metrics", read_text)


def read_nothing(_body: bytes) -> None:
    """Return nothing: the status says it all."""


def read_object(body: bytes) -> v.Json:
    """Return a body that is any JSON object."""
    document: Any = json.loads(body)
    return dict(document)
