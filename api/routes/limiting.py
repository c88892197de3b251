"""Pure ASGI middleware: rate limits of tokens and addresses, said in `RateLimit` fields and kept by 429."""

from typing import Any, Final

from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import TooManyRequests
from api.routes.addresses import caller_address
from api.routes.hub_errors import is_hub_path
from api.routes.problems import error_response
from api.runtime.access import Identity
from api.runtime.limits import Allowance, Kind
from api.runtime.state import Runtime

COUNTED: Final = "paperfeed.allowance"  # in the scope: what was left for a request that was counted already
IDENTITY: Final = "paperfeed.identity"  # in the scope: whom the token stands for, so that it is looked up once
FREE_PATHS: Final = frozenset({"/livez", "/readyz", "/metrics", "/beacon.js"})
FREE_FOLDER: Final = "/static/"
# What pages of configured origins may do and see; cookies stay with our own pages.
CORS: Final[dict[str, Any]] = {
    "allow_methods": ("GET", "HEAD", "POST", "PUT", "DELETE"),
    "allow_headers": ("Authorization", "Content-Encoding", "If-None-Match", "X-Request-Id", "X-User"),
    "expose_headers": ("ETag", "Link", "RateLimit", "RateLimit-Policy", "Retry-After", "X-Request-Id"),
    "allow_credentials": False,
    "max_age": 600,
}


class RateLimits:
    """Counts each request to its caller; one without a limit passes untouched."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in FREE_PATHS or scope["path"].startswith(FREE_FOLDER):
            await self.app(scope, receive, send)
            return
        runtime: Runtime = scope["app"].state.runtime
        allowance = await count_request(scope, runtime)
        if allowance is None:
            await self.app(scope, receive, send)
            return
        fields = limit_fields(allowance, scope["path"])

        async def send_with_fields(message: Message) -> None:
            if message["type"] == "http.response.start":  # a prepared answer's own list is not ours to change
                message = {**message, "headers": [*message.get("headers", ()), *fields]}
            await send(message)

        answer = self.app if allowance.is_allowed else error_response(_refusal(allowance), scope=scope)
        await answer(scope, receive, send_with_fields)


async def count_request(scope: Scope, runtime: Runtime) -> Allowance | None:
    """Count a request to its token or address; None when that has no limit. Leaves the token's identity in `scope`."""
    if COUNTED in scope:
        counted: Allowance | None = scope[COUNTED]
        return counted
    token = bearer_token(scope)
    if token is not None:
        try:
            identity = await find_identity(scope, runtime, token)
        except SQLAlchemyError:  # the route meets the same and says so
            return None
        if identity is not None:
            kind: Kind = "service" if identity.user_id is None else "reader"
            return await runtime.limits.take(kind, identity.token_id) if runtime.limits.is_limited(kind) else None
    if not runtime.limits.is_limited("anonymous"):
        return None
    return await runtime.limits.take("anonymous", caller_address(scope, runtime.settings.trusted_proxies))


async def find_identity(scope: Scope, runtime: Runtime, token: str) -> Identity | None:
    """Return whom a token stands for, looked up once a request; None for one that is unknown or revoked."""
    if IDENTITY in scope:
        kept: Identity | None = scope[IDENTITY]
        return kept
    identity = runtime.access.known_identity(token) or await run_in_threadpool(runtime.access.find_identity, token)
    scope[IDENTITY] = identity
    return identity


def bearer_token(scope: Scope) -> str | None:
    """Return the token of the Authorization header, None without one or with another scheme."""
    for name, value in scope["headers"]:
        if name == b"authorization":
            scheme, _, token = value.decode("latin-1").partition(" ")
            return token.strip() if scheme.lower() == "bearer" else None
    return None


def _refusal(allowance: Allowance) -> TooManyRequests:
    policy, wait = allowance.policy, allowance.retry_after_seconds
    whose = "address without a token" if policy.name == "anonymous" else f"{policy.name}'s token"
    return TooManyRequests(
        f"one {whose} may send {policy.rate:g} requests a second, {policy.burst} at once: wait {wait} s",
        retry_after_seconds=wait,
        **{"violated-policies": [policy.name]},
    )


def limit_fields(allowance: Allowance, path: str) -> list[tuple[bytes, bytes]]:
    """Return the header fields that say what is left of an allowance, as the callers of a path read them."""
    policy = allowance.policy
    if is_hub_path(path):  # its clients wait for `t` seconds after a refusal
        wait = allowance.reset_seconds if allowance.is_allowed else allowance.retry_after_seconds
        return [
            (b"ratelimit-policy", b'"api";q=%d;w=%d' % (policy.burst, policy.window_seconds)),
            (b"ratelimit", b'"api";r=%d;t=%d' % (allowance.remaining, wait)),
        ]
    return [
        (b"ratelimit-policy", policy.header.encode("ascii")),
        (b"ratelimit", allowance.header.encode("ascii")),
    ]
