"""Errors as `application/problem+json`, in answers and in the OpenAPI document."""

import errno
import http
import logging
from collections.abc import Mapping
from typing import Any, Final

import orjson
import sqlalchemy as sa
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException
from starlette.types import Scope

from api import errors
from api.routes.error_pages import error_page, wants_page
from api.routes.hub_errors import hub_error, is_hub_path
from api.runtime.logs import loggable_path, request_id
from api.schemas.common import Problem
from api.schemas.events import EventIn, EventsIn

log = logging.getLogger(__name__)

MEDIA_TYPE: Final = "application/problem+json"
TYPE_PREFIX: Final = "/problems/"
_OUT_OF_SPACE: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
_BY_STATUS: Final[dict[int, type[errors.ServiceError]]] = {
    400: errors.MissingReader,
    401: errors.NotAuthenticated,
    403: errors.NotAllowed,
    404: errors.NotFound,
    409: errors.Conflict,
    410: errors.Gone,
    413: errors.TooLarge,
    415: errors.UnsupportedBody,
    422: errors.InvalidRequest,
    429: errors.TooManyRequests,
    503: errors.Unavailable,
}
_ROUTER_SAYS: Final = {
    404: "there is nothing at this path: `/docs` names those that exist",
    405: "this path does not take this method: the `Allow` header names those it does",
}
OUTAGES: Final = (
    sa.exc.OperationalError,
    sa.exc.InterfaceError,
    sa.exc.InternalError,  # PostgreSQL's word for a write where only reading is allowed: a replica
    sa.exc.TimeoutError,
    OSError,
)
_OF_ONE_READER: Final = frozenset({"reader", "feedback", "feed"})  # tags
_USER_HEADER: Final[dict[str, Any]] = {
    "name": "X-User",
    "in": "header",
    "required": False,
    "description": "The reader for whom a service token acts; a reader's own token leaves it out.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 200},
    "example": "ada",
}


def install_problem_handlers(app: FastAPI) -> None:
    """Translate every kind of error into a problem."""
    app.add_exception_handler(errors.ServiceError, _on_service_error)
    app.add_exception_handler(RequestValidationError, _on_invalid_request)
    app.add_exception_handler(HTTPException, _on_http_error)
    for outage in OUTAGES:
        app.add_exception_handler(outage, _on_outage)
    app.add_exception_handler(sa.exc.ProgrammingError, _on_missing_table)
    app.add_exception_handler(sa.exc.DataError, _on_data_error)


def problem_body(status: int, title: str, type_name: str, detail: str, **fields: object) -> bytes:
    """Return a problem as JSON; lone surrogates and other strange values in fields never break it."""
    body = {"type": TYPE_PREFIX + type_name, "title": title, "status": status, "detail": detail, **fields}
    current = request_id.get()
    if current is not None:
        body["request_id"] = current
    try:
        return orjson.dumps(body, default=str)
    except TypeError:  # text that is not Unicode, or a number that is not JSON
        body = {key: value for key, value in body.items() if key not in fields}
        return orjson.dumps(body | {"detail": detail.encode("utf-8", "replace").decode()})


def problem_response(
    status: int, title: str, type_name: str, detail: str, *, headers: Mapping[str, str] | None = None, **fields: object
) -> Response:
    """Return a problem as an answer, in the form that the callers of its path expect."""
    instance = fields.get("instance")
    if isinstance(instance, str) and is_hub_path(instance):
        return hub_error(status, detail, headers=headers)
    body = problem_body(status, title, type_name, detail, **fields)
    return Response(body, status_code=status, media_type=MEDIA_TYPE, headers=dict(headers or {}))


def error_response(error: errors.ServiceError, *, scope: Scope) -> Response:
    """Return one of our own errors as an answer to a request: a page for a browser, a problem for a program."""
    if wants_page(scope):
        return error_page(error.status, error.detail, scope=scope, headers=error.headers)
    return problem_response(
        error.status,
        error.title,
        error.type_name,
        error.detail,
        headers=error.headers,
        instance=scope["path"],
        **error.fields,
    )


def internal_error(scope: Scope) -> Response:
    """Return what is said about a fault of our own."""
    detail = "this is a fault of the service: its log has more under the request id"
    return error_response(errors.ServiceError(detail), scope=scope)


def answers(
    example: object, *problems: int, status: int = 200, description: str = ""
) -> dict[int | str, dict[str, Any]]:
    """Return `responses=` of a route: an example of its answer and the problems it may answer with."""
    documented: dict[int | str, dict[str, Any]] = {
        status: {
            "description": description or http.HTTPStatus(status).phrase,
            "content": {"application/json": {"example": example}},
        }
    }
    for code in problems:
        error = _BY_STATUS[code]
        shown = {
            "type": TYPE_PREFIX + error.type_name,
            "title": error.title,
            "status": code,
            "detail": (error.__doc__ or error.title).strip(),
        }
        documented[code] = {
            "description": error.title,
            "model": Problem,
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}, "example": shown}},
        }
    return documented


def tidy_openapi(document: dict[str, Any]) -> dict[str, Any]:
    """Remove what FastAPI says about errors and we answer otherwise: its own 422 and problems as plain JSON."""
    for operation in operations(document):
        for code, response in operation["responses"].items():
            content = response.get("content", {})
            if code == "422" and "HTTPValidationError" in str(content):
                operation["responses"][code] = _plain(answers(None, 422)[422])
            elif MEDIA_TYPE in content:
                content.pop("application/json", None)
    for path, methods in document["paths"].items():
        for operation in methods.values():
            _add_common_answers(path, operation)
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for operation in operations(document):
        _show_examples(operation, schemas)
        if not _OF_ONE_READER.isdisjoint(operation.get("tags", ())):
            operation.setdefault("parameters", []).append(_USER_HEADER)
    schemas.pop("HTTPValidationError", None)
    schemas.pop("ValidationError", None)
    # Routes that read the body themselves name its schema only.
    for model in (Problem, EventIn, EventsIn):
        shape = model.model_json_schema(ref_template="#/components/schemas/{model}")
        shape.pop("$defs", None)
        schemas.setdefault(model.__name__, shape)
    return document


def _add_common_answers(path: str, operation: dict[str, Any]) -> None:
    responses = operation["responses"]
    if is_hub_path(path):  # invalid parameters are 400 there
        responses.pop("422", None)
    if path.startswith("/v1/"):  # whatever it is for, it counts
        responses.setdefault("429", _plain(answers(None, 429)[429]))
        if "requestBody" in operation:  # no body is endless
            responses.setdefault("413", _plain(answers(None, 413)[413]))


def operations(document: dict[str, Any]) -> list[dict[str, Any]]:
    """Return every operation of an OpenAPI document."""
    return [operation for path in document["paths"].values() for operation in path.values()]


def _show_examples(operation: dict[str, Any], schemas: dict[str, Any]) -> None:
    """Repeat the example of a schema where the schema is used, so that every reader of the document finds it."""
    for holder in (operation.get("requestBody", {}), *operation["responses"].values()):
        for content in holder.get("content", {}).values():
            name = content.get("schema", {}).get("$ref", "").rpartition("/")[2]
            examples = schemas.get(name, {}).get("examples")
            if examples and "example" not in content:
                content["example"] = examples[0]


def _plain(response: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in response.items() if key != "model"}


def _on_service_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, errors.ServiceError):
        raise error
    return error_response(error, scope=request.scope)


def _on_invalid_request(request: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        raise error
    # The values themselves are left out: they may be secret, huge or not Unicode.
    found = [{"where": list(map(str, item["loc"])), "what": item["msg"]} for item in error.errors()]
    first = f"{'.'.join(found[0]['where'])}: {found[0]['what']}" if found else "the request cannot be read"
    return error_response(errors.InvalidRequest(first, errors=found[:20]), scope=request.scope)


def _on_http_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    title = http.HTTPStatus(error.status_code).phrase
    detail = str(error.detail)
    if detail == title:  # the router's own words say nothing
        detail = _ROUTER_SAYS.get(error.status_code, detail)
    if wants_page(request.scope):
        return error_page(error.status_code, detail, scope=request.scope, headers=error.headers)
    return problem_response(
        error.status_code,
        title,
        title.lower().replace(" ", "-"),
        detail,
        headers=error.headers,
        instance=request.url.path,
    )


def _on_outage(request: Request, error: Exception) -> Response:
    if isinstance(error, OSError) and error.errno not in _OUT_OF_SPACE:
        raise error
    cause = str(getattr(error, "orig", None) or error).lower()
    runtime = getattr(request.app.state, "runtime", None)
    if runtime is not None:
        runtime.conditions.distrust()
    log.error(
        "storage unavailable",
        extra={"path": loggable_path(request.url.path), "error": type(error).__name__, "cause": cause},
    )
    detail = "the database cannot be reached or written just now: send the same request again"
    if "full" in cause or "no space" in cause:
        detail = "the disk is full: free some space (`paperfeed doctor` says where), then send the same request again"
    elif "read-only" in cause or "readonly" in cause:
        detail = "the database takes no writes just now: what is there can be read, send the same request again later"
    return error_response(errors.Unavailable(detail), scope=request.scope)


def _on_missing_table(request: Request, error: Exception) -> Response:
    """PostgreSQL's word for a database that was not migrated; of a statement of ours that is wrong, too."""
    if not wants_page(request.scope):
        raise error
    log.error("statement refused", extra={"path": loggable_path(request.url.path), "error": type(error).__name__})
    detail = "the database does not have what this page needs: `paperfeed doctor` says why"
    return error_response(errors.Unavailable(detail), scope=request.scope)


def _on_data_error(request: Request, error: Exception) -> Response:
    log.warning(
        "value refused by the database", extra={"path": loggable_path(request.url.path), "error": type(error).__name__}
    )
    error_in_words = errors.InvalidRequest("a value in this request cannot be stored: it is too large or not text")
    return error_response(error_in_words, scope=request.scope)
