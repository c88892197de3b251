"""Writes one index, and keeps what it says of itself."""

import os
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any, Final

import orjson
from tantivy import Index, IndexWriter

from api.store import search_schema as fields
from api.store.search_documents import PaperDocument, document_json
from api.store.search_errors import IndexBroken, IndexBusy, IndexOutdated, engine_errors

META: Final = "meta.json"  # the engine's: replaced with every commit
MARK: Final = "paperfeed.json"  # ours: by which version the index was made and how far it follows SQL
WRITER_BYTES: Final = 48_000_000  # what a writer may hold before it writes a segment


class SearchWriter:
    """Writes one index; the engine allows one writer at a time over all processes.

    After an error only `abandon` is of use: the engine takes more papers then and loses them without a word.
    """

    def __init__(self, path: Path, writer: IndexWriter) -> None:
        self.path = path
        self._open: IndexWriter | None = writer

    @classmethod
    def open(cls, path: Path, *, num_bytes: int = WRITER_BYTES) -> "SearchWriter":
        """Open an index for writing and make an empty one where there is none; IndexBusy while another writes it."""
        path.mkdir(parents=True, exist_ok=True)
        if not (path / META).exists():
            write_mark(path, {"schema": fields.schema_fingerprint()})
        elif read_mark(path).get("schema") != fields.schema_fingerprint():
            raise IndexOutdated("the index was made by another version")
        with engine_errors("the index cannot be opened"):
            index = Index(fields.build_schema(), str(path))
            fields.register_analyzers(index)
            index.config_reader("manual")
            try:
                writer = index.writer(num_bytes, 1)
            except ValueError as error:
                if "lock" not in str(error).lower():
                    raise
                raise IndexBusy("another process writes the index") from error
        return cls(path, writer)

    def add(self, papers: Iterable[PaperDocument], *, are_new: bool = False) -> int:
        """Put papers in, in place of what was there of them (`are_new`: nothing was); return how many."""
        added = 0
        with engine_errors("the index cannot be written"):
            for paper in papers:
                if not are_new:
                    self._writer.delete_documents_by_term(fields.PAPER_ID, paper.paper_id)
                self._writer.add_json(document_json(paper))
                added += 1
        return added

    def delete(self, paper_ids: Collection[int]) -> None:
        """Take papers out."""
        with engine_errors("the index cannot be written"):
            for paper_id in paper_ids:
                self._writer.delete_documents_by_term(fields.PAPER_ID, paper_id)

    def commit(self) -> None:
        """Let readers see what was put in."""
        with engine_errors("the index cannot be written"):
            self._writer.commit()

    def note_followed(self, followed_to_us: int) -> None:
        """Note how far the committed index follows SQL."""
        write_mark(self.path, {**read_mark(self.path), "followed_to_us": followed_to_us})

    def close(self) -> None:
        """Finish what merges are under way and let go of the index."""
        if self._open is not None:
            with engine_errors("the index cannot be written"):
                self._open.wait_merging_threads()
        self._open = None

    def abandon(self) -> None:
        """Let go of the index at once: what was not committed is lost, merges under way are not finished."""
        self._open = None

    @property
    def _writer(self) -> IndexWriter:
        if self._open is None:
            raise RuntimeError("this writer has let go of its index")
        return self._open


def read_mark(path: Path) -> dict[str, Any]:
    """Return what an index says of itself, {} for one that says nothing."""
    try:
        found = orjson.loads((path / MARK).read_bytes())
    except FileNotFoundError:
        return {}
    except orjson.JSONDecodeError as error:
        raise IndexBroken(f"{MARK} cannot be read") from error
    return found if isinstance(found, dict) else {}


def write_mark(path: Path, mark: dict[str, Any]) -> None:
    """Replace what an index says of itself."""
    beside = path / f".{MARK}.{os.getpid()}"
    beside.write_bytes(orjson.dumps(mark))
    beside.replace(path / MARK)
