"""What the clocks of clients say, and what becomes of it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.errors import InvalidRequest
from api.schemas.events import EventAnswer, EventDraft, Incoming
from api.services.event_parsing import parse_incoming
from api.store.tables import EPOCH, ONE_MICROSECOND
from tests.api.slates import PlainSlate, opener

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
TOLERANCE = timedelta(hours=24)
EVENT = {"id": "0f8fad5b-d9cb-469f-a165-70867728950e", "kind": "click", "paper_id": "2401.00001"}


def parse(*events: dict[str, Any], **fields: Any) -> list[EventDraft | EventAnswer]:
    """Parse the events of a request that has these fields, too."""
    incoming = Incoming([EVENT | {"occurred_at": NOW.isoformat()} | event for event in events], "ada", **fields)
    slates = opener({"own": PlainSlate(), "old": "stale_slate"})
    return list(parse_incoming(incoming, now=NOW, future_tolerance=TOLERANCE, open_slate=slates).entries)


def parse_one(occurred_at: datetime | str, sent_at: datetime | str | None = None) -> EventDraft | EventAnswer:
    """Parse one event of these times."""
    text = occurred_at.isoformat() if isinstance(occurred_at, datetime) else occurred_at
    sent = sent_at.isoformat() if isinstance(sent_at, datetime) else sent_at
    return parse({"occurred_at": text}, sent_at=sent)[0]


def moment(microseconds: int) -> datetime:
    """Return microseconds since 1970 as a time."""
    return EPOCH + timedelta(microseconds=microseconds)


def drafted(entry: EventDraft | EventAnswer) -> EventDraft:
    """Return an event that was parsed."""
    assert isinstance(entry, EventDraft), entry
    return entry


@pytest.mark.parametrize("ahead", [timedelta(days=-4000), timedelta(), timedelta(days=3), timedelta(days=20_000)])
def test_a_wrong_clock_is_put_right_by_the_time_of_sending(ahead: timedelta) -> None:
    clock = NOW + ahead
    draft = drafted(parse_one(clock - timedelta(minutes=7), clock))
    assert moment(draft.occurred) == NOW - timedelta(minutes=7)
    assert moment(draft.raw_occurred) == clock - timedelta(minutes=7)
    assert draft.problem is None


def test_without_a_time_of_sending_the_clients_time_counts_as_it_is() -> None:
    assert moment(drafted(parse_one(NOW - timedelta(days=9))).occurred) == NOW - timedelta(days=9)


@pytest.mark.parametrize("sent_at", [None, NOW - timedelta(days=700)])
def test_a_time_within_the_tolerance_is_the_arrival_and_one_beyond_it_is_refused(sent_at: datetime | None) -> None:
    clock = sent_at or NOW
    near, far = (parse_one(clock + TOLERANCE + more, sent_at) for more in (timedelta(), ONE_MICROSECOND))
    assert (moment(drafted(near).occurred), drafted(near).problem) == (NOW, None)
    assert drafted(far).problem == "future"


@pytest.mark.parametrize(
    ("occurred_at", "sent_at"),
    [
        ("0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"),
        ("0001-01-02T00:00:00Z", "2027-01-01T00:00:00Z"),
    ],
)
def test_a_corrected_time_before_all_calendars_is_malformed(occurred_at: str, sent_at: str) -> None:
    entry = parse_one(occurred_at, sent_at)
    assert isinstance(entry, EventAnswer)
    assert entry.code == "malformed"


@pytest.mark.parametrize("sent_at", ["soon", 5, "2026-05-01T12:00:00", True, [], {}])
def test_a_time_of_sending_that_is_none_refuses_the_request(sent_at: object) -> None:
    with pytest.raises(InvalidRequest, match="sent_at"):
        parse({}, sent_at=sent_at)


@pytest.mark.parametrize("slate", [5, ["own"], "x" * 9000, "a\0b"])
def test_a_batch_slate_that_is_no_text_refuses_the_request(slate: Any) -> None:
    with pytest.raises(InvalidRequest, match="slate"):
        parse({}, slate=slate)


def test_an_events_own_slate_comes_before_that_of_the_batch() -> None:
    first, second, third = map(drafted, parse({"slate": "own"}, {}, {"slate": "junk"}, slate="old"))
    assert (first.slate, first.problem) == ("own", None)
    assert first.opened is not None
    assert (second.slate, second.problem, second.opened) == ("old", "stale_slate", None)
    assert (third.slate, third.problem) == ("junk", "forged_slate")


def test_a_slate_that_is_the_credential_speaks_for_itself_alone() -> None:
    entries = parse({}, {"slate": "own"}, {"slate": "other"}, slate="own", is_slate_only=True)
    assert [drafted(entry).problem for entry in entries] == [None, None, "foreign_slate"]


times = st.datetimes(timezones=st.just(UTC))


@given(occurred=times, sent=st.none() | times)
def test_no_event_is_ever_later_than_its_arrival(occurred: datetime, sent: datetime | None) -> None:
    entry = parse_one(occurred, sent)
    if isinstance(entry, EventDraft):
        assert EPOCH.replace(year=1) <= moment(entry.occurred) <= NOW
        assert moment(entry.raw_occurred) == occurred
    else:
        assert entry.code == "malformed"
