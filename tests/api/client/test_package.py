"""What the client is made of: its routes, its imports and its example."""

import inspect
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, get_type_hints

import pytest

from api.app import create_app
from api.client import Admin, AsyncAdmin, AsyncClient, Client, admin_calls, calls
from api.client.calls import Call
from api.routes.hub_errors import is_hub_path
from api.settings import Settings

ROOT = Path(__file__).parents[3]
EXAMPLE = re.compile(r"<!-- client -->\n```python\n(.*?)```", re.DOTALL)
HEAVY = ("fastapi", "starlette", "celery", "sqlalchemy", "numpy", "scipy", "redis", "pydantic", "orjson", "recommender")
SAME_AS_ANOTHER = {("DELETE", "/v1/admin/training-runs/{run_id}")}
SAMPLES: dict[type, Any] = {str: "x", int: 1}


def every_call() -> list[Call[Any]]:
    """Return one call of each function that makes one."""
    found = []
    for module in (calls, admin_calls):
        for _, function in inspect.getmembers(module, inspect.isfunction):
            if function.__module__ == module.__name__ and "Call[" in str(function.__annotations__.get("return")):
                found.append(function(**{name: sample(function, name) for name in required(function)}))
    return found


def required(function: Any) -> list[str]:
    """Return the parameters of a function that have no default."""
    parameters = inspect.signature(function).parameters.values()
    return [each.name for each in parameters if each.default is inspect.Parameter.empty]


def sample(function: Any, name: str) -> Any:
    """Return some value for a parameter."""
    hint = get_type_hints(function)[name]
    if hint in SAMPLES:
        return SAMPLES[hint]
    return {} if "Mapping" in str(hint) else [] if "Sequence" in str(hint) else hint()


def test_every_public_route_has_a_method(settings: Settings) -> None:
    document = create_app(settings).openapi()
    own = {path: methods for path, methods in document["paths"].items() if not is_hub_path(path)}
    routes = {(method.upper(), path) for path, methods in own.items() for method in methods}
    ours = {(call.method, call.template) for call in every_call()}
    assert {route for route in routes if route[0] != "HEAD"} - SAME_AS_ANOTHER == ours


@pytest.mark.parametrize(("blocking", "asynchronous"), [(Client, AsyncClient), (Admin, AsyncAdmin)])
def test_both_clients_have_the_same_methods(blocking: type, asynchronous: type) -> None:
    ours, theirs = (dict(inspect.getmembers(each, inspect.isfunction)) for each in (blocking, asynchronous))
    public = [name for name in ours if not name.startswith("_")]
    assert public == [name for name in theirs if not name.startswith("_")]
    for name in public:
        assert str(inspect.signature(ours[name])) == str(inspect.signature(theirs[name])), name
        assert inspect.getdoc(ours[name]) == inspect.getdoc(theirs[name])


def test_the_client_imports_nothing_of_the_service() -> None:
    program = f"import sys, api.client, api.client.disk; print([name for name in {HEAVY!r} if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_the_package_says_that_it_is_typed() -> None:
    assert (ROOT / "api" / "py.typed").exists()


def test_the_example_of_the_readme_runs(service: str, token: str, papers: list[str], tmp_path: Path) -> None:
    (example,) = EXAMPLE.findall((ROOT / "README.md").read_text(encoding="utf-8"))
    assert "http://127.0.0.1:8000" in example
    assert "pf_..." in example
    program = example.replace("http://127.0.0.1:8000", service).replace("pf_...", token)
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        cwd=tmp_path,
        env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert result.returncode == 0, result.stderr
    assert "accepted=2" in result.stdout
