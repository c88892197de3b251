"""Signing in with an OpenID Connect issuer: there with a challenge, back with a code."""

import hashlib
import hmac
import logging
import secrets
import time
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

import orjson
from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from api.errors import InvalidRequest, NotAllowed, NotFound, ServiceError
from api.routes.addresses import is_https
from api.routes.deps import RuntimeDep
from api.routes.site.arriving import now, sign_in, sign_in_rules
from api.routes.site.visiting import Visit, VisitDep, local_path, render
from api.runtime.state import Runtime
from api.services.issuers import Attempt, RefusedWord, identify
from api.services.signing_in import Identified, sign_in_by_issuer

log = logging.getLogger(__name__)

router = APIRouter(include_in_schema=False)

START: Final = "/sign-in/oidc"
CALLBACK: Final = "/sign-in/oidc/callback"
COOKIE: Final = "paperfeed_attempt"
PURPOSE: Final = b"oidc attempt"
ATTEMPT_SECONDS: Final = 600
SECRET_BYTES: Final = 32
LONGEST_COOKIE: Final = 3_500  # characters; browsers keep 4 kB
LONGEST_CODE: Final = 4_096
SCOPES: Final = "openid email profile"


@dataclass(frozen=True, slots=True)
class _Attempt:
    """What the browser that set out keeps until it is back."""

    state: str
    nonce: str
    verifier: str
    next_path: str
    started: int  # epoch seconds


@router.get(START)
async def read_start(request: Request, runtime: RuntimeDep, visit: VisitDep, next: str = "/") -> Response:
    """Send the browser to the issuer; only the sign-in page's own link, or an address typed by hand, does that."""
    _check_configured(runtime)
    if request.headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
        return _show_problem(request, visit, NotAllowed("signing in begins on the sign-in page"))
    attempt = _Attempt(
        state=secrets.token_urlsafe(SECRET_BYTES),
        nonce=secrets.token_urlsafe(SECRET_BYTES),
        verifier=secrets.token_urlsafe(SECRET_BYTES),
        next_path=local_path(next),
        started=int(time.time()),
    )
    try:
        metadata = await runtime.issuer.discover()
    except ServiceError as error:
        return _show_problem(request, visit, error)
    challenge = urlsafe_b64encode(hashlib.sha256(attempt.verifier.encode()).digest()).rstrip(b"=").decode()
    query = {
        "response_type": "code",
        "client_id": runtime.issuer.client_id,
        "redirect_uri": _redirect_uri(runtime),
        "scope": SCOPES,
        "state": attempt.state,
        "nonce": attempt.nonce,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
    mark = "&" if "?" in metadata.authorization_endpoint else "?"
    where = f"{metadata.authorization_endpoint}{mark}{urlencode(query)}"
    response = Response(status_code=303, headers={"Location": where, "Cache-Control": "no-store"})
    _keep(response, request, runtime, attempt)
    return response


@router.get(CALLBACK)
async def read_callback(request: Request, runtime: RuntimeDep, visit: VisitDep) -> Response:
    """Sign in whom the issuer vouches for, if this very browser set out for it a moment ago."""
    _check_configured(runtime)
    attempt = _read_attempt(request, runtime)
    said = request.query_params
    code = said.get("code", "")
    try:
        if attempt is None or not hmac.compare_digest(attempt.state.encode(), said.get("state", "").encode()):
            raise RefusedWord("state")
        if "error" in said or not 0 < len(code) <= LONGEST_CODE:
            raise NotAllowed("the sign-in service did not let you in: try again, or sign in by mail")
        await _check_issuer(runtime, said.get("iss"))
        set_out = Attempt(attempt.nonce, attempt.verifier, _redirect_uri(runtime))
        who = await identify(runtime.issuer, code, set_out, now=now())
        response = await run_in_threadpool(_arrive, request, runtime, who, attempt.next_path)
    except ServiceError as problem:
        if isinstance(problem, RefusedWord):
            log.warning("issuer's word refused", extra={"issuer": runtime.issuer.address, "why": problem.why})
        response = _show_problem(request, visit, problem)
    response.delete_cookie(COOKIE, path=START, httponly=True, samesite="lax")
    return response


def _arrive(request: Request, runtime: Runtime, who: Identified, next_path: str) -> Response:
    rules = sign_in_rules(runtime.settings)
    return sign_in(
        request,
        runtime,
        lambda session, browser: sign_in_by_issuer(session, who, browser, next_path=next_path, rules=rules, now=now()),
    )


def _check_configured(runtime: Runtime) -> None:
    if not runtime.issuer.is_configured:
        raise NotFound("signing in with another service is not configured here")


async def _check_issuer(runtime: Runtime, named: str | None) -> None:
    """Refuse the answer of another issuer, and one that says no name where names are given: RFC 9207."""
    metadata = await runtime.issuer.discover()
    if (named is None and metadata.names_itself) or named not in (None, runtime.issuer.address):
        raise RefusedWord("another issuer")


def _redirect_uri(runtime: Runtime) -> str:
    return runtime.settings.site_url + CALLBACK


def _show_problem(request: Request, visit: Visit, error: ServiceError) -> Response:
    response = render(request, visit, "site/sign_in_failed.html", status=error.status, problem=error.detail)
    response.headers.update(error.headers)
    return response


def _keep(response: Response, request: Request, runtime: Runtime, attempt: _Attempt) -> None:
    fields = [attempt.state, attempt.nonce, attempt.verifier, attempt.next_path, attempt.started]
    sealed = runtime.keys.seal(PURPOSE, orjson.dumps(fields))
    if len(sealed) > LONGEST_COOKIE:
        raise InvalidRequest("the page to go on with has too long an address")
    response.set_cookie(
        COOKIE,
        sealed,
        max_age=ATTEMPT_SECONDS,
        path=START,
        secure=is_https(request.scope, runtime.settings.trusted_proxies),
        httponly=True,
        samesite="lax",
    )


def _read_attempt(request: Request, runtime: Runtime) -> _Attempt | None:
    opened = runtime.keys.open(PURPOSE, request.cookies.get(COOKIE, ""))
    if opened is None:
        return None
    attempt = _Attempt(*orjson.loads(opened.payload))  # only this service can have sealed it
    return attempt if 0 <= time.time() - attempt.started <= ATTEMPT_SECONDS else None
