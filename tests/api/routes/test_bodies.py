"""Bodies are bounded before and after inflation, and nothing their headers claim is believed."""

import asyncio
import gzip
import tracemalloc
import zlib

import pytest
from starlette.requests import ClientDisconnect
from starlette.types import Message, Scope

from api.errors import InvalidRequest, TooLarge, UnsupportedBody
from api.routes.bodies import MOST_BEACON_BYTES, MOST_GZIP_PARTS, inflate, read_body

LIMIT = 1000


def read(*chunks: bytes, most_bytes: int = LIMIT, is_cut: bool = False, **headers: str) -> bytes:
    """Return what the route reads from a body that arrives in these chunks."""
    messages: list[Message] = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks]
    messages[-1]["more_body"] = is_cut
    messages.append({"type": "http.disconnect"})
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope: Scope = {"type": "http", "method": "POST", "path": "/", "headers": raw}

    async def receive() -> Message:
        return messages.pop(0)

    return asyncio.run(read_body(scope, receive, most_bytes=most_bytes))


def test_a_body_in_chunks_is_read_whole() -> None:
    assert read(b'{"a"', b": ", b"1}") == b'{"a": 1}'


def test_a_body_of_exactly_the_limit_is_read_and_one_byte_more_is_refused() -> None:
    assert len(read(b"x" * LIMIT)) == LIMIT
    with pytest.raises(TooLarge):
        read(b"x" * LIMIT, b"x")


def test_a_length_that_lies_does_not_lift_the_limit() -> None:
    with pytest.raises(TooLarge):
        read(*[b"x" * 100] * 11, content_length="5")


def test_a_client_that_goes_away_in_the_middle_leaves_nothing() -> None:
    with pytest.raises(ClientDisconnect):
        read(b'{"events": [', is_cut=True, content_length="500")


@pytest.mark.parametrize("name", ["gzip", "x-gzip", " GZIP "])
def test_a_gzip_body_is_inflated(name: str) -> None:
    packed = gzip.compress(b'{"events": []}')
    assert read(packed[:7], packed[7:], content_encoding=name) == b'{"events": []}'


def test_a_gzip_body_of_exactly_the_limit_is_read_and_one_byte_more_is_refused() -> None:
    assert len(read(gzip.compress(b"x" * LIMIT), content_encoding="gzip")) == LIMIT
    with pytest.raises(TooLarge):
        read(gzip.compress(b"x" * (LIMIT + 1)), content_encoding="gzip")


def test_a_bomb_of_ten_megabytes_is_refused_without_being_inflated() -> None:
    bomb = gzip.compress(bytes(10_000_000))
    assert len(bomb) < 10_500
    tracemalloc.start()
    try:
        with pytest.raises(TooLarge):
            read(bomb, most_bytes=MOST_BEACON_BYTES, content_encoding="gzip")
        assert tracemalloc.get_traced_memory()[1] < 10 * MOST_BEACON_BYTES
    finally:
        tracemalloc.stop()


def test_a_bomb_in_many_parts_is_refused_as_a_whole() -> None:
    assert inflate(gzip.compress(b"a") + gzip.compress(b"b"), most_bytes=2) == b"ab"
    with pytest.raises(TooLarge):
        inflate(gzip.compress(b"x" * 400) * 3, most_bytes=LIMIT)
    with pytest.raises(InvalidRequest):
        inflate(gzip.compress(b"") * (MOST_GZIP_PARTS + 1), most_bytes=LIMIT)


@pytest.mark.parametrize(
    "body",
    [b"not gzip", zlib.compress(b"{}"), gzip.compress(b"{}")[:-9], gzip.compress(b"{}") + b"trailing"],
    ids=["plain", "zlib", "cut", "trailing"],  # gzip writes the time: without names, two test processes disagree
)
def test_a_body_that_is_not_whole_gzip_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidRequest):
        read(body, content_encoding="gzip")


@pytest.mark.parametrize("name", ["deflate", "br", "zstd", "gzip, gzip", "compress", "gzip,identity"])
def test_other_encodings_are_refused_by_name(name: str) -> None:
    with pytest.raises(UnsupportedBody) as refused:
        read(b"{}", content_encoding=name)
    assert refused.value.headers["Accept-Encoding"].startswith("gzip")


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "application/json; charset=utf-8",
        "text/plain",
        "text/plain;charset=UTF-8",
        'Text/Plain; charset="utf-8"',
        "application/vnd.api+json",
        "",
    ],
)
def test_json_is_read_under_the_types_that_clients_send(content_type: str) -> None:
    assert read(b"{}", content_type=content_type) == b"{}"


@pytest.mark.parametrize(
    "content_type", ["application/xml", "multipart/form-data; boundary=x", "text/plain; charset=utf-16", "text/html"]
)
def test_other_types_are_refused(content_type: str) -> None:
    with pytest.raises(UnsupportedBody):
        read(b"{}", content_type=content_type)
