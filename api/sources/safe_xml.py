"""XML of strangers: decoded whatever it declares, parsed at bounded memory and time, mended where it is broken."""

import codecs
import html
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from xml.etree.ElementTree import Element, ParseError, TreeBuilder, XMLParser, tostring

from api.sources.records import BadRecord, Deletion, PaperRecord, RejectedLine, line_of_text
from api.sources.steps import Got, SourceFailed

LARGEST_DOCUMENT: Final = 16 * 2**20  # bytes; a page of 2,000 entries takes a third of it
LONGEST_RUN: Final = 2**18  # characters of one tag or text; the longest abstract takes a hundredth
MOST_MARKS: Final = 400_000  # tags and attributes; a page of 2,000 entries has a quarter
DEEPEST: Final = 64  # elements within elements; an entry of OAI-PMH has 7
MOST_CONTROLS: Final = 1_000  # characters that XML does not allow; data that is no text has more
MOST_ENTRIES: Final = 10_000  # of one document; no source gives more than 2,000
LONGEST_ROOT: Final = 4_096  # characters of the start tag that is put around each of them
SHOWN: Final = 2_000  # characters of an entry that became no paper

_LONG_RUN: Final = re.compile(f"<[^<]{{{LONGEST_RUN}}}")
_DECLARED: Final = re.compile(rb"^\s*<\?xml[^>]{0,200}?encoding\s*=\s*[\"']([A-Za-z0-9._-]{1,40})[\"']")
_CHARSET: Final = re.compile(r"charset\s*=\s*[\"']?([A-Za-z0-9._-]{1,40})", re.IGNORECASE)
# Python's other codecs are no encodings of text (zlib, rot13), or take quadratic time (punycode, idna).
_ENCODING: Final = re.compile(
    r"(?:iso|windows|cp|latin|koi8|gb|big5|shift|sjis|euc|mac|utf-?16|utf-?32)[\w-]*", re.IGNORECASE
)
_BOMS: Final = (
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16's, which it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_NULLED: Final = ((b"<\0", "utf-16-le"), (b"\0<", "utf-16-be"))
_LOST: Final = "\ufffd"
_NOT_XML: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]+")
_CONTROLS: Final = bytes(byte for byte in range(32) if byte not in b"\t\n\r")
_ROOT: Final = re.compile(  # without going back: a comment must not be tried at each of its ends
    r"(?:\s++|(?><\?.{0,2000}?\?>)|(?><!--.{0,20000}?-->))*+<(?P<name>(?:[\w.-]+:)?(?P<local>[\w.-]+))", re.DOTALL
)


class Refused(ValueError):
    """A document that is not worth its memory, or that brings a document type."""


class _Builder(TreeBuilder):
    """A tree builder that stops at a document type, before any entity of it is read, and at a depth."""

    def __init__(self) -> None:
        super().__init__()
        self.depth = 0

    def doctype(self, name: str, pubid: str | None, system: str | None) -> None:  # noqa: ARG002 - called by expat
        raise Refused(f"it brings a document type ({name[:40]}), which could declare entities")

    def start(self, tag: str, attrs: dict[str, str], /) -> Element:
        self.depth += 1
        if self.depth > DEEPEST:
            raise Refused(f"its elements lie more than {DEEPEST} deep")
        return super().start(tag, attrs)

    def end(self, tag: str, /) -> Element:
        self.depth -= 1
        return super().end(tag)


@dataclass(frozen=True, slots=True)
class Document:
    """The entries of an answer, in order; one that could not be parsed is a rejected line with its number."""

    place: str
    entries: tuple[Element | RejectedLine, ...]
    root: Element | None  # None where the document is broken: its entries were parsed one by one
    rest: str  # of a broken document: what is not within an entry
    is_whole: bool  # False: the end tag of the root is missing, so entries may be, too

    def text_of(self, name: str) -> str | None:
        """Return the text of the document's first element of this name, None if it has none."""
        if self.root is not None:
            found = self.root.find(f".//{{*}}{name}")
            return None if found is None else (found.text or "").strip()
        tag = re.search(rf"<(?:[\w.-]+:)?{name}(?=[\s/>])[^<>]{{0,1000}}(?:(?<=/)>|>([^<]{{0,10000}})</)", self.rest)
        return None if tag is None else html.unescape(tag[1] or "").strip()


def read_document(got: Got, *, root: str, entry: str) -> Document:
    """Return the entries (elements named `entry`) of a document whose root is named `root`; SourceFailed if it is none.

    An entry that is not well-formed does not spoil its neighbours: the document is then cut at its entries.
    """
    if len(got.body) > LARGEST_DOCUMENT:
        raise SourceFailed(f"{got.place}: the answer is larger than {LARGEST_DOCUMENT:,} bytes")
    try:
        text = decoded(got.body, content_type=got.header("content-type"))
    except Refused as error:
        raise SourceFailed(f"{got.place}: the answer was refused: {error}") from error
    found = _ROOT.match(text)
    if found is None or found["local"] != root:
        raise SourceFailed(f"{got.place} did not answer with <{root}> but with: {shown(text)!r}")
    try:
        element = parsed(text)
        entries = tuple(element.iterfind(f".//{{*}}{entry}"))
        if len(entries) > MOST_ENTRIES:
            raise Refused(f"it has more than {MOST_ENTRIES:,} entries")
        return Document(got.place, entries, element, "", is_whole=True)
    except Refused as error:
        raise SourceFailed(f"{got.place}: the answer was refused: {error}") from error
    except (ParseError, ValueError) as error:
        return _mended(got.place, text, (found["name"], found.start("name") - 1), entry=entry, error=error)


def records_of(
    document: Document, build: Callable[[Element], PaperRecord | Deletion | None]
) -> tuple[PaperRecord | Deletion | RejectedLine, ...]:
    """Return what `build` makes of each entry (None: nothing), or why it is no paper.

    SourceFailed where there are entries and not one of them is understood: then the format has changed.
    """
    records = [_built(entry, number, build) for number, entry in enumerate(document.entries, start=1)]
    found = tuple(record for record in records if record is not None)
    if found and len(found) == len(records) and all(isinstance(record, RejectedLine) for record in found):
        first = found[0]
        reason = first.reason if isinstance(first, RejectedLine) else ""
        raise SourceFailed(f"{document.place}: none of {len(found)} entries could be read, the first: {reason}")
    return found


def parsed(text: str) -> Element:
    """Return the root of a document; Refused for one that is too much, ParseError for one that is not well-formed."""
    if text.count("<") + text.count("=") > MOST_MARKS:
        raise Refused(f"it has more than {MOST_MARKS:,} tags and attributes")
    if _LONG_RUN.search(text):
        raise Refused(f"it has a tag or a text of more than {LONGEST_RUN:,} characters")
    parser: XMLParser = XMLParser(target=_Builder())  # noqa: S314 - the builder refuses what makes it unsafe
    parser.feed(text)  # at once: this expat reads a long token anew for each piece of it
    root = parser.close()
    if not isinstance(root, Element):
        raise ValueError("the document is empty")
    return root


def decoded(body: bytes, *, content_type: str = "") -> str:
    """Return the text of a document, without what XML does not allow; Refused where it is none.

    Bytes that are UTF-8 are taken as UTF-8, whatever they are declared to be: no text of another encoding looks like
    it by chance. Otherwise what the document or the header declares is tried. What is left is mostly UTF-8 with a few
    broken bytes, or Windows-1252.
    """
    wide = _wide_encoding(body)
    if wide is None:
        _refuse_data(body)
        return _NOT_XML.sub(" ", _decoded(body, content_type))
    text = body.decode(wide, errors="replace").removeprefix("\ufeff")
    _refuse_data(text.encode())
    return _NOT_XML.sub(" ", text)


def shown(text: str) -> str:
    """Return the beginning of a text as one line."""
    return " ".join(text[:200].split())


def _wide_encoding(body: bytes) -> str | None:
    """Return the encoding of a document whose characters take two or four bytes."""
    begin = body[:100].lstrip(b" \t\r\n")
    starts = (*_BOMS, *_NULLED)
    return next((encoding for start, encoding in starts if begin.startswith(start)), None)


def _refuse_data(utf8: bytes) -> None:
    """Raise Refused for what is no text: it would take long to decode and to clean."""
    strange = (
        len(utf8) - len(utf8.translate(None, _CONTROLS)) + utf8.count(b"\xef\xbf\xbe") + utf8.count(b"\xef\xbf\xbf")
    )
    if strange > MOST_CONTROLS:
        raise Refused(f"it is no text: it has more than {MOST_CONTROLS:,} control characters")


def _decoded(body: bytes, content_type: str) -> str:
    declared = _DECLARED.search(body[:400])
    charset = _CHARSET.search(content_type)
    names = [charset[1] if charset else "", declared[1].decode("ascii") if declared else ""]
    for name in ("utf-8-sig", *(name for name in names if _ENCODING.fullmatch(name))):
        try:
            return body.decode(name)
        except (UnicodeError, LookupError):
            continue
    text = body.decode("utf-8", errors="replace")
    lost = text.count(_LOST)
    is_mostly_utf8 = len(text) - len(text.encode("ascii", errors="ignore")) > 2 * lost
    return text if is_mostly_utf8 else body.decode("cp1252", errors="replace")


def _mended(place: str, text: str, root: tuple[str, int], *, entry: str, error: Exception) -> Document:
    """Return the entries of a document that is not well-formed, each parsed on its own within the root's start tag."""
    name, at = root
    end = text.find(">", at)
    if end < 0 or end - at > LONGEST_ROOT or "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise SourceFailed(f"{place}: the answer is not XML: {error}") from error
    head, tail = text[at : end + 1], f"</{name}>"
    starts = [found.start() for found in re.finditer(rf"<(?:[\w.-]+:)?{entry}(?=[\s>])", text)]
    stops = [*starts[1:], len(text)][: len(starts)]
    if len(starts) > MOST_ENTRIES:
        raise SourceFailed(
            f"{place}: the answer is not XML and has more than {MOST_ENTRIES:,} entries: {error}"
        ) from error
    end_tag = re.compile(rf"</(?:[\w.-]+:)?{entry}\s{{0,100}}>")
    entries: list[Element | RejectedLine] = []
    rest = [text[: starts[0]] if starts else text]
    for number, (start, stop) in enumerate(zip(starts, stops, strict=True), start=1):
        closed = end_tag.search(text, start, stop)
        piece = text[start : closed.end()] if closed else None
        entries.append(_piece(head, piece, tail) or RejectedLine(number, f"broken: {error}", text[start:stop][:SHOWN]))
        rest.append(text[closed.end() : stop] if closed else "")
    is_whole = text.rstrip().endswith(tail)
    if not entries and not is_whole:
        raise SourceFailed(f"{place}: the answer is not XML: {error}") from error
    return Document(place, tuple(entries), None, "".join(rest), is_whole=is_whole)


def _piece(head: str, piece: str | None, tail: str) -> Element | None:
    if piece is None:
        return None
    try:
        return parsed(f"{head}{piece}{tail}")[0]
    except (ParseError, ValueError, IndexError):
        return None


def _built(
    entry: Element | RejectedLine, number: int, build: Callable[[Element], PaperRecord | Deletion | None]
) -> PaperRecord | Deletion | RejectedLine | None:
    if isinstance(entry, RejectedLine):
        return entry
    try:
        return build(entry)
    except BadRecord as error:
        return RejectedLine(
            number, line_of_text(str(error), name="reason"), tostring(entry, encoding="unicode")[:SHOWN]
        )
