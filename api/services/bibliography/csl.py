"""CSL-JSON, as Zotero, Mendeley and pandoc exchange it, and our own JSON, which keeps all that a library says."""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import orjson

from api.services.bibliography.bibtex import bibtex_key
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

OWN_FORMAT: Final = "paperfeed-library"
OWN_VERSION: Final = 1
OWN_NAME: Final = "paperfeed"  # under `custom`, where CSL lets programs keep what is theirs
_LOUD: Final = ("note", "archive_location", "archive", "number", "genre", "call-number", "source")
_MOST_NAME_PARTS: Final = ("given", "dropping-particle", "non-dropping-particle", "family", "suffix")
_LINES: Final = "\n"


def read_csl(text: str) -> ReadReferences:
    """Return the items of a CSL-JSON file, which is a list; their lines are their numbers."""
    content = _content(text)
    if isinstance(content, RejectedReference):
        return [], [content]
    items = content.get("items", [content]) if isinstance(content, dict) else content
    return _read_items(items, _csl_reference)


def read_json(text: str) -> ReadReferences:
    """Return the papers of a file of our own; their lines are their numbers."""
    content = _content(text)
    if isinstance(content, RejectedReference):
        return [], [content]
    if not isinstance(content, dict) or content.get("format") != OWN_FORMAT:
        return [], [reject(1, f'this is no library of ours, which says {{"format": "{OWN_FORMAT}"}}', text)]
    if content.get("version") != OWN_VERSION:
        said = _text(content.get("version"))[:20] or "without a number"  # whatever stands there may be nested deep
        return [], [reject(1, f"version {said} of the file is not known here", text)]
    return _read_items(content.get("papers"), _own_reference)


def is_own_json(text: str) -> bool:
    """True for a file that says that it is one of ours."""
    return f'"{OWN_FORMAT}"' in text[:400]


def write_csl(references: Iterable[Reference]) -> Iterator[str]:
    """Give a CSL-JSON file item by item."""
    yield "["
    used: set[str] = set()
    for number, reference in enumerate(references):
        key = bibtex_key(reference)
        key = key if key not in used else f"{key}_{number}"
        used.add(key)
        yield ("," if number else "") + _LINES + _dumped(_csl_item(reference, key))
    yield "\n]\n"


def write_json(references: Iterable[Reference]) -> Iterator[str]:
    """Give a file of our own paper by paper."""
    yield f'{{"format": "{OWN_FORMAT}", "version": {OWN_VERSION}, "papers": ['
    for number, reference in enumerate(references):
        yield ("," if number else "") + _LINES + _dumped(_own_item(reference))
    yield "\n]}\n"


def reference_as_json(reference: Reference) -> dict[str, Any]:
    """Return all that a reference says as plain JSON."""
    return _own_item(reference)


def reference_of_json(item: Mapping[str, Any], *, line: int = 0) -> Reference:
    """Return the reference that `reference_as_json` told; BadReference for anything that names no paper."""
    return _own_reference(item, line)


def _content(text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        pass_on = error
    try:  # it says where, and reads what is JSON by the letter, such as half a surrogate
        return json.loads(text)
    except json.JSONDecodeError as error:
        return reject(error.lineno, f"this is no JSON: {error.msg} at character {error.colno}", _line_of(text, error))
    except (ValueError, RecursionError):
        return reject(1, f"this is no JSON that can be read: {pass_on}", text)


def _line_of(text: str, error: json.JSONDecodeError) -> str:
    return text[max(0, error.pos - 80) : error.pos + 80]


def _read_items(items: Any, read: Any) -> ReadReferences:
    if not isinstance(items, list):
        return [], [reject(1, "there is no list of papers in it", "")]
    found: list[Reference] = []
    rejected: list[RejectedReference] = []
    for number, item in enumerate(items, start=1):
        if len(found) >= MOST_REFERENCES:
            rejected.append(too_many(number))
            break
        try:
            if not isinstance(item, dict):
                raise BadReference("an entry is an object")
            found.append(read(item, number))
        except BadReference as error:
            rejected.append(reject(number, str(error), _shown(item)))
    return found, bounded(rejected)


def _shown(item: object) -> str:
    try:
        return json.dumps(item, ensure_ascii=False)
    except RecursionError:
        return "an object that is nested too deep"


def _csl_reference(item: Mapping[str, Any], line: int) -> Reference:
    custom = item.get("custom")
    own = custom.get(OWN_NAME) if isinstance(custom, dict) else None
    own = own if isinstance(own, dict) else {}
    return tidy_reference(
        Reference(
            title=_text(item.get("title")),
            line=line,
            paper_id=_text(own.get("id")) or None,
            doi=_text(item.get("DOI")) or None,
            authors=_names(item.get("author")) or _names(item.get("editor")),
            published=_date(item.get("issued")),
            venue=_text(item.get("container-title")) or _text(item.get("publisher")),
            url=_text(item.get("URL")),
            abstract=_text(item.get("abstract")),
            category=_text(own.get("category")),
            tags=_texts(own.get("tags")) or _texts(item.get("keyword")),
            note=_text(item.get("annote")),
            saved_at=time_of_text(_text(own.get("saved_at"))),
            key=_text(item.get("id")),
        ),
        hints=_arxiv_hints(item),
    )


def _arxiv_hints(item: Mapping[str, Any]) -> list[str]:
    said = [text for name in _LOUD if (text := _text(item.get(name)))]
    said.append(_text(item.get("container-title")))
    number = _text(item.get("number"))
    is_arxiv = any("arxiv" in _text(item.get(name)).lower() for name in ("publisher", "archive", "source"))
    return [*said, f"arXiv:{number}"] if is_arxiv and find_arxiv_id(number) else said


def _own_reference(item: Mapping[str, Any], line: int) -> Reference:
    return tidy_reference(
        Reference(
            title=_text(item.get("title")),
            line=line,
            paper_id=_text(item.get("id")) or None,
            doi=_text(item.get("doi")) or None,
            authors=_texts(item.get("authors")),
            published=_text(item.get("published")),
            venue=_text(item.get("venue")),
            url=_text(item.get("url")),
            abstract=_text(item.get("abstract")),
            category=_text(item.get("category")),
            tags=_texts(item.get("tags")),
            note=_text(item.get("note")),
            saved_at=time_of_text(_text(item.get("saved_at"))),
            key=_text(item.get("key")),
            is_pending=item.get("is_pending") is True,
        )
    )


def _csl_item(reference: Reference, key: str) -> dict[str, Any]:
    date = [int(part) for part in reference.published.split("-") if part]
    own = {
        "id": reference.paper_id,
        "category": reference.category,
        "tags": list(reference.tags),
        "saved_at": reference.saved_at.isoformat() if reference.saved_at else None,
    }
    item = {
        "id": key,
        "type": "article-journal" if reference.venue else "article",
        "title": reference.title,
        "author": [{"literal": name} for name in reference.authors],
        "issued": {"date-parts": [date]} if date else None,
        "container-title": reference.venue,
        "DOI": reference.doi,
        "URL": reference.url,
        "number": f"arXiv:{reference.arxiv_id}" if reference.arxiv_id else None,
        "abstract": reference.abstract,
        "keyword": ", ".join(reference.tags),
        "annote": reference.note,
        "custom": {OWN_NAME: {name: value for name, value in own.items() if value}},
    }
    return {name: value for name, value in item.items() if value}


def _own_item(reference: Reference) -> dict[str, Any]:
    item = {
        "id": reference.paper_id,
        "title": reference.title,
        "authors": list(reference.authors),
        "published": reference.published,
        "venue": reference.venue,
        "doi": reference.doi,
        "url": reference.url,
        "abstract": reference.abstract,
        "category": reference.category,
        "tags": list(reference.tags),
        "note": reference.note,
        "saved_at": reference.saved_at.isoformat() if reference.saved_at else None,
        "key": reference.key,
        "is_pending": reference.is_pending,
    }
    return {name: value for name, value in item.items() if value}


def _dumped(item: Mapping[str, Any]) -> str:
    return orjson.dumps(item).decode()


def _text(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int):
        return ""
    try:
        return str(value)
    except ValueError:  # a number of thousands of digits
        return ""


def _texts(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    return tuple(_text(one) for one in value) if isinstance(value, list) else ()


def _names(value: object) -> tuple[str, ...]:
    people = value if isinstance(value, list) else []
    return tuple(name for person in people if isinstance(person, dict) and (name := _name(person)))


def _name(person: Mapping[str, Any]) -> str:
    literal = _text(person.get("literal"))
    return literal or " ".join(text for part in _MOST_NAME_PARTS if (text := _text(person.get(part)).strip()))


def _date(value: object) -> str:
    if not isinstance(value, dict):
        return _text(value)
    parts = value.get("date-parts")
    first = parts[0] if isinstance(parts, list) and parts else None
    if isinstance(first, list):
        return "-".join(text for part in first[:3] if (text := _text(part)))
    return _text(value.get("raw")) or _text(value.get("literal"))
