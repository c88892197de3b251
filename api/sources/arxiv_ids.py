"""The arXiv API, asked for papers by their ids."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from urllib.parse import urlencode

from api.sources import arxiv
from api.sources.arxiv_query import error_of, said_of, total_of
from api.sources.records import PaperRecord
from api.sources.safe_xml import read_document, records_of
from api.sources.steps import Ask, Got, SourceFailed, refuse_failure

HTTP_BAD_REQUEST: Final = 400


class IdsRefused(Exception):
    """ArXiv gives none of the papers because it does not like one of the ids; the message is its reason."""


@dataclass(frozen=True, slots=True)
class IdsAnswer:
    """The papers of an answer; `is_whole` when all others that were asked for do not exist."""

    papers: tuple[PaperRecord, ...]
    is_whole: bool


def ask(ids: Sequence[str], *, base_url: str) -> Ask:
    """Return the question for these papers."""
    query = urlencode({"id_list": ",".join(ids), "max_results": str(len(ids))}, safe=",/")
    return Ask(f"{base_url.rstrip('/')}/api/query?{query}")


def read(got: Got, ids: Sequence[str], *, now: datetime) -> IdsAnswer:
    """Return those of these papers that the answer has; IdsRefused, or SourceFailed where it cannot be used."""
    said = said_of(got)
    if got.status == HTTP_BAD_REQUEST:
        raise IdsRefused(said or "arXiv does not take this id")
    refuse_failure(got, now=now, said=said)
    document = read_document(got, root="feed", entry="entry")
    if (error := error_of(document)) is not None:
        raise IdsRefused(error)
    if not document.entries and total_of(document):
        raise SourceFailed(f"{got.place} is empty although there are results, as arXiv's pages sometimes are")
    wanted = set(ids)
    papers = [one for one in records_of(document, arxiv.record_of) if isinstance(one, PaperRecord)]
    return IdsAnswer(tuple(one for one in papers if one.external_id in wanted), document.is_whole)
