"""What released clients make of a refusal because of too many requests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.compat import seed
from tests.compat.clients import ClientError, Driven, HubClient, Released
from tests.compat.conftest import Server, seeded_server

pytestmark = [pytest.mark.compat, pytest.mark.timeout(600)]

BURST = 20


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory, redis_socket: Path) -> Iterator[Server]:
    limits = {"PAPERFEED_RATE_READER": "0.5", "PAPERFEED_RATE_READER_BURST": str(BURST)}
    with seeded_server(tmp_path_factory.mktemp("strict"), f"unix://{redis_socket}", **limits) as server:
        yield server


def test_a_client_is_told_how_long_to_wait(process: Driven, strict: Server, released: Released) -> None:
    client = HubClient(process, strict.url, token=strict.token("read", reader=f"hasty{released.version}"))

    def hurry() -> None:
        for _ in range(3 * BURST):
            client.list_papers(query="robot")

    with pytest.raises(ClientError) as caught:
        hurry()
    assert caught.value.status == 429
    if released.version != "0":  # which knows nothing of limits
        assert "you have reached your 'api' rate limit" in caught.value.message
        assert "Retry after" in caught.value.message
    assert client.paper_info(id=seed.FULL_ID)  # asked for without a token: another allowance
