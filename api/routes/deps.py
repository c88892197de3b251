"""What routes depend on: the process's runtime, and who is calling."""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Annotated, Any, Final

from fastapi import Depends, Request
from fastapi.security import HTTPBearer
from starlette.concurrency import run_in_threadpool

from api.errors import InvalidRequest, MissingReader, NotAllowed, NotAuthenticated
from api.routes.acting import is_external_user
from api.routes.limiting import find_identity
from api.runtime.access import Identity
from api.runtime.state import Runtime
from api.store.tables import LONGEST_EXTERNAL_ID
from api.store.tables_letters import ANONYMOUS_PREFIX

USER_HEADER: Final = "X-User"
# Only for the OpenAPI document: the header itself is read below, without a second parser.
_bearer = HTTPBearer(auto_error=False, scheme_name="token", description="`Authorization: Bearer pf_…`")


def read_runtime(request: Request) -> Runtime:
    """Return this process's runtime."""
    runtime: Runtime = request.app.state.runtime
    return runtime


async def _give_runtime(request: Request) -> Runtime:
    """The same for routes: a plain function would take a turn in the thread pool at every request."""
    return read_runtime(request)


RuntimeDep = Annotated[Runtime, Depends(_give_runtime)]


# There is no dependency that opens a session, routes do it themselves: a session held between two turns in the thread
# pool keeps the lock or a connection from the requests that fill the pool, and waits for one of their threads.


@dataclass(frozen=True, slots=True)
class Actor:
    """Who calls, and for which reader."""

    token_id: str
    scopes: frozenset[str]
    is_service: bool
    user_id: int | None  # None: no reader named, or one nobody has heard of yet
    external_user: str | None  # None: no reader named


async def optional_actor(request: Request) -> Actor | None:
    """Return who calls, None without an Authorization header; a token that is not valid is refused."""
    header = request.headers.get("authorization")
    if header is None:
        return None
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "bearer":
        raise NotAuthenticated("send `Authorization: Bearer TOKEN`")
    runtime = read_runtime(request)
    identity = await find_identity(request.scope, runtime, token.strip())
    if identity is None:
        raise NotAuthenticated("this token is unknown or was revoked: ask for a new one (`paperfeed token create`)")
    return await _act(runtime, identity, read_user_header(request))


def require_scope(scope: str) -> Callable[..., Coroutine[Any, Any, Actor]]:
    """Return a dependency: who calls, if their token has this scope (401 without a token, 403 without the scope)."""

    async def actor_with_scope(actor: OptionalActor, _documented: Annotated[object, Depends(_bearer)]) -> Actor:
        if actor is None:
            raise NotAuthenticated("this needs a token: send `Authorization: Bearer TOKEN`")
        if scope not in actor.scopes:
            raise NotAllowed(f"this needs a token with the scope `{scope}`", scope=scope)
        return actor

    return actor_with_scope


def require_reader(scope: str) -> Callable[..., Coroutine[Any, Any, Actor]]:
    """Return a dependency: who calls with this scope, for a named reader (400 when a service token names none)."""

    async def named_reader(actor: Annotated[Actor, Depends(require_scope(scope))]) -> Actor:
        if actor.external_user is None:
            raise MissingReader(f"a service token names the reader in the {USER_HEADER} header", header=USER_HEADER)
        return actor

    return named_reader


def read_user_header(request: Request) -> str | None:
    """Return the reader a service names: 1 to 200 printable characters, read as UTF-8."""
    text = request.headers.get(USER_HEADER)
    if text is None:
        return None
    raw = text.encode("latin-1")  # how the header was decoded
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    if not is_external_user(text):
        limits = f"1 to {LONGEST_EXTERNAL_ID} printable characters that do not begin with {ANONYMOUS_PREFIX!r}"
        raise InvalidRequest(f"{USER_HEADER} takes {limits}", header=USER_HEADER)
    return text


async def _act(runtime: Runtime, identity: Identity, named: str | None) -> Actor:
    is_service = identity.user_id is None
    if not is_service and named not in (None, identity.external_user):
        raise NotAllowed(f"a reader's own token acts only for itself: leave out {USER_HEADER}", header=USER_HEADER)
    user_id, external_user = identity.user_id, identity.external_user
    if is_service and named is not None:
        external_user = named
        user_id = runtime.access.known_user_id(named)
        if user_id is None:
            user_id = await run_in_threadpool(runtime.access.find_user_id, named)
    return Actor(identity.token_id, identity.scopes, is_service, user_id, external_user)


OptionalActor = Annotated[Actor | None, Depends(optional_actor)]
reader_actor = require_reader("read")
ReaderActor = Annotated[Actor, Depends(reader_actor)]
WritingReader = Annotated[Actor, Depends(require_reader("write"))]
AdminActor = Annotated[Actor, Depends(require_scope("admin"))]
"""A token with the scope `admin`."""
