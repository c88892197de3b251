"""The fast way into the log against the careful one: what it takes, the careful one takes the same way."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from api.errors import InvalidRequest
from api.routes.events import read_content
from api.schemas.events import Code, EventBatch, EventDraft, Incoming, OpenedSlate
from api.services.event_decoding import decode_batch
from api.services.event_parsing import parse_incoming

NOW: Final = datetime(2026, 4, 2, 12, tzinfo=UTC)
TOLERANCE: Final = timedelta(hours=24)
ID: Final = "0f8fad5b-d9cb-469f-a165-70867728950e"
USUAL: Final = {"id": ID, "kind": "save", "paper_id": "2401.01234", "occurred_at": "2026-04-01T12:00:00Z"}


class PlainSlate:
    """A slate as far as parsing looks at it."""

    slate_id, user_id, version, variant = "0123456789abcdef", 7, "v1", "base"
    papers: Final[dict[int, Any]] = {}


PAGE: Final = PlainSlate()


def open_slate(token: str) -> OpenedSlate | Code:
    """Know one page, another one that is old, and none else."""
    known: dict[str, OpenedSlate | Code] = {"page": PAGE, "old": "stale_slate"}
    return known.get(token, "forged_slate")


def fast(body: bytes) -> EventBatch | None:
    """Return what the fast way makes of a body."""
    return decode_batch(body, "ada", now=NOW, future_tolerance=TOLERANCE, open_slate=open_slate)


def careful(body: bytes) -> EventBatch:
    """Return what the documented route makes of a body."""
    content = read_content(body)
    incoming = Incoming(content["events"], "ada", sent_at=content.get("sent_at"), slate=content.get("slate"))
    return parse_incoming(incoming, now=NOW, future_tolerance=TOLERANCE, open_slate=open_slate)


def is_same(body: bytes) -> bool:
    """Compare both ways, and tell whether the fast one took the body."""
    found = fast(body)
    if found is None:
        return False
    wanted = careful(body)
    assert list(map(repr, found.entries)) == list(map(repr, wanted.entries))  # repr: 0.0 is not -0.0
    assert (found.received, found.raw_sent) == (wanted.received, wanted.raw_sent)
    mine, other = found.incoming, wanted.incoming
    assert (mine.external_user, mine.user_id, mine.slate) == (other.external_user, other.user_id, other.slate)
    assert (mine.sent_at, mine.is_slate_only, mine.received_at) == (other.sent_at, False, None)
    assert list(mine.events) == list(other.events)  # what is kept of those that are rejected later
    return True


TIMES: Final = st.sampled_from(
    [
        *("2026-04-01T12:00:00Z", "2026-04-01T12:00:00.123Z", "2026-04-01T12:00:00.123456Z", "2026-04-03T11:59:59Z"),
        *("2026-04-01T12:00:00.1234567Z", "2026-04-01 12:00:00z", "2026-04-01T12:00Z", "2026-04-01T14:00:00+02:00"),
        *("2026-02-30T12:00:00Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2026-04-01T24:00:00Z"),
        *("2026-W14-3T12:00:00Z", "2026-04-01T12:00:00", "2026-04-01T12:00:60Z", "", "2026-04-09T12:00:00Z"),
    ]
)
ODD: Final = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=5))
NUMBERS: Final = st.sampled_from([0, -0.0, 0.0, 1, 1.0, 12.5, -1, 2**31 - 1, 2**31, 10**12, 10**13, 10**30, 1e-320])
EVENTS: Final = st.fixed_dictionaries(
    {
        "id": st.one_of(st.uuids().map(str), st.uuids().map(lambda u: u.hex), st.just(ID.upper()), ODD),
        "kind": st.one_of(st.sampled_from(["impression", "read", "click", "unsave", "like"]), ODD),
        "paper_id": st.one_of(st.sampled_from(["2401.01234", "arXiv:2401.01234v3", " p7 ", "\ud800", "é"]), ODD),
        "occurred_at": st.one_of(TIMES, ODD),
    },
    optional={
        "position": st.one_of(NUMBERS, ODD),
        "value": st.one_of(NUMBERS, ODD),
        "slate": st.one_of(st.sampled_from(["page", "old", "other"]), ODD),
        "more": ODD,
    },
)
SLIGHTLY_ODD: Final = st.builds(
    lambda odd, name: USUAL | ({name: odd[name]} if name in odd else {}),
    EVENTS,
    st.sampled_from(["id", "kind", "paper_id", "occurred_at", "position", "value", "slate", "more"]),
)
BATCHES: Final = st.fixed_dictionaries(
    {"events": st.lists(st.one_of(SLIGHTLY_ODD, EVENTS), min_size=0, max_size=3)},
    optional={
        "sent_at": st.one_of(TIMES, ODD),
        "slate": st.one_of(st.sampled_from(["page", "page", "old", "other"]), ODD),
        "more": ODD,
    },
)


@given(BATCHES)
@example({"events": [USUAL | {"value": -0.0}]})
@example({"events": [USUAL | {"value": 10**12}]})
def test_what_the_fast_way_takes_the_careful_one_takes_the_same_way(content: dict[str, Any]) -> None:
    is_same(json.dumps(content).encode())


@given(
    st.lists(st.sampled_from([b'"id":"x",', b'"kind":"click",', b'"position":-0,', b'"value":1e2,', b'"value":1E400,']))
)
def test_names_that_stand_twice_and_numbers_in_odd_spelling_are_read_the_same_way(parts: list[bytes]) -> None:
    event = orjson.dumps(USUAL)
    is_same(b'{"events":[{' + b"".join(parts) + event[1:] + b"]}")
    is_same(b'{"events":[' + event[:-1] + b"," + b"".join(parts)[:-1] + b"}]}")


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"position": 3},
        {"kind": "read", "value": 12},
        {"occurred_at": "2026-04-01T12:00:00.123Z"},
        {"occurred_at": "2026-04-03T11:00:00Z"},
        {"paper_id": "arXiv:2401.01234v3"},
    ],
)
def test_usual_events_go_the_fast_way(change: dict[str, Any]) -> None:
    assert is_same(orjson.dumps({"events": [USUAL | change], "sent_at": "2026-04-02T11:00:00Z", "slate": "page"}))


def test_what_is_rejected_before_the_log_goes_the_careful_way() -> None:
    future, stale = {"occurred_at": "2026-04-09T12:00:00Z"}, {"slate": "old"}
    assert fast(orjson.dumps({"events": [USUAL | future]})) is None
    assert fast(orjson.dumps({"events": [USUAL], **stale})) is None
    assert fast(b"{" * 100_000) is None
    with pytest.raises(InvalidRequest):
        careful(b"{" * 100_000)


def test_a_paper_id_blown_up_by_spaces_or_a_query_is_remembered_nowhere() -> None:
    for blown in (" " * 1000 + "2401.01234", "https://arxiv.org/abs/2401.01234?" + "x" * 1000):
        body = orjson.dumps({"events": [USUAL | {"paper_id": blown}]})
        assert fast(body) is None
        assert [entry.external_paper_id for entry in careful(body).entries if isinstance(entry, EventDraft)] == [
            "2401.01234"
        ]
