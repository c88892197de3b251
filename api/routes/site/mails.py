"""Mails of an installation without a mail server, shown to whoever sits at its machine, and those that wait."""

import re
from datetime import UTC, datetime
from typing import Final

from fastapi import APIRouter, Request, Response
from markupsafe import Markup, escape
from starlette.concurrency import run_in_threadpool

from api import queue
from api.errors import InvalidRequest, NotFound
from api.routes.deps import RuntimeDep
from api.routes.site.mail_pages import MAIL_HEADERS, SECRET_HEADERS, mail_page
from api.routes.site.notices import NOTICES
from api.routes.site.visiting import Visit, VisitDep, read_form, render, see_other
from api.runtime.state import Runtime
from api.services import outbox
from api.services.mail_folder import list_mails, read_file, read_mail

router = APIRouter(include_in_schema=False, prefix="/mails")

_LINK: Final = re.compile(r"https?://\S+")
NOTICES["mail-again"] = "The mail is tried again now."
NOTICES["mail-gone"] = "This mail does not wait any more."


@router.get("")
def read_mails(request: Request, runtime: RuntimeDep, visit: VisitDep) -> Response:
    """The mails in the folder, and those that could not be sent."""
    _check(visit)
    with runtime.db.read() as session:
        waiting = outbox.list_unsent(session, now=datetime.now(UTC))
    kept = list_mails(runtime.settings.mails_dir)
    folder = str(runtime.settings.mails_dir)
    server = runtime.settings.smtp_host
    return _secret(render(request, visit, "site/mails.html", kept=kept, waiting=waiting, folder=folder, server=server))


@router.post("/again")
async def post_again(request: Request, runtime: RuntimeDep, visit: VisitDep) -> Response:
    """Try a waiting mail now."""
    form = await read_form(request, visit)
    _check(visit)
    number = form.get("mail")
    if not number.isascii() or not number.isdecimal() or len(number) > 18:
        raise InvalidRequest("the form names no mail", field="mail")
    is_queued = await run_in_threadpool(_again, runtime, int(number))
    return see_other(visit.link("/mails"), told="mail-again" if is_queued else "mail-gone")


@router.get("/{name}")
def read_one(request: Request, runtime: RuntimeDep, visit: VisitDep, name: str) -> Response:
    """One mail as text, with links that work."""
    _check(visit)
    mail = read_mail(runtime.settings.mails_dir, name)
    text = _linked(mail.text, runtime.settings.site_url)
    return _secret(render(request, visit, "site/mail.html", mail=mail, text=text))


@router.get("/{name}/html")
def read_html(runtime: RuntimeDep, visit: VisitDep, name: str) -> Response:
    """One mail as a mail program shows it."""
    _check(visit)
    return mail_page(read_mail(runtime.settings.mails_dir, name).html)


@router.get("/{name}/file")
def read_raw(runtime: RuntimeDep, visit: VisitDep, name: str) -> Response:
    """One mail as it would have been sent."""
    _check(visit)
    content = read_file(runtime.settings.mails_dir, name)
    headers = {**MAIL_HEADERS, "Content-Disposition": f'attachment; filename="{name}"'}
    return Response(content, media_type="message/rfc822", headers=headers)


def _check(visit: Visit) -> None:
    if not visit.is_operator:
        raise NotFound("mails are shown on the machine that keeps them, to whoever sits at it")


def _linked(text: str, site: str) -> Markup:
    """The text of a mail as HTML: what leads to this service is a link, on whatever name it was asked under."""
    parts, end = [], 0
    for found in _LINK.finditer(text):
        parts.append(escape(text[end : found.start()]))
        end = found.end()
        if found[0] == site or found[0].startswith(f"{site}/"):
            path = found[0].removeprefix(site) or "/"
            parts.append(Markup('<a href="{}">{}</a>').format(path, found[0]))
        else:
            parts.append(escape(found[0]))
    return Markup("").join((*parts, escape(text[end:])))


def _secret(response: Response) -> Response:
    response.headers.update(SECRET_HEADERS)
    return response


def _again(runtime: Runtime, mail_id: int) -> bool:
    with runtime.db.write() as session:
        is_queued = outbox.try_now(session, mail_id, now=datetime.now(UTC))
    if is_queued:
        queue.send(queue.SEND_MAILS)
    return is_queued
