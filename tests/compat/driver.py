"""Run by a client's own Python: calls the methods it reads from stdin, one JSON object a line, and writes what came.

It imports nothing of Paperfeed, and the client as its users have it.
"""

import json
import sys
from collections.abc import Iterator
from datetime import datetime
from importlib import import_module
from typing import Any


def plain(value: Any) -> Any:
    """Return any value of the client as JSON."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, dict):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple | Iterator):
        return [plain(each) for each in value]
    if hasattr(value, "__dict__"):
        shown = {key: plain(each) for key, each in vars(value).items() if not key.startswith("_")}
        return shown | ({"url": value.url} if hasattr(type(value), "url") else {})
    return value


def call(asked: dict[str, Any]) -> dict[str, Any]:
    """Call a method of `HfApi`, or without options a function of the package; return its value or its error."""
    hub = import_module("huggingface_hub")
    owner = hub if asked["api"] is None else hub.HfApi(**asked["api"])
    try:
        return {"value": plain(getattr(owner, asked["method"])(**asked["arguments"]))}
    except Exception as error:  # noqa: BLE001 - what the client raises is what is tested
        response = getattr(error, "response", None)
        return {
            "error": [each.__name__ for each in type(error).__mro__],
            "status": None if response is None else response.status_code,
            "message": str(error),
        }


if __name__ == "__main__":
    for line in sys.stdin:
        sys.stdout.write(json.dumps(call(json.loads(line))) + "\n")
        sys.stdout.flush()
