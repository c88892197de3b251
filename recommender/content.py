"""What words say about liking: ridge regression in the space of text features.

The kernel of two papers is s.s' + g.g': s their sparse TF-IDF row, g their unit vectors along the leading
directions of words and of letter groups, and of a sentence encoder where there is one, each times the root of
its weight. A reader's score is the mix of two
ridge regressions: of their saves, and of their ALS scores. In the inverse the kernel is replaced by its
low-rank part q.q' (q: coordinates of s, then g) with the remainder counted as noise, which ranks as well as
the exact solution; the products with s stay exact. Both halves are linear in a paper's features, so a paper
nobody has touched is scored without a refit.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np

from recommender.domain import Csr, Floats, Rows, Times, Vectors
from recommender.grown import Grown
from recommender.sparse import as_csr, rows_of
from recommender.text import Arrays, TfidfEncoder, normalise

MOST_LEVERAGE = 0.95  # of a paper on its own score, when its own save is taken out of it
PAPERS_PER_BLOCK = 4096


@dataclass(frozen=True, slots=True)
class Weights:
    """What the parts of the kernel weigh beside words, and how strong the two ridges are per unit of kernel."""

    vector: float
    grams: float
    sentence: float
    saves_l2: float  # in units of the kernel of a paper with itself
    als_l2: float


@dataclass(frozen=True, slots=True)
class Rarity:
    """What one save says of a reader, 1 on average: less where the paper is everybody's."""

    of_papers: Floats
    of_new: float  # a paper that nobody had when the model was fitted

    @classmethod
    def of(cls, popularity: Floats, *, readers: int) -> Self:
        """From how many of the readers have each paper."""
        if not popularity.any():
            return cls(np.ones_like(popularity), 1.0)
        raw = np.log(1 + readers / (1 + popularity))
        mean = float((raw * popularity).sum() / popularity.sum())
        return cls(np.asarray(raw / mean, dtype=np.float32), float(np.log(1 + readers)) / mean)


@dataclass(frozen=True, slots=True)
class ContentMap:
    """Linear maps from text features to scores."""

    turn: Floats  # (dim, dim) summed coordinates of saves to weights of coordinates
    factors_of_terms: Floats  # (terms, rank) together with the next: features to ALS factors
    factors_of_coords: Floats  # (dim, rank)
    leverage: Floats  # (warm,) share of a paper's own save in its score
    rarity: Floats  # (warm,) what a save of the paper weighs: a paper that everybody saves says little of a reader
    noise: float  # l2 of the half of the saves with the energy outside the leading directions
    scale: float  # of the half of the saves beside that of the ALS scores
    rarity_of_new: float  # of a paper without history

    @classmethod
    def fit(
        cls, features: Csr, coords: Floats, *, directions: int, targets: Floats, rarity: Rarity, weights: Weights
    ) -> Self:
        """The maps learned from papers with history; `targets` are their ALS factors (papers, rank)."""
        papers = max(len(coords), 1)
        energy = float(np.square(features.data, dtype=np.float64).sum()) / papers
        inside = np.square(coords, dtype=np.float64).sum(axis=0) / papers
        outside = max(energy - float(inside[:directions].sum()), 0.0)
        trace = energy + float(inside[directions:].sum())  # the mean kernel of a paper with itself
        gram = (coords.T @ coords).astype(np.float64)
        l2 = weights.saves_l2 * trace
        noise = l2 + outside
        inverse = _inverse(gram, noise)
        turn = -(inverse.astype(np.float64) @ gram)
        dense = np.arange(len(gram)) >= directions  # products of sparse rows are taken exactly elsewhere
        turn[dense, dense] += 1
        spread = np.einsum("ij,ij->i", coords @ inverse, coords)
        leverage = np.clip(1 - l2 * (1 - spread) / noise, 0, MOST_LEVERAGE)
        dual = _dual(coords, gram, targets, noise=weights.als_l2 * trace + outside)
        of_coords = np.asarray(coords.T @ dual, np.float32)
        of_coords[~dense] = 0
        return cls(
            (turn / noise).astype(np.float32),
            np.asarray(as_csr(features.T) @ dual, np.float32),
            of_coords,
            np.asarray(leverage, np.float32),
            rarity.of_papers,
            noise,
            1.0 + weights.saves_l2,
            rarity.of_new,
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
            # Rows are copied out of a sparse matrix, which takes as long as the product: not where they are all of it.
            block = features if features.shape[0] <= PAPERS_PER_BLOCK else rows_of(features, papers)
            scores[:, papers] += np.asarray(block @ wanted, dtype=np.float32).T
        return np.asarray(scores, dtype=np.float32)

    def to_arrays(self) -> Arrays:
        """Everything needed to rebuild the maps."""
        return {
            "content_turn": self.turn,
            "content_factors_of_terms": self.factors_of_terms,
            "content_factors_of_coords": self.factors_of_coords,
            "content_leverage": self.leverage,
            "content_rarity": self.rarity,
            "content_scalars": np.array([self.noise, self.scale, self.rarity_of_new], dtype=np.float64),
        }

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        """The maps of `to_arrays`."""
        noise, scale, rarity_of_new = arrays["content_scalars"].tolist()
        return cls(
            arrays["content_turn"].view(np.float32),
            arrays["content_factors_of_terms"].view(np.float32),
            arrays["content_factors_of_coords"].view(np.float32),
            arrays["content_leverage"].view(np.float32),
            arrays["content_rarity"].view(np.float32),
            noise,
            scale,
            rarity_of_new,
        )


def coords_of(encoder: TfidfEncoder, blocks: Floats, weights: Weights) -> Floats:
    """(papers, width) coordinates of the kernel's low-rank part from the encoder's blocks."""
    scale = np.ones(blocks.shape[1], dtype=np.float32)
    ends = encoder.directions, encoder.directions + encoder.dim
    scale[ends[0] : ends[1]] = np.sqrt(weights.vector)
    scale[ends[1] :] = np.sqrt(weights.grams)
    return np.asarray(blocks * scale, dtype=np.float32)


def sentence_coords(vectors: Vectors, weights: Weights) -> Floats:
    """(papers, dim) coordinates that follow those of words, from the vectors of a sentence encoder."""
    return normalise(vectors.astype(np.float32)) * np.float32(np.sqrt(weights.sentence))


def vectors_of(encoder: TfidfEncoder | None, coords: Grown[Floats], rows: Rows) -> Floats:
    """(rows, dim) text vectors of length 1 or 0 out of the coordinates of papers."""
    if encoder is None:
        return np.zeros((len(rows), 0), dtype=np.float32)
    return normalise(coords.take(rows, columns=slice(encoder.directions, encoder.directions + encoder.dim)))


def _inverse(gram: Times, noise: float) -> Floats:
    """(gram + noise I)^-1."""
    return np.asarray(np.linalg.inv(gram + noise * np.eye(len(gram))), dtype=np.float32)


def _dual(coords: Floats, gram: Times, targets: Floats, *, noise: float) -> Floats:
    """(papers, rank) dual weights of the ridge of `targets`."""
    inner = _inverse(gram, noise) @ (coords.T @ targets)
    return np.asarray((targets - coords @ inner) / np.float32(noise), dtype=np.float32)
