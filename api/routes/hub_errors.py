"""Errors of the papers API as its stock clients read them: an object with one text."""

from collections.abc import Mapping
from typing import Any, Final

import orjson
from fastapi import Response

HUB_FOLDERS: Final = ("/api/", "/papers/")
JSON: Final = "application/json"
EXAMPLE_ERROR: Final[dict[str, Any]] = {"error": "there is no paper '2401.99999'"}
_WORDS: Final = {
    400: "A parameter that is out of range",
    401: "No token, or one that is unknown or revoked",
    403: "A valid token whose scopes do not reach this far",
    404: "No such paper",
    409: "It is there already",
    413: "A body over the limit",
    429: "Too many requests",
}


def is_hub_path(path: str) -> bool:
    """True for paths whose callers expect errors in this form."""
    return path.startswith(HUB_FOLDERS)


def hub_error(status: int, detail: str, *, headers: Mapping[str, str] | None = None) -> Response:
    """Return an error; what our own API calls 422 is 400 here, where clients know no other."""
    try:
        body = orjson.dumps({"error": detail})
    except TypeError:  # text that is not Unicode
        body = orjson.dumps({"error": detail.encode("utf-8", "replace").decode()})
    fields = {"Cache-Control": "no-store", **(headers or {})}
    if status == 403 and detail.isprintable() and detail.isascii():  # clients tell of this one what the header says
        fields["X-Error-Message"] = detail
    return Response(body, status_code=400 if status == 422 else status, media_type=JSON, headers=fields)


def hub_answers(example: object, *errors: int, status: int = 200, media_type: str = JSON) -> dict[int | str, Any]:
    """Return `responses=` of a route: an example of its answer and the errors it may answer with."""
    documented: dict[int | str, Any] = {
        status: {"description": "OK", "content": {media_type: {"example": example}}},
    }
    for code in (*errors, 429):
        documented[code] = {"description": _WORDS[code], "content": {JSON: {"example": EXAMPLE_ERROR}}}
    return documented
