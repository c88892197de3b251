"""Whom an OpenID Connect issuer vouches for: its signed word, checked part by part."""

import binascii
import hmac
import logging
from base64 import urlsafe_b64decode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import orjson
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import JWKRegistry

from api.errors import NotAllowed
from api.runtime.oidc import Issuer
from api.services.signing_in import Identified

log = logging.getLogger(__name__)

# Signatures that only the issuer can make: neither `none` nor those that share a secret.
ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512")
KEY_TYPES: Final = frozenset({"RSA", "EC"})
LEEWAY_SECONDS: Final = 60  # between its clock and ours
LONGEST_TOKEN: Final = 32_768
LONGEST_SUBJECT: Final = 255
MOST_KEYS_TRIED: Final = 8


class RefusedWord(NotAllowed):
    """What the issuer, or somebody who says to be it, sent does not vouch for anybody."""

    def __init__(self, why: str) -> None:
        super().__init__("the sign-in service's answer cannot be trusted: start again from the sign-in page")
        self.why = why


@dataclass(frozen=True, slots=True)
class Attempt:
    """What a browser set out with."""

    nonce: str
    verifier: str
    redirect_uri: str


async def identify(issuer: Issuer, code: str, attempt: Attempt, *, now: datetime) -> Identified:
    """Return whom the issuer vouches for by a code; raises RefusedWord, IssuerProblem, NotAllowed."""
    answer = await issuer.exchange(code, verifier=attempt.verifier, redirect_uri=attempt.redirect_uri)
    text = answer.get("id_token")
    if not isinstance(text, str) or len(text) > LONGEST_TOKEN:
        raise RefusedWord("no token")
    header = read_header(text)
    keys = await issuer.find_keys(header.get("kid") if isinstance(header.get("kid"), str) else None)
    claims = check_token(text, keys, issuer=issuer.address, client_id=issuer.client_id, nonce=attempt.nonce, now=now)
    if "email" not in claims and isinstance(access := answer.get("access_token"), str):
        told = await issuer.read_userinfo(access)
        if told and told.get("sub") != claims["sub"]:
            raise RefusedWord("userinfo of somebody else")
        claims = {**told, **claims}
    return _identified(claims, issuer.address)


def read_header(text: str) -> Mapping[str, Any]:
    """Return the header of a token, unchecked; raises RefusedWord for one that no check would let pass."""
    part = text.partition(".")[0]
    try:
        header = orjson.loads(urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (binascii.Error, ValueError):
        raise RefusedWord("no token") from None
    if not isinstance(header, dict) or header.get("alg") not in ALGORITHMS:
        raise RefusedWord("algorithm")
    return header


def check_token(
    text: str, keys: Sequence[Mapping[str, Any]], *, issuer: str, client_id: str, nonce: str, now: datetime
) -> dict[str, Any]:
    """Return the claims of a token that this issuer signed for this service, now, for this attempt.

    Raises RefusedWord, whose `why` names the first part that is wrong.
    """
    claims = _verify(text, keys)
    rules = jwt.JWTClaimsRegistry(
        now=int(now.timestamp()),
        leeway=LEEWAY_SECONDS,
        iss={"essential": True, "value": issuer},
        aud={"essential": True, "value": client_id},
        sub={"essential": True},
        exp={"essential": True},
        iat={"essential": True},
    )
    try:
        rules.validate(claims)
    except JoseError as error:
        raise RefusedWord(f"{error.error}: {getattr(error, 'claim', '')}") from None
    audience = claims["aud"]
    if isinstance(audience, list) and len(audience) > 1 and claims.get("azp") != client_id:
        raise RefusedWord("meant for others")
    if "azp" in claims and claims["azp"] != client_id:
        raise RefusedWord("meant for others")
    given = claims.get("nonce")
    if not isinstance(given, str) or not hmac.compare_digest(given.encode(), nonce.encode()):
        raise RefusedWord("nonce")
    return claims


def _verify(text: str, keys: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the claims of a token that one of these keys signed."""
    usable = [key for key in keys if key.get("kty") in KEY_TYPES and key.get("use", "sig") == "sig"]
    for key in usable[:MOST_KEYS_TRIED]:
        try:
            return jwt.decode(text, JWKRegistry.import_key(dict(key)), algorithms=ALGORITHMS).claims
        except (JoseError, ValueError, TypeError, KeyError):  # another key's, or a key that is none
            continue
    raise RefusedWord("signature")


def _identified(claims: Mapping[str, Any], issuer: str) -> Identified:
    subject, mail, name = claims.get("sub"), claims.get("email"), claims.get("name")
    if not isinstance(subject, str) or not 0 < len(subject) <= LONGEST_SUBJECT:
        raise RefusedWord("subject")
    if not isinstance(mail, str) or claims.get("email_verified") not in (True, "true"):
        raise NotAllowed("the sign-in service has not confirmed your mail address: confirm it there, then try again")
    return Identified(issuer, subject, mail, name if isinstance(name, str) else "")
