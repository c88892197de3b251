"""What is trending: saves, votes, clicks and reads of all readers, and votes at the source, each fading with age.

The score of a paper in a window is `here + source`:

* `here` is the sum over its events in the window of `weight * readers * 2^(-age / half-life)`, with the weights of
  `EVENT_WEIGHTS` and the readers who did it in the same hour; an unsave or an unvote takes its weight back. Never < 0.
* `source` is `(log(1 + upvotes at its source) + STAR_WEIGHT * log(1 + stars of its code)) * 2^(-age / half-life)` of
  the time since it was listed.

The half-life is a setting for the week, a quarter of it for the day, four times it for the month.
"""

import threading
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final, Literal, TypeAlias

import numpy as np
import orjson
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from api.store.feeds import FeedStore
from api.store.papers import categories_of
from api.store.touches import (
    Touches,
    Votes,
    load_recent_paper_ids,
    load_touches,
    load_votes,
    touched_paper_ids,
)
from recommender.domain import EventKind

Window: TypeAlias = Literal["day", "week", "month"]

WINDOW_DAYS: Final[dict[Window, int]] = {"day": 1, "week": 7, "month": 30}
HALF_LIFE_SHARE: Final[dict[Window, float]] = {"day": 0.25, "week": 1.0, "month": 4.0}
EVENT_WEIGHTS: Final = {
    EventKind.CLICK: 1.0,
    EventKind.SAVE: 3.0,
    EventKind.UNSAVE: -3.0,
    EventKind.UPVOTE: 2.0,
    EventKind.UNVOTE: -2.0,
    EventKind.READ: 1.0,
}
STAR_WEIGHT: Final = 0.25  # of the logarithm of stars: code is starred for more reasons than this paper
MOST_TRENDING: Final = 1000  # papers kept per window
FRESH_DAYS: Final = 7
MOST_FRESH: Final = 1000
ENOUGH_IMPRESSIONS: Final = 50  # a paper shown this often without a touch has had its chance
TOUCHES: Final = [int(kind) for kind in EventKind if kind is not EventKind.IMPRESSION]
SECONDS_PER_DAY: Final = 86_400.0
MEMO_SECONDS: Final = 5.0  # a process trusts its board this long
CACHED_SECONDS: Final = 180.0  # and the one in the cache, which a periodic task writes, this long
BOARD: Final = "board"


@dataclass(frozen=True, slots=True)
class Board:
    """Trending papers of each window, best first, and new papers that nobody has touched, newest first."""

    built_at: datetime
    windows: dict[Window, list[tuple[int, float]]]
    fresh: list[int]
    categories: dict[int, list[str]]  # of every paper above

    def trending(self, window: Window, *, categories: tuple[str, ...] = ()) -> list[tuple[int, float]]:
        """The papers of a window with their scores, of these categories if any."""
        entries = self.windows[window]
        if not categories:
            return entries
        wanted = set(categories)
        return [entry for entry in entries if not wanted.isdisjoint(self.categories.get(entry[0], ()))]


@dataclass(frozen=True, slots=True)
class _Memo:
    board: Board
    until: float  # of the monotonic clock


_memos: dict[str, _Memo] = {}  # by database
_building = threading.Lock()


def build_board(session: Session, *, now: datetime, half_life_days: float) -> Board:
    """Compute the board from SQL."""
    touches = load_touches(session, since=now - timedelta(days=WINDOW_DAYS["month"]))
    votes = load_votes(session, since=now - timedelta(days=WINDOW_DAYS["month"]))
    windows = {
        window: _rank(touches, votes, now=now, days=days, half_life_days=half_life_days * HALF_LIFE_SHARE[window])
        for window, days in WINDOW_DAYS.items()
    }
    fresh = _untouched(session, now=now)
    listed = {paper_id for entries in windows.values() for paper_id, _ in entries}
    return Board(now, windows, fresh, categories_of(session, listed.union(fresh)))


def read_board(session: Session, *, now: datetime, half_life_days: float, feeds: FeedStore | None = None) -> Board:
    """Return the board: this process's own for a few seconds, else the cache's, else a new one from SQL."""
    name = str(session.get_bind().engine.url)
    memo = _memos.get(name)
    if memo is not None and time.monotonic() < memo.until:
        return memo.board
    with _building:
        memo = _memos.get(name)
        if memo is not None and time.monotonic() < memo.until:
            return memo.board
        started = time.monotonic()
        board = _cached_board(session, feeds, now=now) or build_board(session, now=now, half_life_days=half_life_days)
        # A board that takes long to build is kept longer: never more than a tenth of a process's time goes into it.
        lasts = max(MEMO_SECONDS, 10 * (time.monotonic() - started))
        _memos[name] = _Memo(board, time.monotonic() + lasts)
        return board


def refresh_board(session: Session, feeds: FeedStore, *, now: datetime, half_life_days: float) -> Board:
    """Compute the board and put it into the cache for every process."""
    board = build_board(session, now=now, half_life_days=half_life_days)
    feeds.write_trending(BOARD, pack_board(board), seconds=CACHED_SECONDS)
    return board


def forget_boards() -> None:
    """Make the next reading look again."""
    _memos.clear()


def pack_board(board: Board) -> bytes:
    """Return the board as JSON without its categories, which the reader looks up."""
    return orjson.dumps({"at": board.built_at.timestamp(), "windows": board.windows, "fresh": board.fresh})


def unpack_board(value: bytes) -> Board | None:
    """Return the board in these bytes, None where they are none."""
    try:
        stored = orjson.loads(value)
        windows = {
            window: [(int(paper_id), float(score)) for paper_id, score in stored["windows"][window]]
            for window in WINDOW_DAYS
        }
        built_at = datetime.fromtimestamp(stored["at"], UTC)
        return Board(built_at, windows, [int(paper_id) for paper_id in stored["fresh"]], {})
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
        return None


def _cached_board(session: Session, feeds: FeedStore | None, *, now: datetime) -> Board | None:
    value = None if feeds is None else feeds.read_trending(BOARD)
    board = None if value is None else unpack_board(value)
    if board is None or not timedelta(0) <= now - board.built_at <= timedelta(seconds=CACHED_SECONDS):
        return None
    listed = {paper_id for entries in board.windows.values() for paper_id, _ in entries}
    return replace(board, categories=categories_of(session, listed.union(board.fresh)))


def _rank(
    touches: Touches, votes: Votes, *, now: datetime, days: int, half_life_days: float
) -> list[tuple[int, float]]:
    weights = np.zeros(max(EventKind) + 1)
    weights[list(EVENT_WEIGHTS)] = list(EVENT_WEIGHTS.values())
    by_readers = weights[touches.kinds] * touches.readers
    at = now.timestamp()
    scores = _fade(touches.at, now=at, days=days, half_life_days=half_life_days) * by_readers
    liked = np.log1p(votes.upvotes) + STAR_WEIGHT * np.log1p(votes.stars)
    voted = _fade(votes.at, now=at, days=days, half_life_days=half_life_days) * liked
    ids, place = np.unique(np.concatenate([touches.paper_ids, votes.paper_ids]), return_inverse=True)
    here = np.bincount(place[: len(scores)], weights=scores, minlength=len(ids))
    totals = np.maximum(here, 0.0) + np.bincount(place[len(scores) :], weights=voted, minlength=len(ids))
    order = np.lexsort((-ids, -totals))[:MOST_TRENDING]
    return [(int(ids[row]), float(totals[row])) for row in order if totals[row] > 0]


def _fade(at: NDArray[np.float64], *, now: float, days: int, half_life_days: float) -> NDArray[np.float64]:
    """What is left of each event's weight, 0 outside the window."""
    age_days = np.maximum(now - at, 0.0) / SECONDS_PER_DAY
    return np.where(age_days <= days, np.exp2(-age_days / half_life_days), 0.0)


def _untouched(session: Session, *, now: datetime) -> list[int]:
    since = now - timedelta(days=FRESH_DAYS)
    recent = load_recent_paper_ids(session, since=since, limit=MOST_FRESH)
    touched = touched_paper_ids(session, recent, since=since, kinds=TOUCHES, least=1)
    shown = touched_paper_ids(session, recent, since=since, kinds=[int(EventKind.IMPRESSION)], least=ENOUGH_IMPRESSIONS)
    return [paper_id for paper_id in recent if paper_id not in touched and paper_id not in shown]
