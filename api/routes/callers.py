"""Who sends feedback: a token, a page's slate, or the cookie of an anonymous reader."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from api.errors import MissingReader, NotAllowed, NotAuthenticated
from api.routes.bodies import MOST_BATCH_BYTES, MOST_BEACON_BYTES
from api.routes.deps import USER_HEADER, optional_actor
from api.routes.signing import find_signed_in, known_signed_in, read_session_cookie
from api.routes.visitors import is_own_page, is_surely_own_page, make_reader, read_reader
from api.runtime.signed_in import SignedIn
from api.runtime.state import Runtime
from api.schemas.events import Code, Incoming, OpenedSlate

WRITE: Final = "write"
_HOW: Final = "send `Authorization: Bearer TOKEN`, or the `slate` of the page in the body"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sends feedback, as far as the headers tell; without a token the slate in the body may say who it is."""

    external_user: str | None  # of the token or of the cookie
    is_token: bool
    user_id: int | None = None  # of the cookie's reader, where it is known
    is_foreign_page: bool = False  # a cookie came, but with a page from elsewhere: it does not count
    is_new: bool = False  # a page of this service sent it, without a cookie

    @property
    def most_bytes(self) -> int:
        """The longest body it may send."""
        return MOST_BATCH_BYTES if self.is_token else MOST_BEACON_BYTES


async def find_caller(request: Request, runtime: Runtime) -> Caller:
    """Return who calls by the headers.

    Raises 401 for a wrong token, 403 for one that may not write, 400 for a service token that names no reader.
    """
    actor = await optional_actor(request)
    if actor is None:
        return await _find_visitor(request, runtime)
    if WRITE not in actor.scopes:
        raise NotAllowed(f"this needs a token with the scope `{WRITE}`", scope=WRITE)
    if actor.external_user is None:
        raise MissingReader(f"a service token names the reader in the {USER_HEADER} header", header=USER_HEADER)
    return Caller(actor.external_user, is_token=True)


def identify(caller: Caller, incoming: Incoming, open_slate: Callable[[str], OpenedSlate | Code]) -> Incoming:
    """Return a batch with its reader: the caller's, or the one of its slate where no token came.

    Who has neither, on a page of this service with a slate of nobody in particular, becomes an anonymous reader.

    Raises 401 when neither says who it is, 403 when only the cookie of another site's page would.
    """
    if caller.is_token:
        return replace(incoming, external_user=caller.external_user)
    opened = open_slate(incoming.slate) if isinstance(incoming.slate, str) else None
    if opened is not None and not isinstance(opened, str) and opened.user_id not in {0, caller.user_id}:
        return replace(incoming, external_user=None, user_id=opened.user_id, is_slate_only=True)
    if caller.external_user is not None:
        return replace(incoming, external_user=caller.external_user)
    if caller.is_foreign_page:
        raise NotAllowed(f"the cookie counts only for pages of this service: {_HOW}")
    if caller.is_new and opened is not None and not isinstance(opened, str):
        return replace(incoming, external_user=make_reader())
    if isinstance(opened, str):
        raise NotAuthenticated(f"the slate of this batch is no credential: {_HOW}", code=opened)
    raise NotAuthenticated(f"nothing says whose feedback this is: {_HOW}")


async def _find_visitor(request: Request, runtime: Runtime) -> Caller:
    account = await _find_account(request, runtime)
    if account is not None:
        if not is_own_page(request.scope):
            return Caller(None, is_token=False, is_foreign_page=True)
        return Caller(account.external_user, is_token=False, user_id=account.user_id)
    reader = read_reader(request.scope, runtime.keys, days=runtime.settings.reader_cookie_days)
    if reader is None:
        return Caller(None, is_token=False, is_new=is_surely_own_page(request.scope))
    if not is_own_page(request.scope):
        return Caller(None, is_token=False, is_foreign_page=True)
    user_id = runtime.access.known_user_id(reader)
    if user_id is None:
        user_id = await run_in_threadpool(runtime.access.find_user_id, reader)
    return Caller(reader, is_token=False, user_id=user_id)


async def _find_account(request: Request, runtime: Runtime) -> SignedIn | None:
    """Return who is signed in; most requests carry no such cookie, and most of the others are known here."""
    if read_session_cookie(request.scope, runtime.keys) is None:
        return None
    known = known_signed_in(request.scope, runtime)
    return known or await run_in_threadpool(find_signed_in, request, runtime)
