"""When a digest is due, by the reader's clock: hours that are missing, hours that come twice, days that never were."""

import itertools
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.errors import InvalidRequest
from api.services.digest_times import (
    DAILY,
    WEEKLY,
    Schedule,
    latest_occasion,
    next_occasion,
    offered_zones,
    period_of,
    read_schedule,
    tell_moment,
)

BERLIN = "Europe/Berlin"
YEAR = datetime(2026, 1, 1, tzinfo=UTC)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def daily(hour: int, zone: str = BERLIN) -> Schedule:
    return Schedule(DAILY, 0, hour, zone)


def occasions(schedule: Schedule, *, after: datetime, count: int) -> list[tuple[datetime, date]]:
    """Return what follows one another, each after the one before was dealt with."""
    found: list[tuple[datetime, date]] = []
    last: date | None = None
    for _ in range(count):
        occasion = next_occasion(schedule, after=after, last_day=last)
        found.append((occasion.at, occasion.day))
        after, last = occasion.at, occasion.day
    return found


def test_seven_in_the_morning_stays_seven_when_summer_begins_and_ends() -> None:
    spring = occasions(daily(7), after=utc("2026-03-27T12:00"), count=3)
    assert [at for at, _ in spring] == [utc("2026-03-28T06:00"), utc("2026-03-29T05:00"), utc("2026-03-30T05:00")]
    autumn = occasions(daily(7), after=utc("2026-10-23T12:00"), count=3)
    assert [at for at, _ in autumn] == [utc("2026-10-24T05:00"), utc("2026-10-25T06:00"), utc("2026-10-26T06:00")]


def test_an_hour_that_is_missing_gives_the_one_after_it() -> None:
    found = occasions(daily(2), after=utc("2026-03-28T12:00"), count=2)  # 02:00 is not on March 29: 03:00 is
    assert found == [(utc("2026-03-29T01:00"), date(2026, 3, 29)), (utc("2026-03-30T00:00"), date(2026, 3, 30))]


def test_an_hour_that_comes_twice_is_one_occasion() -> None:
    found = occasions(daily(2), after=utc("2026-10-24T12:00"), count=2)  # 02:00 is at 00:00 and 01:00 UTC
    assert found == [(utc("2026-10-25T00:00"), date(2026, 10, 25)), (utc("2026-10-26T01:00"), date(2026, 10, 26))]


def test_a_day_that_a_country_left_out_has_none() -> None:
    found = occasions(daily(7, "Pacific/Apia"), after=utc("2011-12-29T00:00"), count=2)  # Samoa had no December 30
    assert [day for _, day in found] == [date(2011, 12, 29), date(2011, 12, 31)]


def test_midnight_that_is_missing_still_has_its_day() -> None:
    found = occasions(daily(0, "America/Santiago"), after=utc("2026-09-05T12:00"), count=2)
    assert [day for _, day in found] == [date(2026, 9, 6), date(2026, 9, 7)]


def test_a_weekly_digest_comes_on_its_day() -> None:
    found = occasions(Schedule(WEEKLY, 4, 18, "America/New_York"), after=utc("2026-03-01T00:00"), count=3)
    assert [day for _, day in found] == [date(2026, 3, 6), date(2026, 3, 13), date(2026, 3, 20)]
    assert [at for at, _ in found] == [utc("2026-03-06T23:00"), utc("2026-03-13T22:00"), utc("2026-03-20T22:00")]


def test_moving_the_hour_gives_no_second_one_on_the_same_day() -> None:
    after = utc("2026-05-04T06:00")
    assert next_occasion(daily(20), after=after, last_day=date(2026, 5, 4)).day == date(2026, 5, 5)


def test_moving_the_day_of_the_week_gives_no_second_one_in_the_same_week() -> None:
    friday = Schedule(WEEKLY, 4, 7, "UTC")
    assert next_occasion(friday, after=utc("2026-05-04T08:00"), last_day=date(2026, 5, 4)).day == date(2026, 5, 15)


def test_moving_east_gives_no_second_one_on_the_same_day() -> None:
    last = occasions(daily(7, "Pacific/Honolulu"), after=utc("2026-05-04T00:00"), count=1)[0]
    moved = next_occasion(daily(7, "Pacific/Kiritimati"), after=last[0], last_day=last[1])
    assert moved.day > last[1]


def test_after_days_of_silence_there_is_one_to_be_dealt_with() -> None:
    found = latest_occasion(daily(7), due_at=utc("2026-05-01T05:00"), now=utc("2026-05-06T12:00"))
    assert (found.at, found.day) == (utc("2026-05-06T05:00"), date(2026, 5, 6))


def test_a_clock_that_was_far_ahead_holds_nothing_up_for_ever() -> None:
    found = next_occasion(daily(7), after=utc("2026-05-04T00:00"), last_day=date(2027, 1, 1))
    assert found.day == date(2027, 1, 2)


def test_weeks_are_named_as_iso_names_them() -> None:
    assert period_of(Schedule(WEEKLY, 0, 7, "UTC"), date(2027, 1, 1)) == "2026-W53"
    assert period_of(daily(7), date(2027, 1, 1)) == "2027-01-01"


def test_a_moment_is_told_by_the_readers_clock() -> None:
    assert tell_moment(utc("2026-05-05T05:00"), BERLIN) == "Tuesday, 2026-05-05, 07:00 (Europe/Berlin)"


@pytest.mark.parametrize("zone", ["Europe/Atlantis", "", "../../etc/passwd", "UTC\0", "x" * 200])
def test_a_zone_that_is_none_is_refused(zone: str) -> None:
    with pytest.raises(InvalidRequest, match="time zone"):
        read_schedule(cadence=DAILY, weekday="0", hour="7", zone=zone)


@given(
    zone=st.sampled_from(offered_zones()),
    hour=st.integers(0, 23),
    weekday=st.integers(0, 6),
    cadence=st.sampled_from([DAILY, WEEKLY]),
    minutes=st.integers(0, 365 * 24 * 60),
)
@settings(max_examples=100, deadline=None)
def test_every_period_has_one_occasion_and_none_is_left_out(
    zone: str, hour: int, weekday: int, cadence: str, minutes: int
) -> None:
    schedule = Schedule(cadence, weekday, hour, zone)
    found = occasions(schedule, after=YEAR + timedelta(minutes=minutes), count=4)
    days = [day for _, day in found]
    step = timedelta(days=1 if cadence == DAILY else 7)
    assert [later - day for day, later in itertools.pairwise(days)] == [step] * 3
    assert len({period_of(schedule, day) for day in days}) == 4
    assert all(later > at for (at, _), (later, _) in itertools.pairwise(found))
