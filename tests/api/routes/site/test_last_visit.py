"""When somebody was here before, as their cookie says."""

from datetime import UTC, datetime

import pytest
from fastapi import Request, Response

from api.routes.site.last_visit import COOKIE, PAUSE_SECONDS, WRITE_SECONDS, Moment, note_visit, read_last_visit

MONDAY = 1_765_180_800
DAY = 86_400


def ask(cookie: str | None) -> Request:
    """Return a request with this cookie."""
    headers = [] if cookie is None else [(b"cookie", f"a=b; {COOKIE}={cookie}".encode())]
    return Request({"type": "http", "headers": headers})


def load(cookie: str | None, now: float, *, newest: int = 0) -> tuple[Moment | None, str | None]:
    """Return what a page at this moment knows of the visit before, and the cookie that the browser has then."""
    request, response = ask(cookie), Response()
    note_visit(request, response, newest_paper_id=newest, now=now)
    given = response.headers.get("set-cookie")
    return read_last_visit(request, now=now), cookie if given is None else given.partition(";")[0].partition("=")[2]


def moment(seconds: int, newest: int) -> Moment:
    """Return the end of a visit."""
    return Moment(datetime.fromtimestamp(seconds, UTC), newest)


def test_on_a_first_visit_nothing_is_new() -> None:
    assert load(None, MONDAY)[0] is None


def test_the_next_day_what_came_since_the_last_page_is_new() -> None:
    _, cookie = load(None, MONDAY, newest=5)
    before, cookie = load(cookie, MONDAY + 600, newest=7)
    assert before is None
    assert load(cookie, MONDAY + DAY, newest=9)[0] == moment(MONDAY + 600, 7)


def test_what_is_new_stays_so_while_a_visit_lasts() -> None:
    _, cookie = load(None, MONDAY, newest=5)
    for minute in range(60):
        before, cookie = load(cookie, MONDAY + DAY + 60 * minute, newest=5 + minute)
        assert before == moment(MONDAY, 5)
    assert load(cookie, MONDAY + DAY + 3_600 + PAUSE_SECONDS, newest=100)[0] != moment(MONDAY, 5)


def test_a_cookie_is_not_written_again_within_some_minutes() -> None:
    _, cookie = load(None, MONDAY)
    assert load(cookie, MONDAY + WRITE_SECONDS - 1)[1] == cookie
    assert load(cookie, MONDAY + WRITE_SECONDS)[1] != cookie


@pytest.mark.parametrize("cookie", ["x" * 4000, "", "1.2.3", "1.2.3.4.5", "a.b.c.d", "1.2.3.-4", "9" * 40 + ".1.1.1"])
def test_a_cookie_of_another_shape_is_a_first_visit(cookie: str) -> None:
    assert load(cookie, MONDAY)[0] is None


def test_a_cookie_from_the_future_is_a_first_visit() -> None:
    assert load("0.0.99999999999.5", MONDAY)[0] is None
