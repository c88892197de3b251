"""A library of Zotero, asked for by its web API with a key of its reader: questions and answers, without network."""

import html
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

import nh3
import orjson

from api.services.bibliography.reference import (
    MOST_REFERENCES,
    BadReference,
    ReadReferences,
    Reference,
    RejectedReference,
    reject,
    tidy_reference,
    time_of_text,
    too_many,
)
from api.sources.steps import Ask, Got, SourceFailed, refuse_failure

ITEMS_A_PAGE: Final = 100  # the most that Zotero gives
MOST_ITEMS: Final = 2 * MOST_REFERENCES  # notes are items, too
KEY: Final = re.compile(r"[A-Za-z0-9]{10,100}")

_NO_KEY: Final = frozenset({401, 403})
_NOT_FOUND: Final = 404
_BACKOFF: Final = re.compile(r"\d{1,6}")
_VENUES: Final = ("publicationTitle", "proceedingsTitle", "bookTitle", "conferenceName", "repository", "university")
_HINTS: Final = ("archiveID", "archiveLocation", "extra", "reportNumber", "callNumber", "publicationTitle")
_BREAK: Final = re.compile(r"(?i)<(?:br|/p|/div|/li|/h\d|/blockquote)\b[^>]*>\s*")


class KeyRefused(Exception):
    """Zotero gives nothing for this key, and will not the next time either; the message says why."""


@dataclass(frozen=True, slots=True)
class ItemsPage:
    """Items of one answer, and how many the library has; `wait_seconds` before the next question."""

    items: tuple[Mapping[str, Any], ...]
    total: int
    wait_seconds: float


def ask_owner(key: str, *, base_url: str) -> Ask:
    """Return the question whose key this is."""
    return Ask(f"{base_url}/keys/current", _headers(key))


def read_owner(got: Got, *, now: datetime) -> str:
    """Return the path of the library that a key opens; KeyRefused, or SourceFailed where that cannot be read."""
    _check(got, now=now)
    said = _content(got)
    user = said.get("userID") if isinstance(said, dict) else None
    if not isinstance(user, int) or isinstance(user, bool):
        raise SourceFailed(f"{got.place} does not say whose key it is")
    access = said.get("access")
    own = access.get("user") if isinstance(access, dict) else None
    if not (isinstance(own, dict) and own.get("library")):
        raise KeyRefused("this key does not open your Zotero library: make one that may read it")
    return f"users/{user}"


def ask_items(key: str, library: str, start: int, *, base_url: str) -> Ask:
    """Return the question for a page of items, first added first, so that what is added meanwhile comes last."""
    query = f"format=json&include=data&limit={ITEMS_A_PAGE}&start={start}"
    return Ask(f"{base_url}/{library}/items?{query}&itemType=-attachment&sort=dateAdded&direction=asc", _headers(key))


def read_items(got: Got, *, now: datetime) -> ItemsPage:
    """Return a page of items; KeyRefused, or SourceFailed where it cannot be read."""
    _check(got, now=now)
    items = _content(got)
    total = got.header("total-results")
    if not isinstance(items, list) or not total.isdecimal() or len(total) > 9:
        raise SourceFailed(f"{got.place} is no page of a library")
    backoff = got.header("backoff").strip()
    wait = float(backoff) if _BACKOFF.fullmatch(backoff) else 0.0
    return ItemsPage(tuple(item for item in items if isinstance(item, dict)), int(total), wait)


def references_of(items: Sequence[Mapping[str, Any]], *, total: int) -> ReadReferences:
    """Return the papers of a library with their notes, last added first, and what is none; lines are numbers of items.

    `total`: how many items there are, as Zotero says; those that are missing are told.
    """
    datas = _distinct(items)
    notes = _notes(datas)
    rejected: list[RejectedReference] = []
    found: list[Reference] = []
    for number, data in reversed(list(enumerate(datas.values(), start=1))):
        if len(found) >= MOST_REFERENCES:
            rejected.append(too_many(number))
            break
        try:
            reference = _reference(data, number, notes=notes.get(_text(data.get("key")), []))
        except BadReference as error:
            rejected.append(reject(number, str(error), _text(data.get("title")) or _text(data.get("note"))))
        else:
            found += [reference] if reference is not None else []
    rejected += _others(datas)
    if len(datas) < total:
        reason = (
            f"{total - len(datas):,} items did not come, as a library that is changed meanwhile has it: import again"
        )
        rejected.append(reject(len(datas) + 1, reason, ""))
    return found, rejected


def _headers(key: str) -> dict[str, str]:
    return {"Zotero-API-Version": "3", "Zotero-API-Key": key}


def _check(got: Got, *, now: datetime) -> None:
    if got.status in _NO_KEY:
        raise KeyRefused("Zotero does not know this key, or it may not read this library")
    if got.status == _NOT_FOUND:
        raise KeyRefused("Zotero has no such key or library")
    refuse_failure(got, now=now)


def _content(got: Got) -> Any:
    try:
        return orjson.loads(got.body)
    except orjson.JSONDecodeError as error:
        raise SourceFailed(f"{got.place} is no JSON") from error


def _distinct(items: Sequence[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    found: dict[str, Mapping[str, Any]] = {}
    for item in items:
        data = item.get("data")
        key = _text(item.get("key")) or f"#{len(found)}"
        found[key] = data if isinstance(data, dict) else {}
    return found


def _notes(datas: Mapping[str, Mapping[str, Any]]) -> dict[str, list[str]]:
    """Return the notes of each item that is here, by its key."""
    found: dict[str, list[str]] = {}
    for data in datas.values():
        parent = _text(data.get("parentItem"))
        if data.get("itemType") == "note" and parent in datas:
            found.setdefault(parent, []).append(_plain(_text(data.get("note"))))
    return found


def _others(datas: Mapping[str, Mapping[str, Any]]) -> Iterator[RejectedReference]:
    """Tell of items that are no papers and belong to none."""
    marks = 0
    for number, data in enumerate(datas.values(), start=1):
        kind = data.get("itemType")
        if kind == "note" and _text(data.get("parentItem")) not in datas:
            yield reject(number, "a note that belongs to no paper", _plain(_text(data.get("note"))))
        marks += kind == "annotation"
    if marks:
        yield reject(len(datas), f"{marks:,} marks in PDF files stay in Zotero", "")


def _reference(data: Mapping[str, Any], number: int, *, notes: Sequence[str]) -> Reference | None:
    if data.get("itemType") in {"note", "annotation"}:
        return None
    tags = data.get("tags")
    reference = Reference(
        title=_text(data.get("title")),
        line=number,
        doi=_text(data.get("DOI")) or None,
        authors=_names(data.get("creators")),
        published=_text(data.get("date")),
        venue=next((text for name in _VENUES if (text := _text(data.get(name)))), ""),
        url=_text(data.get("url")),
        abstract=_text(data.get("abstractNote")),
        tags=tuple(_text(tag.get("tag")) for tag in tags if isinstance(tag, dict)) if isinstance(tags, list) else (),
        note="\n\n".join(notes),
        saved_at=time_of_text(_text(data.get("dateAdded"))),
        key=_text(data.get("key")),
    )
    tidy = tidy_reference(reference, hints=[_text(data.get(name)) for name in _HINTS])
    return replace(tidy, venue="") if tidy.venue.lower() == "arxiv" else tidy


def _names(creators: object) -> tuple[str, ...]:
    people = [one for one in creators if isinstance(one, dict)] if isinstance(creators, list) else []
    authors = [one for one in people if one.get("creatorType") == "author"] or people
    return tuple(
        name
        for one in authors
        if (name := _text(one.get("name")) or f"{_text(one.get('firstName'))} {_text(one.get('lastName'))}".strip())
    )


def _plain(text: str) -> str:
    """Return the words of a note, which Zotero keeps as HTML."""
    return html.unescape(nh3.clean(_BREAK.sub("\n", text), tags=set())).strip()


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
