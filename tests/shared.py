"""Where the shared data folder lies: beside the checkout in CI, absent for most people."""

import os
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
