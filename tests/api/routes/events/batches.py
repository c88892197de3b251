"""Events as clients send them."""

import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from fastapi.testclient import TestClient

Post = Callable[[list[Any]], list[dict[str, Any]]]


def make_event(paper_id: str, kind: str = "save", **fields: Any) -> dict[str, Any]:
    """Return an event that is fine."""
    occurred_at = datetime.now(UTC).isoformat()
    return {"id": str(uuid.uuid4()), "kind": kind, "paper_id": paper_id, "occurred_at": occurred_at} | fields


def read_page(client: TestClient, headers: dict[str, str]) -> dict[str, Any]:
    """Return the first page of a reader's feed."""
    page: dict[str, Any] = client.get("/v1/feed", headers=headers).json()
    return page
