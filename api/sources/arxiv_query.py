"""The arXiv API: what is new in the categories, newest first, until the run meets what the last one has seen."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal
from urllib.parse import urlencode

from api.sources import arxiv
from api.sources.arxiv import ERROR_ID, text_of
from api.sources.records import Json, PaperRecord, RejectedLine
from api.sources.safe_xml import Document, read_document, records_of
from api.sources.steps import Ask, Found, Got, SourceFailed, Step, count_in, dict_in, refuse_failure, time_in

Order = Literal["lastUpdatedDate", "submittedDate"]

MOST_RESULTS: Final = 2_000  # that arXiv gives in one answer
FARTHEST: Final = 30_000  # results that arXiv counts at all


@dataclass(frozen=True, slots=True)
class Options:
    """What is asked for; by `lastUpdatedDate` new versions come, too."""

    categories: tuple[str, ...]
    base_url: str = "https://export.arxiv.org"
    order: Order = "lastUpdatedDate"
    page_size: int = 200
    first_papers: int = 300  # of the first run, which has seen nothing
    most_papers: int = 10_000  # of one run; what lies before them is left to the other ways into arXiv
    overlap: timedelta = timedelta(hours=6)  # that a run reads again: papers are listed a little out of order


def first(cursor: Json | None, *, now: datetime, options: Options) -> Ask | None:  # noqa: ARG001 - as all are called
    """Return the question with which a run begins, or with which an interrupted one goes on."""
    if not options.categories:
        return None
    return _ask(options, count_in(dict_in(cursor, "run"), "start"))


def read(got: Got, cursor: Json | None, *, now: datetime, options: Options) -> Step:
    """Return the papers of a page, and the next page unless this one reaches what has been seen."""
    refuse_failure(got, now=now, said=said_of(got))
    document = read_document(got, root="feed", entry="entry")
    if (error := error_of(document)) is not None:
        raise SourceFailed(f"{got.place}: arXiv answered with an error: {error}")
    records = records_of(document, arxiv.record_of)
    run = dict_in(cursor, "run")
    start = count_in(run, "start")
    if not document.entries and total_of(document) > start:
        raise SourceFailed(f"{got.place} is empty although there are more results, as arXiv's pages sometimes are")
    times = _times(records, options.order)
    newest = time_in(run, "newest") or (min(max(times), now) if times else None)
    if not document.is_whole:
        return Step(records, cursor or {}, problem=f"{got.place} ends before its end: half a page")
    seen = time_in(cursor, "seen")
    end = start + len(document.entries)
    is_last = not document.entries or end >= min(total_of(document) or FARTHEST, FARTHEST)
    if is_last or _is_reached(times, seen, end=end, options=options):
        return _done(records, newest, seen)
    if end >= options.most_papers:
        return _done(
            records, newest, seen, problem=f"stopped after {end} papers: older changes since {seen} are left out"
        )
    left: Json = {"seen": _said_time(seen), "run": {"start": end, "newest": _said_time(newest)}}
    return Step(records, left, _ask(options, end))


def _ask(options: Options, start: int) -> Ask:
    values = {
        "search_query": " OR ".join(f"cat:{category}" for category in options.categories),
        "sortBy": options.order,
        "sortOrder": "descending",
        "start": str(start),
        "max_results": str(min(options.page_size, MOST_RESULTS)),
    }
    return Ask(f"{options.base_url.rstrip('/')}/api/query?{urlencode(values, safe=':')}")


def _is_reached(times: list[datetime], seen: datetime | None, *, end: int, options: Options) -> bool:
    if seen is None:
        return end >= options.first_papers
    return bool(times) and min(times) <= seen - options.overlap


def _done(
    records: tuple[Found, ...], newest: datetime | None, seen: datetime | None, problem: str | None = None
) -> Step:
    times = [time for time in (newest, seen) if time is not None]
    return Step(records, {"seen": _said_time(max(times, default=None))}, is_done=True, problem=problem)


def _times(records: tuple[Found, ...], order: Order) -> list[datetime]:
    papers = [record for record in records if isinstance(record, PaperRecord)]
    times = [paper.revised_at if order == "lastUpdatedDate" else paper.published_at for paper in papers]
    return [time for time in times if time is not None]


def total_of(document: Document) -> int:
    text = document.text_of("totalResults") or ""
    return int(text) if text.isdecimal() and len(text) < 10 else 0


def error_of(document: Document) -> str | None:
    """Return what arXiv says is wrong: a feed of one entry, whose id is an address of errors."""
    for entry in document.entries:
        if not isinstance(entry, RejectedLine) and ERROR_ID in text_of(entry, "id"):
            return " ".join(text_of(entry, "summary").split())[:500] or "no reason given"
    return None


def said_of(got: Got) -> str:
    """Return the reason in the body of a failure: newer answers of arXiv have both a status and a feed."""
    if 200 <= got.status < 300:
        return ""
    try:
        return error_of(read_document(got, root="feed", entry="entry")) or ""
    except SourceFailed:
        return ""


def _said_time(time: datetime | None) -> str | None:
    return time.isoformat() if time else None
