"""arXiv's OAI-PMH: everything of a set that was added, revised or removed since the last harvest, set by set."""

import html
import re
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlencode
from xml.etree.ElementTree import Element

from api.ids import arxiv_version
from api.sources.arxiv import SOURCE, arxiv_id_of, is_withdrawn, text_of
from api.sources.records import (
    BadRecord,
    Deletion,
    Json,
    PaperRecord,
    categories_of,
    doi_of,
    line_of_text,
    summary_of,
    text_or_none,
    time_of,
    title_of,
)
from api.sources.safe_xml import Refused, decoded, read_document, records_of
from api.sources.steps import (
    Ask,
    Found,
    Got,
    SourceFailed,
    Step,
    count_in,
    dict_in,
    rate_wait,
    refuse_failure,
    text_in,
    texts_in,
    time_in,
)

MOST_RESTARTS: Final = 3  # of one set in one run, after tokens that expired
LONGEST_TOKEN: Final = 2_000  # characters
NO_RECORDS: Final = "noRecordsMatch"
BAD_TOKEN: Final = "badResumptionToken"  # noqa: S105 - a code of the protocol
WHOLE_ARCHIVE: Final = ""  # instead of a set
ERROR_WITHIN: Final = 8_192  # bytes; an error is a short document

_ERROR: Final = re.compile(r"""<error\s[^<>]{0,200}?code\s*=\s*["'](\w{1,40})["'][^<>]{0,200}>(?:([^<]*)</)?""")


@dataclass(frozen=True, slots=True)
class Options:
    """What is harvested: sets such as `cs` or `cs:cs:AI`, none for the whole archive."""

    base_url: str = "https://oaipmh.arxiv.org/oai"
    sets: tuple[str, ...] = ()
    first_days: int = 3  # of the first harvest of a set
    overlap_days: int = 1  # that a harvest reads again: dates of records have no time


@dataclass(frozen=True, slots=True)
class _Run:
    """A harvest under way: the day it began, the set it is at, those it has done, and where in the set it is."""

    began: str
    set_name: str
    done: tuple[str, ...] = ()
    token: str | None = None
    restarts: int = 0


def first(cursor: Json | None, *, now: datetime, options: Options) -> Ask | None:
    """Return the question with which a harvest begins, or with which an interrupted one goes on."""
    return _ask(options, _run(cursor, now=now, options=options), cursor, now=now)


def read(got: Got, cursor: Json | None, *, now: datetime, options: Options) -> Step:
    """Return the records of a part, then the next part, the next set or the end.

    A token that has expired begins its set again, from the day from which it was harvested.
    """
    run = _run(cursor, now=now, options=options)
    code, reason = _error_of(got)
    if code == BAD_TOKEN and run.token:
        return _restarted(run, cursor, f"{got.place}: the token has expired: {reason}", now=now, options=options)
    refuse_failure(got, now=now, said=f"{code} {reason}".strip())
    if code and code != NO_RECORDS:
        raise SourceFailed(f"{got.place}: arXiv answered {code}: {reason}")
    document = read_document(got, root="OAI-PMH", entry="record")
    records = records_of(document, record_of)
    token = document.text_of("resumptionToken")
    if not document.is_whole and not token:
        return Step(records, _kept(run, cursor), problem=f"{got.place} ends before its end: half a page")
    if token and (token == run.token or len(token) > LONGEST_TOKEN):
        restarted = _restarted(run, cursor, f"{got.place}: the token leads nowhere", now=now, options=options)
        return replace(restarted, records=records)
    if token:
        run = replace(run, token=token)
        return Step(records, _kept(run, cursor), _ask(options, run, cursor, now=now), wait_seconds=rate_wait(got))
    return _next_set(records, run, cursor, now=now, options=options)


def record_of(element: Element) -> PaperRecord | Deletion:
    """Return the paper of a record, or that it has been removed."""
    identifier = text_of(element, "header/{*}identifier")
    header = element.find("{*}header")
    if header is not None and header.get("status") == "deleted":
        return Deletion(arxiv_id_of(identifier), SOURCE)
    paper = element.find("{*}metadata/{*}arXiv")
    if paper is None:
        raise BadRecord("the record has no arXiv metadata")
    summary, comment = summary_of(text_of(paper, "abstract")), text_of(paper, "comments")
    return PaperRecord(
        title=title_of(text_of(paper, "title")),
        source=SOURCE,
        external_id=arxiv_id_of(text_of(paper, "id") or identifier),
        summary=summary,
        authors=_authors(paper),
        categories=categories_of(text_of(paper, "categories")),
        published_at=time_of(text_of(paper, "created"), name="created"),
        version=arxiv_version(text_of(paper, "id")),
        revised_at=time_of(text_of(paper, "updated"), name="updated"),
        is_withdrawn=is_withdrawn(summary, comment=comment),
        doi=doi_of(text_of(paper, "doi")),
        journal_ref=text_or_none(text_of(paper, "journal-ref"), name="journal-ref"),
    )


def _authors(paper: Element) -> tuple[str, ...]:
    names = (
        " ".join(part for part in (text_of(author, name) for name in ("forenames", "keyname", "suffix")) if part)
        for author in paper.iterfind("{*}authors/{*}author")
    )
    return tuple(name for name in (line_of_text(name, name="author") for name in names) if name)


def _run(cursor: Json | None, *, now: datetime, options: Options) -> _Run:
    kept, sets = dict_in(cursor, "run"), options.sets or (WHOLE_ARCHIVE,)
    set_name, began = text_in(kept, "set"), text_in(kept, "began")
    if set_name not in sets or began is None:
        return _Run(f"{now:%Y-%m-%d}", sets[0])
    done = tuple(texts_in(kept, "done"))
    return _Run(began, set_name, done, text_in(kept, "token"), count_in(kept, "restarts"))


def _ask(options: Options, run: _Run, cursor: Json | None, *, now: datetime) -> Ask:
    values = {"verb": "ListRecords"}
    if run.token:
        values["resumptionToken"] = run.token
    else:
        begin = text_in(dict_in(cursor, "from"), run.set_name) or f"{now - timedelta(days=options.first_days):%Y-%m-%d}"
        values |= {"metadataPrefix": "arXiv", "from": begin}
        values |= {"set": run.set_name} if run.set_name else {}
    return Ask(f"{options.base_url}?{urlencode(values, safe=':')}")


def _kept(run: _Run, cursor: Json | None) -> Json:
    state: Json = {"began": run.began, "set": run.set_name, "done": list(run.done)}
    state |= {"token": run.token, "restarts": run.restarts}
    return {"from": dict_in(cursor, "from"), "run": state}


def _next_set(records: tuple[Found, ...], run: _Run, cursor: Json | None, *, now: datetime, options: Options) -> Step:
    overlap = timedelta(days=options.overlap_days)
    began = time_in({"began": run.began}, "began") or now
    harvested: Json = {"from": dict_in(cursor, "from") | {run.set_name: f"{began - overlap:%Y-%m-%d}"}}
    done = (*run.done, run.set_name)
    left = [name for name in options.sets if name not in done]
    if not left:
        return Step(records, harvested, is_done=True)
    following = _Run(run.began, left[0], done)
    return Step(records, _kept(following, harvested), _ask(options, following, harvested, now=now))


def _restarted(run: _Run, cursor: Json | None, problem: str, *, now: datetime, options: Options) -> Step:
    if run.restarts >= MOST_RESTARTS:
        return Step((), _kept(replace(run, token=None, restarts=0), cursor), problem=problem)
    again = replace(run, token=None, restarts=run.restarts + 1)
    return Step((), _kept(again, cursor), _ask(options, again, cursor, now=now), problem=problem)


def _error_of(got: Got) -> tuple[str, str]:
    """Return the code and the reason of an error of the protocol, which may come with any status; empty if none."""
    try:
        text = decoded(got.body[:ERROR_WITHIN], content_type=got.header("content-type"))
    except Refused:
        return "", ""
    found = _ERROR.search(text)
    return (found[1], " ".join(html.unescape(found[2] or "").split())[:500]) if found else ("", "")
