"""The life of a source in SQL: due, taken, put off, paused, asked for, old."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.errors import NotFound
from api.schemas.sources import SourceOut
from api.services import sources
from api.services.metadata import find_batch
from api.services.source_reports import read_source
from api.services.sources import FIRST_BACKOFF, LONGEST_BACKOFF, backoff
from api.settings import Settings
from api.store import sources as rows
from api.store.engine import Database
from api.store.sources import read_papers_as_of
from api.store.tables import Paper

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
SETTINGS = Settings()


@pytest.fixture
def stocked(database: Database) -> Database:
    """Return a database that knows the sources since an hour."""
    with database.write() as session:
        sources.ensure_sources(session, SETTINGS, now=NOW)
    return database


def nobody_died(_owner: str) -> bool:
    return False


def take(database: Database, *, now: datetime = LATER, name: str = "arxiv") -> sources.Claim | None:
    with database.write() as session:
        return sources.claim_source(session, name, scope="s", owner="me", now=now, lease_seconds=60.0)


def due(database: Database, *, now: datetime = LATER) -> list[str]:
    with database.write() as session:
        return sources.take_due(session, SETTINGS, now=now, is_dead=nobody_died)


def report(database: Database, *, now: datetime = LATER, name: str = "arxiv") -> SourceOut:
    with database.read() as session:
        return read_source(session, SETTINGS, name, now=now)


def fail(database: Database, *, now: datetime, reason: str = "away") -> None:
    claim = take(database, now=now)
    assert claim is not None
    with database.write() as session:
        sources.fail_run(session, claim.lease, reason, retry_after_seconds=None, counts={}, now=now, chance=0.5)


def succeed(database: Database, *, now: datetime, name: str = "arxiv") -> None:
    claim = take(database, now=now, name=name)
    assert claim is not None
    with database.write() as session:
        sources.finish_run(session, claim.lease, every=timedelta(hours=1), counts={}, problem=None, now=now, chance=0.5)


def test_new_sources_are_due_one_after_another_and_made_once(stocked: Database) -> None:
    assert due(stocked, now=NOW) == ["huggingface"]
    assert due(stocked) == ["huggingface", "arxiv", "arxiv-rss", "arxiv-oai"]
    with stocked.write() as session:
        sources.ensure_sources(session, SETTINGS, now=LATER)
    assert due(stocked, now=NOW) == ["huggingface"]


def test_a_source_is_taken_once_until_its_lease_ends(stocked: Database) -> None:
    first = take(stocked)
    assert first is not None
    assert take(stocked) is None
    assert "arxiv" not in due(stocked)
    later = LATER + timedelta(seconds=61)
    second = take(stocked, now=later)
    assert second is not None
    with stocked.write() as session, pytest.raises(sources.SourceLost):
        sources.hold_source(session, first.lease, now=later, lease_seconds=60)


def test_the_source_of_a_dead_reader_is_free_at_once(stocked: Database) -> None:
    take(stocked)
    with stocked.write() as session:
        found = sources.take_due(session, SETTINGS, now=LATER, is_dead=lambda owner: owner == "me")
    assert "arxiv" in found


def test_a_paused_source_is_read_when_somebody_asks_for_it_and_only_then(stocked: Database) -> None:
    with stocked.write() as session:
        sources.pause_source(session, "arxiv")
    assert "arxiv" not in due(stocked)
    assert (report(stocked).state, report(stocked).due_at) == ("paused", None)
    with stocked.write() as session:
        sources.request_run(session, "arxiv", now=LATER)
    assert "arxiv" in due(stocked)
    succeed(stocked, now=LATER)
    assert "arxiv" not in due(stocked, now=LATER + timedelta(days=3))
    with stocked.write() as session:
        sources.resume_source(session, "arxiv", now=LATER)
    assert "arxiv" in due(stocked)


def ask_for_a_run(database: Database, *, now: datetime) -> None:
    with database.write() as session:
        sources.request_run(session, "arxiv", now=now)


def leave(database: Database, claim: sources.Claim | None, *, due_at: datetime) -> None:
    assert claim is not None
    with database.write() as session:
        sources.leave_run(session, claim.lease, due_at=due_at, has_moved=True, counts={}, problem=None)


@pytest.mark.parametrize("is_paused", [True, False])
def test_a_run_that_was_asked_for_outlives_the_one_who_took_it(stocked: Database, is_paused: bool) -> None:
    succeed(stocked, now=LATER)
    with stocked.write() as session:
        if is_paused:
            sources.pause_source(session, "arxiv")
    soon = LATER + timedelta(minutes=1)
    assert "arxiv" not in due(stocked, now=soon)
    ask_for_a_run(stocked, now=soon)
    assert take(stocked, now=soon) is not None
    lost = soon + timedelta(seconds=61)  # nobody prolonged the lease
    assert "arxiv" in due(stocked, now=lost)
    succeed(stocked, now=lost)
    assert "arxiv" not in due(stocked, now=lost + timedelta(seconds=1))


def test_a_run_of_a_paused_source_that_was_left_goes_on_when_it_can_and_not_sooner(stocked: Database) -> None:
    with stocked.write() as session:
        sources.pause_source(session, "arxiv")
    ask_for_a_run(stocked, now=LATER)
    can_go_on = LATER + timedelta(minutes=2)
    leave(stocked, take(stocked, now=LATER), due_at=can_go_on)
    assert "arxiv" not in due(stocked, now=LATER + timedelta(minutes=1))
    assert "arxiv" in due(stocked, now=can_go_on)
    succeed(stocked, now=can_go_on)
    assert "arxiv" not in due(stocked, now=can_go_on + timedelta(days=3))


def test_a_run_that_is_asked_for_during_another_one_follows_it(stocked: Database) -> None:
    with stocked.write() as session:
        sources.pause_source(session, "arxiv")
    for end in ("done", "left", "failed"):
        ask_for_a_run(stocked, now=LATER)
        claim = take(stocked)
        assert claim is not None
        ask_for_a_run(stocked, now=LATER + timedelta(seconds=1))
        after = LATER + timedelta(seconds=2)
        with stocked.write() as session:
            if end == "done":
                every = timedelta(hours=1)
                sources.finish_run(session, claim.lease, every=every, counts={}, problem=None, now=after, chance=0.5)
            elif end == "failed":
                sources.fail_run(
                    session, claim.lease, "away", retry_after_seconds=None, counts={}, now=after, chance=0.5
                )
        if end == "left":
            leave(stocked, claim, due_at=LATER + timedelta(hours=1))
        assert "arxiv" in due(stocked, now=after)
        succeed(stocked, now=after)


def test_a_run_that_was_asked_for_and_failed_is_over(stocked: Database) -> None:
    with stocked.write() as session:
        sources.pause_source(session, "arxiv")
    ask_for_a_run(stocked, now=LATER)
    fail(stocked, now=LATER)
    assert "arxiv" not in due(stocked, now=LATER + timedelta(days=3))


def test_an_unknown_source_is_named_so(stocked: Database) -> None:
    with stocked.write() as session, pytest.raises(NotFound, match="paperfeed sources"):
        sources.pause_source(session, "arxive")


def test_a_source_that_fails_for_a_day_is_overdue_and_one_success_ends_that(stocked: Database) -> None:
    succeed(stocked, now=LATER)
    fail(stocked, now=LATER + timedelta(hours=2))
    assert not report(stocked, now=LATER + timedelta(hours=24)).is_overdue
    fail(stocked, now=LATER + timedelta(hours=25), reason="still away")
    found = report(stocked, now=LATER + timedelta(hours=26))
    assert (found.is_overdue, found.failures, found.failure, found.state) == (True, 2, "still away", "failing")
    assert found.failing_since == LATER + timedelta(hours=2)
    succeed(stocked, now=LATER + timedelta(days=2))
    found = report(stocked, now=LATER + timedelta(days=2, minutes=5))
    assert (found.is_overdue, found.failures, found.failure, found.age_seconds) == (False, 0, None, 300.0)


def test_a_source_that_nothing_reads_is_overdue_too_and_a_paused_one_is_not(stocked: Database) -> None:
    late = NOW + timedelta(days=1, hours=2)
    assert report(stocked, now=late).is_overdue
    with stocked.write() as session:
        sources.pause_source(session, "arxiv")
    assert not report(stocked, now=late).is_overdue


@given(st.integers(1, 10_000), st.floats(0, 1), st.none() | st.floats(0, 1e9))
def test_a_source_is_put_off_for_as_long_as_it_asks_but_never_for_ever(
    failures: int, chance: float, asked: float | None
) -> None:
    wait = backoff(failures, retry_after_seconds=asked, chance=chance)
    assert wait >= FIRST_BACKOFF * 0.9
    assert wait.total_seconds() >= min(asked or 0.0, 86_400.0)
    assert wait <= max(LONGEST_BACKOFF * 1.1, timedelta(days=1.2))


def test_lists_are_as_new_as_the_last_reading_of_a_source_of_papers(stocked: Database) -> None:
    with stocked.write() as session:
        session.add(make_paper(1, published_at=NOW - timedelta(days=9)))
    names = SETTINGS.listing_sources
    with stocked.read() as session:
        assert read_papers_as_of(session, names) == NOW - timedelta(days=9)
    succeed(stocked, now=LATER)
    with stocked.read() as session:
        assert read_papers_as_of(session, names) == LATER


def test_metadata_is_asked_for_in_order_again_for_new_papers_daily_and_for_all_in_the_end(database: Database) -> None:
    with database.write() as session:
        session.add_all(make_paper(number, created_at=NOW - timedelta(days=60)) for number in range(1, 4))
        session.add(make_paper(4, created_at=NOW, external_id="mine"))
        session.add(make_paper(5, created_at=NOW))
    cursor = None
    asked = []
    month = timedelta(days=30)
    for now in (NOW, NOW, NOW, NOW, NOW + timedelta(days=1), NOW + timedelta(days=1), NOW + month, NOW + month):
        with database.read() as session:
            batch = find_batch(session, cursor, size=2, every=month, now=now)
        asked.append(None if batch is None else batch.ids)
        cursor = cursor if batch is None else batch.cursor
    ids = [f"2605.0000{number}" for number in range(6)]
    first, second, third = (ids[1], ids[2]), (ids[3],), (ids[5],)
    assert asked == [first, second, third, None, third, None, first, second]


def make_paper(number: int, *, external_id: str | None = None, **fields: datetime) -> Paper:
    return Paper(
        paper_id=number,
        external_id=external_id or f"2605.0000{number}",
        title=f"Paper {number}",
        title_key=str(number),
        source="test",
        content_hash="",
        updated_at=NOW,
        **{"created_at": NOW} | fields,
    )


def test_a_row_is_found_as_the_database_has_it(stocked: Database) -> None:
    with stocked.read() as session:
        assert rows.load_source(session, "nothing") is None
