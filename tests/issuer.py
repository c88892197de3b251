"""A real OpenID Connect issuer on a port of its own, which signs with real keys and can be told to lie."""

import base64
import hashlib
import json
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from types import TracebackType
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

from tests.local_server import Asked, local_server

CLIENT_ID: Final = "paperfeed at papers.test"
CLIENT_SECRET: Final = "a secret of the tests: with / and %"
KEY_BITS: Final = 2048


@dataclass(slots=True)
class Person:
    """Who signs in at the issuer."""

    subject: str = "subject-1"
    mail: str = "ada@papers.test"
    is_confirmed: bool = True
    name: str = "Ada Lovelace"


@dataclass(slots=True)
class Manners:
    """How the issuer behaves; the tests change one thing each."""

    metadata: dict[str, Any] = field(default_factory=dict)  # laid over what it says about itself
    claims: dict[str, Any] = field(default_factory=dict)  # laid over the token's; None leaves one out
    header: dict[str, Any] = field(default_factory=dict)
    sign: Callable[[dict[str, Any], dict[str, Any]], str] | None = None
    userinfo: dict[str, Any] | None = None  # None: it has no such place
    token_status: int = 200
    body: bytes | None = None  # of every answer
    seconds: float = 0.0  # before every answer


@dataclass(slots=True)
class _Grant:
    query: dict[str, str]
    person: Person


class IssuerServer:
    """Serves one issuer as long as it is entered."""

    def __init__(self) -> None:
        self.person = Person()
        self.manners = Manners()
        self.key = RSAKey.generate_key(KEY_BITS, parameters={"kid": "key-1", "use": "sig"})
        self.asked: list[tuple[str, str]] = []  # method and path
        self.forms: list[dict[str, str]] = []  # of the token endpoint
        self._grants: dict[str, _Grant] = {}
        self.url = ""  # what the issuer calls itself
        self._server = local_server(self._respond, protocol="HTTP/1.0")

    def approve(self, location: str) -> str:
        """Do what a browser does there when somebody agrees: return the address it is sent back to."""
        query = dict(parse_qsl(urlsplit(location).query))
        code = secrets.token_urlsafe(16)
        self._grants[code] = _Grant(query, self.person)
        answer = {"code": code, "state": query["state"]}
        return f"{query['redirect_uri']}?{urlencode(answer)}"

    def rotate(self, key_id: str) -> None:
        """Sign with another key from now on."""
        self.key = RSAKey.generate_key(KEY_BITS, parameters={"kid": key_id, "use": "sig"})

    def metadata(self) -> dict[str, Any]:
        """Return what it says about itself."""
        said: dict[str, Any] = {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/keys",
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        }
        if self.manners.userinfo is not None:
            said["userinfo_endpoint"] = f"{self.url}/userinfo"
        return said | self.manners.metadata

    def exchange(self, form: dict[str, str], authorization: str | None) -> tuple[int, dict[str, Any]]:
        """Return the answer to a code: each works once, for who set out with the challenge."""
        self.forms.append(form)
        grant = self._grants.pop(form.get("code", ""), None)
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if (
            grant is None
            or grant.query["code_challenge"] != challenge
            or grant.query["code_challenge_method"] != "S256"
            or grant.query["redirect_uri"] != form.get("redirect_uri")
            or not self._is_client(form, authorization)
        ):
            return 400, {"error": "invalid_grant"}
        return self.manners.token_status, {
            "token_type": "Bearer",
            "access_token": "an access token",
            "id_token": self._sign(self._claims(grant)),
        }

    def _is_client(self, form: dict[str, str], authorization: str | None) -> bool:
        if authorization is None:
            return form.get("client_id") == CLIENT_ID and form.get("client_secret", CLIENT_SECRET) == CLIENT_SECRET
        return base64.b64decode(authorization.removeprefix("Basic ")).decode() == f"{CLIENT_ID}:{CLIENT_SECRET}"

    def _claims(self, grant: _Grant) -> dict[str, Any]:
        now = int(time.time())
        claims: dict[str, Any] = {
            "iss": self.url,
            "aud": CLIENT_ID,
            "sub": grant.person.subject,
            "iat": now,
            "exp": now + 300,
            "nonce": grant.query["nonce"],
            "email": grant.person.mail,
            "email_verified": grant.person.is_confirmed,
            "name": grant.person.name,
        }
        return {name: value for name, value in (claims | self.manners.claims).items() if value is not None}

    def _sign(self, claims: dict[str, Any]) -> str:
        header = {"alg": "RS256", "kid": self.key.kid, **self.manners.header}
        if self.manners.sign is not None:
            return self.manners.sign(header, claims)
        return jwt.encode(header, claims, self.key)

    def __enter__(self) -> "IssuerServer":
        self.url = f"{self._server.__enter__()}/realm"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.__exit__(kind, error, trace)

    def _respond(self, request: BaseHTTPRequestHandler, asked: Asked) -> None:
        self.asked.append((asked.method, asked.path))
        time.sleep(self.manners.seconds)
        status, content = self._answer(asked)
        body = json.dumps(content).encode() if self.manners.body is None else self.manners.body
        request.send_response(status)
        request.send_header("content-type", "application/json")
        request.send_header("content-length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)

    def _answer(self, asked: Asked) -> tuple[int, dict[str, Any]]:
        authorization = asked.headers.get("authorization")
        if asked.method == "POST":
            return self.exchange(dict(parse_qsl(asked.body.decode())), authorization)
        if asked.path == "/realm/.well-known/openid-configuration":
            return 200, self.metadata()
        if asked.path == "/realm/keys":
            return 200, {"keys": [self.key.as_dict(private=False)]}
        if asked.path == "/realm/userinfo" and self.manners.userinfo is not None:
            return 200 if authorization == "Bearer an access token" else 401, self.manners.userinfo
        return 404, {}
