"""Pages of lists that are the same for everybody: found once, written once for all of whom nothing is known.

Such a page is kept as finished bytes with a gap for the token of its forms. Everybody else gets it written around
cards that are kept, too, with what they said about these papers.
"""

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final, TypeAlias

import orjson
from fastapi import Request, Response
from starlette.concurrency import run_in_threadpool

from api.routes.deps import read_runtime
from api.routes.rendering import PAGE_HEADERS, page
from api.routes.site import notices
from api.routes.site.banners import Banner, find_banners
from api.routes.site.cards import CardView, Shown, is_new, make_card, read_marks
from api.routes.site.last_visit import Moment
from api.routes.site.visiting import Visit, base_values, finish, render
from api.runtime.shared_pages import Key
from api.runtime.state import Runtime
from api.services.feed_places import Page
from api.services.shared_slates import arrange_shared
from api.services.slates import write_slate
from api.store.feed_codec import Source
from api.store.paper_marks import Marks

LISTED: Final = 20  # papers of a page: with its style and scripts it stays below 60 kB
KEEP_SECONDS: Final = 10.0  # in the memory of a process, while nothing changes; rendered papers follow within five
TRENDING_KEEP_SECONDS: Final = 5.0  # as long as a process trusts its trending board
MOST_VARIANTS: Final = 8  # of one page: at this machine or not, with this or that banner
PAGE_TYPE: Final = "text/html; charset=utf-8"
FINISHED_HEADERS: Final = {**PAGE_HEADERS, "Cache-Control": "private, no-store", "Vary": "Accept, Cookie"}
LONG_AGO: Final = datetime.min.replace(tzinfo=UTC)
NOTHING_SAID: Final = Marks()
_GAP: Final = f"csrf-{secrets.token_hex(16)}"  # stands where the token of a visitor's forms comes

Variant: TypeAlias = tuple[bool, tuple[Banner, ...]]
Values: TypeAlias = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Finished:
    """A page for visitors of whom nothing is known, but for the token of their forms."""

    parts: tuple[bytes, ...]  # what is around the gaps
    route: str  # as figures name it
    status: int

    def answer(self, visit: Visit) -> Response:
        """Return the page for one of them."""
        body = visit.csrf.encode("ascii").join(self.parts)
        return Response(body, status_code=self.status, media_type=PAGE_TYPE, headers=FINISHED_HEADERS)


@dataclass(frozen=True, slots=True)
class SharedList:
    """What a page shows, as for somebody of whom nothing is known."""

    template: str
    values: Values  # for the template, beside the cards
    items: tuple[Shown, ...] = ()
    cards: tuple[CardView, ...] = ()  # of these, in their order
    newest: Moment | None = None  # when the last of them came, and the highest id; None where it shows no paper
    arranged: Page | None = None  # what its slates say
    votes: Mapping[str, int] = field(default_factory=dict)  # of this service's readers, by external id
    status: int = 200
    finished: dict[Variant, Finished] = field(default_factory=dict, compare=False)


def make_shared(
    runtime: Runtime,
    template: str,
    paper_ids: Sequence[int],
    values: Values,
    *,
    source: Source,
    first_rank: int = 1,
    votes: Mapping[int, int] | None = None,
    status: int = 200,
) -> SharedList:
    """Return the page of these papers; `votes` are those of this service's readers, beside the ones at the source."""
    papers = runtime.papers.get_many(paper_ids)
    listed = [paper_id for paper_id in paper_ids if paper_id in papers]
    if not listed:
        return SharedList(template, values, status=status)
    items = []
    here: dict[str, int] = {}
    for paper_id in listed:
        paper = orjson.loads(papers[paper_id])
        here[paper["id"]] = (votes or {}).get(paper_id, 0)
        items.append(Shown({**paper, "upvotes": paper["upvotes"] + here[paper["id"]]}, paper_id))
    return SharedList(
        template,
        values,
        items=tuple(items),
        cards=tuple(make_card(item, NOTHING_SAID) for item in items),
        newest=Moment(max(_listed_at(item) for item in items), max(listed)),
        arranged=arrange_shared(listed, source=source, first_rank=first_rank, now=datetime.now(UTC)),
        votes=here,
        status=status,
    )


async def answer_shared(
    request: Request, visit: Visit, key: Key, make: Callable[[], SharedList], *, keep_seconds: float = KEEP_SECONDS
) -> Response:
    """Return the page under this key for a visitor; `make` finds it where it is not kept."""
    runtime = read_runtime(request)
    shared = runtime.pages.find(key, SharedList)
    if shared is None:
        shared = await run_in_threadpool(runtime.pages.build, key, make, SharedList, keep_seconds=keep_seconds)
    if visit.user_id is None:
        return _answer(request, visit, key, shared, NOTHING_SAID)
    names = [card.paper_id for card in shared.cards]
    marks = await run_in_threadpool(read_marks, runtime, names, visit)
    return _answer(request, visit, key, shared, marks)


def find_finished(runtime: Runtime, visit: Visit, shared: SharedList) -> Finished | None:
    """Return the page for a visitor of whom nothing is known, None where it is not written yet or shows them news."""
    if _has_news(shared, visit):
        return None
    return shared.finished.get((visit.is_operator, tuple(find_banners(runtime))))


def address_of(key: Key) -> str:
    """Return the address that a key stands for."""
    path, query = key
    return f"{path}?{query}" if query else path


def _answer(request: Request, visit: Visit, key: Key, shared: SharedList, marks: Marks) -> Response:
    runtime = read_runtime(request)
    if _is_nobody(request, visit) and not _has_news(shared, visit):
        finished = find_finished(runtime, visit, shared) or _write_finished(request, visit, key, shared)
        response = finished.answer(visit)
        finish(request, visit, response)
        return response
    cards = [_card_for(at, shared, visit, marks) for at in range(len(shared.cards))]
    slate = _slate_of(runtime, shared, visit)
    return render(request, visit, shared.template, status=shared.status, cards=cards, slate=slate, **shared.values)


def _is_nobody(request: Request, visit: Visit) -> bool:
    is_known = visit.user_id is not None or visit.account is not None or visit.is_picked
    return not is_known and notices.COOKIE not in request.cookies


def _has_news(shared: SharedList, visit: Visit) -> bool:
    """True when some of the papers came since the visitor was here before."""
    since, newest = visit.since, shared.newest
    if since is None or newest is None:
        return False
    return newest.newest_paper_id > since.newest_paper_id or newest.at > since.at


def _card_for(at: int, shared: SharedList, visit: Visit, marks: Marks) -> CardView:
    card, item = shared.cards[at], shared.items[at]
    name = card.paper_id
    is_marked = name in marks.saved or name in marks.upvoted or name in marks.dismissed
    if is_marked:
        card = make_card(_without_own_vote(item, shared, marks), marks)
    return replace(card, is_new=True) if is_new(item, visit.since) else card


def _without_own_vote(item: Shown, shared: SharedList, marks: Marks) -> Shown:
    """Return the paper with the votes of others: a card adds the visitor's own."""
    name = item.paper["id"]
    if name not in marks.upvoted or not shared.votes.get(name):
        return item
    return replace(item, paper={**item.paper, "upvotes": item.paper["upvotes"] - 1})


def _listed_at(item: Shown) -> datetime:
    at = item.paper["daily_at"]
    return LONG_AGO if at is None else datetime.fromisoformat(at)


def _write_finished(request: Request, visit: Visit, key: Key, shared: SharedList) -> Finished:
    runtime = read_runtime(request)
    banners = find_banners(runtime)
    anybody = replace(visit, name="", csrf=_GAP, since=None)
    slate = _slate_of(runtime, shared, anybody)
    values = {
        **base_values(request, anybody),
        **shared.values,
        "here": address_of(key),
        "path": key[0],
        "banners": banners,
        "cards": shared.cards,
        "slate": slate,
    }
    written = bytes(page(shared.template, status=shared.status, **values).body)
    route = getattr(request.scope.get("route"), "path", key[0])
    finished = Finished(tuple(written.split(_GAP.encode("ascii"))), route, shared.status)
    if len(shared.finished) >= MOST_VARIANTS:
        shared.finished.clear()
    shared.finished[visit.is_operator, tuple(banners)] = finished
    return finished


def _slate_of(runtime: Runtime, shared: SharedList, visit: Visit) -> str | None:
    reader = visit.slate_reader
    if shared.arranged is None or reader is None:
        return None
    variant = runtime.settings.variant
    return write_slate(runtime.keys, shared.arranged, user_id=reader, variant=variant, now=datetime.now(UTC))
