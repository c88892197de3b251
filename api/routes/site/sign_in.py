"""Signing in by a mailed link, and signing out."""

from typing import Final

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from api import queue
from api.errors import Conflict, InvalidRequest, TooManyRequests
from api.routes.addresses import caller_address
from api.routes.deps import RuntimeDep
from api.routes.signing import read_session_cookie
from api.routes.site.arriving import leave, now, sign_in, sign_in_rules
from api.routes.site.visiting import Visit, VisitDep, local_path, read_form, render, see_other
from api.runtime.state import Runtime
from api.services import sessions, signing_in
from api.store.accounts import FoundLink

router = APIRouter(include_in_schema=False)

SIGNED_OUT: Final = "signed-out"


@router.get("/sign-in")
def read_sign_in(request: Request, runtime: RuntimeDep, visit: VisitDep, next: str = "/", sent: str = "") -> Response:
    """Ask for a mail address; say after it was sent that a mail may be on its way."""
    if visit.account is not None and not sent:
        return see_other(local_path(next))
    if sent:
        return render(request, visit, "site/sign_in_sent.html", keeps_mails=_keeps_mails(runtime, visit))
    return _show_form(request, runtime, visit, next_path=local_path(next))


@router.post("/sign-in")
async def post_sign_in(request: Request, runtime: RuntimeDep, visit: VisitDep) -> Response:
    """Mail a link; the answer is the same whether or not anybody is known under the address."""
    form = await read_form(request, visit)
    next_path, typed = local_path(form.get("next")), form.get("mail")
    client = caller_address(request.scope, runtime.settings.trusted_proxies)
    try:
        is_mailed = await run_in_threadpool(_ask_link, runtime, typed, client, next_path)
    except (InvalidRequest, TooManyRequests) as error:
        answer = _show_form(
            request, runtime, visit, next_path=next_path, mail=typed, problem=error.detail, status=error.status
        )
        answer.headers.update(error.headers)
        return answer
    if is_mailed:
        await run_in_threadpool(queue.send, queue.SEND_MAILS)
    return see_other("/sign-in?sent=1")


@router.get("/sign-in/{token}")
def read_link(request: Request, runtime: RuntimeDep, visit: VisitDep, token: str) -> Response:
    """Ask for one press of a button: programs that open every link in a mail do not use it up."""
    with runtime.db.read() as session:
        link = signing_in.look_at_link(session, token, now=now())
    return _show_link(request, visit, link)


@router.post("/sign-in/{token}")
async def post_link(request: Request, runtime: RuntimeDep, visit: VisitDep, token: str) -> Response:
    """Use the link up and sign its owner in, in whatever browser it was opened."""
    await read_form(request, visit)
    rules = sign_in_rules(runtime.settings)
    try:
        return await run_in_threadpool(
            sign_in,
            request,
            runtime,
            lambda session, browser: signing_in.sign_in_by_link(session, token, browser, rules=rules, now=now()),
        )
    except Conflict:
        return _show_link(request, visit, None)


@router.post("/sign-out")
async def post_sign_out(request: Request, runtime: RuntimeDep, visit: VisitDep) -> Response:
    """End the session of this browser."""
    await read_form(request, visit)
    await run_in_threadpool(_sign_out, request, runtime)
    return leave(request, runtime, see_other("/", told=SIGNED_OUT))


def _show_form(
    request: Request,
    runtime: Runtime,
    visit: Visit,
    *,
    next_path: str,
    mail: str = "",
    problem: str = "",
    status: int = 200,
) -> Response:
    settings = runtime.settings
    return render(
        request,
        visit,
        "site/sign_in.html",
        status=status,
        next_path=next_path,
        mail=mail[:254],
        problem=problem,
        minutes=max(round(settings.sign_in_minutes), 1),
        issuer_name=settings.oidc_name if runtime.issuer.is_configured else "",
    )


def _show_link(request: Request, visit: Visit, link: FoundLink | None) -> Response:
    if link is None:
        return render(request, visit, "site/sign_in_stale.html", status=410)
    return render(request, visit, "site/sign_in_link.html", mail=link.mail)


def _keeps_mails(runtime: Runtime, visit: Visit) -> bool:
    """True where the mail lies in a folder that this visitor may open."""
    return visit.is_operator and not runtime.settings.smtp_host


def _ask_link(runtime: Runtime, typed: str, client: str, next_path: str) -> bool:
    settings = runtime.settings
    with runtime.db.write() as session:
        return signing_in.ask_link(
            session,
            typed,
            client=client,
            next_path=next_path,
            site=settings.site_url,
            rules=sign_in_rules(settings),
            now=now(),
        )


def _sign_out(request: Request, runtime: Runtime) -> None:
    secret_hash = read_session_cookie(request.scope, runtime.keys)
    if secret_hash is None:
        return
    with runtime.db.write() as session:
        account_id = sessions.end_session(session, secret_hash)
    if account_id is not None:
        runtime.signed_in.forget_account(account_id)
