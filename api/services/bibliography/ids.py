"""A list of arXiv ids or addresses, one or more on a line, as people paste it."""

import re
from typing import Final

from api.ids import LONGEST_ID, is_arxiv_id, normalised_id
from api.services.bibliography.reference import (
    MOST_REFERENCES,
    MOST_REJECTED,
    ReadReferences,
    Reference,
    RejectedReference,
    reject,
    too_many,
)
from api.sources.records import doi_of

_BETWEEN: Final = re.compile(r"[\s,;]+")
_AROUND: Final = "<>()[]\"'`.“”‘’*•·–—-"
_LABELS: Final = frozenset({"arxiv", "arxiv:", "doi", "doi:", "id", "ids", "and", ""})


def read_ids(text: str) -> ReadReferences:
    """Return one reference for each id, address or DOI, and the words that are neither; `#` begins a remark."""
    found: list[Reference] = []
    rejected: list[RejectedReference] = []
    for number, line in enumerate(text.split("\n"), start=1):
        for word in _BETWEEN.split(line.strip() if not line.lstrip().startswith("#") else ""):
            bare = word.strip(_AROUND)
            if bare.lower() in _LABELS:
                continue
            if len(found) >= MOST_REFERENCES:
                return found, [*rejected, too_many(number)]
            reference = _reference(bare, number)
            if reference is not None:
                found.append(reference)
                continue
            rejected.append(reject(number, "this is neither an arXiv id nor a DOI nor the address of a paper", bare))
            if len(rejected) >= MOST_REJECTED:
                why = f"{MOST_REJECTED:,} words are no ids: nothing from this line on was read"
                return found, [*rejected, reject(number, why, "")]
    return found, rejected


def _reference(word: str, line: int) -> Reference | None:
    if len(word) > 2 * LONGEST_ID:
        return None
    try:
        paper_id = normalised_id(word)
    except ValueError:
        return None
    if is_arxiv_id(paper_id):
        return Reference(line=line, paper_id=paper_id)
    doi = doi_of(word)
    return None if doi is None or "/" not in doi else Reference(line=line, doi=doi)
