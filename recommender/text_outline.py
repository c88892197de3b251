"""Texts of very many papers in few numbers, from which a search takes those that may be like its own text.

A paper's text is two unit vectors side by side, along the leading directions of words and of letter groups. The
outline keeps the directions along which papers differ most, those of a sample: a product with all papers is bound
by how fast memory is read.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np

from recommender.domain import Floats
from recommender.grown import Grown
from recommender.text import Arrays, TfidfEncoder, normalise

WIDTH = 96  # directions; a wider one finds more at the first step and takes longer, see MEASURED.md
SAMPLE = 20_000  # papers that the directions are learned from
PAPERS_PER_BLOCK = 4096


@dataclass(frozen=True, slots=True)
class Outline:
    """All papers along the leading directions of their texts."""

    turn: Floats  # (text, width) orthonormal columns
    low: Grown[Floats]  # (papers, width)

    @classmethod
    def fit(cls, encoder: TfidfEncoder, coords: Grown[Floats]) -> Self:
        """The outline of papers from their coordinates (papers, dim), see `texts_of`."""
        sample = np.unique(np.linspace(0, len(coords) - 1, min(SAMPLE, len(coords))).astype(np.intp))
        width = texts_of(encoder, coords.parts[0][:0]).shape[1]
        squares = np.zeros((width, width))
        for start in range(0, len(sample), PAPERS_PER_BLOCK):
            texts = texts_of(encoder, coords.take(sample[start : start + PAPERS_PER_BLOCK]))
            squares += texts.T @ texts
        turn = np.ascontiguousarray(np.linalg.eigh(squares)[1][:, ::-1][:, :WIDTH], dtype=np.float32)
        low = np.concatenate([texts @ turn for texts in _blocks(encoder, coords)])
        return cls(turn, Grown.of(low))

    def extended(self, encoder: TfidfEncoder, coords: Floats) -> Self:
        """The same directions with more papers (papers, dim)."""
        return type(self)(self.turn, self.low.extended(texts_of(encoder, coords) @ self.turn))

    def products(self, text: Floats) -> Floats:
        """(papers,) roughly the products of a text (text,) with all papers."""
        narrow = text @ self.turn
        return np.concatenate([part @ narrow for part in self.low.parts])

    def to_arrays(self) -> Arrays:
        """Everything needed to rebuild it."""
        return {"outline_turn": self.turn, "outline_low": self.low.whole()}

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        """The value of `to_arrays`."""
        return cls(arrays["outline_turn"].view(np.float32), Grown.of(arrays["outline_low"].view(np.float32)))


def texts_of(encoder: TfidfEncoder, coords: Floats) -> Floats:
    """(papers, text) unit vectors of words and of letter groups out of coordinates (papers, dim) of the kernel."""
    letters = slice(encoder.directions + encoder.dim, encoder.width)
    return np.concatenate([normalise(coords[:, : encoder.directions]), normalise(coords[:, letters])], axis=1)


def exact_products(encoder: TfidfEncoder, coords: Grown[Floats], text: Floats) -> Floats:
    """(papers,) the products of a text (text,) with all papers, where they are too few for an outline."""
    return np.concatenate([texts @ text for texts in _blocks(encoder, coords)])


def _blocks(encoder: TfidfEncoder, coords: Grown[Floats]) -> Iterator[Floats]:
    for part in coords.parts:
        for start in range(0, max(len(part), 1), PAPERS_PER_BLOCK):
            yield texts_of(encoder, part[start : start + PAPERS_PER_BLOCK])
