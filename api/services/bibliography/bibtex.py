"""BibTeX, read with all its ways of writing a name and written so that reading it again gives the same."""

import itertools
import logging
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from bibtexparser.entrypoint import parse_string
from bibtexparser.library import Library
from bibtexparser.middlewares import RemoveEnclosingMiddleware, ResolveStringReferencesMiddleware
from bibtexparser.model import Block, Entry, Field, ImplicitComment, ParsingFailedBlock

from api.services.bibliography.ids import read_id_lines
from api.services.bibliography.latex import decode, encode, encode_title, split_level
from api.services.bibliography.reference import (
    MOST_REFERENCES,
    BadReference,
    ReadReferences,
    Reference,
    RejectedReference,
    bounded,
    find_arxiv_id,
    reject,
    tidy_reference,
    time_of_text,
    too_many,
)

MOST_STARTS: Final = 2 * MOST_REFERENCES  # definitions and comments are none
LONGEST_WORD_OF_KEY: Final = 20  # letters
OWN_FIELD: Final = "paperfeed"  # the id of a paper that has neither an arXiv id nor another place for it
ABSTRACT: Final = "abstract"

_START: Final = re.compile(r"@\w{1,40}\s{0,20}[{(]")
_PIECE: Final = re.compile(r"""\s*("[^"]*"|\{[^{}]*\}|[^\s"{}#]+)\s*(#|$)""")
_BRACE: Final = re.compile(r"[{}]")
_AND: Final = re.compile(r"\s+and\s+", re.IGNORECASE)
_COMMA: Final = re.compile(r"\s*,\s*")
_REMARK: Final = re.compile(r"\s*(?:[%#]|@comment\b)", re.IGNORECASE)
_LETTER: Final = re.compile(r"\w")
_OUTSIDE: Final = (
    "this stands outside of all entries, which begin with @, and is no arXiv id, DOI or address of a paper"
)
_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_VENUES: Final = ("journal", "journaltitle", "booktitle", "publisher", "school", "institution")
_NOTES: Final = ("annote", "annotation")
_HINTS: Final = ("howpublished", "note", "journal", "number", "volume", "file", "archive", "pages")
_STOP_WORDS: Final = frozenset({"a", "an", "the", "on", "of", "in", "and", "for", "to", "is", "are", "with", "from"})

# It logs what it cannot read, which is a reader's own text; here it is told to the reader instead.
logging.getLogger("bibtexparser").setLevel(logging.CRITICAL)


def read_bibtex(text: str) -> ReadReferences:
    """Return the entries of a BibTeX file in their order, with ids that stand between them, and what is neither."""
    text, cut = _cut(text)
    library = parse_string(text, parse_stack=[ResolveStringReferencesMiddleware(), RemoveEnclosingMiddleware()])
    found: list[Reference] = []
    rejected: list[RejectedReference] = []
    strings = {name.lower(): string.value for name, string in library.strings_dict.items()}
    for entry, line in _entries(library, rejected):
        try:
            found.append(_reference(entry, line, strings=strings))
        except BadReference as error:
            rejected.append(reject(line, str(error), entry.raw or entry.key))
    loose, others = read_id_lines(_loose_lines(library), reason=_OUTSIDE)
    found, rejected = sorted([*found, *loose], key=_line_of), sorted([*bounded(rejected), *others], key=_line_of)
    if len(found) > MOST_REFERENCES:
        cut = [too_many(found[MOST_REFERENCES].line)]
    if not found and not rejected and text.strip():
        rejected.append(reject(1, "there is no BibTeX entry in it, which begins with @", text))
    return found[:MOST_REFERENCES], [*rejected, *cut]


def write_bibtex(references: Iterable[Reference]) -> Iterator[str]:
    """Give a BibTeX file entry by entry; keys are unique, and a paper's own key changes only with its facts."""
    used: set[str] = set()
    for reference in references:
        key = bibtex_key(reference)
        number = 2
        while key.lower() in used:
            key = f"{bibtex_key(reference)}_{number}"
            number += 1
        used.add(key.lower())
        yield _entry_text(reference, key)


def bibtex_key(reference: Reference) -> str:
    """Return what to cite a paper by: family name, year, a word of its title, and its id, which makes it its own."""
    family = reference.authors[0].split()[-1] if reference.authors and reference.authors[0].split() else ""
    words = [_letters(word) for word in reference.title.split()]
    word = next((word for word in words if len(word) > 1 and word not in _STOP_WORDS), "")
    name = f"{_letters(family)}{reference.published[:4]}{word[:LONGEST_WORD_OF_KEY]}"
    own = re.sub(r"[^a-z0-9.]+", "-", (reference.paper_id or reference.doi or "").lower()).strip("-.")
    return "-".join(part for part in (name, own) if part) or "paper"


def _cut(text: str) -> tuple[str, list[RejectedReference]]:
    """Return as much of a file as is read: parsing takes time for every beginning of an entry, also of none."""
    starts = itertools.islice(_START.finditer(text), MOST_STARTS, None)
    first = next(starts, None)
    if first is None:
        return text, []
    return text[: first.start()], [too_many(text.count("\n", 0, first.start()) + 1)]


def _entries(library: Library, rejected: list[RejectedReference]) -> Iterator[tuple[Entry, int]]:
    """Give the entries with their lines; what is none goes to `rejected`."""
    for block in library.blocks:
        line = (block.start_line or 0) + 1
        if isinstance(block, Entry):
            yield block, line
        elif isinstance(block, ParsingFailedBlock):
            entry = block.ignore_error_block
            if isinstance(entry, Entry):  # such as a second one of the same key, which is not wrong here
                yield entry, line
            elif entry is None:
                reason = str(getattr(block.error, "abort_reason", "") or block.error).strip().rstrip(".")
                rejected.append(reject(line, f"this is no whole entry: {reason}", block.raw or ""))


def _loose_lines(library: Library) -> Iterator[tuple[int, str]]:
    """Give the lines that stand outside of entries, with their numbers; remarks and the rests of broken entries not."""
    before: Block | None = None
    for block in library.blocks:
        if isinstance(block, ImplicitComment):
            is_rest = isinstance(before, ParsingFailedBlock) and before.ignore_error_block is None
            first = _end_of_entry(block.comment) if is_rest else 0
            line = (block.start_line or 0) + 1 + block.comment.count("\n", 0, first)
            for number, text in enumerate(block.comment[first:].split("\n"), start=line):
                if _LETTER.search(text) and not _REMARK.match(text):
                    yield number, text
        before = block


def _end_of_entry(rest: str) -> int:
    """Return where an entry ends of whose beginning nothing can be made: behind the brace that nothing opens."""
    depth = 0
    for found in _BRACE.finditer(rest):
        depth += 1 if found[0] == "{" else -1
        if depth < 0:
            return found.end()
    return len(rest)


def _line_of(one: Reference | RejectedReference) -> int:
    return one.line


def _reference(entry: Entry, line: int, *, strings: Mapping[str, str]) -> Reference:
    fields: dict[str, str] = {}
    for field in entry.fields:
        value = _joined(field, strings)
        if value.strip():
            fields.setdefault(field.key.strip().lower(), value)
    plain = {
        name: decode(fields[name]) for name in (*_HINTS, *_VENUES, "title", "doi", "url", "date") if name in fields
    }
    url = plain.get("url", "") or plain.get("howpublished", "")
    paper_id = fields.get(OWN_FIELD) and decode(fields[OWN_FIELD])
    return tidy_reference(
        Reference(
            title=plain.get("title", ""),
            line=line,
            paper_id=paper_id or _eprint(fields),
            doi=plain.get("doi"),
            authors=_authors(fields.get("author") or fields.get("editor") or ""),
            published=plain.get("date", "") or _date(fields),
            venue=next((plain[name] for name in _VENUES if name in plain), ""),
            url=url,
            abstract=decode(fields.get(ABSTRACT, "")),
            category=decode(fields.get("primaryclass", "")),
            tags=(decode(fields.get("keywords", "")),),
            note=next((decode(fields[name]) for name in _NOTES if name in fields), ""),
            saved_at=time_of_text(fields.get("date-added") or fields.get("timestamp") or ""),
            key=entry.key,
        ),
        hints=[plain[name] for name in _HINTS if name in plain],
    )


def _joined(field: Field, strings: Mapping[str, str]) -> str:
    """Return a field's value, put together where it is written in pieces: `jan # " 1843"`."""
    text = field.value if isinstance(field.value, str) else ""
    if field.enclosing != "no-enclosing" or "#" not in text:
        return text
    pieces: list[str] = []
    at = 0
    while (piece := _PIECE.match(text, at)) is not None:
        said = piece[1]
        pieces.append(said[1:-1] if said[0] in '"{' else strings.get(said.lower(), said))
        at = piece.end()
        if not piece[2]:
            break
    return "".join(pieces) if at == len(text) else text


def _eprint(fields: Mapping[str, str]) -> str | None:
    """Return the arXiv id of an entry; ids of other archives are none."""
    archive = (fields.get("archiveprefix") or fields.get("eprinttype") or "arxiv").strip().lower()
    given = fields.get("eprint") or fields.get("arxiv") or fields.get("arxivid") or ""
    return find_arxiv_id(decode(given)) if archive == "arxiv" else None


def _date(fields: Mapping[str, str]) -> str:
    year, month = decode(fields.get("year", "")).strip(), decode(fields.get("month", "")).strip().lower()
    if month[:3] in _MONTHS:
        month = str(_MONTHS.index(month[:3]) + 1)
    return f"{year}-{month}" if month.isdecimal() and len(month) <= 2 else year


def _authors(text: str) -> tuple[str, ...]:
    names = (_author(name.strip()) for name in split_level(text, _AND))
    return tuple(name for name in names if name)


def _author(text: str) -> str:
    if text.lower() == "others":
        return ""
    parts = [decode(part).strip() for part in split_level(text, _COMMA)]
    if len(parts) == 1:
        return parts[0]
    family, *between, given = parts  # Family, Given and Family, Jr, Given
    return " ".join(part for part in (given, family, *between) if part)


def _entry_text(reference: Reference, key: str) -> str:
    is_arxiv = reference.arxiv_id is not None
    year, _, rest = reference.published.partition("-")
    month = rest[:2]
    fields = {
        "title": encode_title(reference.title),
        "author": " and ".join(_author_text(name) for name in reference.authors),
        "year": year,
        "month": _MONTHS[int(month) - 1] if month else "",
        "date": reference.published if rest[3:] else "",
        "journal": encode(reference.venue),
        "doi": encode(reference.doi or ""),
        "eprint": reference.paper_id if is_arxiv else "",
        "archiveprefix": "arXiv" if is_arxiv else "",
        "primaryclass": encode(reference.category),
        OWN_FIELD: "" if is_arxiv else encode(reference.paper_id or ""),
        "url": encode(reference.url),
        ABSTRACT: encode(reference.abstract),
        "keywords": encode(", ".join(reference.tags)),
        "annote": encode(reference.note),
        "date-added": reference.saved_at.isoformat() if reference.saved_at else "",
    }
    kind = "article" if reference.venue else "misc"
    lines = [f"  {name} = {_value(name, text)},\n" for name, text in fields.items() if text]
    return f"@{kind}{{{key},\n{''.join(lines)}}}\n\n"


def _value(name: str, text: str) -> str:
    return text if name == "month" else f"{{{text}}}"


def _author_text(name: str) -> str:
    """Return a name as LaTeX, in braces where it would be taken apart."""
    text = encode(name)
    is_apart = "," in name or _AND.search(f" {name} ") is not None or name.lower() in {"and", "others"}
    return f"{{{text}}}" if is_apart else text


def _letters(word: str) -> str:
    plain = unicodedata.normalize("NFKD", word)
    return "".join(one for one in plain.lower() if one.isascii() and one.isalnum())
