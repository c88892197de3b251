"""arXiv's Atom feeds: the answers of its API."""

import re
from collections.abc import Iterator
from typing import Final
from xml.etree import ElementTree

from api.sources.framing import Piece, Window, split_entries
from api.sources.records import (
    BadRecord,
    PaperRecord,
    RejectedLine,
    categories_of,
    id_of,
    line_of_text,
    summary_of,
    time_of,
    title_of,
)

SOURCE = "arxiv"
ERROR_ID: Final = "api/errors"  # arXiv says what is wrong in an entry whose id contains this

_ATOM: Final = "{http://www.w3.org/2005/Atom}"
_ARXIV: Final = "{http://arxiv.org/schemas/atom}"
_USUAL_FEED: Final = b'<feed xmlns="http://www.w3.org/2005/Atom" xmlns:arxiv="http://arxiv.org/schemas/atom">'
_FEED: Final = re.compile(rb"<feed(?:\s[^>]*)?>")
_DECLARATION: Final = re.compile(rb"<\?xml[^>]*\?>")
# Authors also file papers under MSC (68T05) and ACM (I.2.7) classes, in the same element.
_CATEGORY: Final = re.compile(r"[a-z][a-z-]*(?:\.[A-Za-z-]+)?")


def parse_feed(window: Window) -> Iterator[PaperRecord | RejectedLine]:
    """Give the paper of each entry of an Atom feed, or why there is none."""
    for head, piece in split_entries(window):
        try:
            yield _record_of(_element(head, piece))
        except (ValueError, ElementTree.ParseError, LookupError) as error:  # odd encodings raise any
            yield RejectedLine(piece.line, str(error), piece.data.decode(errors="replace"))


def _element(head: bytes, piece: Piece) -> ElementTree.Element:
    """Return the parsed entry; it is wrapped in the feed's own start tag, which declares its prefixes."""
    if piece.problem is not None:
        raise BadRecord(piece.problem)
    declaration, feed = _DECLARATION.search(head), _FEED.search(head)
    start = (declaration.group() if declaration else b"") + (feed.group() if feed else _USUAL_FEED)
    # Only these two tags and the entry are parsed, so no document type with entities can be among it.
    root = ElementTree.fromstring(start + piece.data + b"</feed>")  # noqa: S314 - see above
    return root[0]


def _record_of(entry: ElementTree.Element) -> PaperRecord:
    address = _text(entry, "id")
    if ERROR_ID in address:
        raise BadRecord(f"arXiv answered with an error: {_text(entry, 'summary')}")
    external_id = id_of(address)
    if external_id is None:
        raise BadRecord("the id is missing")
    names = (line_of_text(name.text, name="author") for name in entry.iterfind(f"{_ATOM}author/{_ATOM}name"))
    return PaperRecord(
        title=title_of(_text(entry, "title")),
        source=SOURCE,
        external_id=external_id,
        summary=summary_of(_text(entry, "summary")),
        authors=tuple(name for name in names if name),
        categories=_categories(entry),
        published_at=time_of(_text(entry, "published"), name="published"),
    )


def _categories(entry: ElementTree.Element) -> tuple[str, ...]:
    elements = [*entry.iterfind(f"{_ARXIV}primary_category"), *entry.iterfind(f"{_ATOM}category")]
    terms = [element.get("term", "") for element in elements]
    return categories_of([term for term in terms if _CATEGORY.fullmatch(term)])


def _text(entry: ElementTree.Element, name: str) -> str:
    return (entry.findtext(f"{_ATOM}{name}") or "").strip()
