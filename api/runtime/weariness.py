"""When a reader may have tired of a paper: counted by each process from the impressions that it takes."""

import threading
from collections import OrderedDict
from collections.abc import Iterable
from typing import Final

MOST_PAIRS: Final = 100_000  # of reader and paper; the ones not shown for longest are forgotten


class Showings:
    """Counts what was shown since this process began, so that a list is rebuilt when a paper should sink.

    A hint alone: lists are built from the log, which knows what other processes took and what came before. A reader
    whose impressions are spread over processes is noticed later, at the next rebuild for any reason at the latest.
    """

    def __init__(self, least: int) -> None:
        self._least = least
        self._counts: OrderedDict[tuple[int, int], int] = OrderedDict()
        self._lock = threading.Lock()

    def note(self, user_id: int, paper_ids: Iterable[int]) -> bool:
        """Count one impression of each; True when one of the papers has been shown often enough to sink."""
        if self._least == 0:
            return False
        is_due = False
        with self._lock:
            for paper_id in paper_ids:
                pair = user_id, paper_id
                count = self._counts.pop(pair, 0) + 1
                if count >= self._least:
                    is_due = True  # and the count begins again
                else:
                    self._counts[pair] = count
            while len(self._counts) > MOST_PAIRS:
                self._counts.popitem(last=False)
        return is_due
