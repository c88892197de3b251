"""The OpenID Connect issuer that people may sign in with: what it says about itself, its keys, and its answers."""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import httpx2
import orjson

from api.errors import NotAllowed, Unavailable
from api.settings import LOOPBACK_HOSTS, Settings

log = logging.getLogger(__name__)

ANSWER_SECONDS: Final = 8.0  # for one answer, however slowly its parts come
MOST_BYTES: Final = 512 * 1024  # of an answer
METADATA_SECONDS: Final = 3600.0
KEYS_SECONDS: Final = 3600.0
KEYS_REST_SECONDS: Final = 10.0  # between looks for a key that is not among those known: tokens can name any
WELL_KNOWN: Final = "/.well-known/openid-configuration"
_ENDPOINTS: Final = ("authorization_endpoint", "token_endpoint", "jwks_uri")


class IssuerProblem(Unavailable):
    """The issuer is away, too slow, or does not answer as one."""


@dataclass(frozen=True, slots=True)
class Metadata:
    """Where an issuer is asked what."""

    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str | None
    takes_basic: bool  # the secret in a header, as all should; else in the form
    names_itself: bool  # in its answers to browsers: RFC 9207


class Issuer:
    """One issuer as one process knows it; what it says about itself is kept for an hour, its keys until one is new."""

    def __init__(self, settings: Settings, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.address = settings.oidc_issuer
        self.client_id = settings.oidc_client_id
        self._secret = settings.oidc_client_secret
        self._clock = clock
        self._metadata: tuple[float, Metadata] | None = None
        self._keys: tuple[float, list[dict[str, Any]]] | None = None

    @property
    def is_configured(self) -> bool:
        """True when people may sign in with it."""
        return bool(self.address and self.client_id)

    async def discover(self) -> Metadata:
        """Return where it is asked what; raises IssuerProblem."""
        kept = self._metadata
        if kept is not None and self._clock() - kept[0] < METADATA_SECONDS:
            return kept[1]
        found = _read_metadata(await self._ask("GET", self.address.rstrip("/") + WELL_KNOWN), issuer=self.address)
        self._metadata = self._clock(), found
        return found

    async def find_keys(self, key_id: str | None) -> list[dict[str, Any]]:
        """Return its public keys with this id, all without one; asks anew when it knows none."""
        kept = self._keys
        age = None if kept is None else self._clock() - kept[0]
        if kept is not None and age is not None and age < KEYS_SECONDS:
            found = _keys_named(kept[1], key_id)
            if found or age < KEYS_REST_SECONDS:
                return found
        answer = await self._ask("GET", (await self.discover()).jwks_uri)
        keys = answer.get("keys")
        if not isinstance(keys, list):
            raise self._problem("it gives no keys")
        known = [key for key in keys if isinstance(key, dict)]
        self._keys = self._clock(), known
        return _keys_named(known, key_id)

    async def exchange(self, code: str, *, verifier: str, redirect_uri: str) -> Mapping[str, Any]:
        """Return its answer to a code that a browser brought."""
        metadata = await self.discover()
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": verifier,
        }
        auth = None
        if self._secret is not None and metadata.takes_basic:
            auth = httpx2.BasicAuth(self.client_id, self._secret.get_secret_value())
        else:
            form["client_id"] = self.client_id
            if self._secret is not None:
                form["client_secret"] = self._secret.get_secret_value()
        return await self._ask("POST", metadata.token_endpoint, data=form, auth=auth)

    async def read_userinfo(self, access_token: str) -> Mapping[str, Any]:
        """Return what it tells about the owner of an access token, nothing where it has no place for that."""
        address = (await self.discover()).userinfo_endpoint
        if address is None:
            return {}
        return await self._ask("GET", address, headers={"Authorization": f"Bearer {access_token}"})

    async def _ask(self, method: str, address: str, **more: Any) -> Mapping[str, Any]:
        try:
            async with (
                asyncio.timeout(ANSWER_SECONDS),
                httpx2.AsyncClient(timeout=ANSWER_SECONDS) as client,
                client.stream(method, address, follow_redirects=False, **more) as answer,
            ):
                body = await _read(answer)
        except (httpx2.HTTPError, httpx2.InvalidURL, TimeoutError, OSError) as error:
            raise self._problem(type(error).__name__) from None
        if answer.status_code == httpx2.codes.BAD_REQUEST and method == "POST":
            log.warning("issuer refused a code", extra={"issuer": self.address})
            raise NotAllowed("the sign-in service does not take this attempt any more: start again")
        if answer.status_code != httpx2.codes.OK:
            raise self._problem(f"status {answer.status_code}")
        try:
            content = orjson.loads(body)
        except orjson.JSONDecodeError:
            raise self._problem("no JSON") from None
        if not isinstance(content, dict):
            raise self._problem("no JSON object")
        return content

    def _problem(self, why: str) -> IssuerProblem:
        log.warning("issuer did not answer", extra={"issuer": self.address, "why": why})
        return IssuerProblem("the sign-in service does not answer as it should just now: try again in a while")


async def _read(answer: httpx2.Response) -> bytes:
    parts: list[bytes] = []
    size = 0
    async for part in answer.aiter_bytes():
        size += len(part)
        if size > MOST_BYTES:
            raise OSError("the answer is too long")
        parts.append(part)
    return b"".join(parts)


def _read_metadata(content: Mapping[str, Any], *, issuer: str) -> Metadata:
    if content.get("issuer") != issuer:
        log.warning("issuer names another", extra={"issuer": issuer})
        raise IssuerProblem(
            "the sign-in service calls itself otherwise than PAPERFEED_OIDC_ISSUER does: the two must be equal"
        )
    places = [content.get(name) for name in _ENDPOINTS]
    if not all(_is_safe(place, issuer) for place in places):
        raise IssuerProblem("the sign-in service does not say where it is to be asked")
    methods = content.get("token_endpoint_auth_methods_supported")
    userinfo = content.get("userinfo_endpoint")
    return Metadata(
        authorization_endpoint=str(places[0]),
        token_endpoint=str(places[1]),
        jwks_uri=str(places[2]),
        userinfo_endpoint=str(userinfo) if _is_safe(userinfo, issuer) else None,
        takes_basic=not isinstance(methods, list) or "client_secret_basic" in methods,
        names_itself=content.get("authorization_response_iss_parameter_supported") is True,
    )


def _is_safe(address: object, issuer: str) -> bool:
    """True for an address that is encrypted; on this machine only where the issuer itself is there."""
    if not isinstance(address, str):
        return False
    try:
        parts = urlsplit(address)
    except ValueError:
        return False
    is_local = parts.hostname in LOOPBACK_HOSTS and urlsplit(issuer).hostname in LOOPBACK_HOSTS
    return bool(parts.netloc) and (parts.scheme == "https" or (parts.scheme == "http" and is_local))


def _keys_named(keys: list[dict[str, Any]], key_id: str | None) -> list[dict[str, Any]]:
    return [key for key in keys if key_id is None or key.get("kid") == key_id]
