"""Days, weeks and months as addresses name them."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.services.spans import EXAMPLES, KINDS, Kind, read_span, span_of

DAYS = st.dates(date(1, 1, 8), date(9999, 11, 30))


@given(DAYS, st.sampled_from(KINDS))
def test_the_name_of_a_span_leads_back_to_it(day: date, kind: Kind) -> None:
    span = span_of(kind, day)
    assert read_span(kind, span.name) == span
    assert span.first <= day < span.following


@given(DAYS, st.sampled_from(KINDS))
def test_spans_follow_each_other_without_gaps(day: date, kind: Kind) -> None:
    span = span_of(kind, day)
    assert span_of(kind, span.following).first == span.following
    assert span_of(kind, span.first - timedelta(days=1)).following == span.first


@pytest.mark.parametrize("kind", KINDS)
def test_examples_can_be_read(kind: Kind) -> None:
    assert read_span(kind, EXAMPLES[kind]).name == EXAMPLES[kind]


@pytest.mark.parametrize(
    ("kind", "name", "title"),
    [
        ("date", "2025-12-08", "Monday, 8 December 2025"),
        ("week", "2026-W01", "Week 1 of 2026, 29 December to 4 January 2026"),
        ("month", "2025-12", "December 2025"),
    ],
)
def test_a_span_says_its_name_as_people_do(kind: Kind, name: str, title: str) -> None:
    assert read_span(kind, name).title == title


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("date", "2025-02-30"),
        ("date", "20251208"),
        ("date", "2025-12-8"),
        ("date", "２０２５-12-08"),
        ("week", "2025-W53"),
        ("week", "2025-W00"),
        ("month", "2025-13"),
        ("month", "2025-00"),
        ("month", "2025"),
    ],
)
def test_anything_else_is_refused(kind: Kind, text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_span(kind, text)
