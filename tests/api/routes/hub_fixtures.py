"""What tests of the papers API share."""

from typing import Any

from fastapi.testclient import TestClient

from api.runtime.state import Runtime


def ids_of(client: TestClient, query: str = "", *, headers: dict[str, str] | None = None) -> list[str]:
    """Return the numbers of the papers of a list, as strings without what all ids share."""
    answer = client.get(f"/api/daily_papers{query}", headers=headers)
    assert answer.status_code == 200, answer.text
    return [str(int(item["paper"]["id"].partition(".")[2])) for item in answer.json()]


def error_of(answer: Any) -> tuple[int, str]:
    """Return status and text of an error, after a look at its form."""
    assert answer.headers["content-type"] == "application/json"
    assert "x-error-code" not in answer.headers
    body = answer.json()
    assert list(body) == ["error"]
    return answer.status_code, body["error"]


def let_changes_be_seen(runtime: Runtime) -> None:
    """Look for changes now instead of within some seconds."""
    runtime.answers.look()
