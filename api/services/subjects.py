"""Which categories the latest papers are of: what a reader can choose from."""

import threading
import time
from dataclasses import dataclass
from typing import Final

from sqlalchemy.orm import Session

from api.store.taste_rows import count_categories

MOST_SUBJECTS: Final = 40  # of the most papers
AMONG: Final = 5_000  # latest papers
MEMO_SECONDS: Final = 300.0


@dataclass(frozen=True, slots=True)
class _Memo:
    categories: tuple[str, ...]
    until: float  # of the monotonic clock


_memos: dict[str, _Memo] = {}  # by database
_counting = threading.Lock()


def list_subjects(session: Session) -> tuple[str, ...]:
    """Return the categories with the most of the latest papers, by name; counted anew every few minutes."""
    name = str(session.get_bind().engine.url)
    with _counting:
        memo = _memos.get(name)
        if memo is None or time.monotonic() >= memo.until:
            counted = count_categories(session, among_latest=AMONG, limit=MOST_SUBJECTS)
            memo = _Memo(tuple(sorted(counted, key=str.casefold)), time.monotonic() + MEMO_SECONDS)
            if counted:  # an installation that has just begun looks again
                _memos[name] = memo
        return memo.categories
