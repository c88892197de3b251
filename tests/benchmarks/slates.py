"""What a page of a slate costs: `python -m tests.benchmarks.slates` prints microseconds of processor time per step.

A list of 200 papers with a pool of 50 and 64 reasons, pages of 20, a hundred hidden papers that are not in the list.
"""

import os
import random
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from api.runtime.keys import KeyRing
from api.runtime.secrets import SigningKey
from api.services import slates
from api.services.feed_cursors import read_cursor, write_cursor
from api.services.feed_places import FeedPlace, Turn, open_list, turn
from api.store.feed_codec import Entry, Reason, ReasonKind, Source, list_of, pack
from api.store.packed_list import PackedList
from recommender.slate_randomisation import SLATE_ID_BYTES, Randomisation

ROUNDS: Final = 5
CALLS: Final = 5000
NOW: Final = datetime.now(UTC)
KEYS: Final = KeyRing([SigningKey(b"a signing secret of this benchmark")])
CHANCE: Final = Randomisation(0.1, 0.05)
SCOPE: Final = "feed\0reader"
HIDDEN: Final = frozenset(range(10**7, 10**7 + 100))
LIMIT: Final = 20


def stored_list() -> bytes:
    """Return the bytes of a list as the cache keeps it."""
    numbers = random.Random(1)
    papers = numbers.sample(range(1, 10**6), 250)
    entries = [
        Entry(paper_id, 1 / (at + 1), Source.PERSONAL, Reason(ReasonKind.SAVED, paper_id=numbers.randrange(1, 10**6)))
        for at, paper_id in enumerate(papers[:200])
    ]
    version = "20260501-030000-123"
    return pack(list_of(entries, user_id=3, version=version, seq=4, built_at=NOW, pool=papers[200:]))


def microseconds(call: Callable[[], object]) -> float:
    """Return the processor time of one call, the best of some rounds."""
    best = float("inf")
    for _ in range(ROUNDS):
        started = time.process_time()
        for _ in range(CALLS):
            call()
        best = min(best, time.process_time() - started)
    return best / CALLS * 1e6


def freeze(feed: PackedList) -> FeedPlace:
    """Return the place before the first page."""
    return open_list(feed, slate_id=os.urandom(SLATE_ID_BYTES), hidden=HIDDEN, randomisation=CHANCE)


def next_page(place: FeedPlace) -> tuple[Turn, FeedPlace]:
    """Return a page and the place after it."""
    turned = turn(place, hidden=HIDDEN, limit=LIMIT)
    if turned is None or turned.after is None:
        raise RuntimeError("the list is too short for this benchmark")
    return turned, turned.after


def first_page(raw: bytes) -> tuple[str, str]:
    """Return both tokens of a first page."""
    turned, after = next_page(freeze(PackedList(raw)))
    slate = slates.write_slate(KEYS, turned.page, user_id=3, variant="base", now=NOW)
    return slate, write_cursor(KEYS, after, scope=SCOPE)


def open_unknown(token: str) -> object:
    """Open a slate that this process has not seen."""
    slates._opened.cache_clear()
    return slates.open_slate(KEYS, token, now=NOW, days=30)


def main() -> None:
    """Print a line for each step."""
    raw = stored_list()
    feed = PackedList(raw)
    place = freeze(feed)
    turned, after = next_page(place)
    slate, cursor = first_page(raw)
    steps: dict[str, Callable[[], object]] = {
        "open the bytes of a list": lambda: PackedList(raw),
        "freeze it": lambda: freeze(feed),
        "cut a page": lambda: next_page(place),
        "write its slate": lambda: slates.write_slate(KEYS, turned.page, user_id=3, variant="base", now=NOW),
        "write its cursor": lambda: write_cursor(KEYS, after, scope=SCOPE),
        "first page, all of it": lambda: first_page(raw),
        "read a cursor": lambda: read_cursor(KEYS, cursor, scope=SCOPE),
        "open a slate": lambda: open_unknown(slate),
        "open it again": lambda: slates.open_slate(KEYS, slate, now=NOW, days=30),
    }
    for name, call in steps.items():
        sys.stdout.write(f"{name:28}{microseconds(call):8.1f} us\n")
    sys.stdout.write(f"list {len(raw)} bytes, cursor {len(cursor)} characters, slate {len(slate)}\n")


if __name__ == "__main__":
    main()
