"""A browser at the site of a running application: on this machine in the embedded mode, and elsewhere."""

import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import httpx2
import pytest
from fastapi.testclient import TestClient

from api.app import create_app
from api.runtime.state import Runtime
from api.settings import Settings, read_settings
from api.store.engine import Database
from api.store.tables import Base
from tests.api.feed_world import load_installation, register_model
from tests.api.routes.site.pages import HTML

LOCAL = "http://127.0.0.1:8000"
ORIGIN = {"origin": LOCAL}
_HIDDEN = re.compile(r'<input type="hidden" name="([a-z]+)" value="([^"]*)">')


@pytest.fixture
def embedded(tmp_path: Path, short_dir: Path) -> Iterator[Settings]:
    """Return settings of the embedded mode with a database but no cache."""
    settings = Settings(data_dir=tmp_path / "data")
    settings.data_dir.mkdir()
    database = Database(settings.resolved_database_url)
    Base.metadata.create_all(database.engine)
    database.engine.dispose()
    read_settings.cache_clear()
    yield settings
    read_settings.cache_clear()


@pytest.fixture
def local(embedded: Settings) -> Iterator[TestClient]:
    """Return a browser on the same machine."""
    with TestClient(create_app(embedded), client=("127.0.0.1", 5000), base_url=LOCAL, headers=dict(HTML)) as browser:
        yield browser


@pytest.fixture
def runtime_of_local(local: TestClient) -> Runtime:
    """Return the runtime behind it, with papers, readers and a model."""
    runtime = local.app.state.runtime  # type: ignore[attr-defined] # TestClient types its application as any ASGI one
    assert isinstance(runtime, Runtime)
    load_installation(runtime.db)
    register_model(runtime.db, runtime.settings.models_dir)
    runtime.serving.poll()
    return runtime


@pytest.fixture
def phone(settings: Settings, client: TestClient) -> Iterator[TestClient]:
    """Return another browser at the same service, in another process."""
    with TestClient(create_app(settings)) as browser:
        yield browser


def hidden_fields(page: str, *, form: str = "act") -> dict[str, str]:
    """Return the hidden fields of a form, which every press of its buttons sends."""
    found = re.search(rf'<form id="{form}".*?</form>', page, re.DOTALL)
    assert found is not None
    return {name: unescape(value) for name, value in _HIDDEN.findall(found[0])}


def press(browser: TestClient, kind: str, paper: str, *, page: str = "/", **headers: str) -> httpx2.Response:
    """Load a page and press a button of one of its cards."""
    fields = hidden_fields(browser.get(page).text)
    return browser.post("/act", data={**fields, kind: paper}, headers={**ORIGIN, **headers}, follow_redirects=False)
