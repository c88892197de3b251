"""The usual batch of events, decoded in one go; what is unusual in any way is left to the careful parser.

What is accepted here becomes exactly what `parse_incoming` makes of it: a property test holds both against each other.
"""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Final, overload

import msgspec
import orjson

from api.errors import InvalidRequest
from api.ids import LONGEST_ID
from api.schemas.events import KINDS, MOST_EVENTS, EventBatch, EventDraft, Incoming
from api.services.event_parsing import (
    HIGHEST_POSITION,
    LARGEST_VALUE,
    Arrival,
    OpenSlate,
    parse_paper_id,
    read_arrival,
)
from api.store.tables import EPOCH, ONE_MICROSECOND
from recommender.domain import EventKind

USUAL_ID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")  # as it is stored
USUAL_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3}(\d{3})?)?Z", re.ASCII)
MOST_PAPER_IDS: Final = 50_000  # remembered forms, about 10 MB when full


class _Event(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    id: str
    kind: str
    paper_id: str
    occurred_at: str
    position: int | None = None
    value: float | None = None
    slate: str | None = None


class _Batch(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    events: list[_Event]
    sent_at: str | None = None
    slate: str | None = None


class _Unusual(Exception):
    """Something that the careful parser has to look at."""


class _AsReceived(Sequence[object]):
    """The events of a body as they came, read when one of them is rejected and kept."""

    __slots__ = ("_body", "_count", "_events")

    def __init__(self, body: bytes, count: int) -> None:
        self._body = body
        self._count = count
        self._events: list[object] | None = None

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, at: int) -> object: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[object]: ...
    def __getitem__(self, at: int | slice) -> object:
        if self._events is None:
            content: dict[str, Any] = orjson.loads(self._body)
            self._events = content["events"]
        return self._events[at]


_DECODER: Final = msgspec.json.Decoder(_Batch)
_normal_paper_id: Final = lru_cache(MOST_PAPER_IDS)(parse_paper_id)


def decode_batch(
    body: bytes, external_user: str, *, now: datetime, future_tolerance: timedelta, open_slate: OpenSlate
) -> EventBatch | None:
    """Return the events of a body that a token's reader sent, None when the careful parser should read it."""
    if not body.isascii():
        return None
    try:
        found = _DECODER.decode(body)
        count = len(found.events)
        if not 1 <= count <= MOST_EVENTS:
            return None
        incoming = Incoming(_AsReceived(body, count), external_user, sent_at=found.sent_at, slate=found.slate)
        arrival = read_arrival(incoming, now=now, future_tolerance=future_tolerance, open_slate=open_slate)
        return EventBatch(incoming, arrival.received, arrival.sent, _drafts(found.events, arrival))
    except (msgspec.MsgspecError, RecursionError, InvalidRequest, ValueError, _Unusual):
        return None


def _drafts(events: Sequence[_Event], arrival: Arrival) -> list[EventDraft]:
    slate = arrival.slate
    opened = None if slate is None else arrival.open_slate(slate)
    if isinstance(opened, str):
        raise _Unusual
    shift, latest, received = arrival.shift, arrival.latest, arrival.received
    is_usual_id, is_usual_time = USUAL_ID.fullmatch, USUAL_TIME.fullmatch
    read_time = datetime.fromisoformat
    drafts: list[EventDraft] = []
    for event in events:
        kind, position, value = KINDS.get(event.kind), event.position, event.value
        if kind is None or event.slate is not None or not is_usual_id(event.id) or not is_usual_time(event.occurred_at):
            raise _Unusual
        if position is not None and not 0 <= position <= HIGHEST_POSITION:
            raise _Unusual
        # Zero has two signs, which only the careful parser tells apart as they were written.
        if kind is EventKind.READ if value is None else not 0 < value <= LARGEST_VALUE:
            raise _Unusual
        if len(event.paper_id) > LONGEST_ID:  # it may become a short one, but would be remembered as it came
            raise _Unusual
        paper_id = _normal_paper_id(event.paper_id)
        said = (read_time(event.occurred_at) - EPOCH) // ONE_MICROSECOND
        occurred = said + shift
        if not 0 <= occurred <= latest or not paper_id.isascii():
            raise _Unusual
        kept = min(occurred, received)
        drafts.append(EventDraft(event.id, event.id, kind, paper_id, said, kept, position, value, slate, opened, None))
    return drafts
