"""Who visits a page, what every page says beside its own words, and how a form is answered."""

from dataclasses import dataclass
from typing import Annotated, Final
from urllib.parse import quote, urlencode, urlsplit

from fastapi import Depends, Request, Response
from starlette.concurrency import run_in_threadpool

from api.errors import InvalidRequest, NotAllowed
from api.routes.acting import is_trusted, read_reader_name
from api.routes.deps import RuntimeDep, read_runtime
from api.routes.error_pages import NAVIGATION
from api.routes.rendering import page
from api.routes.site import forms, notices
from api.routes.site.banners import find_banners, find_own_banners
from api.routes.site.forms import Form, check_form, make_csrf, parse_form
from api.routes.site.last_visit import Moment, note_visit, read_last_visit
from api.routes.site.signing import COOKIE as SESSION_COOKIE
from api.routes.site.signing import find_signed_in, known_signed_in
from api.routes.visitors import give_cookie, issue_reader, make_reader, read_reader
from api.runtime.signed_in import SignedIn
from api.runtime.state import Runtime
from api.services.feed import NOBODY
from api.store.glance import NoGlanceError
from api.store.users import glance_user_id

__all__ = ["Form", "Visit", "VisitDep", "find_visit", "local_path", "read_form", "render", "see_other"]

READER: Final = "reader"  # in the address or the form: whom the operator of this machine acts for
LONGEST_PATH: Final = 20_000  # characters: the cursor of a list of 1,000 papers has 16,000


@dataclass(frozen=True, slots=True)
class Visit:
    """Whose page it is, and what their forms carry."""

    name: str  # external_user: of the account, of the cookie, or the reader picked on this machine
    user_id: int | None  # None: has done nothing yet
    account: SignedIn | None  # None: anonymous, or picked
    is_picked: bool  # acts for a reader on this machine
    is_operator: bool  # sits at this machine, in the embedded mode
    csrf: str
    is_new: bool  # has no cookie yet: the answer issues one
    since: Moment | None = None  # the end of the visit before this one

    @property
    def slate_reader(self) -> int | None:
        """For whom slates are written; a picked reader without a number has none, nobody else's cookie may use them."""
        return None if self.is_picked and self.user_id is None else self.user_id or NOBODY

    @property
    def picked(self) -> str:
        """The picked reader's name, empty when nobody is picked."""
        return self.name if self.is_picked else ""

    def link(self, path: str) -> str:
        """Return a local address that keeps the picked reader."""
        if not self.is_picked:
            return path
        where, mark, fragment = path.partition("#")
        return f"{where}{'&' if '?' in where else '?'}{urlencode({READER: self.name})}{mark}{fragment}"


async def find_visit(request: Request, runtime: RuntimeDep) -> Visit:
    """Return who visits: the picked reader on this machine, else the account, else the reader of the cookie."""
    is_operator = is_trusted(request, runtime.settings)
    picked = await _read_picked(request, runtime) if is_operator else None
    if picked is not None:
        user_id = await _find_user_id(runtime, picked)
        return _visit(request, picked, user_id, is_picked=True, is_operator=True)
    account = await _find_account(request, runtime)
    if account is not None:
        return _visit(request, account.external_user, account.user_id, account=account, is_operator=is_operator)
    reader = read_reader(request.scope, runtime.keys, days=runtime.settings.reader_cookie_days)
    if reader is None:
        return _visit(request, make_reader(), None, is_operator=is_operator, is_new=True)
    return _visit(request, reader, await _find_user_id(runtime, reader), is_operator=is_operator)


async def find_plain(request: Request, runtime: Runtime) -> Visit | None:
    """Return the visit of somebody who is not signed in and is to be told nothing, None for anybody else."""
    cookies = request.cookies
    if SESSION_COOKIE in cookies or notices.COOKIE in cookies:
        return None
    is_operator = is_trusted(request, runtime.settings)
    reader = read_reader(request.scope, runtime.keys, days=runtime.settings.reader_cookie_days) if cookies else None
    if reader is None:
        return _visit(request, make_reader(), None, is_operator=is_operator, is_new=True)
    return _visit(request, reader, await _find_user_id(runtime, reader), is_operator=is_operator)


VisitDep = Annotated[Visit, Depends(find_visit)]


def render(request: Request, visit: Visit, template: str, *, status: int = 200, **values: object) -> Response:
    """Return a page of `templates/`, such as `site/today.html`, as an answer for this visitor.

    Templates get `visit`, `csrf`, `here` (this page's address, for forms that lead back), `navigation`, `banners` and
    `notice` beside the values. No SQL but once every few seconds.
    """
    notice = notices.read_notice(request)
    response = page(template, status=status, **{**base_values(request, visit), "notice": notice, **values})
    finish(request, visit, response, has_told=notices.COOKIE in request.cookies)
    response.headers["Cache-Control"] = "private, no-store"
    response.headers["Vary"] = "Accept, Cookie"
    return response


def base_values(request: Request, visit: Visit) -> dict[str, object]:
    """Return what `site/base.html` and its partials need of a visit."""
    runtime = read_runtime(request)
    return {
        "visit": visit,
        "csrf": visit.csrf,
        "here": here(request),
        "path": request.url.path,
        "navigation": NAVIGATION,
        "banners": [*find_banners(runtime), *find_own_banners(runtime, visit.user_id)],
        "readers": runtime.conditions.read().readers if visit.is_operator else (),
        "notice": None,
    }


def finish(request: Request, visit: Visit, response: Response, *, has_told: bool = False) -> None:
    """Give an answer the cookie of its visitor and take back the one of a notice that it showed."""
    runtime = read_runtime(request)
    if visit.is_new:
        give_cookie(response, request.scope, runtime.keys, runtime.settings, reader=visit.name)
    else:
        issue_reader(response, request.scope, runtime.keys, runtime.settings)
    note_visit(request, response, newest_paper_id=runtime.conditions.read().newest_paper_id)
    if has_told:
        notices.forget(response)


async def read_form(request: Request, visit: Visit) -> Form:
    """Return the form that a page of this service sent for this visitor.

    Raises NotAllowed for one from elsewhere or for somebody else, TooLarge, UnsupportedBody and InvalidRequest.
    """
    runtime = read_runtime(request)
    form = await parse_form(request)
    if visit.is_picked and not is_trusted(request, runtime.settings, is_writing=True):
        raise NotAllowed("forms for a picked reader work on the machine that runs the service, from its own page only")
    check_form(request, runtime.keys, form, whose=_whose(visit))
    return form


def see_other(path: str, *, told: str | None = None, paper: str | None = None) -> Response:
    """Return a redirect to a page of this service, which says `told` once: a name of `notices.NOTICES`.

    `paper`, an external id, is what the notice's undo is about; one that no cookie has room for has none. A path that
    is not local leads to `/`.
    """
    response = Response(status_code=303, headers={"Location": local_path(path), "Cache-Control": "no-store"})
    if told is not None:
        about = quote(paper or "", safe="")
        notices.tell(response, f"{told}/{about}" if 0 < len(about) <= notices.LONGEST_PAPER else told)
    return response


def local_path(text: str, *, default: str = "/") -> str:
    """Return an address of this service as it came, `default` for one that could lead elsewhere."""
    is_plain = text.startswith("/") and text.isascii() and text.isprintable() and "\\" not in text and " " not in text
    if not is_plain or text.startswith("//") or len(text) > LONGEST_PATH:
        return default
    try:
        parts = urlsplit(text)
    except ValueError:
        return default
    return default if parts.scheme or parts.netloc or parts.path.startswith("//") else text


def here(request: Request) -> str:
    """Return the address of a page, for forms that lead back to it."""
    query = request.url.query
    return local_path(f"{quote(request.url.path)}{'?' + query if query else ''}")


def _visit(
    request: Request,
    name: str,
    user_id: int | None,
    *,
    account: SignedIn | None = None,
    is_picked: bool = False,
    is_operator: bool = False,
    is_new: bool = False,
) -> Visit:
    csrf = make_csrf(read_runtime(request).keys, _whose_is(name, account=account, is_picked=is_picked))
    return Visit(name, user_id, account, is_picked, is_operator, csrf, is_new, read_last_visit(request))


def _whose(visit: Visit) -> str:
    return _whose_is(visit.name, account=visit.account, is_picked=visit.is_picked)


def _whose_is(name: str, *, account: SignedIn | None, is_picked: bool) -> str:
    if account is not None:
        return f"account\0{account.account_id}"
    return f"{'picked' if is_picked else 'reader'}\0{name}"


async def _read_picked(request: Request, runtime: Runtime) -> str | None:
    """The reader whom the address names, or the form: what is wrong with a form is said by who reads it."""
    given = request.query_params.get(READER, "")
    if request.method == "POST" and is_trusted(request, runtime.settings, is_writing=True):
        kind = request.headers.get("content-type", "")
        if kind.startswith((forms.URL_ENCODED, forms.MULTIPART)):
            given = (await parse_form(request)).get(READER) or given
    if not given:
        return None
    try:
        return read_reader_name(given)
    except InvalidRequest:
        raise InvalidRequest("a reader's name has 1 to 200 printable characters", field=READER) from None


async def _find_account(request: Request, runtime: Runtime) -> SignedIn | None:
    if SESSION_COOKIE not in request.cookies:
        return None
    known = known_signed_in(request.scope, runtime)
    return known if known is not None else await run_in_threadpool(find_signed_in, request, runtime)


async def _find_user_id(runtime: Runtime, name: str) -> int | None:
    known = runtime.access.known_user_id(name)
    if known is not None:
        return known
    try:
        found = glance_user_id(runtime.glance, name)
    except NoGlanceError:
        return await run_in_threadpool(runtime.access.find_user_id, name)
    if found is not None:
        runtime.access.note_user_id(name, found)
    return found
