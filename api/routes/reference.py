"""The API's reference as a page needs it: the OpenAPI document in reading order."""

from dataclasses import dataclass
from typing import Any, Final

import orjson

METHODS: Final = ("get", "put", "post", "delete", "patch")
OTHER: Final = "other"


@dataclass(frozen=True, slots=True)
class Parameter:
    """One thing that an operation takes besides its body."""

    name: str
    place: str
    is_required: bool
    description: str


@dataclass(frozen=True, slots=True)
class Answer:
    """One status that an operation answers with."""

    status: str
    description: str
    example: str | None


@dataclass(frozen=True, slots=True)
class Operation:
    """One method on one path."""

    anchor: str
    method: str
    path: str
    summary: str
    description: str
    parameters: list[Parameter]
    body_example: str | None
    answers: list[Answer]


def describe(document: dict[str, Any]) -> dict[str, list[Operation]]:
    """Return the operations of an OpenAPI document by their first tag."""
    groups: dict[str, list[Operation]] = {}
    for path, methods in document["paths"].items():
        for method in METHODS:
            if method in methods:
                operation = methods[method]
                group = (operation.get("tags") or [OTHER])[0]
                groups.setdefault(group, []).append(_operation(path, method, operation))
    return groups


def _operation(path: str, method: str, operation: dict[str, Any]) -> Operation:
    return Operation(
        anchor=operation.get("operationId") or f"{method}{path}",
        method=method.upper(),
        path=path,
        summary=operation.get("summary", ""),
        description=operation.get("description", ""),
        parameters=[_parameter(parameter) for parameter in operation.get("parameters", ())],
        body_example=_example(operation.get("requestBody", {})),
        answers=[
            Answer(status, answer.get("description", ""), _example(answer) if status.startswith("2") else None)
            for status, answer in sorted(operation.get("responses", {}).items())
        ],
    )


def _parameter(parameter: dict[str, Any]) -> Parameter:
    schema = parameter.get("schema", {})
    default = f" Default: {schema['default']}." if schema.get("default") is not None else ""
    description = (parameter.get("description") or schema.get("description") or "") + default
    return Parameter(parameter["name"], parameter["in"], bool(parameter.get("required")), description.strip())


def _example(holder: dict[str, Any]) -> str | None:
    for content in holder.get("content", {}).values():
        if "example" in content:
            example = content["example"]
            return example if isinstance(example, str) else orjson.dumps(example, option=orjson.OPT_INDENT_2).decode()
    return None
