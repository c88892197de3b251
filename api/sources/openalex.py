"""OpenAlex: citations, references, fields of study and the published paper of papers that are here."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from urllib.parse import urlencode

from api.ids import is_arxiv_id, normalised_id
from api.sources.answers import json_of, list_of, records_of_objects, said_by
from api.sources.records import (
    ARXIV_DOI,
    BadRecord,
    Json,
    PaperRecord,
    authors_of,
    count_of,
    doi_of,
    summary_of,
    title_of,
    words_of,
)
from api.sources.steps import Ask, Found, Got, Step, count_in, rate_wait, refuse_failure

SOURCE: Final = "openalex"
IDS_A_REQUEST: Final = 50  # it takes 100; a few have more than one work
WORKS_A_PAGE: Final = 100  # the most that it gives
FEWEST: Final = 10  # objects of which one must be understood; a few works may well all be odd
MOST_WORDS: Final = 20_000  # of an abstract
FIELDS: Final = (
    "doi,title,authorships,locations,abstract_inverted_index,cited_by_count,referenced_works_count,primary_topic,topics"
)


@dataclass(frozen=True, slots=True)
class Options:
    """The papers to ask for, by their arXiv ids; others are left out."""

    ids: tuple[str, ...]
    api_key: str | None = field(default=None, repr=False)
    base_url: str = "https://api.openalex.org"
    ids_a_request: int = IDS_A_REQUEST


def first(cursor: Json | None, *, now: datetime, options: Options) -> Ask | None:  # noqa: ARG001 - as all are called
    """Return the question for the first papers, or for those at which a run was interrupted."""
    return _ask(options, count_in(cursor, "at"))


def read(got: Got, cursor: Json | None, *, now: datetime, options: Options) -> Step:
    """Return what is known of the papers; those that it does not know give nothing."""
    at = count_in(cursor, "at")
    ids = _ids(options, at)
    refuse_failure(got, now=now, said=said_by(got))
    answer = json_of(got)
    results = answer.get("results") if isinstance(answer, dict) else None
    works = list_of(answer if results is None else results, place=got.place, name="results")
    wanted = {external_id.lower(): external_id for external_id in ids}
    found = records_of_objects(works, lambda work: record_of(work, wanted), place=got.place, fewest=FEWEST)
    records = _most_cited(found)
    following = _ask(options, at + len(ids))
    if following is None:
        return Step(records, {}, is_done=True)
    return Step(records, {"at": at + len(ids)}, following, wait_seconds=rate_wait(got))


def record_of(work: Json, wanted: dict[str, str]) -> PaperRecord:
    """Return what a work says of the paper among those wanted ({arXiv id in lower case: id}) that it is."""
    external_id = next((wanted[name] for name in _arxiv_ids(work) if name in wanted), None)
    if external_id is None:
        raise BadRecord("the work is none of those that were asked for")
    return PaperRecord(
        title=title_of(work.get("title")),
        source=SOURCE,
        external_id=external_id,
        summary=summary_of(_abstract(work.get("abstract_inverted_index"))),
        authors=authors_of([_inner(author, "author") for author in _list(work.get("authorships"))]),
        doi=doi_of(work.get("doi")),
        citations=count_of(work.get("cited_by_count"), name="cited_by_count"),
        references=count_of(work.get("referenced_works_count"), name="referenced_works_count"),
        fields=_fields(work),
    )


def _arxiv_ids(work: Json) -> list[str]:
    """Return the arXiv ids of a work: in its DOI, or where copies of it lie, in lower case."""
    locations = [place for place in _list(work.get("locations")) if isinstance(place, dict)]
    addresses = [place.get(name) for place in locations for name in ("landing_page_url", "pdf_url")]
    found = []
    for address in [work.get("doi"), *addresses]:
        if isinstance(address, str) and "arxiv" in address.lower():
            try:
                found.append(normalised_id(address).lower())
            except ValueError:
                continue
    return found


def _abstract(index: object) -> str:
    """Return the text of an index of words to their positions; empty where it is none or too long."""
    if not isinstance(index, dict) or len(index) > MOST_WORDS:
        return ""
    places = [(at, word) for word, positions in index.items() for at in _list(positions) if type(at) is int]
    return " ".join(word for _, word in sorted(places)) if len(places) <= MOST_WORDS else ""


def _fields(work: Json) -> tuple[str, ...]:
    """Return the fields of study, that of the primary topic first."""
    topics = [work.get("primary_topic"), *_list(work.get("topics"))]
    fields = [topic.get("field") for topic in topics if isinstance(topic, dict)]
    names = [field.get("display_name") for field in fields if isinstance(field, dict)]
    return words_of(names, name="field", separator=None)


def _most_cited(found: tuple[Found, ...]) -> tuple[Found, ...]:
    """Return one record for each paper: a preprint and what it was published as may be two works."""
    best: dict[str, PaperRecord] = {}
    for record in found:
        if isinstance(record, PaperRecord) and record.external_id is not None:
            known = best.get(record.external_id)
            if known is None or (record.citations or 0) > (known.citations or 0):
                best[record.external_id] = record
    return (*best.values(), *(record for record in found if not isinstance(record, PaperRecord)))


def _inner(value: object, name: str) -> object:
    """Return the author within an authorship, whose name is a `display_name`."""
    inner = value.get(name) if isinstance(value, dict) else None
    return {"name": inner.get("display_name")} if isinstance(inner, dict) else {"name": None}


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _ids(options: Options, at: int) -> tuple[str, ...]:
    known = [external_id for external_id in options.ids if is_arxiv_id(external_id)]
    return tuple(known[at : at + min(options.ids_a_request, IDS_A_REQUEST)])


def _ask(options: Options, at: int) -> Ask | None:
    ids = _ids(options, at)
    if not ids:
        return None
    dois = "|".join(f"{ARXIV_DOI}{external_id.lower()}" for external_id in ids)
    values = {"filter": f"doi:{dois}", "select": FIELDS, "per_page": str(WORKS_A_PAGE)}
    values |= {"api_key": options.api_key} if options.api_key else {}
    return Ask(f"{options.base_url.rstrip('/')}/works?{urlencode(values, safe=':/|,')}")
