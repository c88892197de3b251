"""What arXiv says of a paper: entries of its Atom feeds, and the fields that all of its formats share."""

import re
from collections.abc import Iterator
from typing import Final
from xml.etree import ElementTree

from api.ids import arxiv_version, is_arxiv_id
from api.sources.framing import Piece, Window, split_entries
from api.sources.records import (
    BadRecord,
    PaperRecord,
    RejectedLine,
    categories_of,
    doi_of,
    id_of,
    line_of_text,
    summary_of,
    text_or_none,
    time_of,
    title_of,
)

SOURCE = "arxiv"
ERROR_ID: Final = "api/errors"  # arXiv says what is wrong in an entry whose id contains this

_USUAL_FEED: Final = b'<feed xmlns="http://www.w3.org/2005/Atom" xmlns:arxiv="http://arxiv.org/schemas/atom">'
_FEED: Final = re.compile(rb"<feed(?:\s[^>]*)?>")
_DECLARATION: Final = re.compile(rb"<\?xml[^>]*\?>")
# Authors also file papers under MSC (68T05) and ACM (I.2.7) classes, in the same element.
_CATEGORY: Final = re.compile(r"[a-z][a-z-]*(?:\.[A-Za-z-]+)?")
# "This paper has been withdrawn by the author", "This submission was withdrawn by arXiv administrators".
_WITHDRAWN: Final = re.compile(
    r"\b(?:this|the)\s+(?:paper|article|submission|manuscript|preprint|e-?print|work|version|note|letter|report)\s+"
    r"(?:(?:has|have)\s+(?:now\s+)?been|is|was)\s+(?:now\s+|temporarily\s+)?withdrawn\b",
    re.IGNORECASE,
)
_COMMENT_STARTS: Final = re.compile(r"\W*(?:paper\s+|article\s+)?(?:temporarily\s+)?withdrawn\b", re.IGNORECASE)
_WITHDRAWN_WITHIN: Final = 40  # characters of an abstract: a notice stands in its place, not in it


def parse_feed(window: Window) -> Iterator[PaperRecord | RejectedLine]:
    """Give the paper of each entry of an Atom feed, or why there is none."""
    for head, piece in split_entries(window):
        try:
            yield record_of(_element(head, piece))
        except (ValueError, ElementTree.ParseError, LookupError) as error:  # odd encodings raise any
            yield RejectedLine(piece.line, str(error), piece.data.decode(errors="replace"))


def record_of(entry: ElementTree.Element) -> PaperRecord:
    """Return the paper of an entry of an Atom feed."""
    address = text_of(entry, "id")
    if ERROR_ID in address:
        raise BadRecord(f"arXiv answered with an error: {text_of(entry, 'summary')}")
    names = (line_of_text(name.text, name="author") for name in entry.iterfind("{*}author/{*}name"))
    summary, comment = summary_of(text_of(entry, "summary")), text_of(entry, "comment")
    return PaperRecord(
        title=title_of(text_of(entry, "title")),
        source=SOURCE,
        external_id=arxiv_id_of(address),
        summary=summary,
        authors=tuple(name for name in names if name),
        categories=_categories(entry),
        published_at=time_of(text_of(entry, "published"), name="published"),
        version=arxiv_version(address),
        revised_at=time_of(text_of(entry, "updated"), name="updated"),
        is_withdrawn=is_withdrawn(summary, comment=comment),
        doi=doi_of(text_of(entry, "doi")),
        journal_ref=text_or_none(text_of(entry, "journal_ref"), name="journal_ref"),
    )


def arxiv_id_of(value: str) -> str:
    """Return the id that an address, an OAI identifier or an id with a version stands for."""
    external_id = id_of(value)
    if external_id is None:
        raise BadRecord("the id is missing")
    if not is_arxiv_id(external_id):
        raise BadRecord(f"{external_id[:40]!r} is no arXiv id")
    return external_id


def is_withdrawn(summary: str, *, comment: str) -> bool:
    """True if the comment, or what stands in place of the abstract, says that the paper has been withdrawn."""
    notice = _WITHDRAWN.search(summary[: 2 * _WITHDRAWN_WITHIN])
    is_said = notice is not None and notice.start() <= _WITHDRAWN_WITHIN
    return is_said or _WITHDRAWN.search(comment) is not None or _COMMENT_STARTS.match(comment) is not None


def text_of(element: ElementTree.Element, path: str) -> str:
    """Return the text of a child, whatever its namespace; empty where there is none."""
    return (element.findtext(f"{{*}}{path}") or "").strip()


def _element(head: bytes, piece: Piece) -> ElementTree.Element:
    """Return the parsed entry; it is wrapped in the feed's own start tag, which declares its prefixes."""
    if piece.problem is not None:
        raise BadRecord(piece.problem)
    declaration, feed = _DECLARATION.search(head), _FEED.search(head)
    start = (declaration.group() if declaration else b"") + (feed.group() if feed else _USUAL_FEED)
    # Only these two tags and the entry are parsed, so no document type with entities can be among it.
    root = ElementTree.fromstring(start + piece.data + b"</feed>")  # noqa: S314 - see above
    return root[0]


def _categories(entry: ElementTree.Element) -> tuple[str, ...]:
    elements = [*entry.iterfind("{*}primary_category"), *entry.iterfind("{*}category")]
    terms = [element.get("term", "") for element in elements]
    return categories_of([term for term in terms if _CATEGORY.fullmatch(term)])
