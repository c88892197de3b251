"""Readers who ask for collections, for tests of them."""

from typing import Any

import sqlalchemy as sa
from fastapi.testclient import TestClient

from api.store.engine import Database
from api.store.tables import Event
from recommender.domain import EventKind

Json = dict[str, Any]


class Reader:
    """A reader with a token of their own."""

    def __init__(self, client: TestClient, token: str | None) -> None:
        self.client = client
        self.headers = {} if token is None else {"Authorization": f"Bearer {token}"}

    def ask(self, method: str, path: str, body: object = None, *, status: int = 200, **params: Any) -> Any:
        answer = self.client.request(method, f"/api/collections{path}", json=body, params=params, headers=self.headers)
        assert answer.status_code == status, answer.text
        if status >= 400:
            assert isinstance(answer.json()["error"], str)
        return answer.json()

    def make(self, title: str, **fields: object) -> str:
        slug: str = self.ask("POST", "", {"title": title, **fields})["slug"]
        return "/" + slug

    def add(self, slug: str, paper: str, *, status: int = 200, **fields: object) -> Json:
        found: Json = self.ask(
            "POST", f"{slug}/items", {"item": {"id": paper, "type": "paper"}, **fields}, status=status
        )
        return found

    def papers(self, slug: str) -> list[str]:
        return [item["id"] for item in self.ask("GET", slug)["items"]]

    def slugs(self, **params: Any) -> list[str]:
        return [found["slug"] for found in self.ask("GET", "", **params)]


def kinds(database: Database) -> list[EventKind]:
    with database.read() as session:
        return [EventKind(kind) for kind in session.scalars(sa.select(Event.kind).order_by(Event.event_pk))]


LIBRARY = "/ada/library"
