"""The formats of bibliographies, by name, and which of them a text is."""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from api.services.bibliography.bibtex import read_bibtex, write_bibtex
from api.services.bibliography.csl import is_own_json, read_csl, read_json, write_csl, write_json
from api.services.bibliography.ids import read_ids
from api.services.bibliography.reference import ReadReferences, Reference
from api.services.bibliography.ris import read_ris, write_ris

_BIBTEX: Final = re.compile(r"@\w{1,40}\s{0,20}[{(]")
_RIS: Final = re.compile(r"^\s{0,3}TY\s{0,2}-\s", re.MULTILINE)
_LOOKED_AT: Final = 65_536  # characters of a file that say what it is


@dataclass(frozen=True, slots=True)
class Format:
    """A way of writing a bibliography down."""

    name: str  # also the ending of a file
    title: str
    media_type: str
    read: Callable[[str], ReadReferences]
    write: Callable[[Iterable[Reference]], Iterator[str]] | None  # None: it is only read


FORMATS: Final[dict[str, Format]] = {
    one.name: one
    for one in (
        Format("bib", "BibTeX", "application/x-bibtex; charset=utf-8", read_bibtex, write_bibtex),
        Format("ris", "RIS", "application/x-research-info-systems; charset=utf-8", read_ris, write_ris),
        Format("csl.json", "CSL-JSON", "application/vnd.citationstyles.csl+json", read_csl, write_csl),
        Format("json", "JSON with everything", "application/json", read_json, write_json),
        Format("ids", "List of arXiv ids", "text/plain; charset=utf-8", read_ids, None),
    )
}


def detect_format(text: str) -> str:
    """Return the name of the format that a text most likely is; what is nothing else is a list of ids."""
    head = text[:_LOOKED_AT]
    start = head.lstrip()[:1]
    if start == "{" and is_own_json(head):
        return "json"
    if start in {"[", "{"}:
        return "csl.json"
    if _RIS.search(head):
        return "ris"
    return "bib" if _BIBTEX.search(head) else "ids"


def read_text(text: str, *, name: str | None = None) -> ReadReferences:
    """Return what a text in a format says; without its name, in the one that it most likely is."""
    return FORMATS[name or detect_format(text)].read(text)
