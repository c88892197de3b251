"""A list of arXiv ids or addresses, one or more on a line, as people paste it."""

import re
from collections.abc import Iterable
from itertools import islice
from typing import Final

from api.ids import LONGEST_ID, is_arxiv_id, normalised_id
from api.services.bibliography.reference import (
    MOST_REFERENCES,
    ReadReferences,
    Reference,
    RejectedReference,
    bounded,
    reject,
    too_many,
)
from api.sources.records import doi_of

NO_ID: Final = "this is neither an arXiv id nor a DOI nor the address of a paper"
MOST_WORDS: Final = 10 * MOST_REFERENCES  # each with its title beside it

_WORD: Final = re.compile(r"[^\s,;]+")
_DIGIT: Final = re.compile(r"\d")
_AROUND: Final = "<>()[]\"'`.“”‘’*•·–—-"
_LABELS: Final = frozenset({"arxiv", "arxiv:", "doi", "doi:", "id", "ids", "and", ""})


def read_ids(text: str) -> ReadReferences:
    """Return one reference for each id, address or DOI, and what else a line says, once; `#` begins a remark."""
    lines = ((number, line) for number, line in enumerate(text.split("\n"), start=1) if not _is_remark(line))
    return read_id_lines(lines, reason=NO_ID)


def read_id_lines(lines: Iterable[tuple[int, str]], *, reason: str) -> ReadReferences:
    """Return the ids of lines that come with their numbers; for what else a line says, once, this is the reason."""
    found: list[Reference] = []
    rejected: list[RejectedReference] = []
    words = 0
    for number, line in lines:
        said = [one[0] for one in islice(_WORD.finditer(line), MOST_WORDS - words + 1)]
        words += len(said)
        ids, others = _sorted_out(said, number)
        if others:
            rejected.append(reject(number, reason, " ".join(others) if ids else line.strip()))
        if len(found) + len(ids) > MOST_REFERENCES:
            return [*found, *ids][:MOST_REFERENCES], [*bounded(rejected), too_many(number)]
        found += ids
        if words > MOST_WORDS:
            why = f"ids are looked for among {MOST_WORDS:,} words: what follows in this line and after it was not read"
            return found, [*bounded(rejected), reject(number, why, "")]
    return found, bounded(rejected)


def find_ids(text: str) -> tuple[list[Reference], list[str]]:
    """Return the ids, addresses and DOIs of a list, and each word that is none of these; `#` begins a remark."""
    found: list[Reference] = []
    others: list[str] = []
    for number, line in enumerate(text.split("\n"), start=1):
        if not _is_remark(line):
            ids, rest = _sorted_out([one[0] for one in _WORD.finditer(line)], number)
            found += ids
            others += rest
    return found, others


def _is_remark(line: str) -> bool:
    return line.lstrip().startswith("#")


def _sorted_out(words: Iterable[str], number: int) -> tuple[list[Reference], list[str]]:
    """Return what words of a line refer to, and those that refer to nothing."""
    found: list[Reference] = []
    others: list[str] = []
    for word in words:
        bare = word.strip(_AROUND)
        if bare.lower() in _LABELS:
            continue
        reference = _reference(bare, number)
        if reference is None:
            others.append(bare)
        else:
            found.append(reference)
    return found, others


def _reference(word: str, line: int) -> Reference | None:
    if len(word) > 2 * LONGEST_ID or not _DIGIT.search(word):
        return None
    try:
        paper_id = normalised_id(word)
    except ValueError:
        return None
    if is_arxiv_id(paper_id):
        return Reference(line=line, paper_id=paper_id)
    doi = doi_of(word)
    return None if doi is None or "/" not in doi else Reference(line=line, doi=doi)
