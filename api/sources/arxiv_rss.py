"""arXiv's RSS feeds: what was announced in the categories today, without the replacements."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from urllib.parse import quote
from xml.etree.ElementTree import Element

from api.ids import arxiv_version
from api.sources.arxiv import SOURCE, arxiv_id_of, is_withdrawn, text_of
from api.sources.records import (
    Json,
    PaperRecord,
    authors_of,
    categories_of,
    doi_of,
    summary_of,
    text_or_none,
    title_of,
)
from api.sources.safe_xml import read_document, records_of
from api.sources.steps import HTTP_NOT_MODIFIED, Ask, Got, Step, refuse_failure

REPLACED: Final = "replace"  # also replace-cross

# What stands before an abstract, such as "arXiv:2401.01234v1 Announce Type: new Abstract:".
_PREAMBLE: Final = re.compile(r"\s*arXiv:\S{1,40}\s+Announce Type:\s*\S{1,40}\s+(?:Abstract:\s*)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Options:
    """The categories, which come in one feed; arXiv cuts it at 2,000 items."""

    categories: tuple[str, ...]
    base_url: str = "https://rss.arxiv.org"


def first(cursor: Json | None, *, now: datetime, options: Options) -> Ask | None:  # noqa: ARG001 - as all are called
    """Return the one question of a run."""
    if not options.categories:
        return None
    names = "+".join(quote(category, safe=".-") for category in options.categories)
    return Ask(f"{options.base_url.rstrip('/')}/rss/{names}", is_conditional=True)


def read(got: Got, cursor: Json | None, *, now: datetime, options: Options) -> Step:  # noqa: ARG001 - as all are called
    """Return the papers of the feed, none at weekends and where it has not changed."""
    if got.status == HTTP_NOT_MODIFIED:
        return Step((), {}, is_done=True)
    refuse_failure(got, now=now)
    document = read_document(got, root="rss", entry="item")
    records = records_of(document, record_of)
    if not document.is_whole:
        return Step(records, {}, problem=f"{got.place} ends before its end: half a page")
    return Step(records, {}, is_done=True)


def record_of(item: Element) -> PaperRecord | None:
    """Return the paper of an item, None for a replacement.

    The date of an item is the day of its announcement, some days after that of the paper, which the feed does not tell.
    """
    if text_of(item, "announce_type").lower().startswith(REPLACED):
        return None
    identifier = text_of(item, "guid") or text_of(item, "link")
    summary = summary_of(_PREAMBLE.sub("", text_of(item, "description"), count=1))
    return PaperRecord(
        title=title_of(text_of(item, "title")),
        source=SOURCE,
        external_id=arxiv_id_of(identifier),
        summary=summary,
        authors=authors_of(text_of(item, "creator")),
        categories=categories_of([category.text or "" for category in item.iterfind("{*}category")]),
        version=arxiv_version(identifier),
        is_withdrawn=True if is_withdrawn(summary, comment="") else None,  # the feed has no comments to deny it
        doi=doi_of(text_of(item, "DOI")),
        journal_ref=text_or_none(text_of(item, "journal_reference"), name="journal_reference"),
    )
