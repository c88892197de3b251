"""What requests for the daily lists ask for."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.errors import InvalidRequest
from api.routes.hub_asking import MOST_PAGE, read_daily_ask, read_limit, read_page, read_query, wants_own_feed

DAY = timedelta(days=1)


def at(year: int, month: int, day: int) -> datetime:
    return datetime(year, month, day, tzinfo=UTC)


def test_without_parameters_fifty_of_all_the_newest_first() -> None:
    ask = read_daily_ask({})
    assert (ask.offset, ask.limit, ask.sort, ask.is_of_one_day) == (0, 50, "publishedAt", False)
    assert (ask.wanted.since, ask.wanted.until, ask.wanted.submitter) == (None, None, None)


@pytest.mark.parametrize(
    ("params", "since", "until"),
    [
        ({"date": "2025-12-08"}, at(2025, 12, 8), at(2025, 12, 9)),
        ({"date": "2024-02-29"}, at(2024, 2, 29), at(2024, 3, 1)),
        ({"week": "2025-W50"}, at(2025, 12, 8), at(2025, 12, 15)),
        ({"week": "2026-W01"}, at(2025, 12, 29), at(2026, 1, 5)),  # an ISO year begins with its first Thursday's week
        ({"week": "2020-W53"}, at(2020, 12, 28), at(2021, 1, 4)),
        ({"month": "2025-12"}, at(2025, 12, 1), at(2026, 1, 1)),
        ({"month": "2024-02"}, at(2024, 2, 1), at(2024, 3, 1)),
        ({"week": "2025-W50", "month": "2025-11"}, at(2025, 12, 8), at(2025, 12, 1)),  # nothing is in both
    ],
)
def test_spans_are_days_weeks_and_months_of_utc(params: dict[str, str], since: datetime, until: datetime) -> None:
    wanted = read_daily_ask(params).wanted
    assert (wanted.since, wanted.until) == (since, until)


@given(st.dates(date(1000, 1, 1), date(9999, 12, 30)))
def test_a_day_lies_in_its_week_and_its_month(day: date) -> None:
    year, week, _ = day.isocalendar()
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    for params in ({"week": f"{year:04}-W{week:02}"}, {"month": f"{day:%Y-%m}"}):
        try:
            wanted = read_daily_ask(params).wanted
        except InvalidRequest:  # the end of time
            assert day > date(9999, 11, 30)
            continue
        assert wanted.since is not None
        assert wanted.until is not None
        assert wanted.since <= start < wanted.until
        assert wanted.since + timedelta(days=6) <= wanted.until


@pytest.mark.parametrize(
    "params",
    [
        {"date": text}
        for text in ("", "today", "2025-13-01", "2025-02-30", "20251208", "2025-12-8", "2025-12-08T00:00", "9999-12-31")
    ]
    + [{"week": text} for text in ("", "2025-W54", "2025-W00", "2025-50", "2025W50", "2021-W53", "0000-W01")]
    + [{"month": text} for text in ("", "2025-13", "2025-00", "2025", "2025-1", "0000-01", "٢٠٢٥-١٢")]
    + [{"sort": text} for text in ("", "newest", "TRENDING", "upvotes")]
    + [{"p": text} for text in ("", "-1", "1.0", "one", "+1", "²")]
    + [{"limit": text} for text in ("", "0", "-1", "101", "1e1", "9" * 5000)],
)
def test_what_cannot_be_is_refused(params: dict[str, str]) -> None:
    with pytest.raises(InvalidRequest):
        read_daily_ask(params)


def test_any_page_is_one() -> None:
    assert [read_page({"p": text}) for text in ("0", "7", "9" * 100)] == [0, 7, MOST_PAGE]


def test_limits_are_inclusive() -> None:
    assert [read_limit({"limit": text}) for text in ("1", "100")] == [1, 100]
    assert read_limit({"limit": "120"}, default=20, most=120) == 120
    with pytest.raises(InvalidRequest, match="1 to 120"):
        read_limit({"limit": "121"}, default=20, most=120)


def test_a_query_has_250_characters_at_most() -> None:
    assert read_query({"q": f" {'x' * 250} "}) == "x" * 250
    assert read_query({}) == ""
    with pytest.raises(InvalidRequest, match="these are 251"):
        read_query({"q": "x" * 251})


def test_the_own_feed_has_no_span() -> None:
    assert wants_own_feed({"sort": "for_you", "limit": "3"})
    assert not wants_own_feed({"sort": "trending", "date": "2025-12-08"})
    for name in ("date", "week", "month"):
        with pytest.raises(InvalidRequest, match=name):
            wants_own_feed({"sort": "for_you", name: "2025-12-08"})


def test_one_day_is_by_votes_and_a_month_looks_back_a_month() -> None:
    assert read_daily_ask({"date": "2025-12-08"}).is_of_one_day
    assert not read_daily_ask({"week": "2025-W50"}).is_of_one_day
    assert [read_daily_ask({name: text}).window for name, text in (("month", "2025-12"), ("week", "2025-W50"))] == [
        "month",
        "week",
    ]
