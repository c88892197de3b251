"""The papers of an author, an organisation or a category, newest first."""

from datetime import timedelta
from functools import partial
from typing import Final
from urllib.parse import quote

from fastapi import APIRouter, Request, Response

from api.errors import InvalidCursor, NotFound
from api.routes.deps import RuntimeDep
from api.routes.narrowing import LONGEST_CATEGORY
from api.routes.site.asking import key_of, page_links, read_page_number
from api.routes.site.shared_lists import LISTED, SharedList, answer_shared, make_shared
from api.routes.site.subjects import NAMES
from api.routes.site.visiting import VisitDep
from api.runtime.state import Runtime
from api.services.cursors import decode_cursor, encode_cursor
from api.services.named_lists import NEWEST_READ, NamedList, list_by_author, list_by_organization
from api.store.feed_codec import Source
from api.store.papers import Place, count_in_category, latest_paper_ids
from api.store.tables import EPOCH, ONE_MICROSECOND
from api.store.votes import count_votes

router = APIRouter(include_in_schema=False)

TEMPLATE: Final = "site/list.html"
LONGEST_NAME: Final = 200  # characters
MOST_COUNTED: Final = 10_000  # papers of a category: more take longer than the page


@router.get("/authors/{name:path}")
async def read_author(request: Request, runtime: RuntimeDep, visit: VisitDep, name: str) -> Response:
    """The papers of everybody of this name: papers do not tell namesakes apart."""
    page, said = read_page_number(request.query_params), _read_name(name, longest=LONGEST_NAME)
    key = key_of(f"/authors/{said}", p=0 if page == 1 else page)
    return await answer_shared(request, visit, key, partial(_make_author, runtime, said, page=page))


@router.get("/organizations/{name:path}")
async def read_organization(request: Request, runtime: RuntimeDep, visit: VisitDep, name: str) -> Response:
    """The papers of an organisation."""
    page, said = read_page_number(request.query_params), _read_name(name, longest=LONGEST_NAME)
    key = key_of(f"/organizations/{said}", p=0 if page == 1 else page)
    return await answer_shared(request, visit, key, partial(_make_organization, runtime, said, page=page))


@router.get("/categories/{name:path}")
async def read_category(request: Request, runtime: RuntimeDep, visit: VisitDep, name: str) -> Response:
    """The papers of a category, as far back as one likes."""
    said, cursor = _read_name(name, longest=LONGEST_CATEGORY), request.query_params.get("cursor", "")
    shown, before = _read_place(runtime, said, cursor)
    key = key_of(f"/categories/{said}", cursor=cursor)
    return await answer_shared(request, visit, key, partial(_make_category, runtime, said, before, shown=shown))


def _make_author(runtime: Runtime, name: str, *, page: int) -> SharedList:
    found = list_by_author(runtime, name)
    feeds = f"/feeds/authors/{quote(found.name, safe='')}"
    return _make_named(runtime, found, path=f"/authors/{name}", page=page, feeds=feeds)


def _make_organization(runtime: Runtime, name: str, *, page: int) -> SharedList:
    found = list_by_organization(runtime, name)
    return _make_named(runtime, found, path=f"/organizations/{name}", page=page, feeds="")


def _make_named(runtime: Runtime, found: NamedList, *, path: str, page: int, feeds: str) -> SharedList:
    first = (page - 1) * LISTED
    paper_ids = found.paper_ids[first : first + LISTED]
    with runtime.db.read() as session:
        votes = count_votes(session, paper_ids)
    has_more = len(found.paper_ids) > first + LISTED
    values = {
        "title": f"Papers of {found.name}",
        "heading": found.name,
        "notes": _tell_named(found, page=page, is_there=bool(paper_ids)),
        "groups": (),
        "steps": (None, None),
        "pages": page_links(path, page=page, has_more=has_more),
        "end": "" if has_more or not paper_ids or found.is_degraded else _end(found),
        "feeds": feeds,
    }
    status = 200 if paper_ids else 503 if found.is_degraded else 404
    return make_shared(
        runtime, TEMPLATE, paper_ids, values, source=Source.LATEST, first_rank=first + 1, votes=votes, status=status
    )


def _tell_named(found: NamedList, *, page: int, is_there: bool) -> list[str]:
    if found.is_degraded:
        away = f"The search index is being made anew: until then the newest {NEWEST_READ:,} papers are looked through."
        return [away] if is_there else [away, "None of these is by this name. Try again in a few minutes."]
    if is_there:
        return [f"{found.total:,} paper{'s' if found.total != 1 else ''}, the newest first."]
    return ["This list has no page of this number." if page > 1 else "No paper here is by anybody of this name."]


def _end(found: NamedList) -> str:
    if found.total > len(found.paper_ids):
        return f"These are the newest {len(found.paper_ids):,}: a search finds older ones."
    return "These are all of them."


def _make_category(runtime: Runtime, name: str, before: Place | None, *, shown: int) -> SharedList:
    with runtime.db.read() as session:
        places = latest_paper_ids(session, categories=(name,), before=before, limit=LISTED + 1)
        paper_ids = [paper_id for paper_id, _ in places[:LISTED]]
        votes = count_votes(session, paper_ids)
        count = count_in_category(session, name, most=MOST_COUNTED + 1)
    following = None
    if len(places) > LISTED:
        paper_id, listed_at = places[LISTED - 1]
        at = (listed_at - EPOCH) // ONE_MICROSECOND
        following = encode_cursor(runtime.keys, _scope(name), [shown + LISTED, paper_id, at])
    path = f"/categories/{quote(name, safe='')}"
    values = {
        "title": f"Papers in {_named(name)}",
        "heading": _named(name),
        "notes": [_tell_count(count)] if paper_ids else ["There is no paper in this category."],
        "groups": (),
        "steps": (None, None),
        "pages": (path if shown else None, None if following is None else f"{path}?cursor={following}"),
        "end": "" if following or not paper_ids else "These are all of them.",
        "feeds": f"/feeds{path}",
    }
    return make_shared(
        runtime,
        TEMPLATE,
        paper_ids,
        values,
        source=Source.LATEST,
        first_rank=shown + 1,
        votes=votes,
        status=200 if paper_ids else 404,
    )


def _named(category: str) -> str:
    """Return a category in words with its code, the code alone where arXiv's name is not known here."""
    return f"{NAMES[category]} ({category})" if category in NAMES else category


def _tell_count(count: int) -> str:
    if count > MOST_COUNTED:
        return f"More than {MOST_COUNTED:,} papers, the newest first."
    return f"{count:,} paper{'s' if count != 1 else ''}, the newest first."


def _read_name(text: str, *, longest: int) -> str:
    name = " ".join(text.split())
    if not name or len(name) > longest or not name.isprintable():
        raise NotFound("nobody and nothing can have this name", name=text[:longest])
    return name


def _read_place(runtime: Runtime, name: str, cursor: str) -> tuple[int, Place | None]:
    """Papers shown before, and the last place of the page before."""
    if not cursor:
        return 0, None
    match decode_cursor(runtime.keys, _scope(name), cursor):
        case [int(shown), int(paper_id), int(microseconds)]:
            return shown, (paper_id, EPOCH + timedelta(microseconds=microseconds))
    raise InvalidCursor("this page does not belong to this list: start again with its first one", field="cursor")


def _scope(name: str) -> str:
    return f"category page\0{name}"
