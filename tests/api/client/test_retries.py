"""Waiting between attempts, and reading what a server says about it."""

import random
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.client import Feed, Retry, UnexpectedAnswer
from api.client.retries import read_retry_after
from api.client.wire import reader

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)


@given(failures=st.integers(1, 60), asked=st.none() | st.floats(0, 60), seed=st.integers(0, 1000))
def test_a_wait_is_never_shorter_than_asked_and_bounded(failures: int, asked: float | None, seed: int) -> None:
    seconds = Retry(attempts=50).delay(failures, retry_after_seconds=asked, draws=random.Random(seed))
    if failures >= 50:
        assert seconds is None
    else:
        assert seconds is not None
        assert (asked or 0.0) <= seconds <= (asked or 0.0) + min(0.2 * 2 ** (failures - 1), 10.0)


def test_clients_that_failed_together_come_back_apart() -> None:
    waits = [Retry().delay(4, retry_after_seconds=None, draws=random.Random(seed)) or 0.0 for seed in range(200)]
    assert min(waits) < 0.2
    assert max(waits) > 1.4
    assert len(set(waits)) == 200


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (None, None),
        ("7", 7.0),
        ("Fri, 01 May 2026 12:00:30 GMT", 30.0),
        ("Fri, 01 May 2026 11:00:00 GMT", 0.0),
        ("soon", None),
        ("-5", None),
        ("", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(text: str | None, seconds: float | None) -> None:
    assert read_retry_after(text, now=NOW) == seconds


def test_what_a_newer_server_adds_is_no_error_and_what_is_missing_is_one() -> None:
    time = (NOW + timedelta(hours=1)).isoformat()
    body = (
        f'{{"items": [], "next": null, "source": "new", "built_at": "{time}", "version": null, "slate": "x", "y": 1}}'
    )
    assert reader(Feed)(body.encode()).source == "new"
    for wrong in (b"[]", b"{}", b"no", body.replace('"x"', "5").encode(), body.replace("[]", "{}").encode()):
        with pytest.raises(UnexpectedAnswer):
            reader(Feed)(wrong)
