"""What a training run works on, as files: the event log in columns, the papers' texts, and the plan of the run."""

import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final, TypeAlias, TypeVar

import numpy as np
import orjson
from numpy.typing import NDArray

from recommender.domain import Interactions, PaperTexts

_EVENT_COLUMNS: Final[dict[str, type[np.generic]]] = {
    "user_ids": np.int64,
    "paper_ids": np.int64,
    "kinds": np.uint8,
    "occurred_at": np.float64,
    "values": np.float32,
}
_TEXTS: Final = "texts.jsonl"
_VECTORS: Final = "texts_vectors.npy"
Json: TypeAlias = dict[str, Any]
Scalar = TypeVar("Scalar", bound=np.generic)


def write_snapshot(directory: Path, *, interactions: Iterable[Interactions], texts: PaperTexts) -> int:
    """Write a snapshot whole or not at all and return its number of events; events go to disk part by part."""
    aside = directory.with_name(f".tmp-{directory.name}-{os.getpid()}")
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    events = _write_events(aside, interactions)
    np.save(aside / "texts_paper_ids.npy", texts.paper_ids, allow_pickle=False)
    np.save(aside / "texts_published_at.npy", texts.published_at, allow_pickle=False)
    if texts.vectors is not None:
        np.save(aside / _VECTORS, texts.vectors, allow_pickle=False)
    with (aside / _TEXTS).open("wb") as file:
        for row in zip(texts.titles, texts.summaries, texts.keywords, strict=True):
            file.write(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))
    publish_directory(aside, directory)
    return events


def read_snapshot(directory: Path) -> tuple[Interactions, PaperTexts]:
    """Return what `write_snapshot` wrote; events and vectors are memory-mapped where there are any."""
    interactions = Interactions(
        user_ids=_read_column(directory / "user_ids", np.int64),
        paper_ids=_read_column(directory / "paper_ids", np.int64),
        kinds=_read_column(directory / "kinds", np.uint8),
        occurred_at=_read_column(directory / "occurred_at", np.float64),
        values=_read_column(directory / "values", np.float32),
    )
    titles: list[str] = []
    summaries: list[str] = []
    keywords: list[str] = []
    with (directory / _TEXTS).open("rb") as file:
        for line in file:
            title, summary, words = orjson.loads(line)
            titles.append(title)
            summaries.append(summary)
            keywords.append(words)
    paper_ids = np.load(directory / "texts_paper_ids.npy", allow_pickle=False)
    published_at = np.load(directory / "texts_published_at.npy", allow_pickle=False)
    path = directory / _VECTORS
    vectors = np.load(path, mmap_mode="r", allow_pickle=False) if path.exists() else None
    return interactions, PaperTexts(paper_ids, titles, summaries, keywords, published_at, vectors)


def write_json(path: Path, value: Json) -> None:
    """Write a small file whole or not at all."""
    aside = path.with_name(f".tmp-{path.name}-{os.getpid()}")
    with aside.open("wb") as file:
        file.write(orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY))
        file.flush()
        os.fsync(file.fileno())
    aside.replace(path)
    _sync(path.parent)


def read_json(path: Path) -> Json | None:
    """Return what `write_json` wrote, None when it did not."""
    try:
        value = orjson.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    return value if isinstance(value, dict) else None


def publish_directory(aside: Path, directory: Path) -> None:
    """Make a finished directory visible under its name, synced; one that is already there wins."""
    for path in aside.iterdir():
        _sync(path)
    _sync(aside)
    try:
        aside.rename(directory)
    except OSError:
        if not directory.is_dir():
            raise
        shutil.rmtree(aside)
    _sync(directory.parent)


def _write_events(directory: Path, interactions: Iterable[Interactions]) -> int:
    events = 0
    files = {name: (directory / name).open("wb") for name in _EVENT_COLUMNS}
    try:
        for part in interactions:
            events += len(part)
            for name, dtype in _EVENT_COLUMNS.items():
                column: NDArray[np.generic] = getattr(part, name)
                files[name].write(column.astype(dtype, copy=False).tobytes())
    finally:
        for file in files.values():
            file.close()
    return events


def _read_column(path: Path, dtype: type[Scalar]) -> NDArray[Scalar]:
    if path.stat().st_size == 0:  # an empty file cannot be mapped
        return np.empty(0, dtype=dtype)
    return np.memmap(path, dtype=dtype, mode="r")


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
