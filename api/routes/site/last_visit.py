"""When a browser was here before: a cookie that does not say whose it is, for the mark on papers that came since."""

import re
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from fastapi import Request, Response

from api.routes.visitors import set_cookie

COOKIE: Final = "paperfeed_visit"
PAUSE_SECONDS: Final = 1_800  # without a page for this long, the next one begins another visit
WRITE_SECONDS: Final = 300  # how exactly the cookie knows when the last page was
LASTS_SECONDS: Final = 180 * 86_400
_SHAPE: Final = re.compile(r"(\d{1,11})\.(\d{1,18})\.(\d{1,11})\.(\d{1,18})")


@dataclass(frozen=True, slots=True)
class Moment:
    """The end of a visit."""

    at: datetime
    newest_paper_id: int  # the newest paper there was


@dataclass(frozen=True, slots=True)
class _Held:
    """The cookie: the end of the visit before this one, and the last page of this one; seconds since 1970."""

    before: tuple[int, int]
    last: tuple[int, int]


def read_last_visit(request: Request, *, now: float | None = None) -> Moment | None:
    """Return the end of the visit before this one, None at a first visit."""
    held = _read(request)
    if held is None:
        return None
    pause = (time.time() if now is None else now) - held.last[0]
    seconds, newest = held.last if pause > PAUSE_SECONDS else held.before
    return Moment(datetime.fromtimestamp(seconds, UTC), newest) if seconds else None


def note_visit(request: Request, response: Response, *, newest_paper_id: int, now: float | None = None) -> None:
    """Let an answer note that a page was read, at most every few minutes."""
    moment = int(time.time() if now is None else now)
    held = _read(request)
    if held is None:
        held = _Held((0, 0), (0, 0))
    elif 0 <= moment - held.last[0] < WRITE_SECONDS:
        return
    before = held.last if moment - held.last[0] > PAUSE_SECONDS else held.before
    value = ".".join(map(str, (*before, moment, newest_paper_id)))
    set_cookie(response, COOKIE, value, max_age=LASTS_SECONDS)


def _read(request: Request) -> _Held | None:
    found = _SHAPE.fullmatch(request.cookies.get(COOKIE, ""))
    if found is None:
        return None
    numbers = [int(number) for number in found.groups()]
    if max(numbers[0], numbers[2]) > time.time() + WRITE_SECONDS:  # somebody's own invention, or a clock set back
        return None
    return _Held((numbers[0], numbers[1]), (numbers[2], numbers[3]))
