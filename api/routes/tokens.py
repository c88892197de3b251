"""Access tokens, for administrators."""

from datetime import UTC, datetime
from typing import Final

from fastapi import APIRouter

from api.errors import InvalidCursor
from api.routes.deps import AdminActor, RuntimeDep
from api.routes.problems import answers
from api.runtime.keys import KeyRing
from api.schemas.common import DEFAULT_ITEMS, Cursor, Limit
from api.schemas.people import EXAMPLE_TOKEN, NewTokenOut, TokenIn, TokenOut, TokensOut
from api.services import accounts
from api.services.cursors import decode_cursor, encode_cursor

router = APIRouter(prefix="/v1/admin/tokens", tags=["admin"])

SCOPE: Final = "tokens"
_NEW: Final = EXAMPLE_TOKEN | {"token": "pf_5f1c0a9b3d7e2468_shown-this-once"}
_PAGE: Final = {"items": [EXAMPLE_TOKEN], "next": None}


@router.post("", status_code=201, summary="Make a token", responses=answers(_NEW, 401, 403, 422, 503, status=201))
def create_token(runtime: RuntimeDep, _actor: AdminActor, body: TokenIn) -> NewTokenOut:
    """Its text is shown in this answer and never again."""
    with runtime.db.write() as session:
        facts, text = accounts.create_token(
            session, external_user=body.user_id, scopes=body.scopes, label=body.label, now=datetime.now(UTC)
        )
    return NewTokenOut(**_shown(facts).model_dump(), token=text)


@router.get("", summary="List tokens", responses=answers(_PAGE, 401, 403, 422))
def list_tokens(
    runtime: RuntimeDep, _actor: AdminActor, limit: Limit = DEFAULT_ITEMS, cursor: Cursor = None
) -> TokensOut:
    """Oldest first, revoked ones included."""
    after = None
    if cursor is not None:
        after = _place(runtime.keys, cursor)
    with runtime.db.read() as session:
        page, place = accounts.list_tokens(session, after=after, limit=limit)
    following = None if place is None else encode_cursor(runtime.keys, SCOPE, [place[0].isoformat(), place[1]])
    return TokensOut(items=[_shown(facts) for facts in page], next=following)


@router.delete("/{token_id}", summary="Revoke a token", responses=answers(EXAMPLE_TOKEN, 401, 403, 404, 422, 503))
def revoke_token(runtime: RuntimeDep, _actor: AdminActor, token_id: str) -> TokenOut:
    """Every process stops accepting it within five seconds."""
    with runtime.db.write() as session:
        facts = accounts.revoke_token(session, token_id, now=datetime.now(UTC))
    return _shown(facts)


def _place(keys: KeyRing, cursor: str) -> tuple[datetime, str]:
    match decode_cursor(keys, SCOPE, cursor):
        case [str() as time, str() as token_id]:
            return datetime.fromisoformat(time), token_id
    raise InvalidCursor("this cursor does not belong to this list: start again without one", field="cursor")


def _shown(facts: accounts.TokenFacts) -> TokenOut:
    return TokenOut(
        token_id=facts.token_id,
        label=facts.label,
        user_id=facts.external_user,
        scopes=list(facts.scopes),
        created_at=facts.created_at,
        revoked_at=facts.revoked_at,
    )
