"""What words say about liking: ridge regression in the space of text features.

The kernel of two papers is f.f' + lsa_weight * e.e', f their TF-IDF row and e their unit vector along the
leading directions. A reader's target is a mix of their saves and of their ALS scores. The ALS half is solved
once for all readers (one column per factor); the half of the saves is solved per reader on the low-rank part
of the kernel, the remainder counting as noise: that ranks as well as the exact solution and costs one sparse
product. Both are linear in a paper's features, so a paper nobody has touched needs no refit.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np

from recommender.domain import Csr, Floats
from recommender.sparse import as_csr, product
from recommender.text import Arrays

RESIDUAL_ENERGY = 0.75  # mean squared length of a TF-IDF row outside the leading directions
CG_STEPS = 20
CG_TOLERANCE = 3e-3
FEW_READERS = 8


@dataclass(frozen=True, slots=True)
class ContentMap:
    """Linear maps from text features to scores."""

    factors_of_terms: Floats  # (terms, rank) together with the next: features to ALS factors
    factors_of_vectors: Floats  # (dim, rank)
    reach_of_terms: Floats  # (terms, dim) together with the next: kernel products with the directions
    reach_of_vectors: Floats  # (dim, dim)
    shrink: Floats  # (dim, dim) what ridge takes away along the directions
    lsa_weight: float
    noise: float  # l2 of the half of the saves

    @classmethod
    def fit(
        cls, features: Csr, vectors: Floats, *, energy: float, targets: Floats, l2: float, lsa_weight: float
    ) -> Self:
        """The maps learned from warm papers.

        `targets` are their ALS factors (papers, rank); `energy` is the mean squared length of a TF-IDF row
        along the leading directions.
        """
        gram = vectors.T @ vectors
        noise = l2 + RESIDUAL_ENERGY
        strength = np.float32(lsa_weight + energy)
        shrink = strength * np.linalg.inv(strength * gram + noise * np.eye(len(gram), dtype=np.float32))
        dual = _solve(features, vectors, targets, l2=l2, lsa_weight=lsa_weight)
        turned = as_csr(features.T)
        return cls(
            np.asarray(turned @ dual, np.float32),
            np.asarray(lsa_weight * (vectors.T @ dual), np.float32),
            np.asarray(turned @ vectors, np.float32),
            np.asarray(lsa_weight * gram, np.float32),
            np.asarray(shrink, np.float32),
            lsa_weight,
            noise,
        )

    def factors(self, features: Csr, vectors: Floats) -> Floats:
        """(papers, rank) the ALS factors that the words of papers predict."""
        return np.asarray(features @ self.factors_of_terms + vectors @ self.factors_of_vectors, np.float32)

    def reach(self, features: Csr, vectors: Floats) -> Floats:
        """(papers, dim) kernel products of papers with the leading directions of the warm ones."""
        return np.asarray(features @ self.reach_of_terms + vectors @ self.reach_of_vectors, np.float32)

    def score_saves(self, terms: Csr, summed: Floats, *, features: Csr, vectors: Floats, reach: Floats) -> Floats:
        """(readers, papers) ridge predictions from the summed features and vectors of what each saved."""
        scores = (self.lsa_weight * summed) @ vectors.T
        scores -= (summed @ self.shrink) @ reach.T
        if terms.shape[0] <= FEW_READERS:  # turning the features round would cost more than it saves
            scores += np.asarray(features @ terms.toarray().T, dtype=np.float32).T
        else:
            scores += product(terms, as_csr(features.T)).toarray()
        scores /= np.float32(self.noise)
        return np.asarray(scores, dtype=np.float32)

    def to_arrays(self) -> Arrays:
        """Everything needed to rebuild the maps."""
        return {
            "content_factors_of_terms": self.factors_of_terms,
            "content_factors_of_vectors": self.factors_of_vectors,
            "content_reach_of_terms": self.reach_of_terms,
            "content_reach_of_vectors": self.reach_of_vectors,
            "content_shrink": self.shrink,
            "content_scalars": np.array([self.lsa_weight, self.noise], dtype=np.float64),
        }

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        """The maps of `to_arrays`."""
        lsa_weight, noise = arrays["content_scalars"].tolist()
        return cls(
            arrays["content_factors_of_terms"].view(np.float32),
            arrays["content_factors_of_vectors"].view(np.float32),
            arrays["content_reach_of_terms"].view(np.float32),
            arrays["content_reach_of_vectors"].view(np.float32),
            arrays["content_shrink"].view(np.float32),
            lsa_weight,
            noise,
        )


def _solve(features: Csr, vectors: Floats, targets: Floats, *, l2: float, lsa_weight: float) -> Floats:
    """(K + l2 I)^-1 targets by conjugate gradients, all columns at once."""
    transposed = as_csr(features.T)

    def kernel(block: Floats) -> Floats:
        out = features @ (transposed @ block)
        out += lsa_weight * (vectors @ (vectors.T @ block))
        out += l2 * block
        return np.asarray(out, dtype=np.float32)

    solution = np.zeros_like(targets)
    residual = targets.copy()
    direction = residual.copy()
    energy = np.einsum("ij,ij->j", residual, residual)
    enough = CG_TOLERANCE**2 * energy
    for _ in range(CG_STEPS):
        if np.all(energy <= enough):
            break
        image = kernel(direction)
        curvature = np.einsum("ij,ij->j", direction, image)
        step = np.divide(energy, curvature, out=np.zeros_like(energy), where=curvature > 0)
        solution += step * direction
        residual -= step * image
        renewed = np.einsum("ij,ij->j", residual, residual)
        ratio = np.divide(renewed, energy, out=np.zeros_like(energy), where=energy > 0)
        direction = residual + ratio * direction
        energy = renewed
    return solution
