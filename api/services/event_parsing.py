"""One event as it came over the wire, checked word for word; nothing it can hold raises."""

import math
import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, TypeAlias

from api.errors import InvalidRequest
from api.schemas.events import KINDS, Code, EventAnswer, EventBatch, EventDraft, Incoming, OpenedSlate
from api.services.catalog import normalise_external_id
from api.store.tables import EPOCH, ONE_MICROSECOND
from recommender.domain import EventKind

UUID_PATTERN: Final = re.compile(r"[0-9a-fA-F]{8}(-?)[0-9a-fA-F]{4}\1[0-9a-fA-F]{4}\1[0-9a-fA-F]{4}\1[0-9a-fA-F]{12}")
# 2024-05-01T12:00:00.123456+02:00: date and time with an offset, nothing else that `fromisoformat` understands.
TIME_PATTERN: Final = re.compile(
    r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(:\d\d([.,]\d{1,9})?)?(Z|z|[+-]\d\d(:?\d\d)?)", re.ASCII
)
LONGEST_SLATE: Final = 8192  # characters: a page of 100 papers, signed
LONGEST_SHOWN_ID: Final = 64  # characters of an id that are repeated in the answer
HIGHEST_POSITION: Final = 2**31 - 1  # what the column holds
LARGEST_VALUE: Final = 1e12
EARLIEST: Final = (datetime.min.replace(tzinfo=UTC) - EPOCH) // ONE_MICROSECOND
SLATE_PROBLEMS: Final[dict[Code, str]] = {
    "forged_slate": "this service did not sign this slate: send back what the page carried, letter for letter",
    "stale_slate": "this slate is too old to be accepted: take one from a new page",
    "foreign_slate": "this slate was made for another reader",
    "not_on_slate": "this paper is not on the page of this slate",
}
PROBLEMS: Final[dict[Code, str]] = SLATE_PROBLEMS | {"future": "occurred_at lies ahead of the clock of this service"}

OpenSlate: TypeAlias = Callable[[str], OpenedSlate | Code]


class _Malformed(Exception):
    """Says what is wrong with an event."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """What all events of one request share; times are microseconds since 1970."""

    received: int
    latest: int  # an event later than this is refused
    sent: int | None  # by the client's clock
    slate: str | None
    is_slate_only: bool
    open_slate: OpenSlate

    @property
    def shift(self) -> int:
        """What is added to the client's times, so that its clock agrees with ours."""
        return 0 if self.sent is None else self.received - self.sent


def parse_incoming(
    incoming: Incoming, *, now: datetime, future_tolerance: timedelta, open_slate: OpenSlate
) -> EventBatch:
    """Return a request's events, each parsed or rejected with a code; InvalidRequest for a bad `sent_at` or `slate`."""
    arrival = read_arrival(incoming, now=now, future_tolerance=future_tolerance, open_slate=open_slate)
    entries = [parse_event(raw, arrival) for raw in incoming.events]
    return EventBatch(incoming, arrival.received, arrival.sent, entries)


def read_arrival(incoming: Incoming, *, now: datetime, future_tolerance: timedelta, open_slate: OpenSlate) -> Arrival:
    """Return what the events of a request share; InvalidRequest when that cannot be read."""
    try:
        sent = None if incoming.sent_at is None else _micros(parse_time(incoming.sent_at, "sent_at"))
        slate = _slate(incoming.slate)
    except _Malformed as error:
        raise InvalidRequest(str(error)) from None
    received = _micros(incoming.received_at or now)
    latest = received + future_tolerance // ONE_MICROSECOND
    return Arrival(received, latest, sent, slate, incoming.is_slate_only, open_slate)


def parse_event(raw: object, arrival: Arrival) -> EventDraft | EventAnswer:
    """Return the parsed event, or the answer that rejects it."""
    if not isinstance(raw, dict):
        return EventAnswer(None, "rejected", "malformed", "an event is an object")
    shown_id = _shown(raw.get("id"))
    try:
        event_id = parse_event_id(raw.get("id"))
        kind = _kind(raw.get("kind"))
        if isinstance(kind, str):
            known = ", ".join(KINDS)
            return EventAnswer(shown_id, "rejected", "unknown_kind", f"kind is one of {known}")
        return draft_event(
            arrival,
            shown_id=shown_id or event_id,
            event_id=event_id,
            kind=kind,
            external_paper_id=parse_paper_id(raw.get("paper_id")),
            raw_occurred=_micros(parse_time(raw.get("occurred_at"), "occurred_at")),
            position=_position(raw.get("position")),
            value=_value(raw.get("value"), kind),
            slate=_slate(raw.get("slate")),
        )
    except (_Malformed, InvalidRequest) as error:
        return EventAnswer(shown_id, "rejected", "malformed", str(error))


def draft_event(
    arrival: Arrival,
    *,
    shown_id: str,
    event_id: str,
    kind: EventKind,
    external_paper_id: str,
    raw_occurred: int,
    position: int | None,
    value: float | None,
    slate: str | None,
) -> EventDraft | EventAnswer:
    """Return the event with its corrected time and opened slate."""
    occurred = raw_occurred + arrival.shift
    if occurred < EARLIEST:
        return EventAnswer(shown_id, "rejected", "malformed", "occurred_at is not a possible time")
    problem: Code | None = "future" if occurred > arrival.latest else None
    token = arrival.slate if slate is None else slate
    opened: OpenedSlate | None = None
    if token is not None:
        found = arrival.open_slate(token)
        if arrival.is_slate_only and token != arrival.slate:
            problem = problem or "foreign_slate"
        if isinstance(found, str):
            problem = problem or found
        else:
            opened = found
    return EventDraft(
        shown_id,
        event_id,
        kind,
        external_paper_id,
        raw_occurred,
        min(occurred, arrival.received),
        position,
        value,
        token,
        opened,
        problem,
    )


def parse_event_id(value: object) -> str:
    """Return a UUID in its usual form."""
    if not isinstance(value, str) or not UUID_PATTERN.fullmatch(value):
        raise _Malformed("id is a UUID made by the client")
    return str(uuid.UUID(value))


def parse_time(value: object, name: str) -> datetime:
    """Return an aware UTC time from ISO 8601 with an offset."""
    if not isinstance(value, str) or not TIME_PATTERN.fullmatch(value):
        raise _Malformed(f"{name} is a time as ISO 8601 with an offset or Z")
    try:
        return datetime.fromisoformat(value.replace("z", "Z").replace(",", ".")).astimezone(UTC)
    except (ValueError, OverflowError):
        raise _Malformed(f"{name} is not a possible time") from None


def parse_paper_id(value: object) -> str:
    """Return the external id of a paper without version suffix."""
    if not isinstance(value, str):
        raise _Malformed("paper_id is a text")
    return normalise_external_id(value)


def _micros(time: datetime) -> int:
    return (time - EPOCH) // ONE_MICROSECOND


def _shown(value: object) -> str | None:
    if not isinstance(value, str):
        return None
    return value[:LONGEST_SHOWN_ID].encode("utf-8", "replace").decode()


def _kind(value: object) -> EventKind | str:
    if not isinstance(value, str):
        raise _Malformed("kind is a text")
    return KINDS.get(value, value)


def _position(value: object) -> int | None:
    if value is None:
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= HIGHEST_POSITION:
        raise _Malformed(f"position is a whole number from 0 to {HIGHEST_POSITION}")
    return value


def _value(value: object, kind: EventKind) -> float | None:
    if value is None:
        if kind == EventKind.READ:
            raise _Malformed("read needs the seconds in value")
        return None
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise _Malformed("value is a number")
    # Compared before conversion: an integer of a thousand digits does not fit into a float.
    if not -LARGEST_VALUE <= value <= LARGEST_VALUE or math.isnan(value):
        raise _Malformed(f"value lies between -{LARGEST_VALUE:.0e} and {LARGEST_VALUE:.0e}")
    if kind == EventKind.READ and value < 0:
        raise _Malformed("read takes seconds of 0 or more in value")
    return float(value)


def _slate(value: object) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str) or len(value) > LONGEST_SLATE or not value.isascii() or not value.isprintable():
        raise _Malformed(f"slate is the text from a page, up to {LONGEST_SLATE} characters")
    return value
