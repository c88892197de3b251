"""Single requests to a running service, for preparing what is measured."""

import json
import urllib.request
from collections.abc import Iterable
from typing import Any

from tests.benchmarks.service.world import Service

Json = dict[str, Any]


def bearer(token: str, reader: str | None = None) -> dict[str, str]:
    """Return the headers of a token, acting for `reader`."""
    headers = {"Authorization": f"Bearer {token}"}
    return headers if reader is None else headers | {"X-User": reader}


def read_feeds(service: Service, readers: Iterable[str]) -> list[Json]:
    """Read the first page of each reader, which builds the lists that are not there."""
    pages = []
    for reader in readers:
        headers = bearer(service.world.token, reader)
        with urllib.request.urlopen(urllib.request.Request(service.url + "/v1/feed", headers=headers)) as answer:
            pages.append(json.load(answer))
    return pages
