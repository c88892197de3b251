"""Sentence vectors in a file beside the papers they belong to, by the fingerprint of their text."""

import os
import re
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

Half = NDArray[np.float16]

LONGEST_PART: Final = 100  # characters of an encoder's name in a file name


class VectorFileError(Exception):
    """The file cannot be used; says why."""


@dataclass(frozen=True, slots=True)
class KeptVectors:
    """Vectors by text."""

    hashes: NDArray[np.bytes_]  # (texts,) ascending
    vectors: Half  # (texts, dim)

    @classmethod
    def none(cls) -> Self:
        """No vectors at all."""
        return cls(np.empty(0, dtype="S32"), np.empty((0, 0), dtype=np.float16))

    def rows_of(self, hashes: NDArray[np.bytes_]) -> NDArray[np.int64]:
        """The row of each text, -1 where there is none."""
        if len(self.hashes) == 0:
            return np.full(len(hashes), -1, dtype=np.int64)
        at = np.minimum(np.searchsorted(self.hashes, hashes), len(self.hashes) - 1)
        return np.where(self.hashes[at] == hashes, at, -1)

    def joined(self, hashes: NDArray[np.bytes_], vectors: Half) -> "KeptVectors":
        """These and more, whose texts are not among these."""
        every = np.concatenate([self.hashes, hashes])
        rows = vectors if len(self.hashes) == 0 else np.concatenate([self.vectors, vectors])
        order = np.argsort(every, kind="stable")
        return KeptVectors(every[order], rows[order])


def vector_path(papers: Path, encoder: str) -> Path:
    """Return where the vectors of a file of papers are kept."""
    part = re.sub(r"[^\w.-]+", "-", encoder).strip("-.")[-LONGEST_PART:]
    return papers.with_name(f"{papers.name}.{part}.npz")


def read_vectors(path: Path) -> KeptVectors:
    """Return what `write_vectors` wrote, nothing without a file; raises VectorFileError for one that is damaged."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            kept = KeptVectors(stored["hashes"], stored["vectors"])
    except FileNotFoundError:
        return KeptVectors.none()
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise VectorFileError(f"{path} cannot be read ({type(error).__name__}: {error})") from error
    is_sound = (
        kept.hashes.dtype == np.dtype("S32")
        and kept.vectors.dtype == np.float16
        and kept.hashes.shape == kept.vectors.shape[:1]
        and kept.vectors.ndim == 2
        and bool(np.all(kept.hashes[1:] > kept.hashes[:-1]))
        and bool(np.isfinite(kept.vectors).all())
    )
    if not is_sound:
        raise VectorFileError(f"{path} holds something else than vectors")
    return kept


def write_vectors(path: Path, kept: KeptVectors) -> None:
    """Write the file whole or not at all; raises VectorFileError where that cannot be done."""
    aside = path.with_name(f".tmp-{os.getpid()}-{path.name}")
    try:
        with aside.open("wb") as file:
            np.savez(file, hashes=kept.hashes, vectors=kept.vectors)
        aside.replace(path)
    except OSError as error:
        aside.unlink(missing_ok=True)
        raise VectorFileError(f"{path} cannot be written ({error.strerror})") from error
