"""The played source does what its script says, also the unpleasant things."""

import time

import httpx2
import pytest

from tests.sources_server import Answer, SourcesServer


def test_answers_come_in_order_and_the_last_one_stays() -> None:
    with SourcesServer() as source, httpx2.Client() as client:
        source.script("/a", Answer(b"one"), Answer(b"two"))
        assert [client.get(f"{source.url}/a").content for _ in range(3)] == [b"one", b"two", b"two"]
        assert client.get(f"{source.url}/b").status_code == 404


def test_the_script_that_knows_most_of_a_query_wins() -> None:
    with SourcesServer() as source, httpx2.Client() as client:
        source.script("/a", Answer(b"first page"), query={"p": None})
        source.script("/a", Answer(b"a day"), query={"date": "d", "p": None})
        source.script("/a", Answer(b"any"))
        assert [client.get(f"{source.url}/a{query}").content for query in ("", "?date=d", "?p=1")] == [
            b"first page",
            b"a day",
            b"any",
        ]
        assert [dict(request.query) for request in source.asked("/a")] == [{}, {"date": "d"}, {"p": "1"}]


def test_what_has_not_changed_is_not_sent_again() -> None:
    with SourcesServer() as source, httpx2.Client() as client:
        source.script("/a", Answer(b"body", etag='"1"', modified="Mon, 23 Nov 2026 00:00:00 GMT"))
        tags = {"If-None-Match": '"1"'}
        dates = {"If-Modified-Since": "Mon, 23 Nov 2026 00:00:00 GMT"}
        statuses = [client.get(f"{source.url}/a", headers=headers).status_code for headers in ({}, tags, dates)]
        assert statuses == [200, 304, 304]


def test_a_body_may_be_compressed_break_off_or_come_slowly() -> None:
    with SourcesServer() as source, httpx2.Client() as client:
        source.script("/gzip", Answer(b"x" * 1_000, is_gzip=True))
        source.script("/cut", Answer(b"x" * 1_000, cut_at=10))
        source.script("/slow", Answer(b"x" * 1_000, seconds=0.05, seconds_within=0.05))
        compressed = client.get(f"{source.url}/gzip")
        assert (compressed.headers["content-encoding"], len(compressed.content)) == ("gzip", 1_000)
        with pytest.raises(httpx2.RemoteProtocolError):
            client.get(f"{source.url}/cut")
        began = time.monotonic()
        assert len(client.get(f"{source.url}/slow").content) == 1_000
        assert time.monotonic() - began >= 0.1
