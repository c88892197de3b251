"""A small real encoder for tests without a downloaded model: the sum of its words' fixed random directions."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from api.runtime.encoders import EncoderError


@dataclass(slots=True)
class WordDirections:
    """Texts that share words are alike; `fails_after` texts its memory is exhausted."""

    name: str = "word-directions"
    dim: int = 48
    fails_after: int | None = None
    encoded: list[str] = field(default_factory=list)

    def encode(self, texts: Sequence[str], *, progress: Callable[[int], None] | None = None) -> NDArray[np.float16]:
        """(texts, dim) float16, rows of length 1."""
        if self.fails_after is not None and len(self.encoded) + len(texts) > self.fails_after:
            raise EncoderError(self.name, "there is not enough memory for it", remedy="give it more")
        self.encoded += texts
        rows = [np.sum([self._direction(word) for word in text.split()], axis=0) for text in texts]
        if progress is not None:
            progress(len(texts))
        vectors = np.array(rows, dtype=np.float64).reshape(len(texts), self.dim)
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        return np.asarray(vectors / lengths, dtype=np.float16)

    def _direction(self, word: str) -> NDArray[np.float64]:
        seed = int.from_bytes(hashlib.sha256(word.encode()).digest()[:4])
        return np.random.default_rng(seed).standard_normal(self.dim)
