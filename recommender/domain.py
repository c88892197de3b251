"""The words of ranking: events, papers, ranked lists."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

Ids: TypeAlias = NDArray[np.generic]  # int64 or <U, one dimension
Rows: TypeAlias = NDArray[np.int32]
Floats: TypeAlias = NDArray[np.float32]
Vectors: TypeAlias = NDArray[np.float16] | NDArray[np.float32]
Times: TypeAlias = NDArray[np.float64]  # epoch seconds, NaN unknown
Csr: TypeAlias = csr_array[np.float32]


class EventKind(IntEnum):
    """What a reader did with a paper; the lower-cased name is the name on the wire."""

    IMPRESSION = 0
    CLICK = 1
    SAVE = 2
    UNSAVE = 3
    UPVOTE = 4
    UNVOTE = 5
    DISMISS = 6
    UNDISMISS = 7
    READ = 8


@dataclass(frozen=True, slots=True)
class Interactions:
    """An event log in the order it was written."""

    user_ids: Ids  # (events,)
    paper_ids: Ids  # (events,)
    kinds: NDArray[np.uint8]  # (events,) EventKind
    occurred_at: Times  # (events,)
    values: Floats  # (events,) NaN none; seconds for READ

    def __len__(self) -> int:
        return len(self.kinds)

    def select(self, chosen: NDArray[np.generic]) -> "Interactions":
        """The chosen events (mask or positions), log order kept by the caller."""
        return Interactions(
            self.user_ids[chosen],
            self.paper_ids[chosen],
            self.kinds[chosen],
            self.occurred_at[chosen],
            self.values[chosen],
        )

    @classmethod
    def saves(cls, user_ids: Ids, paper_ids: Ids) -> "Interactions":
        """A log of saves at unknown times."""
        events = len(user_ids)
        return cls(
            user_ids,
            paper_ids,
            np.full(events, EventKind.SAVE, dtype=np.uint8),
            np.full(events, np.nan),
            np.full(events, np.nan, dtype=np.float32),
        )


@dataclass(frozen=True, slots=True)
class PaperTexts:
    """What is written about papers."""

    paper_ids: Ids  # (papers,)
    titles: list[str]
    summaries: list[str]
    keywords: list[str]
    published_at: Times  # (papers,)
    vectors: Vectors | None = None  # (papers, dim) of a sentence encoder; a row of zeros has none

    def __len__(self) -> int:
        return len(self.titles)

    def select(self, positions: NDArray[np.integer]) -> "PaperTexts":
        """The papers at these positions, in that order."""
        return PaperTexts(
            self.paper_ids[positions],
            [self.titles[at] for at in positions],
            [self.summaries[at] for at in positions],
            [self.keywords[at] for at in positions],
            self.published_at[positions],
            None if self.vectors is None else self.vectors[positions],
        )

    def joined(self) -> list[str]:
        """Title, summary and keywords of each paper as one text."""
        parts = zip(self.titles, self.summaries, self.keywords, strict=True)
        return [" ".join(part for part in row if part) for row in parts]

    @classmethod
    def empty(cls, paper_ids: Ids) -> "PaperTexts":
        """Papers about which nothing is known."""
        count = len(paper_ids)
        return cls(paper_ids, [""] * count, [""] * count, [""] * count, np.full(count, np.nan))


@dataclass(frozen=True, slots=True)
class RankedList:
    """Papers of one reader, best first."""

    paper_ids: Ids  # (k,) dtype of the vocabulary
    scores: Floats  # (k,) descending

    def __len__(self) -> int:
        return len(self.scores)

    def __iter__(self) -> Iterator[tuple[object, float]]:
        return zip(self.paper_ids.tolist(), self.scores.tolist(), strict=True)


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why papers stand in a reader's list, one entry per asked paper."""

    because_paper_ids: Ids  # (n,) the history paper that contributed most; -1 or "" when none did
    because_term: NDArray[np.int16]  # (n,) index into profile.terms, -1 none
    strength: Floats  # (n,) 0 to 1


@dataclass(frozen=True, slots=True)
class Ask:
    """One of the lists that are wanted of the same scores."""

    k: int
    candidates: Ids | None = None  # all papers when None
