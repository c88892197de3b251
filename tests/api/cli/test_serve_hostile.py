"""A real server and clients that lie to it."""

import http.client
import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api.cli.test_serve import is_alive, start, wait_for
from tests.shared import free_port

pytestmark = pytest.mark.e2e

LIMITS = {"PAPERFEED_RATE_ANONYMOUS": "0.01", "PAPERFEED_RATE_ANONYMOUS_BURST": "5"}


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    """Return the port of a server that lets an address send five requests."""
    chosen = free_port()
    with start(tmp_path, chosen, **LIMITS) as server:
        wait_for(chosen, alive=True)
        yield chosen
        server.terminate()
        server.communicate(timeout=20)


def ask(port: int, *, body: bytes | None = None, **headers: str) -> int:
    """Return the status of one request on a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    method = "GET" if body is None else "POST"
    path = "/v1/feed" if body is None else "/v1/events"
    connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
    status = connection.getresponse().status
    connection.close()
    return status


def test_addresses_that_a_client_makes_up_lift_no_limit(port: int) -> None:
    found = [
        ask(port, X_Forwarded_For=f"203.0.113.{number}", Forwarded=f"for=203.0.113.{number}") for number in range(8)
    ]
    assert found == [401] * 5 + [429] * 3


def test_bodies_that_are_not_what_they_say_do_no_harm(port: int) -> None:
    head = b"POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\n"
    body = json.dumps({"events": [{"id": "x"}]}).encode()
    for lie in (
        head + b"Content-Length: 5000\r\n\r\n" + body,  # more than comes
        head + b"Transfer-Encoding: chunked\r\n\r\nffffff\r\n" + body,  # a part that never ends
        head + b"Content-Length: 5000\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ):
        with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
            client.sendall(lie)
    assert is_alive(port)
    assert ask(port, body=body) in {401, 429}
