"""One event as it came over the wire, checked word for word; nothing it can hold raises."""

import math
import re
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from api.errors import InvalidRequest
from api.schemas.events import KINDS, EventAnswer, EventBatch, EventDraft
from api.services.catalog import normalise_external_id
from recommender.domain import EventKind

UUID_PATTERN: Final = re.compile(r"[0-9a-fA-F]{8}(-?)[0-9a-fA-F]{4}\1[0-9a-fA-F]{4}\1[0-9a-fA-F]{4}\1[0-9a-fA-F]{12}")
# 2024-05-01T12:00:00.123456+02:00: date and time with an offset, nothing else that `fromisoformat` understands.
TIME_PATTERN: Final = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d([.,]\d{1,9})?)?(Z|z|[+-]\d\d(:?\d\d)?)", re.ASCII)
LONGEST_SLATE: Final = 8192  # characters: a page of 100 papers, signed
LONGEST_SHOWN_ID: Final = 64  # characters of an id that are repeated in the answer
HIGHEST_POSITION: Final = 2**31 - 1  # what the column holds
LARGEST_VALUE: Final = 1e12


class _Malformed(Exception):
    """Says what is wrong with an event."""


def parse_batch(
    raw_events: Sequence[object], *, external_user: str, now: datetime, future_tolerance: timedelta
) -> EventBatch:
    """Return the request's events, each parsed or rejected with a code."""
    latest = now + future_tolerance
    entries = tuple(parse_event(raw, now=now, latest=latest) for raw in raw_events)
    return EventBatch(external_user, entries)


def parse_event(raw: object, *, now: datetime, latest: datetime) -> EventDraft | EventAnswer:
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
        occurred_at = parse_time(raw.get("occurred_at"))
        if occurred_at > latest:
            return EventAnswer(shown_id, "rejected", "future", "occurred_at lies ahead of the clock of this service")
        return EventDraft(
            shown_id=shown_id or event_id,
            event_id=event_id,
            kind=kind,
            external_paper_id=parse_paper_id(raw.get("paper_id")),
            raw_occurred_at=occurred_at,
            occurred_at=min(occurred_at, now),
            position=_position(raw.get("position")),
            value=_value(raw.get("value"), kind),
            slate=_slate(raw.get("slate")),
        )
    except (_Malformed, InvalidRequest) as error:
        return EventAnswer(shown_id, "rejected", "malformed", str(error))


def parse_event_id(value: object) -> str:
    """Return a UUID in its usual form."""
    if not isinstance(value, str) or not UUID_PATTERN.fullmatch(value):
        raise _Malformed("id is a UUID made by the client")
    return str(uuid.UUID(value))


def parse_time(value: object) -> datetime:
    """Return an aware UTC time from ISO 8601 with an offset."""
    if not isinstance(value, str) or not TIME_PATTERN.fullmatch(value):
        raise _Malformed("occurred_at is a time as ISO 8601 with an offset or Z")
    try:
        return datetime.fromisoformat(value.replace("z", "Z").replace(",", ".")).astimezone(UTC)
    except (ValueError, OverflowError):
        raise _Malformed("occurred_at is not a possible time") from None


def parse_paper_id(value: object) -> str:
    """Return the external id of a paper without version suffix."""
    if not isinstance(value, str):
        raise _Malformed("paper_id is a text")
    return normalise_external_id(value)


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
