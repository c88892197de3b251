"""The encoder whose weights a package brings along, opened once."""

from collections.abc import Iterator

import pytest

from api.runtime.encoders import EncoderProcess, open_encoder

MINILM = "all-MiniLM-L6-v2"


@pytest.fixture(scope="session")
def minilm() -> Iterator[EncoderProcess]:
    """Return the open encoder; its process ends with the tests."""
    with open_encoder(MINILM) as opened:
        yield opened
