"""Cursors of searches: the papers that are still to come, frozen, so that no page repeats what another one showed."""

from dataclasses import dataclass
from struct import Struct
from typing import Final

import numpy as np

from api.errors import InvalidCursor
from api.runtime.keys import KeyRing
from api.services.cursors import cursor_purpose

FORMAT: Final = 1
HEADER: Final = Struct("<B??II")  # format, wide ids, whether the index was away, papers shown before, that match
ID: Final = np.dtype("<u4")
WIDE_ID: Final = np.dtype("<u8")
SCORE: Final = np.dtype("<f2")
LARGEST: Final = 2**32 - 1


@dataclass(frozen=True, slots=True)
class SearchPlace:
    """What is left of a list of papers, best first, and what was shown of it."""

    paper_ids: tuple[int, ...]
    scores: tuple[float, ...]
    shown: int
    total: int
    is_degraded: bool

    def after(self, taken: int, *, shown: int) -> "SearchPlace | None":
        """Return the place behind the first `taken` papers, `shown` of which are there; None at the end."""
        if taken >= len(self.paper_ids):
            return None
        rest = (self.paper_ids[taken:], self.scores[taken:])
        return SearchPlace(*rest, self.shown + shown, self.total, self.is_degraded)


def write_place(keys: KeyRing, place: SearchPlace, *, scope: str) -> str:
    """Return a cursor of the place in the search that `scope` names (text, filters, order, reader)."""
    is_wide = max(place.paper_ids, default=0) > LARGEST
    header = HEADER.pack(FORMAT, is_wide, place.is_degraded, place.shown, min(place.total, LARGEST))
    ids = np.array(place.paper_ids, dtype=WIDE_ID if is_wide else ID)
    scores = np.array(place.scores, dtype=SCORE)
    return keys.seal(cursor_purpose(scope), header + scores.tobytes() + ids.tobytes())


def read_place(keys: KeyRing, cursor: str, *, scope: str) -> SearchPlace:
    """Return the place; raise InvalidCursor for a cursor that was not issued here for this search."""
    opened = keys.open(cursor_purpose(scope), cursor)
    if opened is None or len(opened.payload) < HEADER.size or opened.payload[0] != FORMAT:
        detail = "this cursor does not belong to this search: send the same `q` and filters with it, or none"
        raise InvalidCursor(detail, field="cursor")
    _, is_wide, is_degraded, shown, total = HEADER.unpack_from(opened.payload)
    width = WIDE_ID if is_wide else ID
    count = (len(opened.payload) - HEADER.size) // (SCORE.itemsize + width.itemsize)
    scores = np.frombuffer(opened.payload, SCORE, count, HEADER.size)
    ids = np.frombuffer(opened.payload, width, count, HEADER.size + scores.nbytes)
    return SearchPlace(tuple(ids.tolist()), tuple(scores.tolist()), shown, total, is_degraded)
