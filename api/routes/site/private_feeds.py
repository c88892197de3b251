"""A reader's own feed under secret addresses, and the page where they are made and revoked."""

from datetime import UTC, datetime
from functools import partial
from typing import Final

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from api.errors import InvalidRequest, NotAllowed
from api.routes.deps import RuntimeDep
from api.routes.feed import chance_of
from api.routes.feed_lists import read_list
from api.routes.hub_feed import steady_slate_id
from api.routes.site.feed_answers import is_current, not_modified, own_address, private_validators, read_form
from api.routes.site.notices import NOTICES
from api.routes.site.visiting import Visit, VisitDep, render, see_other
from api.routes.site.visiting import read_form as read_page_form
from api.runtime.state import Runtime
from api.services import feed_addresses
from api.services.feed_channels import Found
from api.services.private_feeds import private_channel
from api.services.syndication import CONTENT_TYPES
from api.services.syndication_xml import WRITERS
from api.store.feed_addresses import FoundAddress
from api.store.feed_cache import CachedList
from api.store.users import ensure_users

router = APIRouter(include_in_schema=False)

PRIVATE: Final = "private, no-cache"  # kept by its reader alone, who asks each time whether it has changed
HIDDEN: Final = {"X-Robots-Tag": "noindex", "Referrer-Policy": "no-referrer"}
SETTINGS: Final = "/settings/feeds"
NOTICES["feed-revoked"] = "This address does not work any more."


@router.get("/feeds/private/{secret}.{ending}")
async def read_private_feed(request: Request, runtime: RuntimeDep, secret: str, ending: str) -> Response:
    """The feed of whoever made the address; reading it is no impression, opening a paper from it is a click."""
    form, base = read_form(ending), own_address(request, runtime)
    owner = await run_in_threadpool(_find_owner, runtime, secret)
    feed = await read_list(runtime, owner.user_id)
    found = await run_in_threadpool(_make, runtime, owner, feed, base=base, secret=secret)
    known = private_validators(found, form)
    if is_current(request.headers, known):
        response = not_modified(known, PRIVATE)
    else:
        body = await run_in_threadpool(WRITERS[form], found.channel)
        response = Response(body, media_type=CONTENT_TYPES[form], headers={**known, "Cache-Control": PRIVATE})
    response.headers.update(HIDDEN)
    return response


@router.get(SETTINGS)
async def read_feed_settings(request: Request, runtime: RuntimeDep, visit: VisitDep) -> Response:
    """The reader's addresses, and the feeds that everybody can subscribe to."""
    return await _show(request, runtime, visit)


@router.post(SETTINGS)
async def post_address(request: Request, runtime: RuntimeDep, visit: VisitDep) -> Response:
    """Make an address and show it, this once."""
    form = await read_page_form(request, visit)
    _check_owner(visit)
    make = partial(_make_address, runtime, visit, label=form.get("label"))
    secret = await run_in_threadpool(make)
    return await _show(request, runtime, visit, made=f"{own_address(request, runtime)}/feeds/private/{secret}")


@router.post(SETTINGS + "/revoke")
async def post_revocation(request: Request, runtime: RuntimeDep, visit: VisitDep) -> Response:
    """End an address."""
    form = await read_page_form(request, visit)
    _check_owner(visit)
    number = form.get("address")
    if not number.isdecimal() or not number.isascii() or len(number) > 18:
        raise InvalidRequest("this form names no address", field="address")
    await run_in_threadpool(_revoke, runtime, visit, int(number))
    return see_other(visit.link(SETTINGS), told="feed-revoked")


def may_have_addresses(visit: Visit) -> bool:
    """True for those who come back as the same reader: signed in, or picked on this machine."""
    return visit.account is not None or visit.is_picked


def _check_owner(visit: Visit) -> None:
    if not may_have_addresses(visit):
        raise NotAllowed("sign in first: a private feed belongs to an account")


async def _show(request: Request, runtime: Runtime, visit: Visit, *, made: str = "") -> Response:
    own = await run_in_threadpool(_list_own, runtime, visit.user_id) if may_have_addresses(visit) else []
    return render(
        request,
        visit,
        "site/feeds.html",
        addresses=own,
        made=made,
        may_have=may_have_addresses(visit),
        is_full=len(own) >= feed_addresses.MOST_ADDRESSES,
        base=own_address(request, runtime),
    )


def _find_owner(runtime: Runtime, secret: str) -> FoundAddress:
    with runtime.db.read() as session:
        return feed_addresses.find_feed_of(session, secret)


def _make(runtime: Runtime, owner: FoundAddress, feed: CachedList, *, base: str, secret: str) -> Found:
    chance, slate_id = chance_of(runtime, feed), steady_slate_id(feed, owner.external_user)
    with runtime.db.read() as session:
        return private_channel(
            runtime, session, owner, feed, base=base, secret=secret, slate_id=slate_id, chance=chance
        )


def _list_own(runtime: Runtime, user_id: int | None) -> list[feed_addresses.Address]:
    with runtime.db.read() as session:
        return feed_addresses.list_addresses(session, user_id)


def _make_address(runtime: Runtime, visit: Visit, *, label: str) -> str:
    now = datetime.now(UTC)
    with runtime.db.write() as session:
        found, _ = ensure_users(session, {visit.name}, now=now)  # a picked reader may have done nothing yet
        return feed_addresses.make_address(session, found[visit.name], label=label, now=now)


def _revoke(runtime: Runtime, visit: Visit, address_id: int) -> None:
    with runtime.db.write() as session:
        feed_addresses.revoke_address(session, visit.user_id or 0, address_id, now=datetime.now(UTC))
