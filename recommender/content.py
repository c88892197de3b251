"""What words say about liking: ridge regression in the space of text features.

The kernel of two papers is s.s' + g.g': s their sparse TF-IDF row, g their unit vectors along the leading
directions of words and of letter groups, each times the root of its weight. A reader's score is the mix of two
ridge regressions: of their saves, and of their ALS scores. In the inverse the kernel is replaced by its
low-rank part q.q' (q: coordinates of s, then g) with the remainder counted as noise, which ranks as well as
the exact solution; the products with s stay exact. Both halves are linear in a paper's features, so a paper
nobody has touched is scored without a refit.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np

from recommender.domain import Csr, Floats, Rows, Times
from recommender.sparse import as_csr, rows_of
from recommender.text import PAIR_WEIGHT, Arrays, TfidfEncoder, normalise

MOST_LEVERAGE = 0.95  # of a paper on its own score, when its own save is taken out of it
PAPERS_PER_BLOCK = 4096


@dataclass(frozen=True, slots=True)
class Weights:
    """What the parts of the kernel weigh beside words, and how strong the two ridges are per unit of kernel."""

    vector: float
    grams: float
    saves_l2: float
    als_l2: float

    @property
    def trace(self) -> float:
        """The kernel of a paper with itself."""
        return 1.0 + PAIR_WEIGHT + self.vector + self.grams


@dataclass(frozen=True, slots=True)
class ContentMap:
    """Linear maps from text features to scores."""

    turn: Floats  # (dim, dim) summed coordinates of saves to weights of coordinates
    factors_of_terms: Floats  # (terms, rank) together with the next: features to ALS factors
    factors_of_coords: Floats  # (dim, rank)
    leverage: Floats  # (warm,) share of a paper's own save in its score
    noise: float  # l2 of the half of the saves with the energy outside the leading directions
    scale: float  # of the half of the saves beside that of the ALS scores

    @classmethod
    def fit(cls, features: Csr, coords: Floats, *, directions: int, targets: Floats, weights: Weights) -> Self:
        """The maps learned from papers with history; `targets` are their ALS factors (papers, rank)."""
        energy = np.square(features.data, dtype=np.float64).sum() - np.square(coords[:, :directions]).sum()
        outside = max(float(energy), 0.0) / max(len(coords), 1)
        gram = (coords.T @ coords).astype(np.float64)
        l2 = weights.saves_l2 * weights.trace
        noise = l2 + outside
        inverse = _inverse(gram, noise)
        turn = -(inverse.astype(np.float64) @ gram)
        dense = np.arange(len(gram)) >= directions  # products of sparse rows are taken exactly elsewhere
        turn[dense, dense] += 1
        spread = np.einsum("ij,ij->i", coords @ inverse, coords)
        leverage = np.clip(1 - l2 * (1 - spread) / noise, 0, MOST_LEVERAGE)
        dual = _dual(coords, gram, targets, noise=weights.als_l2 * weights.trace + outside)
        of_coords = np.asarray(coords.T @ dual, np.float32)
        of_coords[~dense] = 0
        return cls(
            (turn / noise).astype(np.float32),
            np.asarray(as_csr(features.T) @ dual, np.float32),
            of_coords,
            np.asarray(leverage, np.float32),
            noise,
            1.0 + weights.saves_l2,
        )

    def factors(self, features: Csr, coords: Floats) -> Floats:
        """(papers, rank) the ALS factors that the words of papers predict."""
        return np.asarray(features @ self.factors_of_terms + coords @ self.factors_of_coords, np.float32)

    def score_saves(self, terms: Csr, summed: Floats, *, features: Csr, coords: Floats) -> Floats:
        """(readers, papers) ridge predictions from the summed features and coordinates of what each saved."""
        scores = (summed @ self.turn) @ coords.T
        wanted = as_csr(terms.T / np.float32(self.noise)).toarray()  # (terms, readers)
        for start in range(0, features.shape[0], PAPERS_PER_BLOCK):
            papers = slice(start, start + PAPERS_PER_BLOCK)
            scores[:, papers] += np.asarray(rows_of(features, papers) @ wanted, dtype=np.float32).T
        return np.asarray(scores, dtype=np.float32)

    def to_arrays(self) -> Arrays:
        """Everything needed to rebuild the maps."""
        return {
            "content_turn": self.turn,
            "content_factors_of_terms": self.factors_of_terms,
            "content_factors_of_coords": self.factors_of_coords,
            "content_leverage": self.leverage,
            "content_scalars": np.array([self.noise, self.scale], dtype=np.float64),
        }

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        """The maps of `to_arrays`."""
        noise, scale = arrays["content_scalars"].tolist()
        return cls(
            arrays["content_turn"].view(np.float32),
            arrays["content_factors_of_terms"].view(np.float32),
            arrays["content_factors_of_coords"].view(np.float32),
            arrays["content_leverage"].view(np.float32),
            noise,
            scale,
        )


def coords_of(encoder: TfidfEncoder, blocks: Floats, weights: Weights) -> Floats:
    """(papers, dim) coordinates of the kernel's low-rank part from the encoder's blocks."""
    scale = np.ones(blocks.shape[1], dtype=np.float32)
    ends = encoder.directions, encoder.directions + encoder.dim
    scale[ends[0] : ends[1]] = np.sqrt(weights.vector)
    scale[ends[1] :] = np.sqrt(weights.grams)
    return np.asarray(blocks * scale, dtype=np.float32)


def vectors_of(encoder: TfidfEncoder | None, coords: Floats, rows: Rows) -> Floats:
    """(rows, dim) text vectors of length 1 or 0 out of coordinates."""
    if encoder is None:
        return np.zeros((len(rows), 0), dtype=np.float32)
    part = slice(encoder.directions, encoder.directions + encoder.dim)
    return normalise(np.asarray(coords[rows, part], dtype=np.float32))


def _inverse(gram: Times, noise: float) -> Floats:
    """(gram + noise I)^-1."""
    return np.asarray(np.linalg.inv(gram + noise * np.eye(len(gram))), dtype=np.float32)


def _dual(coords: Floats, gram: Times, targets: Floats, *, noise: float) -> Floats:
    """(papers, rank) dual weights of the ridge of `targets`."""
    inner = _inverse(gram, noise) @ (coords.T @ targets)
    return np.asarray((targets - coords @ inner) / np.float32(noise), dtype=np.float32)
