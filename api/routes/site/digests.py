"""Trending papers by mail for an address without a reader, and the links of all digests: to begin and to end them."""

from datetime import UTC, datetime
from functools import partial
from typing import Final

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from api import queue
from api.errors import InvalidRequest
from api.routes.deps import RuntimeDep
from api.routes.site.digest_forms import USUAL, Filled, choices, read_times, refill
from api.routes.site.mail_pages import SECRET_HEADERS, check_asking
from api.routes.site.notices import NOTICES
from api.routes.site.visiting import Visit, VisitDep, read_form, render, see_other
from api.runtime.state import Runtime
from api.services import digests
from api.services.digest_asking import subscribe_address
from api.services.digest_rendering import tell_schedule
from api.services.digest_times import Schedule
from api.services.mail_addresses import read_mail_address
from api.store.tables_mails import Digest

router = APIRouter(include_in_schema=False, prefix="/digest")

TEMPLATE: Final = "site/digest.html"
NOTICES["digest-changed"] = "Your digest comes at the new time from now on."


@router.get("")
def read_digest(request: Request, runtime: RuntimeDep, visit: VisitDep, sent: str = "") -> Response:
    """Offer trending papers by mail; say after the form was sent that a mail may be on its way."""
    if sent:
        keeps_mails = visit.is_operator and not runtime.settings.smtp_host
        return render(request, visit, "site/digest_sent.html", keeps_mails=keeps_mails)
    return render(request, visit, TEMPLATE, status=200, **choices(Filled("", USUAL)))


@router.post("")
async def post_digest(request: Request, runtime: RuntimeDep, visit: VisitDep) -> Response:
    """Ask the address by mail; the answer is the same whether or not it has a digest already."""
    form = await read_form(request, visit)
    try:
        schedule, address = read_times(form), read_mail_address(form.get("mail"))
    except InvalidRequest as error:
        return render(request, visit, TEMPLATE, status=error.status, **choices(refill(form, error)))
    await check_asking(request, runtime)
    if await run_in_threadpool(_subscribe, runtime, address, schedule):
        await run_in_threadpool(queue.send, queue.SEND_MAILS)
    return see_other("/digest?sent=1")


@router.get("/confirm/{token}")
def read_confirmation(request: Request, runtime: RuntimeDep, visit: VisitDep, token: str) -> Response:
    """Ask for one press of a button: programs that open every link in a mail begin nothing."""
    with runtime.db.read() as session:
        digest = digests.find_unconfirmed(session, token, now=datetime.now(UTC))
    if digest is None:
        return _secret(render(request, visit, "site/digest_stale.html", status=410))
    return _secret(render(request, visit, "site/digest_confirm.html", status=200, **_words_of(digest)))


@router.post("/confirm/{token}")
async def post_confirmation(request: Request, runtime: RuntimeDep, visit: VisitDep, token: str) -> Response:
    """Begin a digest: its address wants it."""
    await read_form(request, visit)
    digest = await run_in_threadpool(_confirm, runtime, token)
    if digest is None:
        return _secret(render(request, visit, "site/digest_stale.html", status=410))
    stop_token = digests.stop_token(digest)
    values = {**_words_of(digest), "stop_token": stop_token}
    return _secret(render(request, visit, "site/digest_begun.html", status=200, **values))


@router.get("/stop/{token}")
def read_stop(request: Request, runtime: RuntimeDep, visit: VisitDep, token: str) -> Response:
    """Show the digest of a link in one of its mails, with the button that ends it; looking changes nothing."""
    with runtime.db.read() as session:
        digest = digests.find_by_stop_token(session, token)
    if digest is None or digest.stopped_at is not None:
        return _secret(render(request, visit, "site/digest_stopped.html", status=200 if digest else 410))
    return _show_stop(request, visit, digest, Filled("", digests.schedule_of(digest)))


@router.post("/stop/{token}")
async def post_stop(request: Request, runtime: RuntimeDep, visit: VisitDep, token: str) -> Response:
    """End a digest, asked for by its page or by a mail program (RFC 8058): the link alone says that one may.

    No cookie, no form field and no redirect: a mail program has none and follows none. Again is no error.
    """
    await run_in_threadpool(_stop, runtime, token)
    return _secret(render(request, visit, "site/digest_stopped.html"))


@router.post("/change/{token}")
async def post_change(request: Request, runtime: RuntimeDep, visit: VisitDep, token: str) -> Response:
    """Let a digest come at other times."""
    form = await read_form(request, visit)
    try:
        schedule = read_times(form)
    except InvalidRequest as error:
        with runtime.db.read() as session:
            digest = digests.find_by_stop_token(session, token)
        if digest is None:
            return _secret(render(request, visit, "site/digest_stopped.html", status=410))
        return _show_stop(request, visit, digest, refill(form, error), status=error.status)
    await run_in_threadpool(partial(_change, runtime, token, schedule))
    return see_other(f"/digest/stop/{token}", told="digest-changed")


def _show_stop(request: Request, visit: Visit, digest: Digest, filled: Filled, *, status: int = 200) -> Response:
    values = {**_words_of(digest), "token": digests.stop_token(digest), **choices(filled)}
    return _secret(render(request, visit, "site/digest_stop.html", status=status, **values))


def _words_of(digest: Digest) -> dict[str, object]:
    return {
        "recipient": digest.recipient,
        "schedule": tell_schedule(digests.schedule_of(digest)),
        "is_personal": digest.user_id is not None,
    }


def _secret(response: Response) -> Response:
    response.headers.update(SECRET_HEADERS)
    return response


def _subscribe(runtime: Runtime, address: str, schedule: Schedule) -> bool:
    with runtime.db.write() as session:
        now = datetime.now(UTC)
        return subscribe_address(session, runtime.settings, address=address, schedule=schedule, now=now).is_mailed


def _confirm(runtime: Runtime, token: str) -> Digest | None:
    with runtime.db.write() as session:
        return digests.confirm(session, token, now=datetime.now(UTC))


def _stop(runtime: Runtime, token: str) -> None:
    with runtime.db.write() as session:
        digest = digests.find_by_stop_token(session, token)
        if digest is not None and digest.stopped_at is None:
            digests.stop(session, digest, now=datetime.now(UTC))


def _change(runtime: Runtime, token: str, schedule: Schedule) -> None:
    with runtime.db.write() as session:
        digest = digests.find_by_stop_token(session, token)
        if digest is not None:
            digests.reschedule(session, digest, schedule, now=datetime.now(UTC))
