"""Collections: lists of papers that stock clients read and write, the library among them."""

import uuid
from datetime import UTC, datetime
from typing import Annotated, Final, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from api.errors import InvalidCursor, InvalidRequest, NotAllowed, NotFound
from api.routes.collection_json import answer_for, collection_json, personal_answer, slug_of_shown
from api.routes.deps import OptionalActor, ReaderActor, RuntimeDep, WritingReader
from api.routes.events import take_events
from api.routes.hub_answers import next_link
from api.routes.hub_errors import hub_answers
from api.runtime.state import Runtime
from api.schemas.collections import (
    EXAMPLE_COLLECTION,
    CollectionChanges,
    CollectionIn,
    ItemChanges,
    ItemIn,
    ResourceGroupIn,
)
from api.schemas.events import Incoming
from api.services import collection_items, collections
from api.services.collection_items import Addition, Removal
from api.services.collections import Search, Shown, Viewer
from api.services.cursors import decode_cursor, encode_cursor
from api.services.hub_names import name_of_reader

router = APIRouter(tags=["hub"])

API: Final = "/api/collections"
ONE: Final = f"{API}/{{owner}}/{{slug}}"
MOST_LISTED: Final = 100  # in one page; who asks for more follows the link
DEFAULT_LISTED: Final = 50
CURSOR: Final = "collections"  # names the list to which a cursor belongs
LONGEST_WORDS: Final = 250

_DONE: Final = {"success": True}
_CHANGED: Final = {"success": True, "data": EXAMPLE_COLLECTION}
_NOTHING_SUCH: Final = "there are no organisations here whose collections could have a resource group"

Owner = Annotated[str, Path(description="The owner's name, the first part of the slug.", examples=["ada"])]
Slug = Annotated[str, Path(description="The second part of the slug.", examples=["library"])]
Item = Annotated[str, Path(description="`_id` of an item of the collection.", examples=["00000000000000000000002a"])]


async def find_viewer(actor: OptionalActor) -> Viewer:
    """Return who looks: nobody in particular without a token that may read for a reader."""
    if actor is None or actor.external_user is None or "read" not in actor.scopes:
        return Viewer()
    return Viewer(actor.user_id, actor.external_user)


async def find_writer(actor: WritingReader, _reads: ReaderActor) -> Viewer:
    """Return the reader whose collections are written; answers show them whole, so the token has to read, too."""
    return Viewer(actor.user_id, actor.external_user)


ViewerDep = Annotated[Viewer, Depends(find_viewer)]
WriterDep = Annotated[Viewer, Depends(find_writer)]


@router.get(API, summary="List collections", responses=hub_answers([EXAMPLE_COLLECTION], 400, 401))
def list_collections(
    *,
    request: Request,
    runtime: RuntimeDep,
    viewer: ViewerDep,
    owner: Annotated[list[str] | None, Query(description="Names of owners.")] = None,
    item: Annotated[list[str] | None, Query(description="`papers/ID`: collections that hold any of them.")] = None,
    q: Annotated[str, Query(max_length=LONGEST_WORDS, description="Words of the title or description.")] = "",
    sort: Annotated[
        Literal["lastModified", "trending", "upvotes"] | None,
        Query(description="Collections have no votes: each means last changed first."),
    ] = None,
    limit: Annotated[int, Query(ge=1, description=f"Collections in a page, {MOST_LISTED} at most.")] = DEFAULT_LISTED,
    cursor: Annotated[str | None, Query(max_length=2000, description="From the link to the next page.")] = None,
) -> Response:
    """Public ones and the reader's own, each with its first four papers; one owner's in the owner's order."""
    search = Search(tuple(owner or ()), tuple(item or ()), q.strip(), sort is not None)
    scope = f"{CURSOR}:{search.order}"
    after = None if cursor is None else _place(decode_cursor(runtime.keys, scope, cursor))
    with runtime.db.read() as session:
        found, following = collections.list_collections(
            session, viewer, search, after=after, limit=min(limit, MOST_LISTED)
        )
    answer = answer_for(request, viewer, [collection_json(one) for one in found])
    if following is not None:
        asked = [pair for pair in request.query_params.multi_items() if pair[0] != "cursor"]
        query = urlencode([*asked, ("cursor", encode_cursor(runtime.keys, scope, list(following)))])
        answer.raw_headers.append((b"link", next_link(runtime, request.scope, query.encode())))
    return answer


@router.post(API, summary="Make a collection", responses=hub_answers(EXAMPLE_COLLECTION, 400, 401, 403, 409, 413))
def create_collection(runtime: RuntimeDep, writer: WriterDep, body: CollectionIn) -> Response:
    """One of a title that the reader has already is 409 with its `slug`; `Library` is the title of the library."""
    name = writer.external_user or ""
    if body.namespace not in (None, name_of_reader(name)):
        raise NotAllowed(f"this token makes collections of {name_of_reader(name)!r}, not of {body.namespace!r}")
    if body.resource_group_id is not None:
        raise InvalidRequest(_NOTHING_SUCH)
    with runtime.db.write() as session:
        shown, is_new = collections.create_collection(
            session,
            name,
            title=body.title,
            description=body.description,
            is_private=body.private,
            theme=body.theme,
            now=datetime.now(UTC),
        )
    if is_new:
        return personal_answer(collection_json(shown))
    said = {"error": f"you have a collection {shown.facts.title!r} already", "slug": slug_of_shown(shown)}
    return personal_answer(said, status=409)


@router.get(ONE, summary="Read a collection", responses=hub_answers(EXAMPLE_COLLECTION, 401, 404))
def read_collection(request: Request, runtime: RuntimeDep, viewer: ViewerDep, owner: Owner, slug: Slug) -> Response:
    """With all its papers; `library` is the slug of every reader's library."""
    with runtime.db.read() as session:
        shown = collections.read_collection(session, viewer, owner, slug)
    return answer_for(request, viewer, collection_json(shown))


@router.patch(ONE, summary="Change a collection", responses=hub_answers(_CHANGED, 400, 401, 403, 404, 409))
def change_collection(
    runtime: RuntimeDep, writer: WriterDep, owner: Owner, slug: Slug, body: CollectionChanges
) -> Response:
    """A new title changes the words of the slug, not the id that ends it: the old slug still leads here."""
    said = body.model_dump(exclude_none=True, exclude={"position"})
    if "private" in said:
        said["is_private"] = said.pop("private")
    if "description" in said:
        said["description"] = said["description"] or None
    with runtime.db.write() as session:
        shown = collections.change_collection(
            session, writer, owner, slug, changes=said, position=body.position, now=datetime.now(UTC)
        )
    return personal_answer({"success": True, "data": collection_json(shown)})


@router.delete(ONE, summary="Delete a collection", responses=hub_answers(_DONE, 401, 403, 404))
def delete_collection(runtime: RuntimeDep, writer: WriterDep, owner: Owner, slug: Slug) -> Response:
    """Its papers stay in the library, which itself cannot be deleted (403)."""
    with runtime.db.write() as session:
        collections.delete_collection(session, writer, owner, slug)
    return personal_answer(_DONE)


@router.post(
    ONE + "/resource-group", summary="Leave a resource group", responses=hub_answers(_DONE, 400, 401, 403, 404)
)
def leave_resource_group(
    runtime: RuntimeDep, writer: WriterDep, owner: Owner, slug: Slug, body: ResourceGroupIn
) -> Response:
    """There are none: null is what every collection has already, anything else is 400."""
    with runtime.db.read() as session:
        collections.find_own(session, writer, owner, slug)
    if body.resource_group_id is not None:
        raise InvalidRequest(_NOTHING_SUCH)
    return personal_answer(_DONE)


@router.post(
    ONE + "/items",
    summary="Put a paper into a collection",
    responses=hub_answers(EXAMPLE_COLLECTION, 400, 401, 403, 404, 409, 413),
)
async def add_item(runtime: RuntimeDep, writer: WriterDep, owner: Owner, slug: Slug, body: ItemIn) -> Response:
    """Whatever the collection, the paper is saved: it is in the library from now on, and the feed learns from it."""
    addition = await run_in_threadpool(_check_addition, runtime, writer, owner, slug, body=body)
    if not addition.is_saved:
        await _record_event(runtime, writer, "save", addition.external_id)
    shown = await run_in_threadpool(_add, runtime, writer, owner, slug, addition=addition, note=body.note)
    return personal_answer(collection_json(shown))


@router.patch(
    ONE + "/items/{item}",
    summary="Change a paper's note or place in a collection",
    responses=hub_answers(_DONE, 400, 401, 403, 404),
)
def change_item(
    *, runtime: RuntimeDep, writer: WriterDep, owner: Owner, slug: Slug, item: Item, body: ItemChanges
) -> Response:
    """An empty note takes the note away; a place beyond the end is the end."""
    with runtime.db.write() as session:
        collection_items.change_item(
            session, writer, owner, slug, item=item, note=body.note, position=body.position, now=datetime.now(UTC)
        )
    return personal_answer(_DONE)


@router.delete(
    ONE + "/items/{item}",
    summary="Take a paper out of a collection",
    responses=hub_answers(_DONE, 401, 403, 404),
)
async def remove_item(runtime: RuntimeDep, writer: WriterDep, owner: Owner, slug: Slug, item: Item) -> Response:
    """Out of the library means unsaved; out of any other collection it stays in the library."""
    removal = await run_in_threadpool(_check_removal, runtime, writer, owner, slug, item=item)
    if removal.is_unsave:
        await _record_event(runtime, writer, "unsave", removal.external_id)
    await run_in_threadpool(_remove, runtime, writer, owner, slug, removal=removal)
    return personal_answer(_DONE)


def _check_addition(runtime: Runtime, writer: Viewer, owner: str, slug: str, *, body: ItemIn) -> Addition:
    with runtime.db.read() as session:
        return collection_items.check_addition(
            session, writer, owner, slug, item_type=body.item.type, item_id=body.item.id
        )


def _check_removal(runtime: Runtime, writer: Viewer, owner: str, slug: str, *, item: str) -> Removal:
    with runtime.db.read() as session:
        return collection_items.check_removal(session, writer, owner, slug, item=item)


def _add(runtime: Runtime, writer: Viewer, owner: str, slug: str, *, addition: Addition, note: str | None) -> Shown:
    with runtime.db.write() as session:
        return collection_items.add_paper(
            session, writer, owner, slug, addition=addition, note=note, now=datetime.now(UTC)
        )


def _remove(runtime: Runtime, writer: Viewer, owner: str, slug: str, *, removal: Removal) -> None:
    with runtime.db.write() as session:
        collection_items.remove_paper(session, writer, owner, slug, removal=removal, now=datetime.now(UTC))


async def _record_event(runtime: Runtime, writer: Viewer, kind: str, paper: str) -> None:
    """Let the intake store what a reader did with a paper, as from any other client."""
    event = {"id": str(uuid.uuid4()), "kind": kind, "paper_id": paper, "occurred_at": datetime.now(UTC).isoformat()}
    outcome = await take_events(runtime, Incoming([event], writer.external_user))
    if outcome.answers[0].status == "rejected":  # removed in this very moment
        raise NotFound(f"there is no paper {paper!r}")


def _place(place: list[int | str | None]) -> tuple[int, int]:
    match place:
        case [int() as key, int() as number]:
            return key, number
    raise InvalidCursor("this cursor does not belong to this list: start again without one", field="cursor")
