"""Pages of lists that are the same for everybody: found once, written once, and for each visitor put together.

Such a page is kept as finished bytes with gaps for what is a visitor's own. Who is signed in, acts for somebody or is
to be told something gets it written around cards that are kept, too.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final, TypeAlias

import orjson
from fastapi import Request, Response
from starlette.concurrency import run_in_threadpool

from api.routes.deps import read_runtime
from api.routes.rendering import page
from api.routes.site import notices
from api.routes.site.banners import Banner, find_banners, find_own_banners
from api.routes.site.cards import CardView, Shown, is_new, make_card, read_marks
from api.routes.site.finished import CSRF_GAP, SLATE_GAP, Finished, cut_page
from api.routes.site.last_visit import Moment
from api.routes.site.visiting import Visit, base_values, finish, render
from api.runtime.shared_pages import Key
from api.runtime.state import Runtime
from api.services.feed_places import Page
from api.services.shared_slates import arrange_shared
from api.services.slates import write_slate
from api.store.feed_codec import Source
from api.store.glance import NoGlanceError
from api.store.paper_marks import Marks, glance_marks
from api.store.votes import Votes

LISTED: Final = 20  # papers of a page: with its style and scripts it stays below 60 kB
KEEP_SECONDS: Final = 10.0  # in the memory of a process, while nothing changes; rendered papers follow within five
TRENDING_KEEP_SECONDS: Final = 5.0  # as long as a process trusts its trending board
MOST_VARIANTS: Final = 8  # of one page: at this machine or not, somebody or nobody, with this or that banner
LONG_AGO: Final = datetime.min.replace(tzinfo=UTC)
NOTHING_SAID: Final = Marks()
NO_VOTES: Final = Votes({})

Variant: TypeAlias = tuple[bool, bool, tuple[Banner, ...]]
Values: TypeAlias = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class SharedList:
    """What a page shows, as for somebody of whom nothing is known."""

    template: str
    values: Values  # for the template, beside the cards
    items: tuple[Shown, ...] = ()
    cards: tuple[CardView, ...] = ()  # of these, in their order
    names: Mapping[int, str] = field(default_factory=dict)  # external ids by internal ones
    newest: Moment | None = None  # when the last of them came, and the highest id; None where it shows no paper
    arranged: Page | None = None  # what its slates say
    last_event_pk: int = 0  # up to which votes of this service's readers are in the cards
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
    votes: Votes = NO_VOTES,
    status: int = 200,
) -> SharedList:
    """Return the page of these papers; `votes` are those of this service's readers, beside the ones at the source."""
    papers = runtime.papers.get_many(paper_ids)
    listed = [paper_id for paper_id in paper_ids if paper_id in papers]
    if not listed:
        return SharedList(template, values, status=status)
    items = []
    names: dict[int, str] = {}
    for paper_id in listed:
        paper = orjson.loads(papers[paper_id])
        names[paper_id] = paper["id"]
        items.append(Shown(paper, paper_id, votes=votes.by_paper.get(paper_id, 0)))
    return SharedList(
        template,
        values,
        items=tuple(items),
        cards=tuple(make_card(item, NOTHING_SAID) for item in items),
        names=names,
        newest=Moment(max(_listed_at(item) for item in items), max(listed)),
        arranged=arrange_shared(listed, source=source, first_rank=first_rank, now=datetime.now(UTC)),
        last_event_pk=votes.last_event_pk,
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
    return _answer(request, visit, key, shared, await find_marks(runtime, shared, visit))


async def find_marks(runtime: Runtime, shared: SharedList, visit: Visit) -> Marks:
    """Return what the visitor has said about the papers of a page, as things stand."""
    if visit.user_id is None:
        return NOTHING_SAID
    try:
        return glance_marks(runtime.glance, visit.user_id, shared.names)
    except NoGlanceError:
        return await run_in_threadpool(read_marks, runtime, list(shared.names.values()), visit)


def find_finished(runtime: Runtime, visit: Visit, shared: SharedList) -> Finished | None:
    """Return the page for a visitor who gets it without an account's name or a notice, None before it is written."""
    return shared.finished.get(_variant_of(runtime, visit))


def complete(runtime: Runtime, visit: Visit, shared: SharedList, finished: Finished, *, marks: Marks) -> Response:
    """Return a finished page with what is the visitor's own."""
    slate = _slate_of(runtime, shared, visit) if finished.slate_at else None
    return finished.answer(csrf=visit.csrf, slate=slate, own=_own_cards(shared, visit, marks))


def address_of(key: Key) -> str:
    """Return the address that a key stands for."""
    path, query = key
    return f"{path}?{query}" if query else path


def _answer(request: Request, visit: Visit, key: Key, shared: SharedList, marks: Marks) -> Response:
    runtime = read_runtime(request)
    if visit.account is None and not visit.is_picked and notices.COOKIE not in request.cookies:
        finished = find_finished(runtime, visit, shared) or _write_finished(request, visit, key, shared)
        response = complete(runtime, visit, shared, finished, marks=marks)
        finish(request, visit, response)
        return response
    own = _own_cards(shared, visit, marks)
    cards = [own.get(at, card) for at, card in enumerate(shared.cards)]
    slate = _slate_of(runtime, shared, visit)
    return render(request, visit, shared.template, status=shared.status, cards=cards, slate=slate, **shared.values)


def _variant_of(runtime: Runtime, visit: Visit) -> Variant:
    banners = (*find_banners(runtime), *find_own_banners(runtime, visit.user_id))
    return visit.is_operator, visit.user_id is not None, banners


def _has_news(shared: SharedList, visit: Visit) -> bool:
    """True when some of the papers came since the visitor was here before."""
    since, newest = visit.since, shared.newest
    if since is None or newest is None:
        return False
    return newest.newest_paper_id > since.newest_paper_id or newest.at > since.at


def _own_cards(shared: SharedList, visit: Visit, marks: Marks) -> dict[int, CardView]:
    """Return the cards that look otherwise to this visitor than to nobody in particular, by their places."""
    marked = marks.saved | marks.dismissed | marks.votes.keys()
    since = visit.since if _has_news(shared, visit) else None
    if not marked and since is None:
        return {}
    own = {}
    for at, (card, item) in enumerate(zip(shared.cards, shared.items, strict=True)):
        name, is_card_new = card.paper_id, is_new(item, since)
        if is_card_new or name in marked:
            own[at] = replace(
                card,
                is_saved=name in marks.saved,
                is_upvoted=name in marks.upvoted,
                is_dismissed=name in marks.dismissed,
                is_new=is_card_new,
                votes=card.votes + marks.votes_since(name, shared.last_event_pk),
            )
    return own


def _listed_at(item: Shown) -> datetime:
    at = item.paper["daily_at"]
    return LONG_AGO if at is None else datetime.fromisoformat(at)


def _write_finished(request: Request, visit: Visit, key: Key, shared: SharedList) -> Finished:
    runtime = read_runtime(request)
    variant = _variant_of(runtime, visit)
    anybody = replace(visit, name="", csrf=CSRF_GAP, since=None)
    slate = _slate_of(runtime, shared, anybody)
    values = {
        **base_values(request, anybody),
        **shared.values,
        "here": address_of(key),
        "path": key[0],
        "banners": variant[-1],
        "cards": shared.cards,
        "slate": slate if slate is None or visit.user_id is None else SLATE_GAP,
    }
    written = bytes(page(shared.template, status=shared.status, **values).body).decode()
    route = getattr(request.scope.get("route"), "path", key[0])
    finished = cut_page(written, shared.cards, route=route, status=shared.status)
    if len(shared.finished) >= MOST_VARIANTS:
        shared.finished.clear()
    shared.finished[variant] = finished
    return finished


def _slate_of(runtime: Runtime, shared: SharedList, visit: Visit) -> str | None:
    reader = visit.slate_reader
    if shared.arranged is None or reader is None:
        return None
    variant = runtime.settings.variant
    return write_slate(runtime.keys, shared.arranged, user_id=reader, variant=variant, now=datetime.now(UTC))
