"""A fitted model as a directory of arrays and one manifest."""

import hashlib
import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import TypeAlias

import numpy as np

from recommender.text import Arrays

MANIFEST = "manifest.json"
FORMAT = 1
LIBRARIES = ("numpy", "scipy", "scikit-learn", "implicit")
Json: TypeAlias = dict[str, "Json"] | list["Json"] | str | int | float | bool | None


class ArtifactError(Exception):
    """An artifact cannot be read; `file` is the part that is missing or damaged."""

    def __init__(self, file: Path, reason: str) -> None:
        super().__init__(f"{file}: {reason}. Retrain, or roll back to another model version.")
        self.file = file
        self.reason = reason


def save_arrays(directory: Path, arrays: Arrays, *, facts: Mapping[str, Json]) -> None:
    """Write each array to its .npy file, the manifest last."""
    directory.mkdir(parents=True, exist_ok=True)
    digests: dict[str, Json] = {}
    for name, array in sorted(arrays.items()):
        path = directory / f"{name}.npy"
        np.save(path, np.ascontiguousarray(array), allow_pickle=False)
        digests[path.name] = _sha256(path)
    libraries: dict[str, Json] = {name: version(name) for name in LIBRARIES}
    manifest: dict[str, Json] = {"format": FORMAT, "files": digests, "libraries": libraries, **facts}
    (directory / MANIFEST).write_text(json.dumps(manifest, indent=1, sort_keys=True, ensure_ascii=False))


def read_manifest(directory: Path) -> dict[str, Json]:
    """The manifest of an artifact; raises ArtifactError when there is none that can be read."""
    path = directory / MANIFEST
    try:
        manifest = json.loads(path.read_text())
    except FileNotFoundError:
        raise ArtifactError(path, "the manifest is missing") from None
    except (OSError, ValueError) as error:
        raise ArtifactError(path, f"the manifest cannot be read ({error})") from error
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise ArtifactError(path, f"the manifest is not of format {FORMAT}")
    return manifest


def load_arrays(directory: Path, *, mmap: bool = True) -> tuple[Arrays, dict[str, Json]]:
    """The arrays, memory-mapped unless told otherwise, with the manifest; digests are checked."""
    manifest = read_manifest(directory)
    files = manifest.get("files")
    if not isinstance(files, dict):
        raise ArtifactError(directory / MANIFEST, "the manifest names no files")
    with ThreadPoolExecutor() as pool:  # hashing leaves the interpreter lock
        found = list(pool.map(lambda name: _digest_or_none(directory / name), files))
    arrays: Arrays = {}
    for (name, expected), actual in zip(files.items(), found, strict=True):
        path = directory / name
        if actual is None:
            raise ArtifactError(path, "the file is missing")
        if actual != expected:
            raise ArtifactError(path, "the file is damaged (its sha256 differs from the manifest)")
        # Copy-on-write: implicit insists on writable buffers; pages nobody writes stay shared by all processes.
        arrays[path.stem] = np.load(path, mmap_mode="c" if mmap else None, allow_pickle=False)
    return arrays, manifest


def _digest_or_none(path: Path) -> str | None:
    try:
        return _sha256(path)
    except FileNotFoundError:
        return None


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
