"""A client that posts events."""

import json
from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.api.routes.events.batches import Post


@pytest.fixture
def post(client: TestClient, as_ada: dict[str, str]) -> Post:
    """Return a function that posts events and returns their results."""

    def send(events: list[Any]) -> list[dict[str, Any]]:
        response = client.post(
            "/v1/events", content=json.dumps({"events": events}), headers=as_ada | {"Content-Type": "application/json"}
        )
        assert response.status_code == 202, response.text
        results: list[dict[str, Any]] = response.json()["results"]
        return results

    return send
