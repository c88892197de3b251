"""Which id stands in which row."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recommender.domain import Ids, Rows

UNKNOWN_ROW = -1


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """A one-to-one map between ids and dense rows 0..n-1."""

    in_row_order: Ids  # (n,)
    by_id: NDArray[np.intp]  # (n,) rows in ascending order of their id

    @classmethod
    def build(cls, ids: Ids) -> "Vocabulary":
        """The distinct ids in ascending order."""
        return cls.from_sorted(np.unique(_as_ids(ids)))

    @classmethod
    def from_sorted(cls, ids: Ids) -> "Vocabulary":
        """Ids that are already ascending and distinct; raises ValueError when they are not."""
        ids = _as_ids(ids)
        if not np.array_equal(np.unique(ids), ids):
            raise ValueError("ids must be ascending and distinct")
        return cls(ids, np.arange(len(ids), dtype=np.intp))

    @classmethod
    def from_rows(cls, ids: Ids) -> "Vocabulary":
        """Distinct ids in the order of their rows; raises ValueError for a repeated id."""
        ids = _as_ids(ids)
        by_id = np.argsort(ids, kind="stable")
        ordered = ids[by_id]
        if np.any(np.asarray(ordered[1:] == ordered[:-1])):
            raise ValueError("ids must be distinct")
        return cls(ids, by_id)

    def __len__(self) -> int:
        return len(self.in_row_order)

    def __contains__(self, paper_or_user_id: object) -> bool:
        return bool(self.rows(np.asarray([paper_or_user_id]))[0] != UNKNOWN_ROW)

    def rows(self, ids: Ids) -> Rows:
        """The row of each id, -1 where it is unknown."""
        unknown = np.full(len(ids), UNKNOWN_ROW, dtype=np.int32)
        if len(ids) == 0 or len(self) == 0:
            return unknown
        wanted = _as_ids(ids)
        if wanted.dtype.kind != self.in_row_order.dtype.kind:
            raise TypeError(f"ids are {wanted.dtype}, the vocabulary holds {self.in_row_order.dtype}")
        at = np.searchsorted(self.in_row_order, wanted, sorter=self.by_id)
        rows = self.by_id[np.minimum(at, len(self) - 1)]
        return np.where(self.in_row_order[rows] == wanted, rows, UNKNOWN_ROW).astype(np.int32)

    def ids(self, rows: NDArray[np.integer]) -> Ids:
        """The id of each row; raises IndexError for a row that does not exist."""
        if len(rows) and int(rows.min()) < 0:
            raise IndexError("a row is negative: drop unknown ids before asking for their names")
        found: Ids = self.in_row_order[rows]
        return found

    def extend(self, new_ids: Ids) -> "Vocabulary":
        """A vocabulary in which old rows are unchanged and unknown ids are appended in the order given."""
        if len(new_ids) == 0:
            return self
        candidates = _as_ids(new_ids)
        fresh = candidates[self.rows(candidates) == UNKNOWN_ROW]
        if len(fresh) == 0:
            return self
        _, first = np.unique(fresh, return_index=True)
        fresh = fresh[np.sort(first)]
        ids = np.concatenate([self.in_row_order, fresh]) if len(self) else fresh
        return Vocabulary.from_rows(ids)


def _as_ids(ids: Ids) -> Ids:
    """Ids as int64 or unicode; raises TypeError for anything else that is not empty."""
    array = np.asarray(ids)
    if array.dtype.kind == "U":
        return array
    if array.dtype.kind in "iu" or array.size == 0:
        return array.astype(np.int64)
    raise TypeError(f"ids must be integers or strings, not {array.dtype}")
