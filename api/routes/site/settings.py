"""The settings page: who is signed in where, under which name, and the way to all other settings."""

from dataclasses import dataclass
from typing import Final

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from api.errors import InvalidRequest, NotAllowed, NotFound
from api.routes.deps import RuntimeDep
from api.routes.site.arriving import leave, now
from api.routes.site.visiting import Visit, VisitDep, read_form, render, see_other
from api.runtime.signed_in import SignedIn
from api.runtime.state import Runtime
from api.services import sessions, signing_in
from api.services.sessions import ListedSession

router = APIRouter(include_in_schema=False)

RENAMED: Final = "renamed"
SESSION_ENDED: Final = "session-ended"
SIGNED_OUT_EVERYWHERE: Final = "signed-out-everywhere"


@dataclass(frozen=True, slots=True)
class Section:
    """A page of settings, as the settings page leads to it."""

    title: str
    path: str
    words: str
    needs: str = ""  # account: shown to those who are signed in; moderator: to those who moderate


# Every part of the site adds its own page of settings here.
SECTIONS: Final = (
    Section("Interests", "/settings/interests", "Topics, words and papers that your list begins with; muted ones."),
    Section("Hidden papers", "/settings/hidden", "What your lists leave out, and bringing it back."),
    Section("Digest by mail", "/settings/digest", "Papers by mail every day or week, with a preview."),
    Section("Feeds", "/settings/feeds", "Addresses for feed readers, a private one of your own list included."),
    Section("Moderation", "/moderation", "Comments that were reported.", needs="moderator"),
    Section("Your data", "/settings/data", "Everything that is kept about you, as one file."),
    Section("Delete everything", "/settings/delete", "Remove all that is kept about you, for good."),
)


@router.get("/settings")
async def read_settings(request: Request, runtime: RuntimeDep, visit: VisitDep) -> Response:
    """Lead to all settings; show those who are signed in where they are."""
    return await _show(request, runtime, visit)


@router.post("/settings/name")
async def post_name(request: Request, runtime: RuntimeDep, visit: VisitDep) -> Response:
    """Give the account another name for others to see."""
    form = await read_form(request, visit)
    account = _account_of(visit)
    try:
        await run_in_threadpool(_rename, runtime, account, form.get("name"))
    except InvalidRequest as error:
        return await _show(request, runtime, visit, name_problem=error.detail, status=error.status)
    return see_other("/settings", told=RENAMED)


@router.post("/settings/sessions/end")
async def post_end_session(request: Request, runtime: RuntimeDep, visit: VisitDep) -> Response:
    """Sign out one browser; this one's button is the one to sign out."""
    form = await read_form(request, visit)
    account, number = _account_of(visit), form.get("session")
    if not number.isascii() or not number.isdecimal() or len(number) > 18:
        raise InvalidRequest("the form names no session", field="session")
    await run_in_threadpool(_end_session, runtime, account, int(number))
    response = see_other("/settings#sessions", told=SESSION_ENDED)
    return leave(request, runtime, response) if int(number) == account.session_id else response


@router.post("/settings/sessions/end-all")
async def post_end_all_sessions(request: Request, runtime: RuntimeDep, visit: VisitDep) -> Response:
    """Sign out everywhere, here too."""
    await read_form(request, visit)
    await run_in_threadpool(_end_all_sessions, runtime, _account_of(visit))
    return leave(request, runtime, see_other("/", told=SIGNED_OUT_EVERYWHERE))


async def _show(
    request: Request, runtime: Runtime, visit: Visit, *, name_problem: str = "", status: int = 200
) -> Response:
    listed = [] if visit.account is None else await run_in_threadpool(_list_sessions, runtime, visit.account)
    return render(
        request,
        visit,
        "site/settings.html",
        status=status,
        sections=[section for section in SECTIONS if _may_see(section, visit)],
        sessions=listed,
        name_problem=name_problem,
    )


def _may_see(section: Section, visit: Visit) -> bool:
    if section.needs == "moderator":
        return visit.is_operator or (visit.account is not None and visit.account.is_moderator)
    return section.needs != "account" or visit.account is not None


def _account_of(visit: Visit) -> SignedIn:
    if visit.account is None:
        raise NotAllowed("this needs you to be signed in: open /sign-in")
    return visit.account


def _list_sessions(runtime: Runtime, account: SignedIn) -> list[ListedSession]:
    with runtime.db.read() as session:
        return sessions.list_own_sessions(session, account, now=now())


def _rename(runtime: Runtime, account: SignedIn, typed: str) -> None:
    with runtime.db.write() as session:
        signing_in.rename(session, account.account_id, typed)
    runtime.signed_in.forget_account(account.account_id)


def _end_session(runtime: Runtime, account: SignedIn, session_id: int) -> None:
    try:
        with runtime.db.write() as session:
            sessions.end_own_session(session, account, session_id)
    except NotFound:  # over already: what was asked for
        return
    runtime.signed_in.forget_account(account.account_id)


def _end_all_sessions(runtime: Runtime, account: SignedIn) -> None:
    with runtime.db.write() as session:
        sessions.end_all_sessions(session, account.account_id)
    runtime.signed_in.forget_account(account.account_id)
