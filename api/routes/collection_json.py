"""Collections as stock clients read them."""

import hashlib
from typing import Any, Final

import orjson
from fastapi import Request, Response

from api.routes.hub_answers import PERSONAL
from api.schemas.hub import hub_time
from api.services.collection_items import object_id
from api.services.collections import Shown, Viewer
from api.services.hub_names import library_slug, name_of_reader, slug_of
from api.store.collection_items import ItemFacts

JSON: Final = "application/json"
ETAG_BYTES: Final = 12


def collection_json(shown: Shown) -> dict[str, Any]:
    """Return a collection; in a list without its place, which clients count themselves."""
    facts = shown.facts
    record: dict[str, Any] = {
        "slug": slug_of_shown(shown),
        "title": facts.title,
        "owner": name_of_reader(facts.external_user),
        "items": [_item(item, place) for place, item in enumerate(shown.items)],
        "lastUpdated": hub_time(facts.modified_at),
        "private": facts.is_private,
        "theme": facts.theme,
        "upvotes": 0,
    }
    if facts.description:
        record["description"] = facts.description
    if shown.place is not None:
        record["position"] = shown.place
    return record


def slug_of_shown(shown: Shown) -> str:
    """Return the slug by which clients ask for a collection again."""
    facts = shown.facts
    if facts.is_library:
        return library_slug(facts.external_user)
    return slug_of(facts.external_user, facts.title, public_id=facts.public_id)


def personal_answer(document: object, *, status: int = 200) -> Response:
    """Return an answer that is one reader's alone."""
    return Response(orjson.dumps(document), status_code=status, media_type=JSON, headers=PERSONAL)


def answer_for(request: Request, viewer: Viewer, document: object) -> Response:
    """Return what a viewer asked for: to nobody in particular with a tag, and without the body when they have it."""
    if viewer.external_user is not None or "authorization" in request.headers:
        return personal_answer(document)
    body = orjson.dumps(document)
    tag = f'"{hashlib.blake2b(body, digest_size=ETAG_BYTES).hexdigest()}"'
    headers = {"Cache-Control": "public, no-cache", "Vary": PERSONAL["Vary"], "ETag": tag}
    known = {one.strip().removeprefix("W/") for one in request.headers.get("if-none-match", "").split(",")}
    if tag in known:
        return Response(status_code=304, headers=headers)
    return Response(body, media_type=JSON, headers=headers)


def _item(item: ItemFacts, place: int) -> dict[str, Any]:
    record: dict[str, Any] = {
        "_id": object_id(item.paper_id),
        "id": item.external_id,
        "type": "paper",
        "position": place,
        "title": item.title,
    }
    if item.note:
        record["note"] = {"text": item.note}
    if item.published_at is not None:
        record["publishedAt"] = hub_time(item.published_at)
    return record
