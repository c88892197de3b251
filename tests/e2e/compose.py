"""Reads deploy/compose.yaml, so that tests run exactly its commands without containers."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

COMPOSE: Final = Path(__file__).parents[2] / "deploy" / "compose.yaml"
_VARIABLE: Final = re.compile(r"\$\{(\w+)(?::?([-?])([^}]*))?\}")


@dataclass(frozen=True, slots=True)
class Service:
    """One service of the file: its command, its environment and how often it runs."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    replicas: int
    is_one_shot: bool
    stop_signal: str


def read_services(variables: Mapping[str, str], path: Path = COMPOSE) -> dict[str, Service]:
    """Return the services with `${NAME:-default}` filled from `variables`; KeyError for a missing one."""
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    return {name: _service(name, body, variables) for name, body in document["services"].items()}


def expand(text: str, variables: Mapping[str, str]) -> str:
    """Return `text` with variables replaced as compose does."""

    def replace(match: re.Match[str]) -> str:
        name, operator, rest = match.groups()
        value = variables.get(name, "")
        if value:
            return value
        if operator == "?":
            raise KeyError(f"{name}: {rest}")
        return rest or ""

    return _VARIABLE.sub(replace, text).replace("$$", "$")


def _service(name: str, body: dict[str, Any], variables: Mapping[str, str]) -> Service:
    return Service(
        name=name,
        command=tuple(expand(part, variables) for part in body.get("command", ())),
        environment={key: expand(str(value), variables) for key, value in body.get("environment", {}).items()},
        replicas=int(body.get("deploy", {}).get("replicas", 1)),
        is_one_shot=body.get("restart") == "no",
        stop_signal=body.get("stop_signal", "SIGTERM"),
    )
