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
FORMAT = 3
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
    files: dict[str, Json] = {}
    for name, array in sorted(arrays.items()):
        path = directory / f"{name}.npy"
        np.save(path, np.ascontiguousarray(array), allow_pickle=False)
        shape: list[Json] = [*array.shape]
        facts_of_file: dict[str, Json] = {"sha256": _sha256(path), "bytes": path.stat().st_size}
        files[path.name] = {**facts_of_file, "dtype": array.dtype.str, "shape": shape}
    libraries: dict[str, Json] = {name: version(name) for name in LIBRARIES}
    manifest: dict[str, Json] = {"format": FORMAT, "files": files, "libraries": libraries, **facts}
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


def load_arrays(directory: Path, *, mmap: bool = True, verify: bool = False) -> tuple[Arrays, dict[str, Json]]:
    """The arrays, memory-mapped unless told otherwise, with the manifest.

    Presence, size, type and shape are checked; `verify` reads every byte and compares the digests too.
    """
    manifest = read_manifest(directory)
    stored = manifest.get("files")
    if not isinstance(stored, dict):
        raise ArtifactError(directory / MANIFEST, "the manifest names no files")
    files = {name: facts for name, facts in stored.items() if isinstance(facts, dict)}
    for name, facts in files.items():
        _check_size(directory / name, facts["bytes"])
    if verify:
        with ThreadPoolExecutor() as pool:  # hashing leaves the interpreter lock
            found = list(pool.map(lambda name: _sha256(directory / name), files))
        for (name, facts), actual in zip(files.items(), found, strict=True):
            if actual != facts["sha256"]:
                raise ArtifactError(directory / name, "the file is damaged (its sha256 differs from the manifest)")
    return {Path(name).stem: _read_array(directory / name, facts, mmap=mmap) for name, facts in files.items()}, manifest


def _check_size(path: Path, expected: Json) -> None:
    try:
        actual = path.stat().st_size
    except FileNotFoundError:
        raise ArtifactError(path, "the file is missing") from None
    if actual != expected:
        raise ArtifactError(path, f"the file is damaged (it has {actual} bytes, not {expected})")


def _read_array(path: Path, facts: dict[str, Json], *, mmap: bool) -> np.ndarray[tuple[int, ...], np.dtype[np.generic]]:
    try:
        # Copy-on-write: implicit insists on writable buffers; pages nobody writes stay shared by all processes.
        array = np.load(path, mmap_mode="c" if mmap and facts["bytes"] else None, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise ArtifactError(path, f"the file is damaged ({error})") from error
    if array.dtype.str != facts["dtype"] or [*array.shape] != facts["shape"]:
        raise ArtifactError(path, f"the file is damaged (it holds {array.dtype.str} {array.shape})")
    return np.asarray(array)  # of a mapped file, too: numpy's own class for those costs time at every slice


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
