"""What words say about liking: ridge regression in the space of text features.

The kernel of two papers is f.f' + lsa_weight * z.z', f their TF-IDF row and z its coordinates in the
leading directions. A reader's target is a mix of their saves and of their ALS scores. The ALS half is
solved exactly once for all readers (one column per factor); the half of the saves is solved per reader
on the low-rank part of the kernel, the remainder counting as noise. Both are linear in a paper's
features, so a paper nobody has touched costs one sparse product.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np

from recommender.domain import Csr, Floats
from recommender.sparse import as_csr, product
from recommender.text import Arrays

RESIDUAL_ENERGY = 0.75  # mean squared length of a TF-IDF row outside the leading directions
CG_STEPS = 30
FEW_READERS = 8
CG_TOLERANCE = 1e-3


@dataclass(frozen=True, slots=True)
class ContentMap:
    """Linear maps from text features to scores."""

    theta: Floats  # (terms, rank) text features to ALS factors
    shrink: Floats  # (dim, dim) what ridge takes away along the leading directions
    lsa_weight: float
    noise: float  # l2 of the saves half

    @classmethod
    def fit(
        cls,
        features: Csr,
        coords: Floats,
        components: Floats,
        *,
        targets: Floats,
        l2: float,
        lsa_weight: float,
    ) -> Self:
        """The maps learned from warm papers; `targets` are their ALS factors (papers, rank)."""
        gram = coords.T @ coords
        noise = l2 + RESIDUAL_ENERGY
        scale = np.float32(1 + lsa_weight)
        inverse = np.linalg.inv(gram + noise / scale * np.eye(len(gram), dtype=np.float32))
        shrink = scale * (gram @ inverse)
        dual = _solve(features, coords, targets, l2=l2, lsa_weight=lsa_weight)
        theta = features.T @ dual + lsa_weight * (components @ (coords.T @ dual))
        return cls(np.asarray(theta, np.float32), np.asarray(shrink, np.float32), lsa_weight, noise)

    def factors(self, features: Csr) -> Floats:
        """(papers, rank) the ALS factors that the words of papers predict."""
        return np.asarray(features @ self.theta, dtype=np.float32)

    def score_saves(self, centre_terms: Csr, centre_coords: Floats, *, features: Csr, coords: Floats) -> Floats:
        """(readers, papers) ridge predictions from summed text features of what each reader saved."""
        direction = self.lsa_weight * centre_coords - centre_coords @ self.shrink.T
        scores = np.asarray(direction, np.float32) @ coords.T
        if centre_terms.shape[0] <= FEW_READERS:  # turning the features round would cost more than it saves
            scores += np.asarray(features @ centre_terms.toarray().T, dtype=np.float32).T
        else:
            scores += product(centre_terms, as_csr(features.T)).toarray()
        scores /= np.float32(self.noise)
        return np.asarray(scores, dtype=np.float32)

    def to_arrays(self) -> Arrays:
        """Everything needed to rebuild the maps."""
        scalars = np.array([self.lsa_weight, self.noise], dtype=np.float64)
        return {"content_theta": self.theta, "content_shrink": self.shrink, "content_scalars": scalars}

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        """The maps of `to_arrays`."""
        lsa_weight, noise = arrays["content_scalars"].tolist()
        return cls(np.asarray(arrays["content_theta"]), np.asarray(arrays["content_shrink"]), lsa_weight, noise)


def _solve(features: Csr, coords: Floats, targets: Floats, *, l2: float, lsa_weight: float) -> Floats:
    """(K + l2 I)^-1 targets by conjugate gradients, all columns at once."""
    transposed = as_csr(features.T)

    def kernel(block: Floats) -> Floats:
        out = features @ (transposed @ block)
        out += lsa_weight * (coords @ (coords.T @ block))
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
