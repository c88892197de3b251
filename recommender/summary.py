"""What is known of very many papers in few numbers: rough products with readers, and exact means of those products."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from recommender.domain import Floats, Times
from recommender.grown import Grown
from recommender.text import Arrays

LEAST_SHARE = 1e-9  # of the largest variance of papers; a direction below it is noise
Doubles = NDArray[np.float64]
Blocks = Callable[[], Iterator[Floats]]


@dataclass(frozen=True, slots=True)
class Summary:
    """Papers along the directions that matter most in products with readers, and their first two moments."""

    of_papers: Floats  # (dim, width)
    of_readers: Floats  # (dim, width)
    low: Grown[Floats]  # (papers, width)
    total: Times  # (dim,) sum of all papers
    squares: Doubles  # (dim, dim) sum of their outer products

    @classmethod
    def fit(cls, blocks: Blocks, queries: Floats, *, width: int) -> Self:
        """From all papers (paper rows, dim), block by block and twice over, and typical readers (readers, dim).

        Of all maps to this width these keep the mean squared product of a paper and a reader best: the leading
        singular vectors of the product of both square roots. Directions of papers alone need twice the width.
        """
        total, squares = _moments(blocks(), queries.shape[1])
        variances, axes = np.linalg.eigh(squares / max(np.trace(squares), 1e-30))
        roots = np.sqrt(np.maximum(variances, 0))
        is_noise = variances <= LEAST_SHARE * max(float(variances[-1]), 0.0)
        half = (axes * roots) @ axes.T
        asked = half @ queries.astype(np.float64).T
        leading = np.linalg.eigh(asked @ asked.T)[1][:, ::-1][:, :width]
        of_papers = ((axes * np.where(is_noise, 0, 1 / np.where(is_noise, 1, roots))) @ axes.T @ leading).astype(
            np.float32
        )
        low = np.concatenate([block @ of_papers for block in blocks()])
        return cls(of_papers, (half @ leading).astype(np.float32), Grown.of(low), total, squares)

    def extended(self, *columns: Floats) -> Self:
        """The same directions with more papers, their columns side by side."""
        papers = np.concatenate(columns, axis=1)
        total, squares = _moments([papers], papers.shape[1])
        low = self.low.extended(np.asarray(papers @ self.of_papers, dtype=np.float32))
        return type(self)(self.of_papers, self.of_readers, low, self.total + total, self.squares + squares)

    def products(self, queries: Floats) -> Floats:
        """(readers, papers) roughly."""
        narrow = queries @ self.of_readers
        return np.concatenate([narrow @ part.T for part in self.low.parts], axis=1)

    def moments(self, query: Floats) -> tuple[float, float]:
        """Exact mean, and mean square, of one reader's products (dim,) with all papers."""
        wide = query.astype(np.float64)
        count = max(len(self.low), 1)
        return float(self.total @ wide) / count, float(wide @ self.squares @ wide) / count

    def to_arrays(self, name: str) -> Arrays:
        """Everything needed to rebuild it."""
        return {
            f"{name}_of_papers": self.of_papers,
            f"{name}_of_readers": self.of_readers,
            f"{name}_low": self.low.whole(),
            f"{name}_total": self.total,
            f"{name}_squares": self.squares,
        }

    @classmethod
    def from_arrays(cls, name: str, arrays: Arrays) -> Self:
        """The value of `to_arrays`."""
        return cls(
            arrays[f"{name}_of_papers"].view(np.float32),
            arrays[f"{name}_of_readers"].view(np.float32),
            Grown.of(arrays[f"{name}_low"].view(np.float32)),
            arrays[f"{name}_total"].view(np.float64),
            arrays[f"{name}_squares"].view(np.float64),
        )


def _moments(blocks: Iterator[Floats] | list[Floats], dim: int) -> tuple[Times, Doubles]:
    total, squares = np.zeros(dim), np.zeros((dim, dim))
    for block in blocks:
        total += block.sum(axis=0, dtype=np.float64)
        squares += block.T @ block
    return total, squares
