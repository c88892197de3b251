"""For operators: erasing a reader, and what was erased so far, with an admin token."""

from datetime import datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, Field

from api.routes.deps import AdminActor, RuntimeDep
from api.routes.erasing import erase
from api.routes.problems import answers
from api.schemas.common import DEFAULT_ITEMS, Limit
from api.services import auditing, erasure

router = APIRouter(prefix="/v1/admin", tags=["admin"])

_ERASED: Final[dict[str, Any]] = {"readers": 1, "rows": {"events": 120, "library": 14}}
_LINE: Final[dict[str, Any]] = {
    "audit_id": 7,
    "at": "2026-05-01T12:00:00Z",
    "action": "reader erased",
    "by": "operator",
    "facts": {"readers": 1, "events": 120, "library": 14},
}


class ErasedOut(BaseModel):
    """What went with a reader."""

    model_config = ConfigDict(json_schema_extra={"examples": [_ERASED]})

    readers: int = Field(description="The reader, and the anonymous ones who had become part of them.")
    rows: dict[str, int] = Field(description="Rows that were removed, by table.")


class AuditLineOut(BaseModel):
    """Something that was done to readers, without saying to whom."""

    audit_id: int
    at: datetime
    action: str
    by: str
    facts: dict[str, int]


class AuditLogOut(BaseModel):
    """A page of the audit log, newest first."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [_LINE], "next": None}]})

    items: list[AuditLineOut]
    next: int | None = Field(description="`before` of the next page; null: there is none.")


@router.delete(
    "/readers/{external_user:path}",
    summary="Erase a reader",
    responses=answers(_ERASED, 401, 403, 404, 422, 503),
)
def delete_reader(
    runtime: RuntimeDep, _actor: AdminActor, external_user: Annotated[str, Path(min_length=1, max_length=200)]
) -> ErasedOut:
    """Everything about them goes at once, events too; a line of the audit log without a name stays."""
    with runtime.db.read() as session:
        user_id = erasure.find_reader(session, external_user)
    erased = erase(runtime, user_id, by="operator")
    return ErasedOut(readers=len(erased.user_ids), rows=erased.rows)


@router.get(
    "/audit-log", summary="Read the audit log", responses=answers({"items": [_LINE], "next": None}, 401, 403, 422)
)
def read_audit_log(
    runtime: RuntimeDep,
    _actor: AdminActor,
    limit: Limit = DEFAULT_ITEMS,
    before: Annotated[int | None, Query(ge=1, le=2**62, description="`next` of the page before.")] = None,
) -> AuditLogOut:
    """What was done to readers, newest first, by what kind of person and how much; never to whom."""
    with runtime.db.read() as session:
        lines, following = auditing.list_audit(session, limit=limit, before=before)
    items = [
        AuditLineOut(audit_id=line.audit_id, at=line.at, action=line.action, by=line.by, facts=line.facts)
        for line in lines
    ]
    return AuditLogOut(items=items, next=following)
