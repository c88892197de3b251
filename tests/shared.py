"""What tests of all kinds share: the data sets beside the checkout, and ports to listen on."""

import os
import random
import socket
from pathlib import Path

import pytest

SHARED = Path(os.environ.get("PAPERFEED_SHARED_DATA", Path(__file__).parents[2] / "shared" / "data"))


def shared_data(name: str) -> Path:
    """Return the folder of one shared data set; without it CI fails and everybody else skips, saying so."""
    folder = SHARED / name
    if folder.is_dir():
        return folder
    message = f"the data set {name} is not at {folder}; set PAPERFEED_SHARED_DATA to the folder that holds it"
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(message)


def free_port() -> int:
    """Return a port nobody listens on, below those that systems give to outgoing connections: nobody takes it soon."""
    while True:
        port = random.randrange(16_000, 32_000)
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                continue
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
