"""Semantic Scholar: citations, references, fields of study and the published paper of papers that are here."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import orjson

from api.ids import is_arxiv_id
from api.sources.answers import json_of, list_of, records_of_objects, said_by
from api.sources.records import (
    BadRecord,
    Json,
    PaperRecord,
    authors_of,
    count_of,
    doi_of,
    id_of,
    line_of_text,
    summary_of,
    title_of,
    words_of,
)
from api.sources.steps import Ask, Found, Got, SourceFailed, Step, count_in, rate_wait, refuse_failure

SOURCE: Final = "semanticscholar"
IDS_A_REQUEST: Final = 500  # the most that it takes
FEWEST: Final = 10  # objects of which one must be understood; a few papers may well all be odd
FIELDS: Final = "externalIds,title,abstract,authors.name,citationCount,referenceCount,fieldsOfStudy,s2FieldsOfStudy"
NONE_KNOWN: Final = "No valid paper ids"  # how it answers when it knows none of the ids, with status 400


@dataclass(frozen=True, slots=True)
class Options:
    """The papers to ask for, by their arXiv ids; others are left out."""

    ids: tuple[str, ...]
    api_key: str | None = field(default=None, repr=False)
    base_url: str = "https://api.semanticscholar.org"
    ids_a_request: int = IDS_A_REQUEST


def first(cursor: Json | None, *, now: datetime, options: Options) -> Ask | None:  # noqa: ARG001 - as all are called
    """Return the question for the first papers, or for those at which a run was interrupted."""
    return _ask(options, count_in(cursor, "at"))


def read(got: Got, cursor: Json | None, *, now: datetime, options: Options) -> Step:
    """Return what is known of the papers; those that it does not know give nothing."""
    at = count_in(cursor, "at")
    ids = _ids(options, at)
    records: tuple[Found, ...] = ()
    said = said_by(got)
    if got.status != 400 or NONE_KNOWN not in said:
        refuse_failure(got, now=now, said=said)
        records = _records(got, ids)
    following = _ask(options, at + len(ids))
    if following is None:
        return Step(records, {}, is_done=True)
    return Step(records, {"at": at + len(ids)}, following, wait_seconds=rate_wait(got))


def record_of(paper: Json, external_id: str) -> PaperRecord:
    """Return what an object says of the paper that was asked for."""
    others = paper.get("externalIds")
    named: Json = others if isinstance(others, dict) else {}
    if (own := named.get("ArXiv")) is not None and id_of(own) != external_id:
        raise BadRecord(f"asked for {external_id}, got {line_of_text(own, name='ArXiv')[:40]}")
    return PaperRecord(
        title=title_of(paper.get("title")),
        source=SOURCE,
        external_id=external_id,
        summary=summary_of(paper.get("abstract")),
        authors=authors_of(paper.get("authors")),
        doi=doi_of(named.get("DOI")),
        citations=count_of(paper.get("citationCount"), name="citationCount"),
        references=count_of(paper.get("referenceCount"), name="referenceCount"),
        fields=_fields(paper),
    )


def _records(got: Got, ids: tuple[str, ...]) -> tuple[Found, ...]:
    """Return the papers of an answer, which has a place for each id, null where it knows none."""
    items = list_of(json_of(got), place=got.place, name="the answer")
    if len(items) != len(ids):
        raise SourceFailed(f"{got.place} answered {len(items)} objects to {len(ids)} ids")
    pairs: list[Json] = [
        {"id": external_id, "paper": item} for external_id, item in zip(ids, items, strict=True) if item is not None
    ]
    return records_of_objects(pairs, _record_of_pair, place=got.place, fewest=FEWEST)


def _record_of_pair(pair: Json) -> PaperRecord:
    paper = pair["paper"]
    if not isinstance(paper, dict):
        raise BadRecord("not a JSON object")
    return record_of(paper, str(pair["id"]))


def _fields(paper: Json) -> tuple[str, ...]:
    """Return the fields of study: those of publishers, then those that it finds itself."""
    found = paper.get("s2FieldsOfStudy")
    others = [item.get("category") for item in found if isinstance(item, dict)] if isinstance(found, list) else []
    named = words_of(paper.get("fieldsOfStudy"), name="fieldsOfStudy", separator=",")
    return words_of([*named, *others], name="s2FieldsOfStudy", separator=None)


def _ids(options: Options, at: int) -> tuple[str, ...]:
    known = [external_id for external_id in options.ids if is_arxiv_id(external_id)]
    return tuple(known[at : at + min(options.ids_a_request, IDS_A_REQUEST)])


def _ask(options: Options, at: int) -> Ask | None:
    ids = _ids(options, at)
    if not ids:
        return None
    headers = {"Content-Type": "application/json"} | ({"x-api-key": options.api_key} if options.api_key else {})
    body = orjson.dumps({"ids": [f"ARXIV:{external_id}" for external_id in ids]})
    return Ask(f"{options.base_url.rstrip('/')}/graph/v1/paper/batch?fields={FIELDS}", headers, body=body)
