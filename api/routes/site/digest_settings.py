"""A reader's own digest: when it comes and where to, what the next one would be, and ending it."""

from datetime import UTC, datetime
from functools import partial
from typing import Final

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from api import queue
from api.errors import InvalidRequest
from api.routes.deps import RuntimeDep
from api.routes.site.digest_forms import USUAL, Filled, choices, read_times, refill
from api.routes.site.mail_pages import check_asking, mail_page
from api.routes.site.notices import NOTICES
from api.routes.site.visiting import Visit, VisitDep, read_form, render, see_other
from api.runtime.state import Runtime
from api.services import digest_making, digests
from api.services.digest_asking import subscribe_reader
from api.services.digest_making import Preview
from api.services.digest_times import Schedule, tell_moment
from api.services.mail_addresses import fold_mail_address, read_mail_address
from api.store.tables_mails import Digest
from api.store.users import ensure_users

router = APIRouter(include_in_schema=False)

SETTINGS: Final = "/settings/digest"
NOTICES["digest-on"] = "Your digest is on."
NOTICES["digest-asked"] = "A mail is on its way to this address: your digest begins once its link was opened."
NOTICES["digest-asked-before"] = "This address was asked a while ago: open the link in that mail, or ask again later."
NOTICES["digest-off"] = "Your digest is off."
NOTICES["digest-test"] = "The mail below is on its way to you."
NOTICES["digest-test-before"] = "A test mail was sent in the last ten minutes: this one was not."


@router.get(SETTINGS)
async def read_digest_settings(request: Request, runtime: RuntimeDep, visit: VisitDep) -> Response:
    """The reader's digest and a preview of the next one."""
    return await _show(request, runtime, visit)


@router.post(SETTINGS)
async def post_digest_settings(request: Request, runtime: RuntimeDep, visit: VisitDep) -> Response:
    """Turn the digest on, or change it; an address that is not surely the reader's is asked by mail."""
    form = await read_form(request, visit)
    try:
        schedule, address = read_times(form), read_mail_address(form.get("mail"))
    except InvalidRequest as error:
        return await _show(request, runtime, visit, filled=refill(form, error), status=error.status)
    is_proven = _is_proven(visit, address)
    if not is_proven:
        await check_asking(request, runtime)
    subscribe = partial(_subscribe, runtime, visit, address=address, schedule=schedule, is_proven=is_proven)
    told, is_mailed = await run_in_threadpool(subscribe)
    if is_mailed:
        await run_in_threadpool(queue.send, queue.SEND_MAILS)
    return see_other(visit.link(SETTINGS), told=told)


@router.post(SETTINGS + "/stop")
async def post_stop(request: Request, runtime: RuntimeDep, visit: VisitDep) -> Response:
    """Turn the digest off."""
    await read_form(request, visit)
    await run_in_threadpool(_stop, runtime, visit)
    return see_other(visit.link(SETTINGS), told="digest-off")


@router.post(SETTINGS + "/test")
async def post_test(request: Request, runtime: RuntimeDep, visit: VisitDep) -> Response:
    """Have the preview sent to the reader's confirmed address."""
    await read_form(request, visit)
    is_queued = await run_in_threadpool(_queue_test, runtime, visit)
    if is_queued:
        await run_in_threadpool(queue.send, queue.SEND_MAILS)
    return see_other(visit.link(SETTINGS), told="digest-test" if is_queued else "digest-test-before")


@router.get(SETTINGS + "/preview")
def read_preview(runtime: RuntimeDep, visit: VisitDep) -> Response:
    """The next issue as a mail program shows it."""
    return mail_page(_look(runtime, visit)[1].words.html)


async def _show(
    request: Request, runtime: Runtime, visit: Visit, *, filled: Filled | None = None, status: int = 200
) -> Response:
    digest, preview = await run_in_threadpool(_look, runtime, visit)
    shown = filled or _filled(visit, digest)
    values: dict[str, object] = {
        "digest": digest,
        "is_running": digest is not None and digests.is_running(digest),
        "next_at": "" if digest is None or digest.due_at is None else tell_moment(digest.due_at, digest.zone),
        "preview": preview,
        "keeps_mails": visit.is_operator and not runtime.settings.smtp_host,
        **choices(shown),
    }
    return render(request, visit, "site/digest_settings.html", status=status, **values)


def _filled(visit: Visit, digest: Digest | None) -> Filled:
    if digest is not None:
        return Filled(digest.recipient, digests.schedule_of(digest))
    return Filled(visit.account.mail if visit.account is not None else "", USUAL)


def _is_proven(visit: Visit, address: str) -> bool:
    """True for the address that an account was made with, and for all that the operator of this machine types."""
    if visit.is_operator:
        return True
    return visit.account is not None and fold_mail_address(address) == fold_mail_address(visit.account.mail)


def _look(runtime: Runtime, visit: Visit) -> tuple[Digest | None, Preview]:
    now = datetime.now(UTC)
    with runtime.db.read() as session:
        digest = digest_making.digest_of(session, visit.user_id)
        shown = digest or digest_making.imagine(visit.user_id, USUAL)
        preview = digest_making.preview_issue(
            session, runtime.serving.current, runtime.keys, runtime.settings, shown, now=now
        )
    return digest, preview


def _subscribe(
    runtime: Runtime, visit: Visit, *, address: str, schedule: Schedule, is_proven: bool
) -> tuple[str, bool]:
    now = datetime.now(UTC)
    with runtime.db.write() as session:
        found, _ = ensure_users(session, {visit.name}, now=now)  # who asks may have done nothing yet
        became = subscribe_reader(
            session,
            runtime.settings,
            found[visit.name],
            address=address,
            schedule=schedule,
            is_proven=is_proven,
            now=now,
        )
    runtime.conditions.distrust()  # the notice that a digest has stopped goes at once
    if became.is_confirmed:
        return "digest-on", False
    return ("digest-asked" if became.is_mailed else "digest-asked-before"), became.is_mailed


def _stop(runtime: Runtime, visit: Visit) -> None:
    with runtime.db.write() as session:
        digest = digest_making.digest_of(session, visit.user_id)
        if digest is not None:
            digests.stop(session, digest, now=datetime.now(UTC))


def _queue_test(runtime: Runtime, visit: Visit) -> bool:
    digest, preview = _look(runtime, visit)
    if digest is None:
        return False
    with runtime.db.write() as session:
        return digest_making.queue_test(session, runtime.settings, digest, preview.words, now=datetime.now(UTC))
