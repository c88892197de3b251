"""What tests of the pages about taste share: sending their forms, and reading the list that follows."""

import re
from html import unescape

import httpx2
import numpy as np
from fastapi.testclient import TestClient

from tests.api.feed_world import planted
from tests.api.routes.site.conftest import ORIGIN, hidden_fields

ADA = {"reader": "ada"}
Fields = dict[str, str | list[str]]


def of_topic(topic: int) -> list[str]:
    """Return the papers of a topic that somebody touched, by external id."""
    chosen = (planted().topic_of_paper == topic) & ~planted().untouched
    return [f"p{paper_id}" for paper_id in planted().texts.paper_ids[chosen].tolist()]


def send(
    browser: TestClient,
    path: str,
    fields: Fields,
    *,
    page: str,
    params: dict[str, str] | None = None,
    files: dict[str, tuple[str, bytes]] | None = None,
) -> httpx2.Response:
    """Load a page and send a form with the hidden fields that its pages carry."""
    carried = hidden_fields(browser.get(page, params=params).text)
    return browser.post(path, data={**carried, **fields}, files=files, headers=ORIGIN, follow_redirects=False)


def listed(browser: TestClient, **params: str) -> list[str]:
    """Return the papers of the visitor's own list, in order."""
    page = browser.get("/for-you", params=params)
    assert page.status_code == 200
    return re.findall(r'data-paper="([^"]+)"', page.text)


def told(browser: TestClient, path: str, **params: str) -> str:
    """Return what a page says about what was just done."""
    found = re.search(r'<p role="status">(.*?)</p>', browser.get(path, params=params).text)
    return unescape(found[1]) if found else ""


def share_of(papers: list[str], topic: int, *, first: int = 20) -> float:
    """Return how much of the beginning of a list is of a topic."""
    found = planted().topics(np.array([name.removeprefix("p") for name in papers[:first]], dtype=np.int64))
    return float(np.mean(found == topic))
