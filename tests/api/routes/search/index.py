"""Papers that can be found, and searches for them."""

import time
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from api.runtime.state import Runtime
from api.store.engine import Database
from api.store.tables import Paper, PaperCategory
from tests.api.feed_world import paper_row

DAY = datetime(2026, 3, 1, tzinfo=UTC)
TEXTS = {
    1: ("Sparse attention for long documents", "We cut attention to what matters in long texts."),
    2: ("Dense retrieval of scientific papers", "Papers are found by <b>vectors</b> & nothing else."),
    3: ("Graph learning at scale", "Graphs with a billion edges, learned on one machine."),
    4: ("Attention sinks in streaming models", "Why the first token draws attention."),
    5: ("A survey of mixture of experts", "Routing decides which experts work."),
}


def write(database: Database, runtime: Runtime, texts: dict[int, tuple[str, str]], **fields: object) -> None:
    """Store papers and wait until they can be found."""
    rows = [
        paper_row(number, title=title, category=category_of(number), listed_at=DAY.replace(day=number % 28 + 1))
        | {
            "external_id": f"2603.{number:05}",
            "summary": summary,
            "authors": [f"Ada Nr{number}"],
            "updated_at": datetime.now(UTC),
        }
        | fields
        for number, (title, summary) in texts.items()
    ]
    with database.write() as session:
        session.execute(sa.insert(Paper), rows)
        categories = [
            {"category": category_of(row["paper_id"]), "paper_id": row["paper_id"], "listed_at": row["listed_at"]}
            for row in rows
        ]
        session.execute(sa.insert(PaperCategory), categories)
        wanted = session.scalar(sa.select(sa.func.count()).select_from(Paper))
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        runtime.search.poll()
        index = runtime.search.current
        if index is not None and index.num_papers == wanted:
            return
        time.sleep(0.01)
    pytest.fail(f"{wanted} papers not indexed: {runtime.search.failure}")


def category_of(paper_id: object) -> str:
    """Return the category of a paper by its number."""
    assert isinstance(paper_id, int)
    return "cs.CL" if paper_id % 2 else "cs.IR"


def ask(client: TestClient, q: str = "", **params: Any) -> dict[str, Any]:
    """Return the answer to a search."""
    answer = client.get("/v1/search", params={"q": q} | params)
    assert answer.status_code == 200, answer.text
    document: dict[str, Any] = answer.json()
    return document


def ids(document: dict[str, Any]) -> list[int]:
    """Return the numbers of the papers of a page."""
    return [int(item["paper"]["id"].split(".")[1]) for item in document["items"]]
