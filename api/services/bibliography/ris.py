"""RIS: two letters, two spaces, a hyphen and a value on each line, from TY to ER."""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from rispy.config import LIST_TYPE_TAGS, TAG_KEY_MAPPING  # type: ignore[import-untyped] # it ships no types
from rispy.parser import RisParser  # type: ignore[import-untyped] # it ships no types

from api.services.bibliography.reference import (
    MOST_REFERENCES,
    BadReference,
    ReadReferences,
    Reference,
    RejectedReference,
    bounded,
    reject,
    tidy_reference,
    time_of_text,
    too_many,
)

# Programs differ in the blanks: "TY  - JOUR", "TY - JOUR", "ER  -".
_LINE: Final = re.compile(r"\s{0,3}([A-Z][A-Z0-9])\s{0,2}-(?:\s(.*)|)$")
_NAMED_ARXIV: Final = re.compile(r"^arxiv\s*(?::|$)", re.IGNORECASE)
_END: Final = "ER  - "
_NOTE_TAG: Final = "N1"
_KEEPS_BLANKS: Final = "\u200b"  # begins a line of a note that begins with blanks, which readers of RIS cut off
_OURS: Final = "Paperfeed"  # in DP, the provider of a record
_TITLES: Final = ("title", "primary_title", "short_title")
_VENUES: Final = ("journal_name", "alternate_title3", "secondary_title", "alternate_title1", "alternate_title2",
                  "tertiary_title", "publisher")  # fmt: skip
_AUTHORS: Final = ("authors", "first_authors")
_DATES: Final = ("date", "year", "publication_year")
_HINTS: Final = ("accession_number", "number", "volume", "note", "custom1", "custom3", "archive", "type_of_work")
_DELIMITED: Final[dict[str, str]] = {}  # an address may hold a semicolon
_PARSER: Final = RisParser(
    mapping=TAG_KEY_MAPPING, list_tags=[*LIST_TYPE_TAGS, "UR", "L1", "L2"], delimiter_tags_mapping=_DELIMITED
)


def read_ris(text: str) -> ReadReferences:
    """Return the records of a RIS file in their order, and those that could not be read."""
    found: list[Reference] = []
    rejected: list[RejectedReference] = []
    for line, lines, problem in _records(text):
        if len(found) >= MOST_REFERENCES:
            rejected.append(too_many(line))
            break
        try:
            if problem:
                raise BadReference(problem)
            found.append(_reference(lines, line))
        except BadReference as error:
            rejected.append(reject(line, str(error), " ".join(lines)))
    return found, bounded(rejected)


def write_ris(references: Iterable[Reference]) -> Iterator[str]:
    """Give a RIS file record by record."""
    for reference in references:
        yield "".join(f"{tag}  - {value}\n" for tag, value in _lines(reference)) + "ER  - \n\n"


def _records(text: str) -> Iterator[tuple[int, list[str], str]]:
    """Give each record with its first line, its lines as rispy reads them, and what is wrong with it."""
    start = 0
    lines: list[list[str]] = []  # each with the lines that go on with it
    strays: list[tuple[int, str]] = []
    for number, line in enumerate(text.split("\n"), start=1):
        found = _LINE.match(line)
        tag = found[1] if found else ""
        value = (found[2] or "") if found else line
        if tag == "TY":
            yield from _stray(strays)
            if lines:
                yield start, _joined(lines), "this record has no end: a line ER is missing before the next one"
            start, lines, strays = number, [[f"TY  - {value}"]], []
        elif tag == "ER" and lines:
            yield start, _joined(lines), ""
            lines = []
        elif found and lines:
            lines.append([f"{tag}  - {value}"])
        elif lines:
            lines[-1].append(line)
        elif line.strip():
            strays.append((number, line))
    if lines:
        yield start, _joined(lines), ""  # programs forget the last one
    yield from _stray(strays)


def _joined(lines: Sequence[Sequence[str]]) -> list[str]:
    return ["\n".join(parts) for parts in lines]


def _stray(strays: Sequence[tuple[int, str]]) -> Iterator[tuple[int, list[str], str]]:
    """Give what stands outside of all records as one."""
    told = [(number, line) for number, line in strays if not line.strip().isdecimal()]  # some programs count records
    if told:
        yield told[0][0], [line for _, line in told], "this stands outside of all records, which begin with a line TY"


def _reference(lines: Sequence[str], line: int) -> Reference:
    parsed = _PARSER.parse_lines(iter([*lines, _END]))
    fields: dict[str, list[str]] = {}
    for name, value in parsed[0].items():
        values = value if isinstance(value, list) else [value]
        fields[name] = [one for one in values if isinstance(one, str)]
    is_ours = _OURS in fields.get("database_provider", [])
    urls = [*fields.get("urls", []), *fields.get("url", []), *fields.get("file_attachments1", [])]
    notes = fields.get("notes", [])
    return tidy_reference(
        Reference(
            title=_first(fields, _TITLES),
            line=line,
            paper_id=_first(fields, ("id",)) if is_ours else None,
            doi=_first(fields, ("doi",)) or None,
            authors=tuple(name if is_ours else _author(name) for part in _AUTHORS for name in fields.get(part, ())),
            published=_first(fields, _DATES),
            venue=_first(fields, _VENUES),
            url=next(iter(urls), ""),
            abstract=_first(fields, ("abstract", "notes_abstract")),
            category=_first(fields, ("custom7",)) if is_ours else "",
            tags=tuple(fields.get("keywords", ())),
            note="\n".join(one.removeprefix(_KEEPS_BLANKS) for one in notes) if is_ours else "\n\n".join(notes),
            saved_at=time_of_text(_first(fields, ("custom6",))) if is_ours else None,
            key=_first(fields, ("label", "id")),
        ),
        hints=[*urls, *(one for name in _HINTS for one in fields.get(name, ())), *_named_numbers(fields)],
    )


def _named_numbers(fields: dict[str, list[str]]) -> list[str]:
    """Return numbers of records that say that they are arXiv's."""
    archive = " ".join(fields.get("name_of_database", []) + fields.get("publisher", []))
    numbers = [*fields.get("accession_number", []), *fields.get("number", []), *fields.get("id", [])]
    return [f"arXiv:{one}" for one in numbers] if _NAMED_ARXIV.match(archive) else []


def _first(fields: dict[str, list[str]], names: Sequence[str]) -> str:
    return next((value for name in names for value in fields.get(name, ()) if value), "")


def _author(name: str) -> str:
    family, comma, given = name.partition(",")
    return f"{given.strip()} {family.strip()}".strip() if comma else name


def _lines(reference: Reference) -> Iterator[tuple[str, str]]:
    yield "TY", "JOUR" if reference.venue else "GEN"
    yield "TI", reference.title
    for name in reference.authors:
        yield "AU", name
    pairs = (
        ("PY", reference.published[:4]),
        ("DA", reference.published.replace("-", "/")),
        ("JO", reference.venue),
        ("DO", reference.doi or ""),
        ("UR", reference.url),
        ("AB", reference.abstract),
        ("ID", reference.paper_id or ""),
        ("C7", reference.category),
        ("C6", reference.saved_at.isoformat() if reference.saved_at else ""),
        ("DP", _OURS),
    )
    yield from ((tag, value) for tag, value in pairs if value)
    yield from (("KW", tag) for tag in reference.tags)
    for line in reference.note.split("\n") if reference.note else ():
        yield _NOTE_TAG, _KEEPS_BLANKS + line if line[:1].isspace() else line
