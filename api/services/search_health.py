"""How the search index is, read from its folder: whoever asks need not have it open."""

from pathlib import Path
from typing import Literal

from api.store.search_errors import IndexMissing, IndexUnusable
from api.store.search_files import current_generation, read_status, wanted_rebuild
from api.store.search_schema import schema_fingerprint
from api.store.search_writer import read_mark

MEANWHILE = "meanwhile titles are searched in the database"
REMEDY = "a running API makes it, `paperfeed reindex` does it now"


def read_search(folder: Path) -> tuple[Literal["ok", "degraded"], str]:
    """Return whether searches are answered by a sound index, and what to know about it."""
    status = read_status(folder)
    try:
        is_current = read_mark(current_generation(folder)).get("schema") == schema_fingerprint()
    except IndexMissing:
        return "degraded", f"no index yet, {MEANWHILE}: {REMEDY}{_progress(status)}"
    except (IndexUnusable, OSError) as error:
        return "degraded", f"{error}, {MEANWHILE}: {REMEDY}{_progress(status)}"
    if not is_current:
        return "degraded", f"the index is of another version, {MEANWHILE}: {REMEDY}{_progress(status)}"
    problem = status.get("problem")
    if problem:
        return "degraded", f"new papers are not found yet: {problem}"
    reason = wanted_rebuild(folder)
    if reason is not None:
        return "degraded", f"the index is being made anew ({reason}): {REMEDY}{_progress(status)}"
    papers = status.get("papers")
    return "ok", f"{papers:,} papers indexed" if isinstance(papers, int) else "an index is there"


def _progress(status: dict[str, object]) -> str:
    match status.get("rebuilding"):
        case [int(done), int(total)] if total:
            return f" ({done:,} of {total:,} papers so far)"
    return ""
